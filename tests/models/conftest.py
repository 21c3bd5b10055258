"""Checkpoints of the tests of models that random weights do not make."""

from __future__ import annotations

from pathlib import Path

import pytest

LEARNT = [
    "This film is good.",
    "The film was long and bad. The film was long and bad. The fi",
    "Bad?",
    "one two three four five six seven eight",
    "Good good good",
]


@pytest.fixture(scope="session")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that has learnt to end: with random weights, texts go on to the last word allowed."""
    import torch
    import transformers

    from mmpipe.testing import tiny_checkpoint

    folder = tmp_path_factory.mktemp("brief")
    tiny_checkpoint(folder, "bart")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder).train()
    inputs = tokenizer(LEARNT, return_tensors="pt", padding=True)
    labels = tokenizer(text_target=[text[2 * n :] for n, text in enumerate(LEARNT)], return_tensors="pt", padding=True)
    labels = labels["input_ids"].masked_fill(labels["attention_mask"] == 0, -100)
    optimizer = torch.optim.Adam(model.parameters(), 0.003)
    for _ in range(60):
        model(**inputs, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.generation_config.max_new_tokens = 30
    model.save_pretrained(folder)
    return folder
