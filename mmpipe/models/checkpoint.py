"""A checkpoint in memory: its config, its tokenizer, and its torch module, each loaded when first needed."""

from __future__ import annotations

import copy
import json
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mmpipe.errors import ModelError
from mmpipe.models.adapter import without_adapter
from mmpipe.models.files import Files, sha256
from mmpipe.models.first_token import for_first_token
from mmpipe.models.heads import is_of_head, replace_heads, save_module, to_this_task
from mmpipe.models.overlay import load_overlay
from mmpipe.models.processor import FILES as PROCESSOR_FILES
from mmpipe.models.reference import Reference
from mmpipe.models.search import searching
from mmpipe.models.steady import steady
from mmpipe.models.unpadded import without_padding
from mmpipe.models.vetting import tokenizer_files
from mmpipe.runtime.cache import SharedCache
from mmpipe.runtime.device import Placement

_MODULES: SharedCache[nn.Module] = SharedCache()
# A tokenizer keeps its truncation and padding as state, so threads take turns.
TOKENIZER_LOCK = threading.RLock()

_GENERATING = ("AutoModelForSeq2SeqLM", "AutoModelForImageTextToText")
COMPANIONS = ("head.safetensors", "head.json", *PROCESSOR_FILES)
"""Files of ours, and of a processor, that stand beside a checkpoint's own and are saved with it as they are."""


class Checkpoint:
    """The files of a reference, opened lazily.

    auto_class: the `transformers.AutoModelFor...` name whose models have the wanted head.
    """

    def __init__(self, reference: Reference, auto_class: str) -> None:
        self.reference = reference
        self.auto_class = auto_class
        self._has_new_labels = False

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

        import mmpipe.models.grid_encoder  # noqa: F401  Makes its model type known.

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
        options = {"use_fast": True, **tokenizer_files(folder, self.reference.name), **_LOCAL}
        tokenizer = self._guard(lambda: AutoTokenizer.from_pretrained(folder, **options), "tokenizer")
        if not tokenizer.is_fast:
            raise ModelError(
                f"model {self.reference.name!r} has only a slow tokenizer, without character offsets",
                where=str(folder),
                next_step="save it with a tokenizer.json (AutoTokenizer.from_pretrained(..., use_fast=True))",
            )
        return tokenizer

    @cached_property
    def image_processor(self) -> Any:
        """What turns an image into the tensors that the model takes. Raises ModelError where there is none."""
        from mmpipe.models.processor import load_image_processor

        return self._guard(lambda: load_image_processor(self.files.folder, **_LOCAL), "image processor")

    @cached_property
    def chat_processor(self) -> Any:
        """Image processor, tokenizer and chat template in one, for models that chat. Raises ModelError."""
        from mmpipe.models.processor import load_chat_processor

        parts = (self.config, self.image_processor, self.tokenizer)
        return self._guard(lambda: load_chat_processor(self.files.folder, *parts, **_LOCAL), "processor")

    def module(self, placement: Placement) -> nn.Module:
        """The torch module in evaluation mode, shared by all who ask for the same weights, head and placement."""
        files, settings = self.files, _config_folder(self.files)
        # Equal weights under unequal settings (heads, generation) are two models.
        texts = [sha256(f) for f in (settings / "config.json", files.folder / "generation_config.json") if f.exists()]
        key = (files.fingerprint, *texts, self.auto_class, str(placement.device), placement.precision)
        return _MODULES.get(key, lambda: self._place(placement))

    def trainee(self, device: torch.device) -> nn.Module:
        """The module in fp32, shared with nobody; a head that the checkpoint lacks has new random weights."""
        return self._suited(self.load(may_lack_head=True).to(device))

    def save(self, folder: Path, module: nn.Module | None, *, dtype: torch.dtype = torch.float32) -> None:
        """Write a plain Hugging Face folder (config.json, model.safetensors, tokenizer; a head, if any).

        dtype: of the weights as they are saved.
        """
        module = module if module is not None else self.load()
        module = self.load() if next(module.parameters()).dtype != torch.float32 else without_adapter(module)
        with _quietly():
            save_module(module, folder, dtype)
        with TOKENIZER_LOCK:
            self.tokenizer.save_pretrained(folder)
        for name in COMPANIONS:
            if (self.files.folder / name).exists() and not (folder / name).exists():
                shutil.copyfile(self.files.folder / name, folder / name)
        # The name it was loaded under is a path of the machine that saved it.
        file = folder / "config.json"
        config = json.loads(file.read_text("utf-8"))
        config.pop("_name_or_path", None)
        file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")

    def _place(self, placement: Placement) -> nn.Module:
        # One that is loaded while something predicts must have gradients all the same, for all who share it.
        with torch.inference_mode(False):
            return self._suited(self.as_predicting(self.load()).to(placement.device, placement.dtype).eval())

    def _suited(self, module: nn.Module) -> nn.Module:
        """The same module, in place, with what its device allows."""
        is_steady = self.auto_class.endswith("Classification") and module.device.type == "cpu"
        return without_padding(steady(module) if is_steady else module)

    def as_predicting(self, module: nn.Module) -> nn.Module:
        """The same module, in place, without work that no prediction needs."""
        if self.auto_class == "AutoModelForSequenceClassification":
            return for_first_token(module)
        return searching(module) if self.auto_class in _GENERATING else module

    def load(self, *, may_lack_head: bool = False) -> nn.Module:
        """The torch module in fp32 on the processor, shared with nobody.

        may_lack_head: a head that the checkpoint lacks, or that new labels ask for, has random weights.
        """
        import transformers

        factory = getattr(transformers, self.auto_class)
        if self.files.base is not None:
            module, missing = self._guard(lambda: load_overlay(factory, self.config, self.files), "weights")
            info: Mapping[str, Any] = {"missing_keys": missing}
        else:
            options = {"config": self.config, "use_safetensors": True, "output_loading_info": True, **_LOCAL}
            with _quietly():
                options["ignore_mismatched_sizes"] = may_lack_head
                module, info = self._guard(lambda: factory.from_pretrained(self.files.folder, **options), "weights")
        if may_lack_head:
            # A head for other labels may have the right size by chance.
            heads = set(replace_heads(module, factory.from_config(self.config))) if self._has_new_labels else set()
            info = {kind: [key for key in keys if not is_of_head(module, key, heads)] for kind, keys in info.items()}
        self._check_loaded(info)
        return module.float()

    def relabel(self, labels: Sequence[str], *, is_multi_label: bool | None = None) -> None:
        """Train a new head for these labels, in this order, in place of the one that is there.

        is_multi_label: whether a text may have several labels, or none; None is as it was, a regression aside.
        """
        config = copy.deepcopy(self.config)
        config.id2label = dict(enumerate(labels))
        config.label2id = {label: index for index, label in enumerate(labels)}
        config.num_labels = len(labels)
        if is_multi_label is not None:
            config.problem_type = "multi_label_classification" if is_multi_label else "single_label_classification"
        elif config.problem_type == "regression":
            config.problem_type = None
        self.config, self._has_new_labels = config, True

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
                next_step=to_this_task(self.config),
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
def _quietly() -> Iterator[None]:
    """transformers draws progress bars even where no terminal is, and warns of what `_check_loaded` looks at."""
    from transformers.utils import logging

    was_enabled, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if was_enabled:
            logging.enable_progress_bar()


def _config_folder(files: Files) -> Path:
    return files.folder if (files.folder / "config.json").exists() or files.base is None else files.base
