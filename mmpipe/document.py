"""Record <-> Doc: the only place where the two meet.

A record is a JSON object: `id`, `text`, `image` or `images`, `question` or `questions`, and whatever else,
which passes through untouched. On the Doc it stands as `doc._.record`; media stand as references (never
pixels) in `doc._.media`, so that `Doc.to_bytes`, `DocBin` and worker processes keep them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from mmpipe.errors import ConfigError, RecordError
from mmpipe.media.policy import MediaPolicy
from mmpipe.media.reference import make_reference

RECORD, MEDIA = "record", "media"
_OWN = frozenset({RECORD, MEDIA})
# Methods of `doc._` itself.
_RESERVED = _OWN | {"get", "set", "has"}
MAX_DEPTH = 100
"""Levels of lists and objects in a record. What `Doc.to_bytes` writes with can read 500."""
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


def set_extension(name: str, default: Any = None) -> None:
    """Register `doc._.<name>` for a component's result, unless something has already.

    Raises ConfigError for a name that is not an identifier, or that `doc._` needs for itself.
    """
    if not name.isidentifier() or name in _RESERVED:
        raise ConfigError(
            f"the field {name!r} cannot stand in doc._",
            next_step=f"use letters, digits and _, and none of {', '.join(sorted(_RESERVED))}",
        )
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
    if not isinstance(record, Mapping):
        raise RecordError(f"a record must be a JSON object, got {_shown(record)}", next_step='write {"text": "..."}')
    text, where = record.get(text_key), _where(record)
    if text is not None and not isinstance(text, str):
        raise RecordError(
            f"{text_key!r} must be a string, got {_shown(text)}",
            where=where,
            next_step="name the right field with --text-key",
        )
    _check_unicode(text or "", repr(text_key), where)
    if len(text or "") > nlp.max_length:
        raise RecordError(
            f"{text_key!r} has {len(text or ''):,} characters, more than nlp.max_length = {nlp.max_length:,}",
            where=where,
            next_step="split the record, or raise nlp.max_length",
        )
    _check_strings(record, "question", "questions", where)
    _register(RECORD)
    _register(MEDIA)
    doc = nlp.make_doc(text or "")
    _store(doc, RECORD, _plain(dict(record), where))
    paths = _images(record, where) if "image" in record or "images" in record else []
    policy = media_policy(nlp) if paths else MediaPolicy()
    _store(doc, MEDIA, [make_reference(path, Path(root), policy, where) for path in paths])
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


def place_of(doc: Doc) -> str:
    """How errors name the record of a Doc."""
    return _where(_stored(doc, RECORD) or {})


def to_record(doc: Doc, fields: Sequence[str] | None = None) -> dict[str, Any]:
    """The result: the record, `id` first, with one key a field added.

    fields: the `doc._` names to add. None adds every one that was set on the Doc and holds plain JSON data.
    Raises RecordError where a field is already a key of the record, or a named field is not JSON data;
    AttributeError, as spaCy does, for a name that no component registered.
    """
    values = {key[1]: value for key, value in doc.user_data.items() if _is_field(key)}
    record = values.get(RECORD)
    # DocBin gives lists back as tuples.
    record = _plain(record, "record") if record is not None else {"text": doc.text}
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
            result[name] = _plain(value, where, name)
        except RecordError:
            if fields is not None:
                raise
    return result


def _is_field(key: Any) -> bool:
    return isinstance(key, tuple) and len(key) == 4 and key[0] == "._." and key[2] is None


def _stored(doc: Doc, name: str) -> Any:
    """The value of `doc._.<name>`, also in a process that has not registered it, such as one that reads a DocBin."""
    return doc.user_data.get(("._.", name, None, None))


def _store(doc: Doc, name: str, value: Any) -> None:
    """What `doc._.set(name, value)` does for an extension that is known to be there."""
    doc.user_data["._.", name, None, None] = value


def _where(record: Mapping[str, Any]) -> str:
    return f"record {record['id']!r}" if "id" in record else "record"


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


def _check_unicode(text: str, name: str | None, where: str) -> None:
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise RecordError(
            f"{name or 'a value'} holds half a surrogate pair at character {error.start}: {text[error.start]!r}",
            where=where,
            next_step="encode the file as UTF-8, or replace that character",
        ) from None


def _check_strings(record: Mapping[str, Any], one: str, many: str, where: str) -> None:
    if not isinstance(record.get(one, ""), str | None):
        raise RecordError(f"{one!r} must be a string, got {_shown(record[one])}", where=where)
    values = record.get(many)
    if values is not None and not (isinstance(values, list) and all(isinstance(v, str) for v in values)):
        raise RecordError(f"{many!r} must be a list of strings, got {_shown(values)}", where=where)


def _plain(value: Any, where: str, name: str | None = None, depth: int = 0) -> Any:
    """A copy of the value, if it is JSON data with finite numbers: what survives `to_bytes` and `DocBin`."""
    if depth > MAX_DEPTH:
        raise RecordError(f"{name or 'a value'} is nested more than {MAX_DEPTH} levels deep", where=where)
    kind = type(value)
    if kind is str:
        return value if value.isascii() else _unicode(value, name, where)
    if value is None or kind is bool:
        return value
    if kind is dict:
        return {
            _key(key, name, value, where): _plain(item, where, name or key, depth + 1) for key, item in value.items()
        }
    if isinstance(value, float) and not math.isfinite(value):
        raise RecordError(f"{name or 'a value'} is {value}, which JSON cannot hold", where=where)
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise RecordError(f"{name or 'a value'} is {value}, an integer of more than 64 bits", where=where)
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        return _unicode(value, name, where)
    if isinstance(value, list | tuple):
        return [_plain(item, where, name, depth + 1) for item in value]
    if isinstance(value, Mapping):
        return _plain(dict(value), where, name, depth)
    raise RecordError(f"{name or 'a value'} holds {_shown(value)}, which is not JSON data", where=where)


def _key(key: Any, name: str | None, of: Any, where: str) -> str:
    if type(key) is str and key.isascii():
        return key
    if not isinstance(key, str):
        raise RecordError(f"{name or 'a value'} holds {_shown(of)}, which is not JSON data", where=where)
    return _unicode(key, "a key", where)


def _unicode(text: str, name: str | None, where: str) -> str:
    _check_unicode(text, name if name in (None, "a key") else repr(name), where)
    return text


def _images(record: Mapping[str, Any], where: str) -> list[str]:
    _check_strings(record, "image", "images", where)
    return [*([record["image"]] if record.get("image") else []), *(record.get("images") or ())]


def dumps(result: Mapping[str, Any]) -> str:
    """One line of JSON: UTF-8 as it is, no NaN."""
    return _ENCODER.encode(result)


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
