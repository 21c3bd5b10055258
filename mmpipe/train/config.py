"""A training config: read from any spelling, completed from spaCy's default one, and checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from confection import Config
from pydantic import ConfigDict, ValidationError, create_model
from spacy.language import DEFAULT_CONFIG
from spacy.schemas import ConfigSchemaTraining

from mmpipe.config.advice import advice_on, told
from mmpipe.config.arguments import shortened
from mmpipe.config.overrides import apply_overrides
from mmpipe.config.pipeline import Pipeline, read_pipeline
from mmpipe.config.schema import function_faults
from mmpipe.config.spelling import SPELLINGS, from_mapping, read_file
from mmpipe.errors import ConfigError, Fault
from mmpipe.names import nearest
from mmpipe.plugins import PluginRegistry

READER, SPACY_READER = "mmpipe.JsonlCorpus.v1", "spacy.Corpus.v1"
_RECORDS = (".jsonl", ".jsonl.gz", ".ndjson")
_SENTENCES = {"doc.sents", "token.is_sent_start"}

FINE_TUNING: dict[str, Any] = {
    "max_steps": 2000,
    "patience": 800,
    "batcher": {"@batchers": "mmpipe.batch_by_tokens.v1", "size": 2048, "max_examples": 64},
    "optimizer": {
        "@optimizers": "Adam.v1",
        "L2": 0.01,
        "grad_clip": 1.0,
        "use_averages": False,
        "learn_rate": {
            "@schedules": "warmup_linear.v1",
            "initial_rate": 5e-5,
            "warmup_steps": 100,
            "total_steps": "${training.max_steps}",
        },
    },
}
"""What [training] says of a pipeline with a transformer, where the config does not; spaCy's rates would destroy it."""


def read_training(source: str | Path, overrides: Mapping[str, Any], plugins: PluginRegistry) -> Pipeline:
    """Read, override, complete and check a training config. Loads no weights and no data.

    source: a .cfg, .toml, .yaml or .json file. overrides: dotted keys to values.
    Raises ConfigError where it cannot be found or parsed at all; what is wrong inside is in `faults`.
    """
    path, where = Path(source), str(source)
    if not path.is_file():
        said = "is a folder" if path.is_dir() else "no such file"
        near = [str(p) for p in path.parent.glob("*") if p.suffix in SPELLINGS] if path.parent.is_dir() else []
        raise ConfigError(said, where=where, next_step=nearest(where, near, listing="config files here"))
    tree = from_mapping(apply_overrides(read_file(path), overrides, where=where), where=where)
    tree = _completed(tree, plugins)
    checked = read_pipeline(tree, overrides, plugins, is_training=True, beside=path.parent)
    pipeline = dataclasses.replace(checked, where=where)
    if isinstance(pipeline.config.get("training"), dict):
        _annotate_sentences(pipeline)
    return dataclasses.replace(pipeline, faults=(*pipeline.faults, *_training_faults(pipeline.config)))


def _completed(tree: Config, plugins: PluginRegistry) -> Config:
    """The tree over spaCy's default training config, with corpora of records where paths end in .jsonl."""
    defaults = {key: value for key, value in DEFAULT_CONFIG.items() if key not in ("nlp", "components", "corpora")}
    defaults["training"] = dict(defaults["training"]) | (FINE_TUNING if _has_transformer(tree, plugins) else {})
    if isinstance(tree.get("corpora", {}), Mapping):
        tree = Config({**tree, "corpora": _corpora(tree)})
    return Config(_over(defaults, tree))


def _has_transformer(tree: Mapping[str, Any], plugins: PluginRegistry) -> bool:
    components = tree.get("components", {})
    blocks = components.items() if isinstance(components, Mapping) else ()
    factories = [_factory(name, block) for name, block in blocks if isinstance(block, Mapping)]
    nlp = tree.get("nlp")
    names = nlp.get("pipeline") if isinstance(nlp, Mapping) else None
    factories += names if isinstance(names, list) else []
    return any(
        isinstance(name, str) and (plugins.find("components", name) or name == "transformer") for name in factories
    )


def _factory(name: str, block: Mapping[str, Any]) -> Any:
    """The factory of a component; of one that comes from a saved pipeline, that which it was made by there."""
    file = Path(str(block["source"])) / "config.cfg" if "source" in block else None
    if file is None or not file.is_file():
        return block.get("factory")
    saved = read_file(file).get("components", {}).get(block.get("component", name), {})
    return saved.get("factory")


def _corpora(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The corpora section; `train` and `dev` get a reader by the ending of their path, where none is named."""
    corpora, paths = dict(tree.get("corpora", {})), tree.get("paths") or {}
    for name in ("train", "dev"):
        block = corpora.get(name, {})
        if not isinstance(block, Mapping) or any(str(key).startswith("@") for key in block):
            continue
        path = block.get("path") or (paths.get(name) if isinstance(paths, Mapping) else None)
        is_of_records = "sources" in block or str(path).endswith(_RECORDS)
        own = {"path": path} if "sources" not in block else {}
        reader = {"@readers": READER, **own} if is_of_records else dict(DEFAULT_CONFIG["corpora"][name])
        corpora[name] = {**reader, **block}
    return corpora


def _over(defaults: Mapping[str, Any], tree: Mapping[str, Any]) -> dict[str, Any]:
    """The tree over its defaults. A block that names a function takes the default's settings only if it is the same."""
    merged = dict(defaults)
    for key, value in tree.items():
        default = defaults.get(key)
        if isinstance(default, Mapping) and isinstance(value, Mapping):
            is_other = any(str(name).startswith("@") and default.get(name) != value[name] for name in value)
            merged[key] = dict(value) if is_other else _over(default, value)
        else:
            merged[key] = value
    return merged


def _annotate_sentences(pipeline: Pipeline) -> None:
    """Let the components that find sentences do so in training, too; in place."""
    training = pipeline.config["training"]
    frozen = training.get("frozen_components") or []
    if not training.get("annotating_components"):
        training["annotating_components"] = [
            stage.name
            for stage in pipeline.stages
            if _SENTENCES.intersection(stage.assigns) and stage.name not in frozen
        ]


def _training_faults(config: Mapping[str, Any]) -> Iterator[Fault]:
    training = config.get("training")
    if not isinstance(training, Mapping):
        return
    known = ConfigSchemaTraining.model_fields
    for key, value in training.items():
        if key not in known:
            yield Fault(f"training.{key}", f"unknown setting (value {shortened(value)})", nearest(key, known))
    simple = {
        key: (field.annotation, ...)
        for key, field in known.items()
        if key in training and key not in ("batcher", "optimizer", "logger", "before_to_disk", "before_update")
    }
    schema = create_model("Training", __config__=ConfigDict(strict=True, arbitrary_types_allowed=True), **simple)
    try:
        schema.model_validate({key: training[key] for key in simple})
    except ValidationError as error:
        for problem in error.errors():
            where = f"training.{'.'.join(str(part) for part in problem['loc'][:2])}"
            yield Fault(where, f"{shortened(problem['input'])}: {told(problem)}", advice_on(problem, problem["input"]))
    yield from function_faults(training, "training")
    yield from _schedule_faults(training)
    yield from _corpus_faults(config, training)
    for name in [*(training.get("frozen_components") or []), *(training.get("annotating_components") or [])]:
        pipeline = config["nlp"].get("pipeline", []) if isinstance(config.get("nlp"), Mapping) else []
        if name not in pipeline:
            hint = nearest(str(name), [str(each) for each in pipeline], listing="in it")
            yield Fault("training.frozen_components", f"{name!r} is not in the pipeline", hint)


def _schedule_faults(training: Mapping[str, Any]) -> Iterator[Fault]:
    """A rate that falls to nothing by a step that is 0, as it does by default where `max_steps` is, learns nothing."""
    optimizer = training.get("optimizer")
    rate = optimizer.get("learn_rate") if isinstance(optimizer, Mapping) else None
    if isinstance(rate, Mapping) and rate.get("@schedules") == "warmup_linear.v1" and rate.get("total_steps") == 0:
        yield Fault(
            "training.optimizer.learn_rate.total_steps",
            "is 0: the rate would be 0 once the warm-up is over",
            "set it to the number of updates that max_epochs will take, or set max_steps",
        )


def _corpus_faults(config: Mapping[str, Any], training: Mapping[str, Any]) -> Iterator[Fault]:
    corpora = config.get("corpora")
    yield from function_faults(corpora, "corpora")
    for key in ("train_corpus", "dev_corpus"):
        dotted = str(training.get(key))
        block: Any = config
        for part in dotted.split("."):
            block = block.get(part) if isinstance(block, Mapping) else None
        if not isinstance(block, Mapping):
            names = [f"corpora.{name}" for name in corpora] if isinstance(corpora, Mapping) else []
            yield Fault(f"training.{key}", f"there is no section [{dotted}]", nearest(dotted, names))
        elif block.get("@readers") in (READER, SPACY_READER) and not (block.get("path") or block.get("sources")):
            short = dotted.removeprefix("corpora.")
            yield Fault(f"{dotted}.path", "missing", f'set {short} = "{short}.jsonl" in [paths], or path in [{dotted}]')
