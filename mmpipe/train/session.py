"""A training from its config to its saved pipelines: what `mmpipe train` runs."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import srsly
from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.training.loop import create_before_to_disk_callback, create_evaluation_callback, update_meta
from spacy.util import registry, resolve_dot_names
from thinc.api import constant, fix_random_seed

from mmpipe.component import TransformerPipe
from mmpipe.config import Pipeline
from mmpipe.errors import ConfigError, MmpipeError
from mmpipe.learning import record_of
from mmpipe.plugins import get_plugins
from mmpipe.train.batches import Batches
from mmpipe.train.checkpoint import Checkpoints, disk_faults_told, put_back, replace_folder
from mmpipe.train.journal import Journal
from mmpipe.train.loop import Evaluate, Limits, Loop

logger = logging.getLogger("mmpipe")
BEST, LAST = "model-best", "model-last"
_USUAL_LOGGER = "spacy.ConsoleLogger.v1"


@dataclass(frozen=True)
class Trained:
    """What came of a training: the pipeline as it is after the last step, its best score and the step of that."""

    nlp: Language
    n_steps: int
    seconds: float
    best_score: float
    best_step: int


def train(
    pipeline: Pipeline,
    output: Path | None = None,
    *,
    is_resumed: bool = False,
    save_every: int | None = None,
    has_tensorboard: bool = False,
) -> Trained:
    """Train a checked pipeline (see mmpipe.train.config.read_training).

    output: gets `model-best` and `model-last`, checkpoints, `training.csv` and a learning curve. None saves nothing.
    is_resumed: go on from the newest checkpoint in it, if there is one.
    save_every: steps between checkpoints, besides one at each evaluation.
    Raises ConfigError where the pipeline cannot be built, its data do not fit it, or a checkpoint is of another
    training; NoInputError and RecordError for the corpus; ModelError for weights.
    """
    if output is not None:
        with disk_faults_told(output):
            output.mkdir(parents=True, exist_ok=True)
    nlp = initialized(pipeline)
    if not pipeline.config["training"]["score_weights"]:
        _weigh_scores(nlp)
    config = nlp.config.interpolate()
    if config["training"]["seed"] is not None:
        fix_random_seed(config["training"]["seed"])
    with _faults_told(pipeline.where, "training"):
        settings = registry.resolve(config["training"], schema=ConfigSchemaTraining)
        corpus, dev_corpus = resolve_dot_names(config, [settings["train_corpus"], settings["dev_corpus"]])
    optimizer = settings["optimizer"]
    batches = Batches(nlp, corpus, settings["batcher"], settings["max_epochs"])
    loop = Loop(
        nlp,
        optimizer,
        batches,
        _measuring(create_evaluation_callback(nlp, dev_corpus, settings["score_weights"]), settings["score_weights"]),
        Limits(settings["eval_frequency"], settings["patience"], settings["max_steps"]),
        dropouts=constant(settings["dropout"]) if isinstance(settings["dropout"], int | float) else settings["dropout"],
        accumulate_gradient=settings["accumulate_gradient"],
        excluded=settings["frozen_components"],
        annotating=settings["annotating_components"],
        before_update=settings["before_update"],
    )
    journal = Journal(output, max_steps=settings["max_steps"], has_tensorboard=has_tensorboard)
    saver = _Saver(nlp, output, settings)
    checkpoints = None
    if output is not None:
        made_with = {"config": json.loads(json.dumps(config)), "corpus": _digest(batches.examples)}
        checkpoints = Checkpoints(output, made_with)
        if is_resumed and checkpoints.newest is not None:
            state, set_generators = checkpoints.restore(nlp, optimizer)
            loop.load_state(state["loop"], set_generators)
            journal.load_state(state["journal"])
            saver.go_on()
        else:
            if is_resumed and saver.has_saved and not checkpoints.folder.exists():
                raise ConfigError(
                    "holds trained pipelines but no checkpoint to go on from",
                    where=str(output),
                    next_step="--force instead of --resume replaces them",
                )
            # From now on, what is saved here is this training's.
            checkpoints.clear()
            saver.clear()
            journal.clear()
    tell, end_telling = _own_logger(nlp, config, settings)
    try:
        for step in loop.steps():
            journal.add(step, loop.progress)
            if step.is_best is not None:
                saver.save(step, optimizer)
            tell(step, loop)
            is_due = step.is_best is not None or (save_every and loop.progress.n_steps % save_every == 0)
            if checkpoints is not None and is_due:
                state = {"loop": loop.state(), "journal": journal.state()}
                checkpoints.store(nlp, optimizer, state, loop.progress.n_steps)
    finally:
        end_telling()
        journal.close()
    saver.save(None, optimizer)
    best_score, best_step = loop.progress.best
    return Trained(nlp, loop.progress.n_steps, loop.progress.seconds, best_score, best_step)


def initialized(pipeline: Pipeline) -> Language:
    """The Language of a checked training config, its components initialised from the training corpus."""
    with _faults_told(pipeline.where, "initialize"):
        return init_nlp(pipeline.config)


class _Saver:
    """Saves pipelines as spaCy's loop does, each whole or not at all."""

    def __init__(self, nlp: Language, output: Path | None, settings: Mapping[str, Any]) -> None:
        self._nlp, self._output, self._settings = nlp, output, settings
        self._prepare = create_before_to_disk_callback(settings["before_to_disk"])

    def save(self, step: Any, optimizer: Any) -> None:
        """Save `model-last`; after a best evaluation also `model-best`. step: None at the end."""
        nlp, output = self._nlp, self._output
        if step is not None:
            with nlp.select_pipes(disable=self._settings["frozen_components"]):
                update_meta(self._settings, nlp, {"other_scores": step.scores, "losses": step.losses})
        if output is None:
            return
        with nlp.use_params(optimizer.averages):
            replace_folder(output / LAST, self._prepare(nlp).to_disk)
        if step is not None and step.is_best:
            replace_folder(output / BEST, lambda folder: shutil.copytree(output / LAST, folder, dirs_exist_ok=True))

    @property
    def has_saved(self) -> bool:
        """Whether a pipeline lies where this one saves its own."""
        return self._output is not None and any((self._output / name).exists() for name in (BEST, LAST))

    def go_on(self) -> None:
        """After a resumption: what the steps that are not made again left in the pipeline beside its weights."""
        if self._output is None:
            return
        for name in (BEST, LAST):
            put_back(self._output / name)
        meta, strings = (self._output / LAST / name for name in ("meta.json", "vocab/strings.json"))
        if meta.exists():
            self._nlp.meta["performance"] = srsly.read_json(meta).get("performance", {})
        for string in srsly.read_json(strings) if strings.exists() else ():
            self._nlp.vocab.strings.add(string)

    def clear(self) -> None:
        """Remove what an earlier training saved."""
        for name in (BEST, LAST) if self._output is not None else ():
            shutil.rmtree(self._output / name, ignore_errors=True)  # type: ignore[operator]


def _weigh_scores(nlp: Language) -> None:
    """Let the main figure of each of our components that learns count, beside what spaCy's own count."""
    training, plugins = nlp.config["training"], get_plugins()
    weights = training["score_weights"]
    for name, pipe in nlp.pipeline:
        learns = isinstance(pipe, TransformerPipe) and pipe.is_trainable and name not in training["frozen_components"]
        if not learns or pipe.metric is None:
            continue
        metric = plugins.code("metrics", pipe.metric)
        weights[f"{name}_{metric.headline}"] = -1.0 if metric.is_lower_better else 1.0


def _measuring(evaluate: Evaluate, weights: Mapping[str, float | None]) -> Evaluate:
    """The evaluation, which says so where nothing of what counts was measured; spaCy's score would always be 0.

    Raises ConfigError where score_weights names figures and none is there.
    """
    wanted = [name for name, weight in weights.items() if weight]

    def measured() -> tuple[float, dict[str, Any]]:
        score, scores = evaluate()
        if wanted and not set(wanted) & scores.keys():
            raise ConfigError(
                f"nothing measures {', '.join(wanted)}",
                where="training.score_weights",
                next_step=f"name one of {', '.join(sorted(scores))}; the dev corpus must have gold for it",
            )
        return score, scores

    if not wanted:
        logger.warning("training.score_weights is empty: the score is always 0, and model-best the last one")
    return measured


def _own_logger(nlp: Language, config: Mapping[str, Any], settings: Mapping[str, Any]) -> tuple[Callable, Callable]:
    """The logger that the config names, as spaCy's loop calls it; spaCy's usual one is replaced by the journal."""
    if config["training"]["logger"].get("@loggers") == _USUAL_LOGGER:
        return lambda step, loop: None, lambda: None
    with nlp.select_pipes(disable=settings["frozen_components"]):
        log_step, finalize = settings["logger"](nlp, sys.stdout, sys.stderr)

    def tell(step: Any, loop: Loop) -> None:
        info = {
            "epoch": step.epoch,
            "step": step.index,
            "score": step.score,
            "other_scores": step.scores,
            "losses": step.losses,
            "checkpoints": loop.progress.results,
            "seconds": int(loop.progress.seconds),
            "words": loop.progress.n_words,
        }
        log_step(info if step.is_best is not None else None)

    return tell, finalize


def _digest(examples: list[Example] | None) -> str:
    """SHA-256 over texts and gold, so that a checkpoint knows its corpus; a stream is not looked at."""
    if examples is None:
        return "streamed"
    digest = hashlib.sha256(str(len(examples)).encode())
    for example in examples:
        gold = [example.reference.text, record_of(example), dict(example.reference.cats)]
        digest.update(json.dumps(gold, sort_keys=True, default=str).encode())
    return digest.hexdigest()


@contextmanager
def _faults_told(where: str, section: str) -> Iterator[None]:
    """Errors of spaCy's own as ConfigErrors that name the config and its section."""
    try:
        yield
    except MmpipeError as error:
        error.where = error.where or where
        raise
    except Exception as error:
        said = " ".join(str(error).split())
        raise ConfigError(
            f"[{section}] cannot be carried out: {type(error).__name__}: {said}",
            where=where,
            next_step="mend what it names; `--debug` shows the whole error",
        ) from error
