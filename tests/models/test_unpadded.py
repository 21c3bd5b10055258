"""Encoders that compute nothing at padding, beside Hugging Face's own classes."""

from __future__ import annotations

import copy
from functools import partial

import numpy as np
import pytest
import spacy
import torch
import transformers

from mmpipe.models import checkpoint, varlen
from mmpipe.models.classifier import SequenceClassifier
from mmpipe.models.compiled import CompiledModule
from mmpipe.models.embedding import pool
from mmpipe.models.first_token import N_TOKENS, for_first_token
from mmpipe.models.span_extractor import SpanExtractor
from mmpipe.models.steady import MIN_ROWS
from mmpipe.models.token_encoder import TokenEncoder
from mmpipe.models.transformer import shim_of
from mmpipe.models.unpadded import is_unpadded, without_padding
from mmpipe.models.varlen import attend_by_length

LENGTHS = (24, 3, 17, 9, 1, 8)
WIDTH = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64}
FAMILIES = {
    "bert": ("Bert", WIDTH),
    "roberta": ("Roberta", WIDTH),
    "xlm-roberta": ("XLMRoberta", WIDTH),
    "camembert": ("Camembert", WIDTH),
    "electra": ("Electra", WIDTH | {"embedding_size": 16}),
    "distilbert": ("DistilBert", {"dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 64}),
}
HEADS = {"AutoModelForSequenceClassification": "logits", "AutoModelForQuestionAnswering": "start_logits"}


@pytest.fixture
def calls(monkeypatch):
    """What attention is called with."""
    seen = []

    def attend(query, key, value, *ends):
        seen.append((len(query), len(key), *ends))
        return attend_by_length(query, key, value, *ends)

    monkeypatch.setattr(varlen, "varlen_kernel", lambda *_: attend)
    return seen


def filled(n):
    """As many rows as n tokens take on a processor."""
    return -(-n // MIN_ROWS) * MIN_ROWS


def build(family, head="AutoModel", attention=None, **settings):
    name, shape = FAMILIES[family]
    config = getattr(transformers, f"{name}Config")(
        **shape, vocab_size=50, max_position_embeddings=40, pad_token_id=1, **settings
    )
    torch.manual_seed(0)
    try:
        options = {} if attention is None else {"attn_implementation": attention}
        module = getattr(transformers, head).from_config(config, **options).eval()
    except ValueError:
        pytest.skip(f"{family} has no {attention} attention")
    with torch.no_grad():
        for parameter in module.parameters():
            # Tiny initial weights make all inputs alike, and biases of zero hide that one was left out.
            parameter.copy_(parameter * 8 if parameter.dim() > 1 else parameter + torch.randn_like(parameter) / 10)
    return module


def batch(lengths=LENGTHS):
    length = max(lengths)
    ids = torch.randint(5, 50, (len(lengths), length), generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(length) < torch.tensor(lengths)[:, None]).long()
    return {"input_ids": ids.where(mask > 0, 1), "attention_mask": mask}


@torch.inference_mode()
def both(module, inputs, **options):
    """What a module gives, and what its copy without padding gives."""
    ours = without_padding(copy.deepcopy(module))
    assert is_unpadded(ours) and not is_unpadded(module)
    return module(**inputs, **options), ours(**inputs, **options)


def check(found, wanted):
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("family", FAMILIES)
def test_token_vectors_are_the_same_and_zero_at_padding(family, attention, calls):
    inputs = batch()
    if family == "bert":
        inputs["token_type_ids"] = (torch.arange(24) > 4).long().expand(len(LENGTHS), -1)
    module = build(family, attention=attention)
    wanted, found = both(module, inputs)
    is_token = inputs["attention_mask"] > 0
    check(found.last_hidden_state[is_token], wanted.last_hidden_state[is_token])
    assert not found.last_hidden_state[~is_token].any()
    if "pooler_output" in wanted:
        check(found.pooler_output, wanted.pooler_output)
    assert [call[:2] for call in calls] == [(filled(sum(LENGTHS)), filled(sum(LENGTHS)))] * 3
    ours = without_padding(copy.deepcopy(module))
    assert set(ours.state_dict()) == set(module.state_dict())
    with torch.inference_mode():
        for pooling in ("mean", "first"):
            check(pool(ours, inputs, pooling), pool(module, inputs, pooling))


@pytest.mark.parametrize("lengths", [LENGTHS, (24,), (1,), (5, 5), (3, 4)])
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("family", FAMILIES)
def test_heads_say_the_same(family, head, lengths, calls):
    inputs = batch(lengths)
    wanted, found = both(build(family, head), inputs)
    is_read = inputs["attention_mask"] > 0 if "Question" in head else slice(None)
    for name in ("logits",) if HEADS[head] == "logits" else ("start_logits", "end_logits"):
        check(found[name][is_read], wanted[name][is_read])
    assert len(calls) == 3


@pytest.mark.parametrize("lengths", [LENGTHS, (24,), (1, 2)])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_last_layer_of_a_classifier_sees_its_first_tokens(family, lengths, calls):
    module = build(family, "AutoModelForSequenceClassification")
    ours = without_padding(for_first_token(copy.deepcopy(module)))
    with torch.inference_mode():
        check(ours(**batch(lengths)).logits, module(**batch(lengths)).logits)
    n_first, n_all = (filled(sum(each)) for each in ([min(length, N_TOKENS) for length in lengths], lengths))
    assert [call[:2] for call in calls] == [(n_all, n_all), (n_all, n_all), (n_first, n_all)]
    assert calls[-1][-2:] == (min(max(lengths), N_TOKENS), max(lengths))


@pytest.mark.parametrize("is_short", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_mask_may_have_holes(family, is_short, calls):
    inputs = batch()
    inputs["attention_mask"][0, 3:6] = 0
    inputs["attention_mask"][2, 10] = 0
    module = build(family, "AutoModelForSequenceClassification" if is_short else "AutoModel")
    wanted, found = both(for_first_token(module) if is_short else module, inputs)
    if is_short:
        check(found.logits, wanted.logits)
    else:
        is_token = inputs["attention_mask"] > 0
        check(found.last_hidden_state[is_token], wanted.last_hidden_state[is_token])
    assert len(calls) == 3


@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_padding_at_the_front_is_computed_as_before(family, calls):
    inputs = {name: value.flip(1) for name, value in batch().items()}
    wanted, found = both(build(family), inputs)
    assert torch.equal(found[0], wanted[0]) and not calls


@pytest.mark.parametrize(
    "options",
    [{"output_attentions": True}, {"return_dict": False}, {"attention_mask": None}],
    ids=lambda options: next(iter(options)),
)
@pytest.mark.parametrize("family", ["bert", "electra", "distilbert"])
def test_what_is_not_plain_prediction_is_computed_as_before(family, options, calls):
    wanted, found = both(build(family, attention="eager"), {**batch(), **options})
    assert type(found) is type(wanted) and not calls
    for one, other in zip(wanted if isinstance(wanted, tuple) else wanted.to_tuple(), found[:], strict=True):
        for a, b in zip(one, other, strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("is_config", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_all_layers_are_the_same(family, is_config, calls):
    module, inputs = build(family), batch()
    module.config.output_hidden_states = is_config
    wanted, found = both(module, {**inputs, **({} if is_config else {"output_hidden_states": True})})
    is_token = inputs["attention_mask"] > 0
    for one, other in zip(wanted.hidden_states, found.hidden_states, strict=True):
        check(other[is_token], one[is_token])
    assert len(found.hidden_states) == 4 and calls


@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_embeddings_in_place_of_tokens_are_computed_as_before(family, calls):
    module, inputs = build(family), batch()
    embedded = module.get_input_embeddings()(inputs.pop("input_ids")).detach()
    wanted, found = both(module, {**inputs, "inputs_embeds": embedded})
    assert torch.equal(found[0], wanted[0]) and not calls


def test_gradients_and_dropout_are_as_before(calls):
    module = build("bert", "AutoModelForSequenceClassification")
    ours = without_padding(copy.deepcopy(module))
    for each in (module, ours):
        each(**batch()).logits[:, 0].sum().backward()
    wanted, found = (dict(each.named_parameters()) for each in (module, ours))
    for name, parameter in wanted.items():
        assert torch.equal(found[name].grad, parameter.grad), name
    with torch.no_grad():
        ours.train()(**batch())
    assert not calls
    with torch.no_grad():
        ours.eval()(**batch())
    assert calls


def test_a_compiled_module_computes_as_before(calls, monkeypatch):
    # Kernels need a C++ compiler; graphs are traced without.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    module = build("bert")
    compiled = CompiledModule(without_padding(copy.deepcopy(module)))
    with torch.inference_mode():
        check(compiled(**batch())[0], module(**batch())[0])
    assert not calls and not is_unpadded(compiled)


@pytest.mark.parametrize(
    "module",
    [
        lambda: build("bert", is_decoder=True),
        lambda: build("distilbert", chunk_size_feed_forward=4),
        lambda: transformers.AutoModel.from_config(transformers.DebertaV2Config(**WIDTH, vocab_size=50)),
        lambda: transformers.AutoModel.from_config(transformers.AlbertConfig(**WIDTH, vocab_size=50)),
    ],
    ids=["decoder", "chunks", "deberta", "albert"],
)
def test_other_kinds_stay_as_they_are(module, calls):
    assert not is_unpadded(without_padding(module()))


TEXTS = ["This film is good.", "", "so " * 300, "Bad?", "one two three four five six seven eight", "never again " * 9]


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert"])
def test_models_give_the_same_in_fewer_batches(family, tiny, calls, monkeypatch):
    makers = {
        "logits": (SequenceClassifier, tiny(family, labels=("bad", "good")), TEXTS),
        "start": (SpanExtractor, tiny(family, has_spans=True), [("good film?", text) for text in TEXTS]),
    }
    for name, (make, folder, inputs) in makers.items():
        found = []
        for is_packed in (False, True):
            monkeypatch.setattr(checkpoint, "_MODULES", checkpoint.SharedCache())
            monkeypatch.setattr(checkpoint, "without_padding", without_padding if is_packed else lambda module: module)
            model, sizes = make(folder, device="cpu", precision="fp32"), []
            module = shim_of(model).module
            assert is_unpadded(module) == is_packed
            module.register_forward_pre_hook(
                lambda part, given, named, sizes=sizes: sizes.append(len(named["input_ids"])), with_kwargs=True
            )
            found.append((model.predict(inputs), sizes))
        (wanted, apart), (got, together) = found
        assert sum(apart) == sum(together) and len(together) == 1 < len(apart)
        for one, other in zip(wanted, got, strict=True):
            if name == "logits" and one.logits is not None:
                np.testing.assert_allclose(other.logits, one.logits, atol=1e-5)
            elif name == "start":
                for a, b in zip(one.windows, other.windows, strict=True):
                    np.testing.assert_allclose(np.array(b.start), np.array(a.start), atol=1e-4)
    assert calls


def test_token_encoders_give_the_same(tiny, calls, monkeypatch):
    docs, found = [spacy.blank("en").make_doc(text) for text in TEXTS], []
    for change in (lambda module: module, without_padding):
        monkeypatch.setattr(checkpoint, "_MODULES", checkpoint.SharedCache())
        monkeypatch.setattr(checkpoint, "without_padding", change)
        model = TokenEncoder(tiny("bert"), 32, device="cpu", precision="fp32")
        found.append(model.predict(docs))
    assert calls
    for wanted, got in zip(*found, strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-5)


on_a_gpu = pytest.mark.skipif(
    not torch.cuda.is_available() or torch.cuda.get_device_capability() < varlen.MIN_CAPABILITY,
    reason="needs a CUDA GPU of capability 8.0",
)


@on_a_gpu
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_kernel_on_a_gpu(family, dtype):
    pytest.importorskip("torch.nn.attention.varlen")
    module = build(family, "AutoModelForSequenceClassification")
    ours = without_padding(for_first_token(copy.deepcopy(module)).to("cuda", dtype))
    assert is_unpadded(ours)
    inputs = {name: value.to("cuda") for name, value in batch().items()}
    with torch.inference_mode():
        wanted, exact = module.to("cuda", dtype)(**inputs).logits.float(), module.float()(**inputs).logits
        found = ours(**inputs).logits.float()
    assert (found - exact).abs().max() <= 2 * (wanted - exact).abs().max() + 0.05
