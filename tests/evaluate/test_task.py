"""What of a pipeline is judged, and by what: any component says so in its attribute `metric`."""

from __future__ import annotations

from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc

from mmpipe import PluginError
from mmpipe.errors import ConfigError
from mmpipe.evaluate.task import Wishes, tasks_of_pipeline
from mmpipe.plugins import get_plugins

ASSIGNS: dict[str, Any] = {"assigns": ["doc._.task_tone"], "default_config": {"field": "task_tone"}}


class Toned(Pipe):
    """A plain spaCy component."""

    metric: str | None = "classification"

    def __init__(self, field: str) -> None:
        self.field = field

    def __call__(self, doc: Doc) -> Doc:
        return doc


@Language.factory("task_class", **ASSIGNS)
def by_class(nlp: Language, name: str, field: str) -> Toned:
    return Toned(field)


@Language.factory("task_instance", **ASSIGNS)
def by_instance(nlp: Language, name: str, field: str) -> Toned:
    pipe = Toned(field)
    pipe.metric = "summary"
    return pipe


@Language.factory("task_unnamed", assigns=["doc._.task_gist"])
def without_field(nlp: Language, name: str) -> Any:
    class Gist:
        metric = "summary"

        def __call__(self, doc: Doc) -> Doc:
            return doc

    return Gist()


@Language.factory("task_unknown", **ASSIGNS)
def unknown(nlp: Language, name: str, field: str) -> Toned:
    pipe = Toned(field)
    pipe.metric = "classificatoin"
    return pipe


@Language.factory("task_two", assigns=["doc._.task_a", "doc._.task_b"])
def two(nlp: Language, name: str) -> Any:
    return without_field(nlp, name)


def judged(factory: str, config: Any = None, **metrics: str) -> list[tuple[str, str, str]]:
    nlp = spacy.blank("en")
    nlp.add_pipe(factory, name="x", config=config or {})
    tasks = tasks_of_pipeline(nlp, get_plugins(), Wishes({}, metrics, {}))
    return [(task.name, task.field, task.metric.name) for task in tasks]


def test_a_component_of_any_kind_names_its_metric() -> None:
    assert judged("task_class") == [("x", "task_tone", "classification")]
    assert judged("task_instance") == [("x", "task_tone", "summary")]
    assert judged("task_unnamed") == [("x", "task_gist", "summary")]
    assert judged("task_class", {"field": "mood"}) == [("x", "mood", "classification")]


def test_the_user_has_the_last_word() -> None:
    assert judged("task_class", x="summary") == [("x", "task_tone", "summary")]
    assert judged("task_class", task_tone="summary") == [("x", "task_tone", "summary")]
    assert judged("task_two", task_b="qa") == [("x", "task_b", "qa")]
    assert judged("task_two", x="qa") == [("task_a", "task_a", "qa"), ("task_b", "task_b", "qa")]


def test_a_metric_that_nobody_provides_is_told_with_the_component_that_names_it() -> None:
    with pytest.raises(PluginError, match=r"components\.x: .*'classificatoin'(.|\n)*did you mean 'classification'"):
        judged("task_unknown")


def test_of_several_fields_none_is_taken_for_the_one_that_is_meant() -> None:
    with pytest.raises(ConfigError, match="no component of the pipeline says how it is judged"):
        judged("task_two")
