"""Record <-> Doc: the only place where the two meet.

A record is a JSON object: `id`, `text`, `image` or `images`, `question` or `questions`, and whatever else,
which passes through untouched. On the Doc it stands as `doc._.record`; media stand as references (never
pixels) in `doc._.media`, so that `Doc.to_bytes`, `DocBin` and worker processes keep them.
"""

from __future__ import annotations

import functools
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.tokens.underscore import Underscore

from mmpipe.errors import ConfigError, RecordError
from mmpipe.media.policy import MediaPolicy
from mmpipe.media.reference import make_reference
from mmpipe.plain import check_unicode, plain, shown

RECORD, MEDIA = "record", "media"
_OWN = frozenset({RECORD, MEDIA})
# Stands for what a record held, where there is none any more.
_GONE = object()
# Every record has the last two; the others are methods of `doc._` itself.
_RESERVED = _OWN | {"get", "set", "has", "id", "text"}


def check_field(name: Any) -> None:
    """Raises ConfigError for a name under which no component can write its results.

    Such is what is no identifier, or begins with _, what `doc._` needs for itself, and what a result would overwrite.
    """
    is_name = isinstance(name, str) and name.isidentifier() and not name.startswith("_")
    if not is_name or name in _RESERVED or hasattr(Underscore, name):
        raise ConfigError(
            f"the field {name!r} cannot stand in doc._",
            next_step=f"use letters, digits and _, a letter first, and none of {', '.join(sorted(_RESERVED))}",
        )


def set_extension(name: str, default: Any = None) -> None:
    """Register `doc._.<name>` for a component's result, unless something has already.

    Raises ConfigError for a name that `check_field` refuses.
    """
    check_field(name)
    _register(name, default)


def _register(name: str, default: Any = None) -> None:
    if not Doc.has_extension(name):
        Doc.set_extension(name, default=default)


def make_doc(nlp: Language, record: Mapping[str, Any] | str, *, root: Path | str = ".", text_key: str = "text") -> Doc:
    """The Doc of a record, tokenized and not yet processed: `nlp(make_doc(nlp, record))`.

    record: a JSON object as described above, or a text. A record without text gives an empty Doc.
    root: the folder that image paths are relative to, and must stay inside unless a component's `roots` allow others.
    text_key: the key that holds the text.
    Raises RecordError, naming the record's id and the key, where a value is of the wrong type, a text is
    longer than `nlp.max_length` characters or not valid Unicode, or a file is not there.
    """
    record = {text_key: record} if isinstance(record, str) else record
    if type(record) is not dict and not isinstance(record, Mapping):
        raise RecordError(f"a record must be a JSON object, got {shown(record)}", next_step='write {"text": "..."}')
    text, where = record.get(text_key), _where(record)
    if text is None:
        text = ""
    if not isinstance(text, str):
        raise RecordError(
            f"{text_key!r} must be a string, got {shown(text)}",
            where=where,
            next_step="name the right field with --text-key",
        )
    if not text.isascii():
        check_unicode(text, repr(text_key), where)
    if len(text) > nlp.max_length:
        raise RecordError(
            f"{text_key!r} has {len(text):,} characters, more than nlp.max_length = {nlp.max_length:,}",
            where=where,
            next_step="split the record, or raise nlp.max_length",
        )
    _check_strings(record, "question", "questions", where)
    _register(RECORD)
    _register(MEDIA)
    doc = nlp.make_doc(text)
    # What `doc._.set` does for extensions that are known to be there.
    doc.user_data[_key_of(RECORD)] = plain(record if type(record) is dict else dict(record), where)
    has_media = "image" in record or "images" in record
    doc.user_data[_key_of(MEDIA)] = _references(nlp, record, Path(root), where) if has_media else []
    return doc


def make_docs(
    nlp: Language,
    records: Iterable[Mapping[str, Any] | str],
    *,
    root: Path | str = ".",
    text_key: str = "text",
) -> Iterator[Doc]:
    """The stream form: `nlp.pipe(mmpipe.make_docs(nlp, records))`. Arguments and errors as `make_doc`."""
    return (make_doc(nlp, record, root=root, text_key=text_key) for record in records)


def media_policy(nlp: Language) -> MediaPolicy:
    """What the pipeline's components that open media (`media_policy` is theirs to have) allow between them."""
    own = (getattr(pipe, "media_policy", None) for _, pipe in nlp.components)
    return MediaPolicy.union(policy for policy in own if policy is not None)


def media_of(doc: Doc) -> list[dict[str, Any]]:
    """The media references of a Doc, in the record's order; none where it was not made by `make_doc`."""
    return list(_stored(doc, MEDIA) or ())


def record_of(doc: Doc) -> dict[str, Any]:
    """The record of a Doc; empty where it was not made by `make_doc`."""
    return dict(_stored(doc, RECORD) or {})


def inputs_of(doc: Doc, text_key: str = "text") -> tuple[Any, ...]:
    """What no component may change, to be compared with what it was: of the record what tells which it is, and media.

    text_key: the key that holds the text.
    """
    record = _stored(doc, RECORD)
    keys = ("id", text_key, "image", "images")
    return _stored(doc, MEDIA), *(record.get(key) if isinstance(record, Mapping) else _GONE for key in keys)


def place_of(doc: Doc) -> str:
    """How errors name the record of a Doc."""
    return _where(_stored(doc, RECORD) or {})


def to_record(doc: Doc, fields: Sequence[str] | None = None) -> dict[str, Any]:
    """The result: the record, `id` first, with one key a field added.

    fields: the `doc._` names to add. None adds every one that was set on the Doc and holds plain JSON data.
    Raises RecordError where a field is already a key of the record, or a named field is not JSON data;
    AttributeError, as spaCy does, for a name that no component registered.
    """
    values = {
        key[1]: value
        for key, value in doc.user_data.items()
        if type(key) is tuple and len(key) == 4 and key[0] == "._." and key[2] is None
    }
    record = values.get(RECORD)
    if not isinstance(record, Mapping | None):
        raise RecordError(
            f"doc._.{RECORD} holds {shown(record)}, which is no record",
            next_step="let the component that wrote it write to a field of its own",
        )
    # DocBin gives lists back as tuples.
    record = plain(record, "record") if record is not None else {"text": doc.text}
    where = _where(record)
    result = {"id": record["id"], **record} if "id" in record else record
    for name in [name for name in values if name not in _OWN] if fields is None else fields:
        value = values[name] if fields is None else doc._.get(name)
        if name in record:
            raise RecordError(
                f"the record already has a key {name!r}, which a component would overwrite",
                where=where,
                next_step=f"rename that key, or give the component another `field` than {name!r}",
            )
        try:
            result[name] = plain(value, where, name)
        except RecordError:
            if fields is not None:
                raise
    return result


def _stored(doc: Doc, name: str) -> Any:
    """The value of `doc._.<name>`, also in a process that has not registered it, such as one that reads a DocBin."""
    return doc.user_data.get(_key_of(name))


@functools.cache
def _key_of(name: str) -> tuple[str, str, None, None]:
    """Where spaCy keeps `doc._.<name>` in `doc.user_data`."""
    return "._.", name, None, None


def _where(record: Mapping[str, Any]) -> str:
    return f"record {record['id']!r}" if "id" in record else "record"


def _check_strings(record: Mapping[str, Any], one: str, many: str, where: str) -> None:
    if one in record and not isinstance(record[one], str | None):
        raise RecordError(f"{one!r} must be a string, got {shown(record[one])}", where=where)
    values = record.get(many)
    if values is not None and not (isinstance(values, list) and all(isinstance(v, str) for v in values)):
        raise RecordError(f"{many!r} must be a list of strings, got {shown(values)}", where=where)


def _references(nlp: Language, record: Mapping[str, Any], root: Path, where: str) -> list[dict[str, Any]]:
    _check_strings(record, "image", "images", where)
    paths = [*([record["image"]] if record.get("image") else []), *(record.get("images") or ())]
    policy = media_policy(nlp) if paths else MediaPolicy()
    return [make_reference(path, root, policy, where) for path in paths]


def spacy_own(assigns: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """What components of spaCy's own kind assign. One that also writes a `doc._` field has its result there already.

    assigns: component name -> what it declares to assign.
    """
    return frozenset(name for names in assigns.values() if not any("._." in name for name in names) for name in names)


def spacy_annotations(doc: Doc, own: Container[str]) -> dict[str, Any]:
    """`ents` and `cats`, where a component of spaCy's own kind wrote them: `own` is what `spacy_own` gave."""
    result: dict[str, Any] = {}
    if "doc.ents" in own:
        result["ents"] = [
            {"start": ent.start_char, "end": ent.end_char, "label": ent.label_, "text": ent.text} for ent in doc.ents
        ]
    if "doc.cats" in own:
        result["cats"] = {str(label): float(score) for label, score in doc.cats.items()}
    return result
