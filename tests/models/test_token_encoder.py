"""A Hugging Face encoder as spaCy's tok2vec, against the encoder itself."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import spacy
import torch
from spacy.language import Language
from spacy.tokens import Token
from transformers import AutoModel, AutoTokenizer

from mmpipe import ModelError
from mmpipe.models.token_encoder import TokenEncoder
from mmpipe.models.transformer import shim_of

WIDTH = 32
TEXTS = [
    "The wonderful cat wasn't lazy.",
    "never",
    "  It's\n\nunbelievable \U0001f600 that naïve dogs bark, isn't it?  ",
    " ".join(random.Random(4).choices(["the", "film", "is", "good", "cat", "never"], k=160)),
]


def encoder(name: str, **options: object) -> Language:
    nlp = spacy.blank("en")
    block = {"@architectures": "mmpipe.TokenEncoder.v1", "name": name, "width": WIDTH, "device": "cpu"}
    nlp.add_pipe("tok2vec", config={"model": block | {"precision": "fp32"} | options})
    return nlp


def held_by(token: Token, offsets: list[list[int]]) -> list[int]:
    """The pieces that share characters with a token."""
    return [i for i, (a, b) in enumerate(offsets) if a < b and a < token.idx + len(token) and b > token.idx]


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert"])
def test_a_token_is_the_mean_of_its_pieces(family: str, tiny: Callable[..., str]) -> None:
    name = tiny(family)
    model, tokenizer = AutoModel.from_pretrained(name).eval(), AutoTokenizer.from_pretrained(name)
    for doc in encoder(name).pipe(TEXTS[:3]):
        inputs = tokenizer(doc.text, return_tensors="pt", return_offsets_mapping=True)
        offsets = inputs.pop("offset_mapping")[0].tolist()
        with torch.inference_mode():
            hidden = model(**inputs).last_hidden_state[0].numpy()
        for token in doc:
            held = held_by(token, offsets)
            wanted = hidden[held].mean(0) if held else np.zeros(WIDTH)
            np.testing.assert_allclose(doc.tensor[token.i], wanted, atol=1e-5)


def test_a_piece_that_two_windows_hold_has_the_mean_of_both(tiny: Callable[..., str]) -> None:
    name = tiny("bert")
    model, tokenizer = AutoModel.from_pretrained(name).eval(), AutoTokenizer.from_pretrained(name)
    text = "the cat was lazy " * 7
    doc = encoder(name, max_tokens=16, stride_tokens=4)(text)
    options = {"max_length": 16, "stride": 4, "truncation": True, "return_overflowing_tokens": True}
    found: dict[tuple[int, int], list[np.ndarray]] = {}
    for ids, offsets in zip(
        *(tokenizer(text, return_offsets_mapping=True, **options)[key] for key in ("input_ids", "offset_mapping")),
        strict=True,
    ):
        with torch.inference_mode():
            hidden = model(torch.tensor([ids])).last_hidden_state[0].numpy()
        for place, row in zip(offsets, hidden, strict=True):
            found.setdefault(tuple(place), []).append(row)
    assert max(len(rows) for place, rows in found.items() if place != (0, 0)) == 2
    for token in doc:
        pieces = [
            np.mean(rows, 0) for (a, b), rows in found.items() if a < b and a < token.idx + len(token) and b > token.idx
        ]
        if pieces:
            np.testing.assert_allclose(doc.tensor[token.i], np.mean(pieces, 0), atol=1e-5)


def test_it_is_what_spacy_transformers_has(tiny: Callable[..., str]) -> None:
    pytest.importorskip("spacy_transformers", reason="spacy-transformers does not go with transformers 5")
    theirs = spacy.blank("en")
    block = {
        "@architectures": "spacy-transformers.TransformerModel.v3",
        "name": tiny("bert"),
        "tokenizer_config": {"use_fast": True},
    }
    block |= {"get_spans": {"@span_getters": "spacy-transformers.doc_spans.v1"}}
    theirs.add_pipe("transformer", config={"model": block}).model.initialize()
    text = TEXTS[0]
    doc = theirs(text)
    data = doc._.trf_data
    rows = data.model_output.last_hidden_state.reshape(-1, WIDTH)
    wanted = [rows[data.align[token.i].data.flatten()].mean(0) for token in doc]
    np.testing.assert_allclose(encoder(tiny("bert"))(text).tensor, wanted, atol=1e-5)


def test_it_runs_once_a_window_within_a_budget_and_alike_in_any_company(tiny: Callable[..., str]) -> None:
    nlp = encoder(tiny("bert"), max_tokens=64, batch_tokens=128)
    alone = [nlp(text).tensor for text in TEXTS]
    lengths: list[list[int]] = []
    module = shim_of(nlp.get_pipe("tok2vec").model).module
    handle = module.register_forward_pre_hook(
        lambda _, args, kwargs: lengths.append(kwargs["attention_mask"].sum(1).tolist()), with_kwargs=True
    )
    together = [doc.tensor for doc in nlp.pipe([*TEXTS, *TEXTS])]
    handle.remove()
    for one, other in zip([*alone, *alone], together, strict=True):
        np.testing.assert_array_equal(one, other)
    assert all(sum(batch) <= 128 for batch in lengths)
    n_pieces = len(AutoTokenizer.from_pretrained(tiny("bert"))(TEXTS[3], add_special_tokens=False)["input_ids"])
    n_windows = -(-(n_pieces - 31) // (62 - 31))
    assert sum(map(len, lengths)) == 3 + n_windows, "what comes twice is read once"


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert"])
def test_layers_are_put_end_to_end(family: str, tiny: Callable[..., str]) -> None:
    text, layers = "the cat was never lazy", [0, 1, -1]
    model, tokenizer = AutoModel.from_pretrained(tiny(family)).eval(), AutoTokenizer.from_pretrained(tiny(family))
    inputs = tokenizer(text, return_tensors="pt", return_offsets_mapping=True)
    offsets = inputs.pop("offset_mapping")[0].tolist()
    with torch.inference_mode():
        states = model(**inputs, output_hidden_states=True).hidden_states
    hidden = torch.cat([states[layer][0] for layer in layers], -1).numpy()
    doc = encoder(tiny(family), layers=layers, width=3 * WIDTH)(text)
    for token in doc:
        np.testing.assert_allclose(doc.tensor[token.i], hidden[held_by(token, offsets)].mean(0), atol=1e-5)


def test_the_last_layer_is_the_default(tiny: Callable[..., str]) -> None:
    for text in TEXTS:
        np.testing.assert_array_equal(
            encoder(tiny("bert"), layers=[-1])(text).tensor, encoder(tiny("bert"))(text).tensor
        )


def test_layers_that_are_not_there_are_told(tiny: Callable[..., str]) -> None:
    with pytest.raises(ModelError, match=r"(?s)layers = \[9\], but this encoder has 2.*from 0, its embeddings, to 2"):
        encoder(tiny("bert"), layers=[9])("cat")
    with pytest.raises(ModelError, match=f"(?s)width {WIDTH}, 2 layers of them, not {WIDTH}.*set width = {2 * WIDTH}"):
        encoder(tiny("bert"), layers=[1, 2])("cat")
    with pytest.raises(ModelError, match=r"(?s)last layer alone.*leave out layers"):
        TokenEncoder(tiny("bert"), WIDTH, backend="onnx", layers=[1])


def test_nothing_to_read(tiny: Callable[..., str]) -> None:
    nlp = encoder(tiny("bert"))
    assert nlp("").tensor.shape == (0, WIDTH)
    empty, blank, word = nlp.pipe(["", " \n ", "cat"])
    assert len(blank) == 1
    assert not blank.tensor.any()
    assert empty.tensor.shape == (0, WIDTH)
    assert word.tensor.any()


def test_a_wrong_width_is_told(tiny: Callable[..., str]) -> None:
    with pytest.raises(ModelError, match=f"(?s)vectors of width {WIDTH}, not 96.*set width = {WIDTH}"):
        TokenEncoder(tiny("bert"), 96, device="cpu").predict([spacy.blank("en")("cat")])


@pytest.mark.parametrize("layers", [None, [0, 2]])
def test_gradients_are_torchs(layers: list[int] | None, tiny: Callable[..., str]) -> None:
    docs = [spacy.blank("en")(text) for text in ("the cat was never lazy", "", "good")]
    width = WIDTH * len(layers or [-1])
    options = {"device": "cpu", "precision": "fp32", "training": {"precision": "fp32"}}
    model = TokenEncoder(tiny("bert"), width, layers=layers, **options)
    model.initialize(X=docs)
    vectors, backprop = model.begin_update(docs)
    weights = [np.random.default_rng(3).normal(size=rows.shape).astype("float32") for rows in vectors]
    backprop(weights)
    found = {name: p.grad.clone() for name, p in shim_of(model).trainer.parameters.items() if p.grad is not None}

    def total() -> float:
        return sum(float((rows * w).sum()) for rows, w in zip(model.predict(docs), weights, strict=True))

    name, step = "encoder.layer.1.output.dense.weight", 1e-2
    parameter = dict(shim_of(model).module.named_parameters())[name]
    with torch.no_grad():
        parameter[3, 5] += step
        above = total()
        parameter[3, 5] -= 2 * step
        below = total()
    assert (above - below) / (2 * step) == pytest.approx(float(found[name][3, 5]), rel=0.05, abs=1e-3)


def test_what_was_trained_is_saved_and_what_was_not_is_named(tiny: Callable[..., str], tmp_path: Path) -> None:
    nlp = encoder(tiny("bert"), training={"precision": "fp32"})
    nlp.to_disk(tmp_path / "named")
    assert (tmp_path / "named" / "tok2vec" / "model").stat().st_size < 2000
    wanted = nlp(TEXTS[0]).tensor
    np.testing.assert_array_equal(spacy.load(tmp_path / "named")(TEXTS[0]).tensor, wanted)
    model = nlp.get_pipe("tok2vec").model
    model.initialize(X=[nlp.make_doc("cat")])
    with torch.no_grad():
        shim_of(model).trainer.parameters["encoder.layer.1.output.dense.weight"].mul_(1.5)
    changed = nlp(TEXTS[0]).tensor
    assert np.abs(changed - wanted).max() > 1e-3
    nlp.to_disk(tmp_path / "trained")
    np.testing.assert_allclose(spacy.load(tmp_path / "trained")(TEXTS[0]).tensor, changed, atol=1e-5)
    copied = copy.deepcopy(model)
    np.testing.assert_allclose(copied.predict([nlp.make_doc(TEXTS[0])])[0], changed, atol=1e-5)
