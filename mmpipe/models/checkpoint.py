"""A checkpoint in memory: its config, its tokenizer, and its torch module, each loaded when first needed."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from mmpipe.errors import ModelError
from mmpipe.models.reference import Files, Reference
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
        key = (self.files.fingerprint, self.auto_class, str(placement.device), placement.precision)
        return _MODULES.get(key, lambda: self._load().to(placement.device, placement.dtype).eval())

    def save(self, folder: Path, module: nn.Module | None) -> None:
        """Write a plain Hugging Face folder (config.json, model.safetensors, tokenizer; a head, if any) in fp32."""
        module = module if module is not None else self._load()
        module = self._load() if next(module.parameters()).dtype != torch.float32 else module
        module.save_pretrained(folder, safe_serialization=True)
        self.tokenizer.save_pretrained(folder)
        for name in COMPANIONS:
            if (self.files.folder / name).exists():
                shutil.copyfile(self.files.folder / name, folder / name)
        # The name it was loaded under is a path of the machine that saved it.
        file = folder / "config.json"
        config = json.loads(file.read_text("utf-8"))
        config.pop("_name_or_path", None)
        file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")

    def _load(self) -> nn.Module:
        import transformers

        factory = getattr(transformers, self.auto_class)
        if self.files.base is not None:
            return self._guard(lambda: self._load_overlay(factory), "weights")
        module, info = self._guard(
            lambda: factory.from_pretrained(
                self.files.folder,
                config=self.config,
                use_safetensors=True,
                output_loading_info=True,
                **_LOCAL,
            ),
            "weights",
        )
        self._check_loaded(info)
        return module.float()

    def _load_overlay(self, factory: Any) -> nn.Module:
        """The backbone's tensors with the overlay's laid over them, under the names of the whole model."""
        module = factory.from_config(self.config)
        prefix = f"{module.base_model_prefix}."
        expected = module.state_dict()
        base = load_file(self.files.base / "model.safetensors")
        merged = {name if name in expected else prefix + name: tensor for name, tensor in base.items()}
        if (self.files.folder / "overlay.safetensors").exists():
            merged |= load_file(self.files.folder / "overlay.safetensors")
        merged = {name: tensor.float() for name, tensor in merged.items() if name in expected}
        missing, _ = module.load_state_dict(merged, strict=False)
        self._check_loaded({"missing_keys": missing})
        return module

    def _check_loaded(self, info: Mapping[str, Any]) -> None:
        """Refuse what transformers would fill with random numbers."""
        wrong = [*info.get("missing_keys", ()), *(str(key) for key in info.get("mismatched_keys", ()))]
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
        except (
            OSError,
            ValueError,
            KeyError,
            RuntimeError,
            ImportError,
            TypeError,
            SafetensorError,
        ) as error:
            said = " ".join(str(error).split())[:300]
            raise ModelError(
                f"the {what} of model {self.reference.name!r} cannot be loaded: {said}",
                where=str(self.files.folder),
                next_step=f"it must be a Hugging Face checkpoint for {self.auto_class}, without code of its own",
            ) from error


_LOCAL = {"local_files_only": True, "trust_remote_code": False}


def _config_folder(files: Files) -> Path:
    return files.folder if (files.folder / "config.json").exists() or files.base is None else files.base
