"""The names of a new plugin: what they become, and what is said of those that cannot be."""

from __future__ import annotations

import keyword
import random
import string

import pytest
from packaging.utils import canonicalize_name, is_normalized_name

from mmpipe import MmpipeError
from mmpipe.scaffold.kinds import KINDS, find_kinds
from mmpipe.scaffold.naming import MAX_CHARS, check_free, make_names


@pytest.mark.parametrize("given", ["acme-tone", "mmpipe-acme-tone", "Acme_Tone", "MMPIPE.acme..tone", " acme--tone "])
def test_spellings_of_one_name_are_one(given: str) -> None:
    names = make_names(given)
    assert (names.distribution, names.package, names.field) == ("mmpipe-acme-tone", "mmpipe_acme_tone", "acme_tone")


@pytest.mark.parametrize("given", ["2fast", "class", "lambda", "text", "record", "get", "7", "images"])
def test_what_is_no_name_for_a_field_gives_way_to_the_package(given: str) -> None:
    assert make_names(given).field == make_names(given).package


def test_any_name_that_is_allowed_gives_names_that_python_and_indexes_take() -> None:
    chance = random.Random(1)
    for _ in range(500):
        middle = "".join(chance.choices(string.ascii_letters + string.digits + "-_.", k=chance.randrange(20)))
        names = make_names(f"{chance.choice(string.ascii_letters)}{middle}{chance.choice(string.digits)}")
        assert is_normalized_name(names.distribution) and canonicalize_name(names.package) == names.distribution
        for name in (names.package, names.field):
            assert name.isidentifier() and not keyword.iskeyword(name)


@pytest.mark.parametrize(
    ("given", "told", "suggested"),
    [
        ("", "empty", "acme-tone"),
        ("acme tone", "it holds ' '", "acme-tone"),
        ("../acme", "--output", "acme"),
        ("C:\\work\\Tone", "--output", "tone"),
        ("-acme", "begins or ends", "acme"),
        ("acme.", "begins or ends", "acme"),
        ("语气", "letters A to Z", "acme-tone"),
        ("café noir!", "'é'", "caf-noir"),
        ("mmpipe", "only the prefix", "acme-tone"),
        ("MMPIPE-", "begins or ends", "acme-tone"),
        ("a" * (MAX_CHARS + 1), str(MAX_CHARS), "a" * MAX_CHARS),
    ],
)
def test_a_bad_name_is_refused_with_one_that_would_do(given: str, told: str, suggested: str) -> None:
    with pytest.raises(MmpipeError) as error:
        make_names(given)
    assert told in error.value.what and repr(suggested) in str(error.value.next_step)
    assert make_names(suggested)


def test_kinds_each_once_in_their_order() -> None:
    assert [kind.name for kind in find_kinds(["model", "Reader", "model", " component"])] == [
        "component",
        "reader",
        "model",
    ]
    with pytest.raises(MmpipeError, match="did you mean 'reader'"):
        find_kinds(["raeder"])
    with pytest.raises(MmpipeError, match="component, reader, writer"):
        find_kinds([])


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("sentiment", "reader", "mmpipe-sentiment .* is installed"),
        ("csv", "reader", "mmpipe .* provides the reader 'csv'"),
        ("qa", "metric", "mmpipe-qa .* is installed"),
        ("parquet", "writer", "provides the writer 'parquet'"),
        ("run", "command", "provides the command 'run'"),
        ("caption", "pipeline", "mmpipe-multimodal .* provides the pipeline 'caption'"),
    ],
)
def test_a_name_that_is_taken_is_refused(name: str, kind: str, told: str) -> None:
    with pytest.raises(MmpipeError, match=told):
        check_free(make_names(name), find_kinds([kind]))


def test_of_several_things_each_has_a_name_of_its_own() -> None:
    names, kinds = make_names("acme"), find_kinds(KINDS)
    found = {kind.name: names.provided(kind, kinds) for kind in kinds}
    assert len(set(found.values())) == len(kinds)
    assert found["reader"] == "acme-mail" and found["pipeline"] == "acme" and found["component"] == "mmpipe_acme"
    assert {names.provided(kind, [kind]) for kind in kinds} == {"acme", "mmpipe_acme", "mmpipe/acme"}
    assert names.provided(*find_kinds(["reader"]), find_kinds(["reader", "component"])) == "acme-mail"


def test_a_name_is_taken_only_among_its_kind() -> None:
    check_free(make_names("csv"), find_kinds(set(KINDS) - {"reader", "writer"}))
