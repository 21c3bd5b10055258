"""Classifiers whose last layer is computed for few tokens, beside Hugging Face's own classes."""

from __future__ import annotations

import copy

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from mmpipe.models.first_token import N_TOKENS, for_first_token
from mmpipe.testing import CLASSIFIERS

IDS = torch.randint(5, 40, (6, 24), generator=torch.Generator().manual_seed(0))
KNOWN = ("bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert")


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("family", CLASSIFIERS)
def test_the_logits_and_gradients_are_the_same(tiny, family, attention):
    folder = tiny(family, labels=("bad", "good"))
    try:
        module = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation=attention).eval()
    except ValueError:
        pytest.skip(f"{family} has no {attention} attention")
    names, ours = set(module.state_dict()), for_first_token(copy.deepcopy(module))
    assert set(ours.state_dict()) == names
    layers = [type(part).__name__ for part in ours.modules() if type(part).__name__.startswith("FirstTokenOf")]
    assert len(layers) == (family in KNOWN)
    for length in (24, 9):
        mask = torch.ones_like(IDS)
        if module.config.pad_token_id is not None and module.config.model_type not in ("xlnet", "fnet"):
            mask[1::2, length:] = 0
        inputs = {"input_ids": IDS} if family == "fnet" else {"input_ids": IDS, "attention_mask": mask}
        wanted, found = module(**inputs).logits, ours(**inputs).logits
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    if family in KNOWN:
        for model, logits in ((module, wanted), (ours, found)):
            logits[:, 0].sum().backward()
            model.seen = model.get_input_embeddings().weight.grad
        torch.testing.assert_close(ours.seen, module.seen, atol=1e-5, rtol=1e-4)


def test_the_last_layer_sees_few_tokens_of_each_row(tiny):
    module = for_first_token(
        AutoModelForSequenceClassification.from_pretrained(tiny("bert", labels=("bad", "good"))).eval()
    )
    seen = []
    for layer in module.bert.encoder.layer:
        layer.intermediate.register_forward_hook(lambda part, given, made: seen.append(tuple(made.shape[:2])))
    module(input_ids=IDS)
    assert seen[-1] == (6, N_TOKENS) and set(seen[:-1]) <= {(6, 24)}
