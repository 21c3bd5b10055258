"""An HTML page in one file that asks nothing of any network: what the reports of runs and evaluations share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark;
  --ink: #1c1c1e; --ground: #ffffff; --faint: #6b6b70; --line: #d9d9de; --bar: #0072b2;
  --longest: min(22rem, 42vw); }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8ea; --ground: #17171a; --faint: #a0a0a8; --line: #3a3a40; --bar: #56b4e9; }
}
body { color: var(--ink); background: var(--ground); font: 15px/1.5 system-ui, sans-serif; max-width: 68rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem } h2 { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1.5rem }
table { border-collapse: collapse; margin: .7rem 0; display: block; overflow-x: auto }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line) }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
th, figcaption, .faint { color: var(--faint); font-weight: normal }
.main { font-weight: bold } .text { white-space: pre-wrap; overflow-wrap: anywhere; max-width: 26rem }
.charts { display: flex; flex-wrap: wrap; gap: 1.5rem }
figure { margin: 0 } figure img { width: 30rem; max-width: 100% }
code { font-size: .85em; overflow-wrap: anywhere } details { margin: .7rem 0 }
.bars td:first-child { min-width: 6.5rem; overflow-wrap: anywhere }
.bar { display: inline-block; height: .7rem; background: var(--bar); vertical-align: middle; min-width: 1px }
.example { border-bottom: 1px solid var(--line); padding: .6rem 0; overflow-wrap: anywhere }
.example img { height: 6rem; border-radius: 4px } .example mark { color: #1c1c1e }
.example .entities { line-height: 1.9 }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """A whole page. parts: HTML, of which the empty ones are left out."""
    head = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>",
    ]
    return "\n".join(part for part in [*head, *parts, "</body>\n</html>\n"] if part)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], main: str = "") -> str:
    """A table of texts, all but the first column numbers. main: the first cell of the row that stands out."""

    def cells(tag: str, row: Sequence[str]) -> str:
        kinds = ["", *[' class="number"'] * (len(row) - 1)]
        return "".join(f"<{tag}{kind}>{escape(str(cell))}</{tag}>" for kind, cell in zip(kinds, row, strict=True))

    body = "".join(f"<tr{' class=main' if row[0] == main else ''}>{cells('td', row)}</tr>" for row in rows)
    return f"<table><tr>{cells('th', head)}</tr>{body}</table>"


def bars(rows: Sequence[tuple[str, float]]) -> str:
    """A bar for each (name, number), the longest as wide as the page has room for."""
    longest = max((value for _, value in rows), default=0) or 1
    body = "".join(
        f'<tr><td>{escape(name)}</td><td class="number">{value:,.4g}</td>'
        f'<td><span class="bar" style="width:calc({value / longest:.4f} * var(--longest))"></span></td></tr>'
        for name, value in rows
    )
    return f'<table class="bars">{body}</table>'
