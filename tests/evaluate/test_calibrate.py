"""The temperature from a dev set to a saved pipeline and back."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import mmpipe
from mmpipe.corpus.source import Item
from mmpipe.errors import ConfigError, ModelError
from mmpipe.evaluate.calibrate import calibrate
from mmpipe.evaluate.gold import Placed
from mmpipe.evaluate.judge import judge_pipeline
from mmpipe.evaluate.task import Wishes, tasks_of_pipeline
from mmpipe.plugins import get_plugins

WORDS = ["this", "film", "is", "good", "that", "one", "bad", "never", "again", "not", "even", "for", "free", "rain"]
LABELS = ("negative", "positive")


@pytest.fixture(scope="module")
def checkpoint(tiny: Callable[..., str]) -> str:
    return tiny("bert", labels=LABELS)


def load(checkpoint: str, **model: object) -> spacy.Language:
    block = {"name": checkpoint, "precision": "fp32", "device": "cpu", **model}
    component = {"factory": "mmpipe_sentiment", "model": block}
    return mmpipe.load({"nlp": {"lang": "en", "pipeline": ["tone"]}, "components": {"tone": component}})


def texts(n: int) -> list[str]:
    rng = random.Random(0)
    return [" ".join(rng.choices(WORDS, k=rng.randint(3, 9))) for _ in range(n)]


def logits(checkpoint: str) -> torch.Tensor:
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint).eval()
    with torch.inference_mode():
        return torch.cat([model(**tokenizer(text, return_tensors="pt")).logits for text in texts(150)])


def calibrated(nlp: spacy.Language, checkpoint: str):
    """Gold drawn from the model's own probabilities at a temperature of 2.5."""
    drawn = torch.Generator().manual_seed(0)
    gold = torch.multinomial((logits(checkpoint) / 2.5).softmax(-1), 1, generator=drawn)[:, 0].tolist()
    items = [
        Placed(Item(f"dev:{i}", {"text": text, "label": LABELS[label]}), Path("."))
        for i, (text, label) in enumerate(zip(texts(150), gold, strict=True))
    ]
    tasks = tasks_of_pipeline(nlp, get_plugins(), Wishes({}, {}, {}))
    return calibrate(nlp, judge_pipeline(nlp, items, tasks))


def test_fitted_saved_and_loaded(checkpoint: str, tmp_path: Path) -> None:
    nlp = load(checkpoint)
    (found,) = calibrated(nlp, checkpoint)
    assert found.after == pytest.approx(2.5, rel=0.35) and found.log_loss_after < found.log_loss_before
    wanted = (logits(checkpoint) / found.after).softmax(-1)[:5]
    nlp.to_disk(tmp_path / "saved")
    kinds = {
        "itself": nlp,
        "mmpipe.load": mmpipe.load(tmp_path / "saved"),
        "spacy.load": spacy.load(tmp_path / "saved"),
        "from_disk": load(checkpoint).from_disk(tmp_path / "saved"),
        "from_bytes": load(checkpoint).from_bytes(nlp.to_bytes()),
    }
    for kind, one in kinds.items():
        for doc, row in zip(one.pipe(texts(5)), wanted, strict=True):
            assert list(doc.cats.values()) == pytest.approx(row.tolist(), abs=1e-5), kind
    plain = logits(checkpoint).softmax(-1)[0]
    assert abs(plain - wanted[0]).max() > 0.01, "a lost temperature would not be seen"
    forgotten = mmpipe.load(tmp_path / "saved", {"components.tone.model.temperature": 1.0})
    assert list(forgotten(texts(1)[0]).cats.values()) == pytest.approx(plain.tolist(), abs=1e-5)


def test_gold_written_as_lists_fits_the_same_softmax(tiny: Callable[..., str]) -> None:
    name, found = tiny("bert", labels=("a", "b", "c")), []
    for is_list in (False, True):
        nlp, rng = load(name), random.Random(1)
        said = [doc._.sentiment["label"] for doc in nlp.pipe(texts(60))]
        gold = [rng.choice([label, "a", "b", "c"]) for label in said]
        items = [
            Placed(Item(f"{i}", {"text": text, "label": [label] if is_list else label}), Path("."))
            for i, (text, label) in enumerate(zip(texts(60), gold, strict=True))
        ]
        (one,) = calibrate(nlp, judge_pipeline(nlp, items, tasks_of_pipeline(nlp, get_plugins(), Wishes({}, {}, {}))))
        found.append((one.after, one.log_loss_after))
    assert found[0] == pytest.approx(found[1]) and abs(found[0][0] - 1) > 0.05


def test_one_that_the_config_names_is_brought_up_to_date(checkpoint: str, tmp_path: Path) -> None:
    nlp = load(checkpoint, temperature=5.0)
    (found,) = calibrated(nlp, checkpoint)
    assert found.before == 5.0 and found.after == pytest.approx(2.5, rel=0.35)
    nlp.to_disk(tmp_path / "saved")
    assert "temperature = 5.0" not in (tmp_path / "saved/config.cfg").read_text()
    assert spacy.load(tmp_path / "saved").get_pipe("tone").model.attrs["temperature"] == pytest.approx(found.after)


def test_a_model_put_in_its_place_is_not_calibrated(checkpoint: str, tiny: Callable[..., str], tmp_path: Path) -> None:
    nlp = load(checkpoint)
    calibrated(nlp, checkpoint)
    nlp.to_disk(tmp_path / "saved")
    other = mmpipe.load(tmp_path / "saved", {"components.tone.model.name": tiny("bert", labels=LABELS, seed=3)})
    assert other.get_pipe("tone").model.attrs["temperature"] is None


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan")])
def test_no_temperature(checkpoint: str, temperature: float) -> None:
    from mmpipe.models.classifier import SequenceClassifier

    with pytest.raises(ModelError, match="above 0"):
        SequenceClassifier(checkpoint, temperature=temperature)


def test_gold_that_is_always_right_has_no_temperature(checkpoint: str) -> None:
    nlp = load(checkpoint)
    items = [
        Placed(Item(f"{i}", {"text": t, "label": nlp(t)._.sentiment["label"]}), Path("."))
        for i, t in enumerate(texts(20))
    ]
    tasks = tasks_of_pipeline(nlp, get_plugins(), Wishes({}, {}, {}))
    with pytest.raises(ConfigError, match="no temperature"):
        calibrate(nlp, judge_pipeline(nlp, items, tasks))
    json.dumps(nlp.get_pipe("tone").provenance)
