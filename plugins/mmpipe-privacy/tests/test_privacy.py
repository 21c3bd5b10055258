"""The component: what it writes, its policies and keys, what it refuses."""

from __future__ import annotations

import base64
import json
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import spacy
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from mmpipe_privacy.factory import DEFAULTS
from mmpipe_privacy.finder import KINDS
from mmpipe_privacy.policies import POLICIES
from mmpipe_privacy.pseudonyms import TOKEN
from spacy.language import Language
from spacy.tokens import DocBin

import mmpipe
from mmpipe.testing import AWKWARD_TEXTS, check_component

ROOT = Path(__file__).parents[1]
LETTERS = ROOT.parents[1] / "corpora" / "letters"
KEY = base64.b64encode(bytes(range(64))).decode()
TEXT = "Mail anna@example.com or ring +44 20 7946 0958; card 4111 1111 1111 1111. 请发邮件到anna@example.com。"


def load(**settings: Any) -> Language:
    component = {"factory": "mmpipe_privacy", **settings}
    return mmpipe.load({"nlp": {"lang": "xx", "pipeline": ["privacy"]}, "components": {"privacy": component}})


@pytest.fixture(scope="module")
def nlp() -> Language:
    return mmpipe.load("privacy")


def test_what_it_writes(nlp: Language) -> None:
    doc = nlp(TEXT)
    assert doc._.masked == "Mail [EMAIL] or ring [PHONE]; card [CARD]. 请发邮件到[EMAIL]。"
    found = [
        (one["kind"], TEXT[one["start"] : one["end"]], one["checked"], one["replacement"]) for one in doc._.privacy
    ]
    assert found == [
        ("email", "anna@example.com", False, "[EMAIL]"),
        ("phone", "+44 20 7946 0958", True, "[PHONE]"),
        ("card", "4111 1111 1111 1111", True, "[CARD]"),
        ("email", "anna@example.com", False, "[EMAIL]"),
    ]
    assert "anna" not in json.dumps(doc._.privacy)
    # The last stands in the middle of a token.
    assert [(span.label_, span.text) for span in doc.spans["privacy"]] == [(kind, text) for kind, text, *_ in found[:3]]


def test_values_are_kept_where_they_are_asked_for() -> None:
    doc = load(keep_values=True, field="found", masked_field="clean", spans_key="s")(TEXT)
    assert doc._.found[0]["value"] == "anna@example.com"
    assert doc._.clean.startswith("Mail [EMAIL]") and "s" in doc.spans


def test_awkward_texts_in_any_company(nlp: Language) -> None:
    texts = [*AWKWARD_TEXTS.values(), TEXT]
    alone = [nlp(text) for text in texts]
    for text, one, other in zip(texts, alone, nlp.pipe(texts, batch_size=3), strict=True):
        assert (one._.privacy, one._.masked) == (other._.privacy, other._.masked)
        assert all(0 <= piece["start"] < piece["end"] <= len(text) for piece in one._.privacy)
    (back,) = DocBin(docs=[alone[-1]], store_user_data=True).get_docs(nlp.vocab)
    assert back._.masked == alone[-1]._.masked
    assert not nlp("")._.privacy and nlp("")._.masked == ""


def test_names_come_from_a_recogniser_before_it() -> None:
    nlp = spacy.blank("en")
    with pytest.raises(mmpipe.ConfigError, match="no component before this one"):
        nlp.add_pipe("mmpipe_privacy", config={"kinds": ["person"]})
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PERSON", "pattern": "Ada Brightwater"}, {"label": "GPE", "pattern": "Leeds"}])
    nlp.add_pipe("mmpipe_privacy", config={"kinds": ["person", "organisation"]})
    assert nlp("Ada Brightwater of Leeds.")._.masked == "[PERSON] of Leeds."
    with pytest.raises(mmpipe.ConfigError, match="no component before this one"):
        load(kinds=["email", "place"])


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ("mask", "[EMAIL], [CARD], [IP], [URL], [PHONE], [TICKET]"),
        ("drop", ", , , , , "),
        (
            "partial",
            "****.*@example.com, ****-****-****-1111, 203.0.113.*, https://example.com/***, "
            "+** ** **** 0958, ***-**3456",
        ),
    ],
)
def test_policies(policy: str, wanted: str) -> None:
    text = "anna.b@example.com, 4111-1111-1111-1111, 203.0.113.7, https://example.com/a, +44 20 7946 0958, TCK-123456"
    assert load(policy=policy, patterns={"ticket": r"TCK-\d{6}"})(text)._.masked == wanted


def test_each_kind_has_a_policy_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    nlp = load(policies={"card": "partial", "email": "hash"}, key_env="MY_KEY")
    masked = nlp(TEXT)._.masked
    assert re.fullmatch(
        r"Mail (\[EMAIL#[0-9a-f]{24}\]) or ring \[PHONE\]; card \*{4} \*{4} \*{4} 1111\. 请发邮件到\1。", masked
    )
    monkeypatch.setenv("MY_KEY", base64.b64encode(bytes(64)).decode())
    assert load(policies={"email": "hash"}, key_env="MY_KEY")(TEXT)._.masked.split()[1] != masked.split()[1]


def test_a_pseudonym_is_aes_siv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMPIPE_PRIVACY_KEY", KEY)
    first, second = TOKEN.findall(load(policies={"email": "pseudonym"})(TEXT)._.masked)
    assert first == second and first[0] == "EMAIL"
    sealed = base64.urlsafe_b64decode(first[1] + "==")
    assert AESSIV(bytes(range(64))).decrypt(sealed, [b"mmpipe-privacy.v1:EMAIL:"]) == b"anna@example.com"


def test_a_pseudonym_is_the_same_in_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text(bytes(range(64)).hex())
    nlp = load(policy="pseudonym", key_file=str(tmp_path / "key"))
    nlp.to_disk(tmp_path / "saved")
    here = nlp(TEXT)._.masked
    assert [doc._.masked for doc in nlp.pipe([TEXT] * 2, n_process=2)] == [here, here]
    code = f"import spacy; print(ascii(spacy.load({str(tmp_path / 'saved')!r})({TEXT!r})._.masked))"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert there.strip() == ascii(here)
    secrets = (bytes(range(64)), bytes(range(64)).hex().encode(), KEY.encode())
    written = [file.read_bytes() for file in (tmp_path / "saved").rglob("*") if file.is_file()]
    written += [pickle.dumps(nlp.get_pipe("privacy")), nlp.to_bytes()]
    assert not [one for one in written for secret in secrets if secret in one]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kinds": ["mail"]}, "kinds.*no kind 'mail'"),
        ({"phone_regions": ["UK"]}, "phone_regions.*'UK'"),
        ({"policy": "erase"}, "policy.*'erase'.*mask"),
        ({"policies": {"mail": "mask"}}, "policies.*'mail'"),
        ({"policies": {"email": "pseudonym"}}, "key_file.*need a key"),
        ({"policy": "hash", "key_file": "nowhere"}, "key file 'nowhere' cannot be read"),
        ({"patterns": {"email": "x"}}, "cannot name a pattern"),
        ({"patterns": {"mine": "("}}, "patterns.mine.*no regular expression"),
        ({"private": True, "keep_values": True}, "contradict"),
        ({"other_keys": "keep"}, "other_keys.*'keep'"),
        ({"field": "a b"}, "field.*'a b'"),
        ({"pattern_seconds": 0}, "pattern_seconds.*above 0"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MMPIPE_PRIVACY_KEY", raising=False)
    with pytest.raises(mmpipe.ConfigError, match=f"(?s){said}"):
        load(**settings)


def test_a_key_that_is_none_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMPIPE_PRIVACY_KEY", "c2hvcnQ=")
    with pytest.raises(mmpipe.ConfigError, match="holds no key") as told:
        load(policy="hash")
    assert "c2hvcnQ" not in str(told.value)


def test_a_pattern_that_runs_away_costs_its_document_alone() -> None:
    nlp, failed = load(patterns={"mine": "(a|aa)+$"}, pattern_seconds=0.2), []
    nlp.set_error_handler(lambda name, pipe, docs, error: failed.append((docs[0].text[:1], type(error))))
    docs = list(nlp.pipe(["fine", "a" * 60 + "b", "fine, too"]))
    assert [doc.text for doc in docs] == ["fine", "fine, too"]
    assert failed == [("a", mmpipe.RecordError)]


@pytest.mark.skipif(not LETTERS.exists(), reason="corpora/ is not beside this distribution")
def test_the_letters() -> None:
    nlp = mmpipe.load(LETTERS / "pipeline.cfg")
    rows = [json.loads(line) for line in (LETTERS / "letters.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) == 30
    for row, doc in zip(rows, nlp.pipe(row["text"] for row in rows), strict=True):
        gold = {(one["kind"], one["start"], one["end"]) for one in row["gold"] if one["kind"] != "person"}
        assert gold <= {(one["kind"], one["start"], one["end"]) for one in doc._.privacy}, row["id"]


def test_every_setting_kind_and_policy_stands_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for name in (*DEFAULTS, *KINDS, *POLICIES):
        assert f"\n| `{name}` |" in readme, name


def test_the_contract() -> None:
    records = [{"id": "a", "text": TEXT}, {"id": "b", "text": "See www.example.org"}, {"id": "c", "text": "Nothing."}]
    settings = {"phone_regions": ["GB"], "patterns": {"ticket": r"TCK-\d{6}"}}
    check_component("mmpipe_privacy", settings, records=records, n_huge_chars=20_000)
