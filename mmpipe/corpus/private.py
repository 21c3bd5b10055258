"""A private run: the texts of its records stay in it (see mmpipe.redaction)."""

from __future__ import annotations

import contextlib
import os
import traceback
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mmpipe.corpus.silence import WITHHELD, silence
from mmpipe.errors import ConfigError, MmpipeError, ModelError, NoInputError, PluginError, RecordError, StopRun
from mmpipe.redaction import Redactor, redactors_of

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

_KINDS = (ConfigError, PluginError, ModelError, NoInputError, RecordError)


class Privacy:
    """What leaves a run: all as it is, or, where there are redactors, what they and the rules here let pass.

    redactors: of the pipeline's components, in order.
    """

    def __init__(self, redactors: Sequence[Redactor] = ()) -> None:
        self.redactors = tuple(redactors)

    @classmethod
    def of(cls, nlp: Language) -> Privacy:
        return cls(redactors_of(nlp))

    @property
    def is_private(self) -> bool:
        return bool(self.redactors)

    def check_docs(self, gives_docs: bool) -> None:
        """Raises ConfigError where Docs would be written, which hold their raw text."""
        if self.is_private and gives_docs:
            raise ConfigError(
                "a private run writes no Docs, for they hold their raw text",
                where="--format",
                next_step="write .jsonl or another format of results",
            )

    def result(self, result: dict[str, Any], doc: Doc, text_key: str) -> dict[str, Any]:
        """A result as it may be written. Raises whatever a redactor raises, RecordError for what is no result."""
        for redactor in self.redactors:
            result = redactor.redact_result(result, doc, text_key=text_key)
            if not isinstance(result, dict):
                raise RecordError(f"{type(redactor).__name__}.redact_result gave a {type(result).__name__}")
        return result

    def line(self, line: dict[str, Any], error: BaseException) -> dict[str, Any]:
        """A line of quarantine: of a private record its place and its id, of the error its type and where it arose."""
        if not self.is_private:
            return line
        record = line["record"]
        name = self._name(record.get("id")) if isinstance(record, dict) else None
        says = getattr(error, "may_quote", True) is False
        return {
            **line,
            "origin": self._name(line["origin"]) or f"record {line['position'] + 1} of the run",
            "message": line["message"] if says else WITHHELD,
            "next_step": "the traceback says where it was raised; a run that is not private says more",
            "traceback": frames(error),
            "record": None if name is None else {"id": name},
        }

    def key(self, key: str) -> str:
        """A key of a record as it may leave. Raises whatever a redactor raises."""
        for redactor in self.redactors:
            key = redactor.redact_text(key)
        return key

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """What ends a private run from inside here ends it without its message."""
        with withheld_errors(self.is_private):
            yield

    @contextlib.contextmanager
    def silence(self) -> Iterator[None]:
        """Of what is logged, warned of and printed inside, a private run lets out only that it was."""
        with silence() if self.is_private else contextlib.nullcontext():
            yield

    def _name(self, name: Any) -> Any:
        """An id, or a place, as it may leave; None where that cannot be told."""
        if isinstance(name, bool) or not isinstance(name, str | int | float):
            return None
        try:
            told = self.key(str(name))
        except Exception:
            return None
        return name if told == str(name) else told


@contextlib.contextmanager
def withheld_errors(is_private: bool) -> Iterator[None]:
    """Errors raised inside come out as ones of the same kind that quote nothing, where the run is private."""
    try:
        yield
    except StopRun:
        raise  # Of a plugin's hook, which is told nothing that is withheld.
    except (Exception, SystemExit) as error:
        if not is_private or getattr(error, "may_quote", True) is False:
            raise
        raise _withheld(error) from None


def frames(error: BaseException) -> str:
    """The traceback of an error and of those that led to it: places in the code, and types without messages."""
    chain: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in chain:
        chain.append(one)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    told = []
    for one in reversed(chain):
        places = traceback.format_list(traceback.extract_tb(one.__traceback__))
        told.append("".join(["Traceback (most recent call last):\n", *places, f"{type(one).__name__}: {WITHHELD}\n"]))
    return "\n".join(told)


def _withheld(error: BaseException) -> MmpipeError:
    kind = next((kind for kind in _KINDS if isinstance(error, kind)), MmpipeError)
    said = f"{type(error).__name__}: {WITHHELD}"
    if isinstance(error, OSError) and error.errno:
        said += f" ({os.strerror(error.errno)})"
    place = traceback.extract_tb(error.__traceback__)[-1]
    found = kind(
        said,
        where=f"{place.filename}:{place.lineno}",
        next_step="that line raised it; a run that is not private shows the message",
    )
    found.may_quote = False
    return found
