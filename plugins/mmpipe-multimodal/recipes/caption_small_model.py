"""Caption-small: the model, its batches of cached views, and checkpoints."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch
from caption_small_text import BOS, EOS, PAD, UNK, encode, vocabulary
from caption_small_views import EARLY, load_backbone, read_rows
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, VisionEncoderDecoderConfig, VisionEncoderDecoderModel

from mmpipe.models.grid_encoder import GridEncoder, GridEncoderConfig
from mmpipe.runtime.device import multiplies_bf16

LONGEST = 24


def build(words: list[str], width: int, heads: int, encoder_layers: int, decoder_layers: int):
    """An untrained captioner: a grid encoder and a GPT-2 decoder with cross-attention of the same width."""
    encoder = GridEncoderConfig(
        hidden_size=width,
        num_hidden_layers=encoder_layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
    )
    decoder = GPT2Config(
        vocab_size=len(words),
        n_positions=32,
        n_embd=width,
        n_layer=decoder_layers,
        n_head=heads,
        bos_token_id=BOS,
        eos_token_id=EOS,
        pad_token_id=PAD,
        add_cross_attention=True,
        is_decoder=True,
    )
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = BOS, PAD, EOS
    config.tie_word_embeddings = True
    return VisionEncoderDecoderModel(config, encoder=GridEncoder(encoder), decoder=GPT2LMHeadModel(decoder))


def load_imagenet(model: VisionEncoderDecoderModel, data: Path) -> None:
    model.encoder.backbone.load_state_dict(load_backbone(data).state_dict())


def features_of(model: VisionEncoderDecoderModel, views: Tensor) -> Tensor:
    """Cached views (images, 96, 14, 14) to the backbone's features."""
    return model.encoder.backbone.late(views.contiguous(memory_format=torch.channels_last), EARLY)


def cells_of(model: VisionEncoderDecoderModel, views: Tensor) -> Tensor:
    """Cached views to encoder states."""
    return model.encoder.cells(features_of(model, views))


def autocast() -> torch.autocast:
    """bf16 arithmetic where the processor has it; elsewhere it would be many times slower than fp32."""
    return torch.autocast("cpu", torch.bfloat16, enabled=multiplies_bf16(torch.device("cpu")))


class Examples:
    """Images of flickr8k_train with their captions and cached views; every 30th image is held out."""

    def __init__(self, data: Path, work: Path, words: list[str] | None = None) -> None:
        self.rows = read_rows(data, "train")
        self.words = words or vocabulary(self.rows)
        index = {word: i for i, word in enumerate(self.words)}
        self.captions = [[encode(caption, index, LONGEST) for caption in row["captions"]] for row in self.rows]
        self.work = work
        self.held_out = list(range(0, len(self.rows), 30))
        self.train = [i for i in range(len(self.rows)) if i % 30]
        self.views = self.open_views()

    def open_views(self) -> list[np.ndarray]:
        paths = sorted(path for path in self.work.glob("view*.npy") if "partial" not in path.name)
        return [np.load(path, mmap_mode="r") for path in paths]

    def view(self, numbers: list[int], which: list[int]) -> Tensor:
        arrays = [self.views[view][number] for number, view in zip(numbers, which, strict=True)]
        return torch.from_numpy(np.stack(arrays).astype(np.float32))

    def epoch(self, size: int, seed: int):
        """Batches of image numbers and views; each epoch shifts every image to its next view."""
        self.views = self.open_views()
        rng = random.Random(seed)
        order = rng.sample(self.train, len(self.train))
        for start in range(0, len(order) - size + 1, size):
            numbers = order[start : start + size]
            yield numbers, self.view(numbers, [(number * 7 + seed) % len(self.views) for number in numbers])


class Average:
    """Exponential moving average of the trained parameters (Polyak and Juditsky 1992)."""

    def __init__(self, parameters: list[Tensor], decay: float) -> None:
        self.parameters, self.decay, self.steps = parameters, decay, 0
        self.values = [parameter.detach().clone() for parameter in parameters]

    def update(self) -> None:
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self.values, [parameter.detach() for parameter in self.parameters], 1 - decay)

    def swap(self) -> None:
        """Exchange the averages and the parameters."""
        for value, parameter in zip(self.values, self.parameters, strict=True):
            kept = parameter.detach().clone()
            parameter.data.copy_(value)
            value.copy_(kept)


def mix(states: list[dict]) -> dict:
    """The first checkpoint with the mean of the averaged weights of all (Wortsman et al. 2022, "Model soups")."""
    if len(states) == 1:
        return states[0]
    weights = [state["averaged"] for state in states]
    return {**states[0], "averaged": {name: sum(w[name] for w in weights) / len(weights) for name in weights[0]}}


def save(path: Path, **state) -> None:
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


__all__ = [
    "LONGEST",
    "UNK",
    "Average",
    "Examples",
    "autocast",
    "build",
    "cells_of",
    "features_of",
    "load_imagenet",
    "mix",
    "save",
]
