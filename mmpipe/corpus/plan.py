"""What a run is to do: all that decides the bytes it writes, so that a second command knows the run again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from spacy.language import Language

from mmpipe.corpus import provenance
from mmpipe.corpus.source import Input
from mmpipe.models.files import file_sha256
from mmpipe.plugins import PluginRegistry

_MOST_CHARS = 200
_CONFIG, _CONFIG_SHA256 = "pipeline.config.", "pipeline.config_sha256"


@dataclass(frozen=True)
class Options:
    """The settings of a run that decide what it writes.

    format: the ending of shards, such as `.jsonl` or `.parquet`. shard_size: records in a shard. batch_size: records
    that go through the pipeline together. limit: read at most so many records; None for all. text_key: the key of a
    record that holds its text. reader: of all inputs; None goes by their endings. fallback: an encoding for text
    that is not UTF-8. skip_empty: leave out records with neither text nor media.
    """

    format: str = ".jsonl"
    shard_size: int = 1000
    batch_size: int = 256
    limit: int | None = None
    text_key: str = "text"
    reader: str | None = None
    fallback: str | None = None
    skip_empty: bool = False


@dataclass(frozen=True)
class Command:
    """What the user asked for, enough to ask for it again from anywhere.

    pipeline, inputs: as they were named. overrides: dotted keys to values. device: of every model that names none.
    folder: where they were named, which relative paths are relative to.
    """

    pipeline: str
    inputs: tuple[str, ...]
    overrides: Mapping[str, Any]
    device: str | None
    folder: str


@dataclass(frozen=True)
class Plan:
    """Pipeline with its models, inputs, plugins, versions, options. Two runs of one plan write the same bytes."""

    pipeline: dict[str, Any]
    inputs: list[dict[str, Any]]
    plugins: dict[str, str]
    versions: dict[str, str]
    options: dict[str, Any]

    @classmethod
    def of(
        cls,
        nlp: Language,
        name: str,
        inputs: Sequence[Input],
        plugins: PluginRegistry,
        options: Options,
        known: Sequence[Mapping[str, Any]] = (),
    ) -> Plan:
        """The plan of a run.

        name: of the pipeline. known: inputs of an earlier plan, whose digests hold where size and time are the same.
        """
        return cls(
            {**provenance.of_pipeline(name, nlp), "config": provenance.config_of(nlp)},
            [_input(given, known) for given in inputs],
            {plugin.distribution: str(plugin.version) for plugin in plugins.plugins if plugin.status == "loaded"},
            provenance.of_versions(("mmpipe", "spacy", "thinc", "torch", "transformers", "tokenizers")),
            asdict(options),
        )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def differences(self, earlier: Mapping[str, Any], among: tuple[str, ...] = ("",)) -> list[str]:
        """What is not as it was in an earlier plan, a line each; when a file was last changed does not matter.

        Settings of the pipeline stand as its config names them; of plans that held none, the hash alone is compared.
        among: what the keys that are compared begin with.
        """
        old, new = dict(_flat(earlier)), dict(_flat(self.as_dict()))
        if "config" not in earlier["pipeline"]:
            new = {key: value for key, value in new.items() if not key.startswith(_CONFIG)}
        changed = sorted(key for key in {*old, *new} if old.get(key) != new.get(key) and not key.endswith(".modified"))
        is_told = any(key.startswith(_CONFIG) for key in changed)
        changed = [key for key in changed if key.startswith(among) and not (is_told and key == _CONFIG_SHA256)]
        return [f"{key.removeprefix(_CONFIG)} was {_shown(old, key)}, is {_shown(new, key)}" for key in changed]


def _input(given: Input, known: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    source = given.source
    if source.path is None or not source.path.is_file():
        return {"name": source.name, "path": None if source.path is None else str(source.path.absolute())}
    stat = source.path.stat()
    entry = {
        "name": source.name,
        "path": str(source.path.absolute()),
        "bytes": stat.st_size,
        "modified": stat.st_mtime_ns,
    }
    for earlier in known:
        if all(earlier.get(key) == value for key, value in entry.items()):
            return dict(earlier)
    return entry | {"sha256": file_sha256(source.path)}


def _flat(tree: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if isinstance(tree, list | tuple) and any(isinstance(one, Mapping) for one in tree):
        tree = {str(one.get("name", i)) if isinstance(one, Mapping) else str(i): one for i, one in enumerate(tree)}
    if not isinstance(tree, Mapping):
        return [(prefix, list(tree) if isinstance(tree, tuple) else tree)]  # JSON knows no tuples.
    return [pair for key, value in tree.items() for pair in _flat(value, f"{prefix}.{key}" if prefix else str(key))]


def _shown(values: Mapping[str, Any], key: str) -> str:
    if key not in values:
        return "not there"
    text = repr(values[key])
    return text if len(text) <= _MOST_CHARS else text[: _MOST_CHARS - 3] + "..."
