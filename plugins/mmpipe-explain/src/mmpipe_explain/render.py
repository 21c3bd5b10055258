"""Explanations as a page: each word in the colour of what it did, in one HTML file without scripts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from spacy.tokens import Doc

import mmpipe
from mmpipe.page import page, table

# Blue and vermilion of Okabe & Ito 2008, "Color Universal Design", told apart by all kinds of colour vision; the line
# below a word, whole or dotted, says the same without colour.
_FOR, _AGAINST = "0, 114, 178", "213, 94, 0"
_STRONGEST, _LEAST_LINED = 0.65, 0.25
_MOST_LISTED = 10
_STYLE = f"""<style>
.heat {{ font-size: 1.05rem; line-height: 2; white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate }}
.heat span {{ border-bottom: 2px none }}
.heat .answer {{ outline: 2px solid currentColor; outline-offset: 1px }}
.scale {{ display: inline-block; width: 12rem; height: .8rem; vertical-align: middle; margin: 0 .5rem;
  background: linear-gradient(to right, rgba({_AGAINST}, {_STRONGEST}), rgba({_AGAINST}, 0) 50%,
  rgba({_FOR}, 0) 50%, rgba({_FOR}, {_STRONGEST})) }}
h3 {{ margin-bottom: .2rem; overflow-wrap: anywhere }} .explanation p {{ margin: .3rem 0 }}
</style>"""
# Controls cannot stand in HTML; they have pictures in Unicode.
_PICTURES = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"}
_PICTURES |= {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)


def render(docs: Doc | Iterable[Doc], *, field: str = "explanations", title: str = "Explanations") -> str:
    """A whole page of what `doc._.<field>` holds of one document or several."""
    docs = [docs] if isinstance(docs, Doc) else docs
    return page(title, [_STYLE, _KEY, *(_document(doc, field, index) for index, doc in enumerate(docs, start=1))])


_KEY = (
    '<p class="faint">Blue over a whole line: the word speaks for the label or the answer. Vermilion over a dotted '
    "line: it speaks against it. The stronger the colour, the more; a word shows its figure under the pointer. "
    "Colours are relative to the strongest word of each text. Figures are in units of the score: logits.</p>"
)


def _document(doc: Doc, field: str, index: int) -> str:
    name = mmpipe.to_record(doc, []).get("id", index)
    found = doc._.get(field) if Doc.has_extension(field) else None
    parts = [_explanation(doc.text, one) for one in found or ()]
    nothing = '<p class="faint">nothing to explain</p>'
    return f"<h2>{_shown(str(name))}</h2>" + ("".join(parts) or nothing)


def _explanation(text: str, found: Mapping[str, Any]) -> str:
    tokens = found["tokens"]
    most = max((abs(token["weight"]) for token in tokens), default=0.0)
    scale = '<span class="scale" role="img" aria-label="from against to for"></span>'
    legend = f'<p class="faint">{-most:+.3g}{scale}{most:+.3g} &nbsp; {escape(_account(found))}</p>'
    strongest = sorted(tokens, key=lambda token: -abs(token["weight"]))[:_MOST_LISTED]
    rows = [[_visible(token["text"]), f"{token['weight']:+.4f}"] for token in strongest]
    listed = f"<details><summary>figures</summary>{table(['word', 'weight'], rows)}</details>"
    heat = f'<p class="heat" dir="auto">{_heat(text, found, most)}</p>'
    return f'<div class="explanation"><h3>{_heading(found)}</h3>{legend}{heat}{listed}</div>'


def _heading(found: Mapping[str, Any]) -> str:
    name = "no answer" if found["target"] is None else found["target"]
    parts = [f'<span class="faint">{_shown(found["component"])}</span>']
    parts += [] if found["question"] is None else [f"<bdi>{_shown(found['question'])}</bdi>"]
    parts.append(f"<bdi>{_shown(name)}</bdi>")
    against = "" if found["against"] is None else f" rather than <bdi>{_shown(found['against'])}</bdi>"
    return " &middot; ".join(parts) + f'<span class="faint">{against}, probability {found["probability"]:.3f}</span>'


def _account(found: Mapping[str, Any]) -> str:
    """How the score comes about, and by which method that was found."""
    said = [f"{found['method'].replace('_', ' ')}, held against {found['baseline']}", f"score {found['score']:.3f}"]
    if found["baseline_score"] is not None:
        said.append(f"of the baseline {found['baseline_score']:.3f}")
    if found["convergence_delta"] is not None:
        said.append(f"sum off by {found['convergence_delta']:.1g} after {found['n_steps']} steps")
    if abs(found["elsewhere"]) >= 0.0005:
        said.append(f"on no word {found['elsewhere']:+.3f}")
    if found["coverage"] < 1:
        said.append(f"{found['coverage']:.0%} of the text")
    return "; ".join(said)


def _heat(text: str, found: Mapping[str, Any], most: float) -> str:
    done, at = [], 0
    answer = (found["start"], found["end"])
    for token in found["tokens"]:
        done.append(_shown(text[at : token["start"]]))
        done.append(_word(text[token["start"] : token["end"]], token, most, answer))
        at = token["end"]
    return "".join([*done, _shown(text[at:])])


def _word(own: str, token: Mapping[str, Any], most: float, answer: Sequence[int | None]) -> str:
    share = token["weight"] / most if most else 0.0
    style = f"background: rgba({_FOR if share > 0 else _AGAINST}, {abs(share) * _STRONGEST:.3f})"
    if abs(share) >= _LEAST_LINED:
        style += f"; border-bottom-style: {'solid' if share > 0 else 'dotted'}"
    start, end = answer
    is_answer = start is not None and end is not None and token["start"] < end and token["end"] > start
    kind = ' class="answer"' if is_answer else ""
    return f'<span{kind} style="{style}" title="{token["weight"]:+.4f}">{_shown(own)}</span>'


def _visible(text: str) -> str:
    return text.translate(_PICTURES)


def _shown(text: str) -> str:
    return escape(_visible(text))
