"""A checkpoint that writes, as CTranslate2 runs it: converted once, kept on disk under the hash of its weights.

Rows that have ended leave the batch, and beams share what was read. It searches as `generate` does; where a setting
has no equal there, the checkpoint is refused.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mmpipe.errors import ModelError
from mmpipe.models.checkpoint import TOKENIZER_LOCK, Checkpoint
from mmpipe.models.exported import cannot, exported, require
from mmpipe.models.padding import padding_id
from mmpipe.runtime.cache import SharedCache

CLOSE = 1e-3
"""How far the log probability of a word may be from torch's before a converted model is refused."""
LIBRARIES = ("ctranslate2",)
_COMPUTE = {"fp32": "float32", "int8": "int8"}
_TRANSLATORS: SharedCache[Ct2Module] = SharedCache()

# Of transformers' GenerationConfig: what `_search` reads, and what says nothing of how greedy and beam search go.
_READ = {
    "num_beams",
    "length_penalty",
    "no_repeat_ngram_size",
    "repetition_penalty",
    "early_stopping",
    "max_length",
    "max_new_tokens",
    "min_length",
    "min_new_tokens",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "decoder_start_token_id",
    "eos_token_id",
    "do_sample",
}
_SILENT = {
    "bos_token_id",
    "pad_token_id",
    "temperature",
    "top_k",
    "top_p",
    "use_cache",
    "cache_implementation",
    "cache_config",
    "transformers_version",
    "is_assistant",
    "return_dict_in_generate",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "output_logits",
    "return_legacy_cache",
    "num_assistant_tokens",
    "num_assistant_tokens_schedule",
    "assistant_confidence_threshold",
    "assistant_lookbehind",
    "target_lookbehind",
    "disable_compile",
}

_KIND = {
    "bart": {"normalize_before": False, "normalize_embedding": True},
    "mbart": {"normalize_before": True, "normalize_embedding": True},
    "pegasus": {"normalize_before": True, "normalize_embedding": False},
}


class Ct2Module(nn.Module):
    """A CTranslate2 translator with the `generate` of the torch module that it was converted from.

    n_threads: that work on one batch.
    """

    libraries = LIBRARIES

    def __init__(self, folder: Path, checkpoint: Checkpoint, precision: str, n_threads: int) -> None:
        super().__init__()
        import ctranslate2

        self.checkpoint = checkpoint
        self.generation_config = _generation_config(checkpoint)
        self.translator = ctranslate2.Translator(
            str(folder), device="cpu", compute_type=_COMPUTE[precision], inter_threads=1, intra_threads=n_threads
        )
        with TOKENIZER_LOCK:
            self._words = checkpoint.tokenizer.convert_ids_to_tokens(range(len(checkpoint.tokenizer)))
        self._ids = {word: index for index, word in enumerate(self._words)}

    def generate(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **options: Any) -> torch.Tensor:
        """The ids that are written for each row, shape (n_rows, length), from the first word on, padded.

        input_ids, attention_mask: shape (n_rows, length). options: of transformers' `generate`.
        Raises ModelError for an option that has no equal here.
        """
        settings = _set_options(self.generation_config, options)
        search, prefix = _search(self.checkpoint, settings)
        rows = [row[is_read].tolist() for row, is_read in zip(input_ids, attention_mask.bool(), strict=True)]
        sources = [[self._words[index] for index in row] for row in rows]
        start = None if prefix is None else [[self._words[prefix]]] * len(rows)
        found = self.translator.translate_batch(sources, start, max_input_length=0, **search)
        texts = [[self._ids[word] for word in result.hypotheses[0]] for result in found]
        filler = padding_id(self.checkpoint.config) or 0
        written = [torch.tensor(ids, dtype=torch.long) for ids in texts]
        return nn.utils.rnn.pad_sequence(written, batch_first=True, padding_value=filler)

    def log_probabilities(self, sources: list[list[int]], targets: list[list[int]]) -> list[list[float]]:
        """Of each word of each target, given the words before it, and of the end behind them."""
        tokens = [[[self._words[index] for index in row] for row in rows] for rows in (sources, targets)]
        return [result.log_probs for result in self.translator.score_batch(*tokens, max_input_length=0)]


def ct2_module(checkpoint: Checkpoint, precision: str) -> Ct2Module:
    """The module of a checkpoint, converted now if it has not been with these versions.

    precision: "fp32" or "int8". Raises ModelError where a library is missing, and for a checkpoint that cannot be
    converted, gives other probabilities then, or is searched in a way that is not known there.
    """
    require("ctranslate2", *LIBRARIES)
    _search(checkpoint, _set_options(_generation_config(checkpoint), {}))
    folder = exported("ctranslate2", checkpoint, "", lambda empty: _make(checkpoint, empty), LIBRARIES)
    # A translator does not live through a fork.
    key = (folder, precision, os.getpid())
    return _TRANSLATORS.get(key, lambda: Ct2Module(folder, checkpoint, precision, torch.get_num_threads()))


def _make(checkpoint: Checkpoint, folder: Path) -> Path:
    from ctranslate2.converters import TransformersConverter

    module, tokenizer = checkpoint.load().eval(), checkpoint.tokenizer
    # Settings that transformers reads no more, for all of a kind have the same.
    for name, value in _KIND.get(checkpoint.config.model_type, {}).items():
        setattr(module.config, name, getattr(module.config, name, value))

    class Converter(TransformersConverter):
        """Takes what is loaded: overlays, safetensors and nothing else, no network."""

        def load_model(self, *args: Any, **kwargs: Any) -> nn.Module:
            return module

        def load_tokenizer(self, *args: Any, **kwargs: Any) -> Any:
            return tokenizer

    source = folder / "settings"
    checkpoint.config.save_pretrained(source)
    made = folder / "converted"
    Converter(str(source)).convert(str(made))
    _check(checkpoint, module, made)
    return made


def _check(checkpoint: Checkpoint, module: nn.Module, folder: Path) -> None:
    """Raises ModelError where the converted model is not the same function."""
    draw, config = np.random.default_rng(0), checkpoint.config
    n_words = min(len(checkpoint.tokenizer), config.vocab_size)
    end, start = _only(_generation_config(checkpoint).eos_token_id), config.decoder_start_token_id
    sources, targets = (draw.integers(n_words // 2, n_words, (2, n)).tolist() for n in (9, 6))
    sources = [[*row, end] for row in sources]
    got = np.array(Ct2Module(folder, checkpoint, "fp32", 1).log_probabilities(sources, targets))
    labels = torch.tensor([[*row, end] for row in targets])
    begun = torch.tensor([[start, *row] for row in targets])
    with torch.inference_mode():
        logits = module(input_ids=torch.tensor(sources), decoder_input_ids=begun).logits
    wanted = logits.log_softmax(-1).gather(2, labels[:, :, None])[..., 0].numpy()
    if got.shape != wanted.shape or not np.abs(got - wanted).max() <= CLOSE * max(1.0, np.abs(wanted).max()):
        raise cannot("ctranslate2", checkpoint, "converted, it gives words other probabilities")


def _generation_config(checkpoint: Checkpoint) -> Any:
    from transformers import GenerationConfig

    folder = checkpoint.files.folder
    if (folder / "generation_config.json").is_file():
        return GenerationConfig.from_pretrained(folder, local_files_only=True)
    return GenerationConfig.from_model_config(checkpoint.config)


def _set_options(config: Any, options: dict[str, Any]) -> dict[str, Any]:
    """What differs from transformers' defaults, as `generate` reads it."""
    from transformers import GenerationConfig

    usual = GenerationConfig().to_dict()
    settings = {**config.to_dict(), **options}
    return {key: value for key, value in settings.items() if value != usual.get(key) and not key.startswith("_")}


def _search(checkpoint: Checkpoint, settings: dict[str, Any]) -> tuple[dict[str, Any], int | None]:
    """The options of `translate_batch`, and the word that every text begins with, if one is forced."""
    unknown = sorted(settings.keys() - _READ - _SILENT)
    if unknown:
        raise cannot("ctranslate2", checkpoint, f"it does not know the setting {', '.join(unknown)}")
    n_beams = settings.get("num_beams", 1)
    if settings.get("do_sample"):
        raise cannot("ctranslate2", checkpoint, "words are not drawn by chance here")
    if n_beams > 1 and settings.get("early_stopping") is not True:
        raise ModelError(
            "backend ctranslate2 ends a beam search as early_stopping = true does, which is not set",
            where=str(checkpoint.files.folder),
            next_step='set early_stopping = true, or backend = "torch"',
        )
    most = settings.get("max_new_tokens") or settings.get("max_length", 20) - 1
    least = settings.get("min_new_tokens") or settings.get("min_length", 0) - 1
    # The last place is the end's where that is forced.
    most -= settings.get("forced_eos_token_id") is not None
    return {
        "beam_size": n_beams,
        "length_penalty": settings.get("length_penalty", 1.0),
        "no_repeat_ngram_size": settings.get("no_repeat_ngram_size", 0),
        "repetition_penalty": settings.get("repetition_penalty", 1.0),
        "max_decoding_length": most,
        "min_decoding_length": max(least, 0),
        "end_token": [_only(settings["eos_token_id"])],
    }, settings.get("forced_bos_token_id")


def _only(value: int | list[int]) -> int:
    return value[0] if isinstance(value, list) else value
