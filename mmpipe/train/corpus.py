"""`mmpipe.JsonlCorpus.v1`: JSON lines as a training corpus of spaCy's, one Example a record."""

from __future__ import annotations

import random
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field
from spacy.language import Language
from spacy.training import Example
from typing_extensions import TypedDict

from mmpipe.config.tables import CheckedAs
from mmpipe.corpus import jsonl
from mmpipe.corpus.source import Source
from mmpipe.document import make_doc
from mmpipe.errors import ConfigError, NoInputError, RecordError

Fields = dict[str, str]
Values = dict[str, dict[str, Any]]
AtLeastZero = Annotated[int, Field(ge=0)]
_MEDIA = {"image", "images"}


class SourceTable(TypedDict, total=False):
    """One of several sources of a corpus; what it leaves out is as for the whole corpus.

    path: the file, .jsonl or .jsonl.gz. weight: how often each of its records comes in an epoch, 0.5 being a
    random half. limit: read at most so many, 0 for all.
    text_key, fields, values, images: see mmpipe.train.corpus.jsonl_corpus.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]

    path: str
    weight: Annotated[float, Field(gt=0)]
    limit: AtLeastZero
    text_key: str
    fields: Fields
    values: Values
    images: str


def jsonl_corpus(
    path: str | Path | None = None,
    sources: dict[str, Annotated[dict[str, Any], CheckedAs(SourceTable)]] | None = None,
    text_key: str = "text",
    fields: Fields | None = None,
    values: Values | None = None,
    images: str | None = None,
    limit: AtLeastZero = 0,
    shuffle_seed: int | None = None,
) -> JsonlCorpus:
    """A reader for `[corpora.train]` and `[corpora.dev]`.

    path: one file, .jsonl or .jsonl.gz, where there are no `sources`.
    sources: several files, a table (see SourceTable) by a name of your own each.
    text_key: the key that holds the text; a list of sentences is joined with spaces.
    fields: names that components want -> names that the records have, such as {"label": "stars"}.
    values: of a key, such as "label": what it says -> what it means. A meaning may be a table of probabilities
        ({"negative": 0.9, "positive": 0.1}); null leaves the record out.
    images: a folder or a zip file that the records' images are in; the file's own folder by default.
    limit: read the first so many records of each source, 0 for all.
    shuffle_seed: mix the sources in an order of this seed; None keeps theirs. spaCy shuffles what it keeps in
        memory (max_epochs of 0 or more) in any case.
    Raises ConfigError where neither or both of path and sources are given.
    """
    if (path is None) == (not sources):
        raise ConfigError(
            "one of `path` and `sources` is needed",
            where="mmpipe.JsonlCorpus.v1",
            next_step='set path = "train.jsonl", or paths.train',
        )
    common = {"text_key": text_key, "fields": fields or {}, "values": values or {}, "images": images, "limit": limit}
    tables: Mapping[str, Mapping[str, Any]] = sources if sources else {"path": {"path": str(path)}}
    for name, table in tables.items():
        if not table.get("path"):
            raise ConfigError("has no path", where=f"sources.{name}", next_step='set path = "train.jsonl"')
    # `limit` stands both in a source and above it; `weight` only there.
    return JsonlCorpus([_Part(**{**common, "weight": 1.0, **table}) for table in tables.values()], shuffle_seed)


class JsonlCorpus:
    """A corpus of records. Both documents of an Example carry the record; the reference has `cats` from its `label`.

    epoch: which pass is drawn; it matters to the order, and to which records a fractional weight takes.
    """

    def __init__(self, parts: list[_Part], shuffle_seed: int | None) -> None:
        self.parts, self.shuffle_seed = parts, shuffle_seed
        self.epoch = 0
        self._labels: list[str] | None = None

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """The examples of one epoch. Raises RecordError with file and line, NoInputError where a file is not there."""
        if self._labels is None:
            self._labels = sorted({label for part in self.parts for row in part.read() for label in _cats(*row)})
        rows = ((part, origin, record) for part in self.parts for origin, record in self._draw(part))
        if self.shuffle_seed is not None:
            mixed = list(rows)
            random.Random(f"{self.shuffle_seed} {self.epoch}").shuffle(mixed)
            rows = iter(mixed)
        for part, origin, record in rows:
            yield self._example(nlp, part, origin, record)

    def _draw(self, part: _Part) -> Iterator[tuple[str, dict[str, Any]]]:
        whole, rest = divmod(part.weight, 1.0)
        draw = random.Random(f"{part.path} {self.shuffle_seed or 0} {self.epoch}")
        for row in part.read():
            for _ in range(int(whole) + (rest > 0 and draw.random() < rest)):
                yield row

    def _example(self, nlp: Language, part: _Part, origin: str, record: dict[str, Any]) -> Example:
        try:
            predicted = make_doc(nlp, record, root=part.root(record))
        except RecordError as error:
            raise RecordError(error.what, where=origin, next_step=error.next_step) from None
        reference = predicted.copy()
        cats = _cats(origin, record)
        if cats:
            reference.cats = {label: cats.get(label, 0.0) for label in self._labels or ()}
        return Example(predicted, reference)


@dataclass
class _Part:
    """One source, its settings complete."""

    path: str
    weight: float
    limit: int
    text_key: str
    fields: Fields
    values: Values
    images: str | None

    def __post_init__(self) -> None:
        self._unpacked: tempfile.TemporaryDirectory | None = None
        self._zip: zipfile.ZipFile | None = None

    def root(self, record: Mapping[str, Any]) -> Path:
        """The folder that the record's images are relative to; from a zip file, they are unpacked into one.

        Raises RecordError for an image that the zip file does not hold.
        """
        if self.images is None:
            return Path(self.path).parent
        if not self.images.endswith(".zip"):
            return Path(self.images)
        if self._unpacked is None:
            self._unpacked = tempfile.TemporaryDirectory(prefix="mmpipe-images-")
        folder = Path(self._unpacked.name)
        many = record.get("images")
        wanted = [record.get("image"), *(many if isinstance(many, list) else ())]
        missing = [name for name in wanted if isinstance(name, str) and not (folder / name).exists()]
        if missing:
            try:
                self._zip = self._zip or zipfile.ZipFile(self.images)
                for name in missing:
                    self._zip.extract(name, folder)
            except (KeyError, OSError, zipfile.BadZipFile) as error:
                said = f"holds no {missing[0]!r}" if isinstance(error, KeyError) else f"cannot be read: {error}"
                raise RecordError(
                    f"{self.images} {said}", next_step="check `images` of the corpus, and the record's image"
                ) from None
        return folder

    def read(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Origin (`train.jsonl:17`) and record, its keys and values as the corpus says."""
        file, n_read, found = Path(self.path), 0, set[str]()
        if not file.is_file():
            raise NoInputError("no such file", where=str(file), next_step="check the path in [corpora] or [paths]")
        for item in jsonl.read(Source(file, file.name, file.parent)):
            if item.error is not None or item.record is None:
                raise item.error or RecordError("no record", where=item.origin)
            if self.limit and n_read == self.limit:
                break
            n_read += 1
            found |= item.record.keys()
            record = self._reshaped(item.record, item.origin)
            if record is not None:
                yield item.origin, record
        has_no_text = n_read and self.text_key not in found and not (self.text_key == "text" and _MEDIA & found)
        if has_no_text:
            raise RecordError(
                f"no record has the key {self.text_key!r} that `text_key` takes the text from",
                where=str(file),
                next_step=f"there are {', '.join(sorted(found)[:12])}",
            )
        for wanted, key in self.fields.items():
            if n_read and key not in found:
                raise RecordError(
                    f"no record has the key {key!r} that `fields` takes {wanted!r} from",
                    where=str(file),
                    next_step=f"there are {', '.join(sorted(found)[:12])}",
                )

    def _reshaped(self, record: dict[str, Any], origin: str) -> dict[str, Any] | None:
        record = record | {wanted: record[key] for wanted, key in self.fields.items() if key in record}
        for key, meanings in self.values.items():
            if key not in record:
                continue
            said = record[key] if isinstance(record[key], str) else str(record[key]).lower()
            if said not in meanings:
                raise RecordError(
                    f"{key!r} is {record[key]!r}, of which `values` says nothing",
                    where=origin,
                    next_step=f"it knows {', '.join(meanings)}; null leaves such records out",
                )
            if meanings[said] is None:
                return None
            record[key] = meanings[said]
        text = record.get(self.text_key)
        if isinstance(text, list) and all(isinstance(part, str) for part in text):
            text = " ".join(part.strip() for part in text)
        return record if text is None else {**record, "text": text}


def _cats(origin: str, record: Mapping[str, Any]) -> dict[str, float]:
    """Label -> probability, from `cats` or `label`. Raises RecordError for one that is no number."""
    label = record.get("cats", record.get("label"))
    if isinstance(label, Mapping):
        try:
            return {str(name): float(share) for name, share in label.items()}
        except (TypeError, ValueError):
            raise RecordError(
                f"a label's probability must be a number, got {dict(label)!r}",
                where=origin,
                next_step='write {"positive": 0.9, "negative": 0.1}, or the label alone',
            ) from None
    if isinstance(label, list):
        return {str(name): 1.0 for name in label}
    return {} if label is None else {str(label): 1.0}
