"""What many rows read, in few: beams share what they read, encoders read a few rows at a time, texts stay the same."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import transformers

from mmpipe.models import shared_reading
from mmpipe.models.encoded import encoded
from mmpipe.models.search import searching

SIZES = {"d_model": 16, "vocab_size": 40, "max_position_embeddings": 64, "pad_token_id": 1}
SIZES |= {"decoder_start_token_id": 2, "init_std": 0.5}
SIZES |= {
    f"{part}_{name}": size
    for part in ("encoder", "decoder")
    for name, size in (("layers", 2), ("attention_heads", 2), ("ffn_dim", 32))
}
LENGTHS = (3, 3, 7, 12, 20)


@pytest.fixture(params=sorted(shared_reading._FAMILIES))
def model(request) -> Any:
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(request.param, **SIZES)
    made = transformers.AutoModelForSeq2SeqLM.from_config(config).eval()
    made.generation_config.encoder_no_repeat_ngram_size = None  # Blenderbot's, which only transformers searches with.
    return made


@pytest.fixture
def inputs() -> dict[str, torch.Tensor]:
    ids = torch.randint(4, 40, (len(LENGTHS), max(LENGTHS)), generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]).long()
    return {"input_ids": ids.where(mask.bool(), 1), "attention_mask": mask}


@pytest.fixture
def n_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each attention to what was read had keys of."""
    found, n_rows = [], shared_reading._n_read

    def noted(*given: Any) -> int | None:
        rows = n_rows(*given)
        found.extend(() if rows is None else (rows,))
        return rows

    monkeypatch.setattr(shared_reading, "_n_read", noted)
    return found


@pytest.mark.parametrize("num_beams", [1, 3])
def test_beams_share_what_they_read(model, inputs, num_beams, n_read):
    options: dict[str, Any] = {"num_beams": num_beams, "max_new_tokens": 12, "min_new_tokens": 4, "do_sample": False}
    options["no_repeat_ngram_size"] = 2
    ours = searching(copy.deepcopy(model))
    assert shared_reading.shares_reading(ours) and not shared_reading.shares_reading(model)
    # One at a time: what has ended may change in company, in transformers before 5.
    alone = [
        model.generate(ids[None, :n], attention_mask=mask[None, :n], **options)[0].tolist()
        for n, ids, mask in zip(LENGTHS, *inputs.values(), strict=True)
    ]
    found = ours.generate(**inputs, **options).tolist()
    assert [row[: len(one)] for row, one in zip(found, alone, strict=True)] == alone
    assert len({tuple(row) for row in alone}) > 1
    assert n_read and max(n_read) == len(LENGTHS), "a row an input, not one a beam"


def test_an_encoder_reads_a_few_rows_at_a_time(model, inputs):
    encoder, sizes = model.get_encoder(), []
    encoder.register_forward_pre_hook(lambda _, args, given: sizes.append(given["input_ids"].shape), with_kwargs=True)
    with torch.no_grad():
        found = encoded(encoder, **inputs, budget_tokens=16).last_hidden_state
        assert sizes == [(3, 8), (1, 16), (1, 20)]
        wanted = encoder(**inputs, return_dict=True).last_hidden_state
    is_token = inputs["attention_mask"].bool()
    torch.testing.assert_close(found[is_token], wanted[is_token], atol=1e-5, rtol=1e-5)
