"""`mmpipe show`"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from mmpipe.cli.reading import label_of, reading, shortened
from mmpipe.errors import MmpipeError, NoInputError
from mmpipe.names import nearest

_MOST_COLUMNS = 2
"""Results of more components stand below one another."""
_MOST_PLAIN = 4
"""Keys with a bare text or number that are shown unasked, the last: what components write stands behind a record."""
_OWN = frozenset({"id", "text", "title", "image", "images", "question", "questions"})
"""Keys of a record that say what was processed, not what was found."""

Record = dict[str, Any]


def show(
    results: Annotated[
        str, typer.Argument(metavar="RESULTS", help="What `mmpipe run` wrote: a file of any format, or a folder.")
    ],
    limit: Annotated[int, typer.Option(min=1, help="Show so many records.")] = 10,
    field: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Show this key, and no other that is not named."),
    ] = None,
    gold: Annotated[
        str | None, typer.Option(help="A key with right labels, to compare those of the field with labels with.")
    ] = None,
    by: Annotated[str | None, typer.Option(help="With --gold: compare for each value of this key, too.")] = None,
) -> None:
    """Show results on the terminal: texts beside what the components said of them, and the labels counted.

    A file does not tell what of a record a component wrote: every key with objects is shown, and the last ones with
    bare texts and numbers. --field chooses.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    records = _read(results)
    fields, left_out = _fields(records, field or ())
    judged = _compared(records, fields, gold, is_chosen=bool(field)) if gold else None
    console = Console(markup=False, highlight=False)
    table = Table(show_lines=True, expand=True)
    table.add_column("id", no_wrap=True)
    table.add_column("text", ratio=3, overflow="fold")
    is_stacked = len(fields) > _MOST_COLUMNS
    for name in ["results"] if is_stacked else fields:
        is_wide = is_stacked or any(len(reading(record.get(name))) > 24 for record in records[:limit])
        table.add_column(name, ratio=4 if is_wide else None, overflow="fold")
    for record in records[:limit]:
        cells = [reading(record.get(name)) for name in fields]
        if is_stacked:
            cells = ["\n".join(f"{name}: {cell}" for name, cell in zip(fields, cells, strict=True) if cell)]
        text = shortened(str(record.get("title") or record.get("text") or ""))
        table.add_row(*map(Text, (str(record.get("id", "")), text, *cells)))  # Text: [b] is no markup.
    console.print(table)
    if len(records) > limit:
        console.print(f"{limit} of {len(records)} records shown")
    if left_out:
        console.print(f"not shown: {', '.join(left_out)} (--field NAME shows one)")
    for name in fields:
        labels = Counter(label for record in records if (label := label_of(record.get(name))) is not None)
        if labels:
            console.print(f"{name}: " + ", ".join(f"{n} {label}" for label, n in labels.most_common()))
    if gold and judged is not None:
        console.print(_agreement(judged, gold))
        for value in sorted({str(record.get(by)) for record, _ in judged}) if by else ():
            part = [(record, label) for record, label in judged if str(record.get(by)) == value]
            console.print(f"  {by} {value}: {_agreement(part, gold)}")


def _read(results: str) -> list[Record]:
    from mmpipe.corpus.source import find_inputs
    from mmpipe.plugins import get_plugins

    step = "name what `mmpipe run` wrote"
    records = []
    for given in find_inputs([results], get_plugins()):
        for item in given:
            if item.record is None:
                said = item.error.what if item.error else "holds no record"
                raise MmpipeError(f"cannot be shown: {said}", where=item.origin, next_step=step)
            records.append({name: v if name in _OWN else _unpacked(v) for name, v in item.record.items()})
    if not records:
        raise NoInputError("no results", where=results, next_step=step)
    return records


def _unpacked(value: Any) -> Any:
    """The value of a cell of CSV, where objects and lists stand as JSON."""
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _fields(records: Sequence[Record], chosen: Sequence[str]) -> tuple[list[str], list[str]]:
    """The keys to show, objects before bare values, and those that are left out."""
    names = list(dict.fromkeys(name for record in records for name in record))
    for name in chosen:
        if name not in names:
            raise NoInputError(
                f"no record has the key {name!r}", where="--field", next_step=nearest(name, names, listing="keys")
            )
    if chosen:
        return list(dict.fromkeys(chosen)), []
    names = [name for name in names if name not in _OWN]
    found = [name for name in names if any(map(_is_structured, _values(records, name)))]
    plain = [name for name in names if name not in found and any(map(_is_bare, _values(records, name)))]
    return found + plain[-_MOST_PLAIN:], plain[:-_MOST_PLAIN]


def _values(records: Sequence[Record], name: str) -> Iterator[Any]:
    return (record.get(name) for record in records)


def _is_structured(value: Any) -> bool:
    """An object, or a list of objects."""
    values = value if isinstance(value, list) else [value]
    return bool(values) and all(isinstance(one, Mapping) and one for one in values)


def _is_bare(value: Any) -> bool:
    """A text, a number, or a list of such."""
    values = value if isinstance(value, list) else [value]
    return any(isinstance(one, str | int | float) for one in values)


def _compared(
    records: Sequence[Record], fields: Sequence[str], gold: str, *, is_chosen: bool
) -> list[tuple[Record, str]]:
    """Each record that has the gold and a label, with that label. Raises NoInputError where there is none."""

    def label(record: Record, name: str) -> str | None:
        value = record.get(name)
        return value if is_chosen and isinstance(value, str) else label_of(value)

    labelled = [name for name in fields if name != gold and any(label(record, name) is not None for record in records)]
    if len(labelled) != 1:
        said = f"several keys hold labels: {', '.join(labelled)}" if labelled else "no key that is shown holds labels"
        raise NoInputError(
            f"nothing to compare {gold!r} with: {said}",
            where="--gold",
            next_step="name one with --field" if labelled else "a label is the `label` of an object, or --field NAME",
        )
    pairs = [(record, label(record, labelled[0])) for record in records if record.get(gold) is not None]
    judged = [(record, one) for record, one in pairs if one is not None]
    if not judged:
        names = {name for record in records for name in record} - {labelled[0]}
        raise NoInputError(
            f"no record has both {labelled[0]!r} and {gold!r}",
            where="--gold",
            next_step=nearest(gold, names, listing="keys"),
        )
    return judged


def _agreement(judged: Sequence[tuple[Record, str]], gold: str) -> str:
    right = sum(label == record[gold] for record, label in judged)
    return f"{right} of {len(judged)} labels agree with {gold!r} ({right / max(len(judged), 1):.1%})"
