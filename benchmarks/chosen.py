"""Which of the things that a benchmark knows are wanted, by its command line."""

from __future__ import annotations

import argparse
from collections.abc import Collection


def parser_of(doc: str | None, noun: str, known: Collection[str]) -> argparse.ArgumentParser:
    """A parser of names as positional arguments; all of them where none is given."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar=noun, help=f"of {', '.join(known)}; all by default")
    parser.set_defaults(known=known)
    return parser


def parsed(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The arguments; `names` are known ones, at least one."""
    given = parser.parse_args()
    if unknown := set(given.names) - set(given.known):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    given.names = given.names or list(given.known)
    return given
