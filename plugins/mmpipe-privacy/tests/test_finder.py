"""What is found, where, and what is left alone; nothing here needs spaCy."""

from __future__ import annotations

import ipaddress
import itertools
import random
import sys
import time
from pathlib import Path
from typing import Any

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmpipe_privacy.finder import PATTERN_KINDS, Finder
from mmpipe_privacy.masking import Masking
from mmpipe_privacy.normal import normal
from mmpipe_privacy.patterns import Patterns
from mmpipe_privacy.spans import Found, resolve
from stdnum import iban, luhn

from mmpipe import ConfigError, RecordError

ROOT = Path(__file__).parents[1]


def finder(kinds: Any = PATTERN_KINDS, patterns: Any = None, **options: Any) -> Finder:
    patterns = patterns or {}
    own = Patterns(patterns, max_seconds=options.pop("seconds", 1.0), where="patterns")
    options.setdefault("phone_regions", ("GB", "US", "DE"))
    return Finder(kinds, patterns=own, **options)


def found(text: str, **options: Any) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in finder(**options).find(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Write to anna.b+c@example.com.", [("email", "anna.b+c@example.com")]),
        ("请发邮件到anna@example.com谢谢", [("email", "anna@example.com")]),
        (
            "<jörg@example.org>, 'o'brien@example.org'",
            [("email", "jörg@example.org"), ("email", "o'brien@example.org")],
        ),
        ("邮箱ａｎｎａ＠example．com。", [("email", "ａｎｎａ＠example．com")]),
        ("See https://example.com/a_(b)?x=1&y=2.", [("url", "https://example.com/a_(b)?x=1&y=2")]),
        (
            "(www.example.org/x), 见http://example.com/y。",
            [("url", "www.example.org/x"), ("url", "http://example.com/y")],
        ),
        ("https://anna:pw@example.com/", [("url", "https://anna:pw@example.com/")]),
        ("4111 1111 1111 1111", [("card", "4111 1111 1111 1111")]),
        ("ref 1234 5555-5555-5555-4444 7", [("card", "5555-5555-5555-4444")]),
        ("卡号４１１１１１１１１１１１１１１１。", [("card", "４１１１１１１１１１１１１１１１")]),
        ("3782 822463 10005", [("card", "3782 822463 10005")]),
        ("GB82 WEST 1234 5698 7654 32 and more", [("iban", "GB82 WEST 1234 5698 7654 32")]),
        ("账号de89370400440532013000。", [("iban", "de89370400440532013000")]),
        ("from 203.0.113.5:8080, 2001:db8::1.", [("ip", "203.0.113.5"), ("ip", "2001:db8::1")]),
        ("地址：192.0.2.1，[2001:db8::5]:80", [("ip", "192.0.2.1"), ("ip", "2001:db8::5")]),
        ("+44 20 7946 0958 (020 7946 0959)", [("phone", "+44 20 7946 0958"), ("phone", "020 7946 0959")]),
        ("电话：＋86 10 6555 1234。", [("phone", "＋86 10 6555 1234")]),
        ("call (212) 555-0123 now", [("phone", "(212) 555-0123")]),
    ],
)
def test_values_are_found_where_they_stand(text: str, wanted: list[tuple[str, str]]) -> None:
    assert found(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",  # Luhn's sum is another
        "4111111111111111111111",  # too long
        "1234 5678 1234 5670",  # of no network
        "0.4111111111111111",
        "GB82 WEST 1234 5698 7654 33",
        "XX82WEST12345698765432",
        "version 1.2.3.4 and v1.2.3.4, from release 1.2.3.4 to 1.2.3.5; 版本1.2.3.4",
        "1.2.3.4.5 and 256.1.1.1 and 1.2.3.4-rc1",
        "127.0.0.1, 0.0.0.0, ::1 and ::",
        "Foo::Bar, a::b, 12:30:45, 00:1A:2B:3C:4D:5E",
        "order no. 020 7946 0958, Invoice 2125550123, 订单2125550123",
        "2024-11-05, 05.11.2024, 20241105, 2024-11-05T12:30:45Z, 11/05/2024 12:30",
        "a @ b, user@, @example.com, anna@localhost",
        "www., http://, 3.14, 10/10, 1,250.00",
        "1700000000123 and 20241105123456",
    ],
)
def test_what_only_looks_like_a_value_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_every_value_passes_the_checks_of_other_hands() -> None:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    from synthetic import records

    rows, seen = records(150, seed=7), set()
    for row in rows:
        for one in finder().find(row["text"]):
            value = normal(row["text"][one.start : one.end])
            seen.add(one.kind)
            if one.kind == "card":
                assert luhn.is_valid("".join(filter(str.isdigit, value)))
            elif one.kind == "iban":
                assert iban.is_valid(value)
            elif one.kind == "ip":
                ipaddress.ip_address(value)
            elif one.kind == "phone" and one.is_checked:
                numbers = [phonenumbers.parse(value, region) for region in ("GB", "US", "DE")]
                assert any(map(phonenumbers.is_valid_number, numbers))
    assert seen == set(PATTERN_KINDS)


def test_precision_and_recall_on_made_sentences() -> None:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    from quality import measure
    from synthetic import records

    counts = measure(records(300, seed=2), finder(phone_regions=("GB", "US", "DE", "FR", "CN", "CH")))
    for kind, n in counts.items():
        assert n["gold"] >= 30, kind
        assert n["right"] / n["gold"] >= 0.97, kind
        assert n["right"] / n["found"] >= 0.95, kind


def test_of_overlapping_pieces_the_longest_stays_then_the_kind_that_comes_first() -> None:
    order = {"a": 0, "b": 1}
    pieces = [Found("b", 0, 5), Found("a", 3, 9), Found("b", 10, 12), Found("a", 10, 12), Found("a", 9, 9)]
    for seed in range(5):
        mixed = random.Random(seed).sample(pieces, len(pieces))
        assert list(resolve(mixed, order)) == [Found("a", 3, 9), Found("a", 10, 12)]
    assert found("https://x.example.com/?m=anna@example.com") == [("url", "https://x.example.com/?m=anna@example.com")]
    assert found("4111111111111111", patterns={"number": r"\d+"}) == [("number", "4111111111111111")]


def test_a_value_found_once_is_found_wherever_it_stands() -> None:
    text = "4111111111111111, X4111111111111111Z, 94111111111111111"
    assert [one.start for one in finder().find(text)] == [0, 19]
    text = "anna@example.com wrote as xanna@example.com"
    assert [text[f.start : f.end] for f in finder().find(text)] == ["anna@example.com", "xanna@example.com"]


def test_allowed_values_stay() -> None:
    text = "info@example.com, INFO@EXAMPLE.COM, anna@example.org, bo@example.net, +44 20 7946 0958"
    allow = ["info@example.com", "@example.org", "+442079460958"]
    assert found(text, allow=allow) == [("email", "bo@example.net")]


def test_only_the_kinds_that_are_asked_for() -> None:
    text = "anna@example.com +44 20 7946 0958 TCK-123456"
    assert found(text, kinds=["phone"]) == [("phone", "+44 20 7946 0958")]
    assert found(text, kinds=[], patterns={"ticket": r"TCK-\d{6}"}) == [("ticket", "TCK-123456")]
    assert found("030 23125 417", phone_regions=()) == []


@pytest.mark.parametrize(("pattern", "said"), [("(", "no regular expression"), ("a*", "empty text")])
def test_a_bad_pattern_is_named_when_it_is_read(pattern: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as told:
        finder(patterns={"mine": pattern})
    assert told.value.where == "patterns.mine"


def test_a_pattern_that_runs_away_is_stopped() -> None:
    one = finder(kinds=[], patterns={"mine": r"(a|aa)+$"}, seconds=0.2)
    began = time.process_time()
    with pytest.raises(RecordError, match="mine"):
        one.find("a" * 60 + "b")
    assert time.process_time() - began < 5


@pytest.mark.parametrize("unit", ["a", "a.", "1.1.", "a:", "::", "@", "a@", "a@a.", "www.", "http://a(", "DE12 ", "，"])
def test_time_grows_with_the_text_and_no_faster(unit: str) -> None:
    one = finder(kinds=[kind for kind in PATTERN_KINDS if kind != "phone"])
    seconds = []
    for n in (20_000, 80_000):
        text = (unit * n)[:n]
        began = time.process_time()
        one.find(text)
        seconds.append(time.process_time() - began)
    assert seconds[1] < 10 * max(seconds[0], 0.02)


@given(st.text(alphabet="a1 @.:+-４王é\n", max_size=60))
@settings(max_examples=150, deadline=None)
def test_what_is_found_is_in_order_and_apart_and_masking_puts_it_right(text: str) -> None:
    assert len(normal(text)) == len(text)
    pieces = finder().find(text)
    assert all(a.end <= b.start for a, b in itertools.pairwise(pieces))
    assert all(0 <= one.start < one.end <= len(text) for one in pieces)
    masking = Masking(text, [(one.start, one.end, f"<{one.kind}>") for one in pieces])
    for one in pieces:
        assert masking.masked[masking.start(one.start) : masking.end(one.end)] == f"<{one.kind}>"
    last = 0
    for one in (*pieces, Found("", len(text), len(text))):
        kept = text[last : one.start]
        assert masking.masked[masking.start(last) : masking.end(one.start)] == kept
        last = one.end
