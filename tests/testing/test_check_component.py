"""The kit against components that each break one promise: it names that one, and only what must follow from it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmpipe.testing import COMPONENT_CHECKS, ContractError, ContractReport, check_component

# Imported by its file: tests are no package.
_spec = importlib.util.spec_from_file_location("kit_faulty", Path(__file__).with_name("faulty.py"))
faulty = importlib.util.module_from_spec(_spec)
sys.modules["kit_faulty"] = faulty
_spec.loader.exec_module(faulty)

pytest_plugins = ("pytester",)

# They start processes, and have tests of their own below.
SLOW = ("registration", "processes")

# Of a component that is not installed, and has no settings of that kind.
NOT_CHECKED = {"registration", "spacy-entry-point", "reserved-field", "result-type"}


def faults_of(kind: str, **options: Any) -> ContractError:
    with pytest.raises(ContractError) as caught:
        check_component(f"kit_{kind}", **{"skip": SLOW, "n_huge_chars": 1_000, **options})
    for fault in caught.value.faults:
        assert fault.got and fault.promised and fault.next_step and fault.check in str(caught.value)
        assert fault.got in str(caught.value) and fault.next_step in str(caught.value)
    return caught.value


def test_a_correct_component_passes_every_check() -> None:
    report = check_component("kit_Tone", {"scale": 2.0})
    assert isinstance(report, ContractReport) and not report.faults
    assert set(report.passed) == {*COMPONENT_CHECKS} - NOT_CHECKED
    # What cannot be checked is said.
    assert set(report.skipped) == NOT_CHECKED
    assert "no installed" in report.skipped["registration"] and "not checked, no installed" in str(report)


def test_what_has_to_stand_before_it_is_said() -> None:
    [fault] = faults_of("Needy").faults
    assert fault.check == "builds" and "requires doc.sents" in fault.got and "put 'sentencizer' before it" in fault.got
    assert """check_component('kit_Needy', ..., before=["sentencizer"])""" in fault.next_step
    assert not check_component("kit_Needy", before=["sentencizer"], only=["runs"]).faults


def test_pytest_shows_the_faults_and_no_code_of_the_kit(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        import runpy
        from mmpipe.testing import check_component, check_writer

        def test_component():
            runpy.run_path({str(Path(__file__).with_name("faulty.py"))!r})
            check_component("kit_Undeclared", only=["declarations"])

        def test_needy():
            check_component("kit_Needy")

        def test_writer():
            check_writer(lambda stream: stream, only=["writes"])
        """
    )
    found = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:randomly")
    found.assert_outcomes(failed=3)
    said = found.stdout.str()
    assert "wrote doc._.kit_other" in said and "requires doc.sents" in said
    assert "run_checks" not in said and "component_contract.py" not in said and "file_contracts.py" not in said


def test_a_result_type_that_is_none_is_a_fault_and_says_which_there_are() -> None:
    error = faults_of("Untyped")
    assert error.report.failed == ("builds",) and "result_type.score: 'number' is no type of a column" in str(error)
    assert "string, int, float, bool, json" in str(error)
    assert "result-type" in check_component("kit_Typed", only=["result-type"]).passed


def test_a_component_that_refuses_fields_of_the_record_keeps_the_contract() -> None:
    assert "reserved-field" in check_component("kit_Guarded", only=["reserved-field"]).passed


@pytest.mark.parametrize(
    ("kind", "check", "others", "words"),
    [
        ("InBatches", "batches", {"error-isolation"}, ["in batches of 2", "alone", "kit_tone['score']"]),
        ("Undeclared", "declarations", set(), ["doc._.kit_other", "not declared"]),
        ("UndeclaredCats", "declarations", set(), ["doc.cats", "not declared"]),
        ("NeverWritten", "declarations", set(), ["doc.spans", "none of"]),
        ("Dropping", "same-documents", set(), ["were lost"]),
        ("Reordering", "same-documents", {"error-isolation"}, ["another order"]),
        ("Sorting", "batches", {"order", "error-isolation"}, ["in batches of"]),
        ("AllOrNothing", "error-isolation", set(), ["went to the error handler together"]),
        ("Dying", "error-isolation", set(), ["the stream ended with InjectedFailure"]),
        ("Swallowing", "error-isolation", set(), ["as if nothing had been wrong"]),
        ("Arrays", "plain-results", set(), ["ndarray"]),
        ("Spans", "plain-results", {"doc-bytes", "doc-bin", "doc-pickle"}, ["Span"]),
        ("NotANumber", "plain-results", set(), ["nan"]),
        ("ChangesRecord", "inputs-untouched", set(), ["doc._.record", "'seen'"]),
        ("ChangesText", "inputs-untouched", {"declarations"}, ["doc.text was 'The soup"]),
        ("NeedsWords", "odd-inputs", set(), ["IndexError", "nlp('')"]),
        (
            "Moody",
            "determinism",
            {"independence", "batches", "order", "error-isolation", "pipeline-bytes", "to-disk"},
            ["second time"],
        ),
        ("Stuck", "independence", {"pipeline-bytes", "to-disk"}, ["a result depends on documents seen before"]),
        ("Anywhere", "reserved-field", set(), ["with field = 'record', doc._.record", "with field = 'media'"]),
        ("WronglyTyped", "result-type", set(), ["doc._.kit_tone is {'score': ", 'is no {"score": "string"}']),
        ("Greedy", "lazy-stream", set(), ["all 100 documents were read"]),
    ],
)
def test_a_fault_is_named(kind: str, check: str, others: set[str], words: list[str]) -> None:
    error = faults_of(kind)
    assert check in error.report.failed
    assert set(error.report.failed) <= {check} | others
    said = "\n".join(str(fault) for fault in error.faults if fault.check == check)
    assert all(word in said for word in words), said


def test_what_is_not_saved_is_seen_where_there_is_something_to_save() -> None:
    def prepare(pipe: Any) -> None:
        pipe.scale = 7.0

    error = faults_of("Forgetful", prepare=prepare)
    assert set(error.report.failed) == {"to-disk", "pipeline-bytes"}
    assert "after to_disk and spacy.load" in str(error)
    assert not check_component("kit_Tone", prepare=prepare, skip=SLOW, n_huge_chars=1_000).faults


def test_a_long_text_that_is_too_long() -> None:
    assert faults_of("Short", n_huge_chars=160_000, only=["huge-input"]).report.failed == ("huge-input",)


def test_two_processes_show_what_a_saved_pipeline_lacks() -> None:
    error = faults_of("Forgetful", prepare=lambda pipe: setattr(pipe, "scale", 7.0), only=["processes"], skip=())
    assert "with two processes doc._.kit_tone['score']" in str(error)


def test_a_record_that_fails_can_be_named() -> None:
    report = check_component("kit_Tone", failing="this will FAIL", only=["error-isolation"])
    assert report.passed == ("error-isolation",)
    assert "went to the error handler together" in str(
        faults_of("AllOrNothing", failing="this will FAIL", only=["error-isolation"], skip=())
    )


def test_checks_can_be_chosen_and_what_is_left_out_is_said() -> None:
    report = check_component("kit_Undeclared", skip=(*SLOW, "declarations"), n_huge_chars=1_000)
    assert report.skipped["declarations"] == "skip names it" and "declarations: not checked" in str(report)
    assert check_component("kit_Tone", only="runs").passed == ("runs",)
    with pytest.raises(ValueError, match=r"no check is called 'batch'.*batches"):
        check_component("kit_Tone", only=["batch"])


def test_what_assigns_declares_for_other_settings_can_be_excused() -> None:
    assert not check_component("kit_NeverWritten", only=["declarations"], optional={"doc.spans"}).faults


def test_all_faults_come_at_once_and_a_component_that_cannot_be_built_is_one() -> None:
    error = faults_of("Moody", only=["determinism", "batches", "declarations"], skip=())
    assert {"determinism", "batches"} <= set(error.report.failed) and "declarations" in error.report.passed
    assert error.faults[-1].got.startswith("and ")
    assert faults_of("nowhere").report.failed == ("builds",)
    assert faults_of("Tone", config={"scale": "x"}).report.failed == ("builds",)


HOOKS = """
import mmpipe
{heavy}

@mmpipe.hookimpl
def mmpipe_components():
    yield mmpipe.ComponentSpec("{name}", "{name}_component")
"""
COMPONENT = """
{heavy}
from spacy.language import Language
from spacy.tokens import Doc

if not Doc.has_extension("kit_length"):
    Doc.set_extension("kit_length", default=None)

@Language.factory("{name}", assigns=["doc._.kit_length"])
def {name}(nlp, name):
    return measure

def measure(doc):
    doc._.kit_length = len(doc.text)
    return doc
"""


@pytest.mark.parametrize(
    ("name", "hooks", "component", "check", "words"),
    [
        ("kitgood", "", "", None, []),
        ("kitspacy", "import spacy", "", "registration", ["importing kitspacy_plugin imports spaCy"]),
        ("kitheavy", "", "import torch", "registration", ["kitheavy_component (line 2) imports torch"]),
        (
            "kithidden",
            "",
            "import importlib\nimportlib.import_module('transformers')",
            "registration",
            ["imports transformers"],
        ),
        (
            "kitdeep",
            "",
            "import mmpipe.models.classifier",
            "registration",
            [
                "kitdeep_component (line 2) imports mmpipe.models.classifier, which brings torch",
                "put the class into a module of its own, and import that inside the factory",
            ],
        ),
        ("kitbare", "", "", "spacy-entry-point", ["no entry point 'kitbare' in the group spacy_factories"]),
    ],
)
def test_what_registration_imports(
    mmpipe_plugin: Callable[..., Path],
    name: str,
    hooks: str,
    component: str,
    check: str | None,
    words: list[str],
) -> None:
    files = {f"{name}_component.py": COMPONENT.format(name=name, heavy=component)}
    factories = () if name == "kitbare" else (name,)
    mmpipe_plugin(name, HOOKS.format(name=name, heavy=hooks), files=files, factories=factories)
    only = ["registration", "spacy-entry-point", *(["processes"] if check is None else [])]
    if check is None:
        assert check_component(name, only=only).passed == tuple(n for n in COMPONENT_CHECKS if n in only)
        return
    with pytest.raises(ContractError) as caught:
        check_component(name, only=only)
    assert caught.value.report.failed == (check,)
    assert all(word in str(caught.value) for word in words), str(caught.value)
