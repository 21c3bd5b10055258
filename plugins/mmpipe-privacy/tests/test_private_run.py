"""A private run: every planted value is looked for in all that the run writes and says."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SECRETS = [
    "anna.schmidt@example.com",
    "+44 20 7946 0958",
    "4111 1111 1111 1111",
    "378282246310005",
    "GB82 WEST 1234 5698 7654 32",
    "203.0.113.42",
    "2001:db8::8a2e:370",
    "https://example.com/u/anna",
    "Margaret Pell",
    "Achterberg",
    "陈雨",
    "１９２．０．２．１４６",
]
WORDS = "unmasked-words"
"""Stands in records that fail: nothing finds it, and it must not get out either."""


def records() -> list[Any]:
    texts = [f"Dear Sir, {secret} is what I have, and 王 {secret}, too." for secret in SECRETS]
    fine = [{"id": f"f{i}", "text": text, "subject": f"re {text}", "n": i} for i, text in enumerate(texts)]
    bad = [{"id": f"b{i}", "text": f"poison {WORDS} {text}", "subject": text} for i, text in enumerate(texts)]
    hard: list[Any] = [
        {"id": SECRETS[0], "text": "An id that is a value."},
        {"id": "k", "text": "A key that is one.", SECRETS[1]: {SECRETS[0]: [SECRETS[4]]}},
        {"id": "number", "text": "A number that is one.", "card": 4111111111111111},
        {"id": "split", "text": "It is Margaret Pell who wrote.", "from": "Pell, M.", "to": "Margaret"},
        {"id": "long", "text": f"{'x ' * 400}{SECRETS[2]}"},
        {"id": "type", "text": [SECRETS[0], WORDS]},
        {"id": "image", "image": f"{SECRETS[0]}.png", "text": WORDS},
        {"id": "none", "body": f"{WORDS} {SECRETS[8]}"},
        {"id": SECRETS[3], "text": f"poison {WORDS}"},
        {"id": "taken", "text": "fine", "echo": f"{WORDS} {SECRETS[0]}"},
    ]
    raw = [f'{{"id": "r", "text": "{SECRETS[0]} {WORDS}', f'["{SECRETS[1]}", "{WORDS}"]', f"{SECRETS[4]} {WORDS}"]
    return [one for group in zip(fine, bad, strict=True) for one in group] + hard + raw


def write_corpus(policies: dict[str, str] | None = None, **options: Any) -> None:
    lines = [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in records()]
    data = "\n".join(lines).encode() + f'\n{{"id": "\xe9", "text": "{WORDS} {SECRETS[1]}"}}\n'.encode("latin-1")
    Path("in.jsonl").write_bytes(data)
    kinds = ["email", "phone", "card", "iban", "ip", "url", "person"]
    privacy = {"factory": "mmpipe_privacy", "kinds": kinds, "private": True, "policies": policies or {}, **options}
    tree = {
        "nlp": {"lang": "xx", "pipeline": ["namer", "blabber", "privacy"]},
        "components": {"namer": {"factory": "namer"}, "blabber": {"factory": "blabber"}, "privacy": privacy},
    }
    Path("p.json").write_text(json.dumps(tree))


def assert_nothing_got_out(*said: str) -> None:
    """No secret in any file below `out`, spelled in whatever way, nor in what was said."""
    files = [file for file in Path("out").rglob("*") if file.is_file()]
    assert files
    texts = {str(file): file.read_bytes() for file in files} | {f"said {i}": one.encode() for i, one in enumerate(said)}
    for secret in (*SECRETS, WORDS, "4111111111111111", "4111111111", "Margaret", "Pell,", "anna.schmidt"):
        spelled = {secret, json.dumps(secret)[1:-1], html.escape(secret), repr(secret)[1:-1], ascii(secret)[1:-1]}
        for name, text in texts.items():
            assert not [one for one in spelled if one.encode() in text], f"{secret} in {name}"


def results_of(text: str) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in map(json.loads, text.splitlines())}


@pytest.mark.parametrize(
    "options",
    [
        ("-o", "out"),
        ("-o", "out/r.jsonl"),
        ("-o", "out", "--workers", 2, "--shard-size", 20),
        ("-o", "out/r.csv"),
        ("-o", "-"),
    ],
    ids=["folder", "file", "workers", "table", "stream"],
)
def test_nothing_gets_out(options: tuple[object, ...], blabber: Path, mmpipe_command: Callable) -> None:
    write_corpus()
    Path("out").mkdir()
    extra = ("--metrics", "out/run.prom") if "-" not in options else ()
    said = mmpipe_command("run", "p.json", "in.jsonl", *options, *extra)
    assert said.code == 4
    if options[1] == "-":
        Path("out/said.err").write_text(said.err)
    if options[1] == "out":
        assert mmpipe_command("report", "out").code == 0
        assert mmpipe_command("status", "out").code == 0
        assert "[EMAIL]" in Path("out/report.html").read_text("utf-8")
    assert_nothing_got_out(said.out, said.err)
    n_failed = sum("withheld" in line for line in said.err.splitlines() if line.startswith("{"))
    if options[1] == "-":
        written = results_of(said.out)
    elif options[1] == "out/r.csv":
        return
    else:
        files = sorted(Path("out").glob("shard-*.jsonl")) or [Path("out/r.jsonl")]
        written = results_of("".join(file.read_text("utf-8") for file in files))
        lines = next(file for file in (Path("out/quarantine.jsonl"), Path("out/r.errors.jsonl")) if file.exists())
        n_failed = len(lines.read_text("utf-8").splitlines())
    assert len(written) + n_failed == len(records()) + 1
    assert written["f0"]["text"] == "Dear Sir, [EMAIL] is what I have, and 王 [EMAIL], too." == written["f0"]["masked"]
    assert written["f0"]["subject"].startswith("re Dear Sir, [EMAIL]") and written["f3"]["n"] == 3
    assert written["[EMAIL]"]["text"] == "An id that is a value."
    assert written["number"]["card"] == "[CARD]"
    assert (written["split"]["from"], written["split"]["to"]) == ("[PERSON], M.", "[PERSON]")


def test_places_are_those_in_the_masked_text(blabber: Path, mmpipe_command: Callable) -> None:
    write_corpus()
    said = mmpipe_command("run", "p.json", "in.jsonl", "-o", "-")
    for one in results_of(said.out).values():
        for piece in one["privacy"]:
            assert one["text"][piece["start"] : piece["end"]] == piece["replacement"]
        for quote in one["quote"]:
            assert one["text"][quote["start"] : quote["end"]] == quote["text"]


def test_what_stays_of_other_keys_can_be_named(blabber: Path, mmpipe_command: Callable) -> None:
    write_corpus(other_keys="drop", fields=["subject"])
    written = results_of(mmpipe_command("run", "p.json", "in.jsonl", "-o", "-").out)
    assert {"id", "text", "subject", "echo", "privacy"} <= written["f0"].keys()
    assert "n" not in written["f0"] and "card" not in written["number"]


def test_pseudonyms_in_workers_are_one_and_come_back(blabber: Path, mmpipe_command: Callable) -> None:
    assert mmpipe_command("privacy", "new-key", "key").code == 0
    assert mmpipe_command("privacy", "new-key", "other").code == 0
    write_corpus(policy="pseudonym", key_file="key")
    assert mmpipe_command("run", "p.json", "in.jsonl", "-o", "out").code == 4
    assert_nothing_got_out()
    key = Path("key").read_text().strip()
    files = [file for file in Path("out").rglob("*") if file.is_file()]
    assert not [file for file in files if key.encode() in file.read_bytes()]
    assert Path("key").stat().st_mode & 0o077 == 0

    shard = "out/shard-00000.jsonl"
    back = mmpipe_command("privacy", "reveal", shard, "--key-file", "key")
    assert back.code == 0
    texts = {one["id"]: one["text"] for one in records() if isinstance(one, dict) and isinstance(one.get("text"), str)}
    for name, one in results_of(back.out).items():
        assert one["text"] == texts[name]
    wrong = mmpipe_command("privacy", "reveal", shard, "--key-file", "other", "-o", "revealed.jsonl")
    assert wrong.code == 1 and "the key does not fit" in wrong.err and not Path("revealed.jsonl").exists()
    assert mmpipe_command("privacy", "reveal", shard, "--key-file", "key", "-o", "revealed.jsonl").code == 0
    assert mmpipe_command("privacy", "reveal", shard, "--key-file", "key", "-o", "revealed.jsonl").code == 1
    assert mmpipe_command("privacy", "reveal", "p.json", "--key-file", "p.json").code == 3
