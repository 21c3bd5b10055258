"""A checkpoint in memory: its config, its tokenizer, and its torch module, each loaded when first needed."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mmpipe.errors import ModelError
from mmpipe.models.overlay import load_overlay
from mmpipe.models.reference import Files, Reference, sha256
from mmpipe.models.steady import steady
from mmpipe.runtime.cache import SharedCache
from mmpipe.runtime.device import Placement

_MODULES: SharedCache[nn.Module] = SharedCache()
# A tokenizer keeps its truncation and padding as state, so threads take turns.
TOKENIZER_LOCK = threading.RLock()

COMPANIONS = ("head.safetensors", "head.json")
"""Files of ours that stand beside a checkpoint's own and are saved with it."""


class Checkpoint:
    """The files of a reference, opened lazily.

    auto_class: the `transformers.AutoModelFor...` name whose models have the wanted head.
    """

    def __init__(self, reference: Reference, auto_class: str) -> None:
        self.reference = reference
        self.auto_class = auto_class

    @property
    def is_bare(self) -> bool:
        """Whether the model is an encoder without a head."""
        return self.auto_class == "AutoModel"

    @cached_property
    def files(self) -> Files:
        return self.reference.locate()

    @cached_property
    def config(self) -> Any:
        """The Hugging Face config. Raises ModelError for an unknown model type or one that brings its own code."""
        from transformers import AutoConfig

        return self._guard(lambda: AutoConfig.from_pretrained(_config_folder(self.files), **_LOCAL), "config.json")

    @cached_property
    def tokenizer(self) -> Any:
        """The fast tokenizer, which knows the character offsets of its pieces."""
        from transformers import AutoTokenizer

        folder = self.files.tokenizer_folder
        if not any(path for pattern in _VOCABULARIES for path in folder.glob(pattern)):
            # transformers 5 would make one up, to which every word is unknown.
            raise ModelError(
                f"model {self.reference.name!r} has no tokenizer",
                where=str(folder),
                next_step="save it with tokenizer.save_pretrained(folder)",
            )
        tokenizer = self._guard(lambda: AutoTokenizer.from_pretrained(folder, use_fast=True, **_LOCAL), "tokenizer")
        if not tokenizer.is_fast:
            raise ModelError(
                f"model {self.reference.name!r} has only a slow tokenizer, without character offsets",
                where=str(folder),
                next_step="save it with a tokenizer.json (AutoTokenizer.from_pretrained(..., use_fast=True))",
            )
        return tokenizer

    def module(self, placement: Placement) -> nn.Module:
        """The torch module in evaluation mode, shared by all who ask for the same weights, head and placement."""
        files, settings = self.files, _config_folder(self.files)
        # Equal weights under unequal settings (heads, generation) are two models.
        texts = [sha256(f) for f in (settings / "config.json", files.folder / "generation_config.json") if f.exists()]
        key = (files.fingerprint, *texts, self.auto_class, str(placement.device), placement.precision)
        return _MODULES.get(key, lambda: self._place(placement))

    def save(self, folder: Path, module: nn.Module | None) -> None:
        """Write a plain Hugging Face folder (config.json, model.safetensors, tokenizer; a head, if any) in fp32."""
        module = module if module is not None else self._load()
        module = self._load() if next(module.parameters()).dtype != torch.float32 else module
        module.save_pretrained(folder, safe_serialization=True)
        with TOKENIZER_LOCK:
            self.tokenizer.save_pretrained(folder)
        for name in COMPANIONS:
            if (self.files.folder / name).exists():
                shutil.copyfile(self.files.folder / name, folder / name)
        # The name it was loaded under is a path of the machine that saved it.
        file = folder / "config.json"
        config = json.loads(file.read_text("utf-8"))
        config.pop("_name_or_path", None)
        file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")

    def _place(self, placement: Placement) -> nn.Module:
        module = self._load().to(placement.device, placement.dtype).eval()
        is_classifier = self.auto_class.endswith("Classification")
        return steady(module) if is_classifier and placement.device.type == "cpu" else module

    def _load(self) -> nn.Module:
        import transformers

        factory = getattr(transformers, self.auto_class)
        if self.files.base is not None:
            module, missing = self._guard(lambda: load_overlay(factory, self.config, self.files), "weights")
            self._check_loaded({"missing_keys": missing})
            return module
        options = {"config": self.config, "use_safetensors": True, "output_loading_info": True, **_LOCAL}
        with _without_bars():
            module, info = self._guard(lambda: factory.from_pretrained(self.files.folder, **options), "weights")
        self._check_loaded(info)
        return module.float()

    def _check_loaded(self, info: Mapping[str, Any]) -> None:
        """Refuse what transformers would fill with random numbers."""
        # Nothing here reads what a bare encoder's pooler gives, and many checkpoints have none.
        missing = [key for key in info.get("missing_keys", ()) if not (self.is_bare and key.startswith("pooler."))]
        wrong = [*missing, *(str(key) for key in info.get("mismatched_keys", ()))]
        if wrong:
            raise ModelError(
                f"model {self.reference.name!r} has no weights for {', '.join(sorted(wrong)[:4])}"
                + (f" and {len(wrong) - 4} more" if len(wrong) > 4 else ""),
                where=str(self.files.folder),
                next_step=f"name a checkpoint trained for this task (its config.json says {self.config.architectures})",
            )

    def _guard(self, load: Any, what: str) -> Any:
        try:
            return load()
        except ModelError:
            raise
        except Exception as error:  # Tokenizers, safetensors and config checks raise kinds of their own.
            said = " ".join(str(error).split())[:300]
            raise ModelError(
                f"the {what} of model {self.reference.name!r} cannot be loaded: {said}",
                where=str(self.files.folder),
                next_step=f"it must be a Hugging Face checkpoint for {self.auto_class}, without code of its own",
            ) from error


_VOCABULARIES = ("tokenizer.json", "*.model", "*.spm", "vocab*", "tekken.json")
_LOCAL = {"local_files_only": True, "trust_remote_code": False}


@contextmanager
def _without_bars() -> Iterator[None]:
    """transformers draws progress bars even where no terminal is."""
    from transformers.utils import logging

    was_enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_enabled:
            logging.enable_progress_bar()


def _config_folder(files: Files) -> Path:
    return files.folder if (files.folder / "config.json").exists() or files.base is None else files.base
