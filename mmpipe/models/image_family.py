"""The families of models that write about images, and what each wants: which tensors, which prompt, what to learn.

Every function takes one image, so that what becomes of it does not depend on its company.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from mmpipe.errors import ModelError
from mmpipe.models.checkpoint import TOKENIZER_LOCK, Checkpoint
from mmpipe.models.windows import model_max_tokens

if TYPE_CHECKING:
    from PIL.Image import Image

Inputs = dict[str, Tensor]
_IMAGE, _LABELS = "image", "labels"
_TEXT = frozenset({"input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids", _LABELS})
IGNORED = -100
"""The label of a token that is not learned."""


class Family:
    """A checkpoint's way of writing about images.

    checkpoint: of this family. prompt: what the text begins with, or a chat model is asked; None for nothing.
    keeps_prompt: whether the prompt is the beginning of the text.
    """

    keeps_prompt = True

    def __init__(self, checkpoint: Checkpoint, prompt: str | None) -> None:
        self.checkpoint, self.prompt = checkpoint, prompt

    def pixels(self, image: Image) -> Inputs:
        """The image as the checkpoint's own image processor gives it."""
        processor = self.checkpoint.image_processor
        return dict(processor(images=image, return_tensors="pt", input_data_format="channels_last"))

    def inputs(self, image: Image) -> Inputs:
        """What `generate` takes for one image: tensors with a batch of one."""
        raise NotImplementedError

    def target(self, image: Image, caption: str) -> Inputs:
        """What the model takes to learn one caption, `labels` among it: tensors with a batch of one.

        A caption longer than the model can write is cut to its beginning, without an end.
        """
        raise NotImplementedError

    def learned(self, module: nn.Module, batch: Inputs) -> tuple[Tensor, Tensor]:
        """The logits of a batch of targets, fp32, shape (n_tokens, n_vocab), and what is right there, (n_tokens,)."""
        labels = batch.pop(_LABELS)
        # GIT's logits begin with those of the image.
        logits = module(**batch).logits[:, -labels.shape[1] :]
        return logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten()

    def writer(self, module: nn.Module) -> nn.Module:
        """The part of the model whose output has the logits of the next token; ready for `generate`."""
        return module

    def end_ids(self, module: nn.Module) -> list[int]:
        """The tokens that end a text."""
        found = module.generation_config.eos_token_id
        return [found] if isinstance(found, int) else list(found or ())

    def max_tokens(self, config: Any) -> int:
        """The most tokens of a text. config: of the part that writes."""
        return model_max_tokens(config, self.checkpoint.tokenizer)

    def ids(self, text: str, **options: Any) -> list[int]:
        with TOKENIZER_LOCK:
            return list(self.checkpoint.tokenizer(text, **options)["input_ids"])


class EncoderDecoder(Family):
    """VisionEncoderDecoderModel: any vision encoder with any causal decoder (ViT-GPT2, mmpipe's own)."""

    def __init__(self, checkpoint: Checkpoint, prompt: str | None) -> None:
        super().__init__(checkpoint, prompt)
        if prompt is not None:
            raise ModelError(
                f"{checkpoint.config.model_type} models take no prompt",
                where=checkpoint.reference.name,
                next_step="leave prompt out, or name a BLIP, GIT or chat checkpoint",
            )

    def inputs(self, image: Image) -> Inputs:
        return self.pixels(image)

    def target(self, image: Image, caption: str) -> Inputs:
        decoder = self.checkpoint.config.decoder
        end = self.checkpoint.tokenizer.eos_token_id if decoder.eos_token_id is None else decoder.eos_token_id
        ids = [*self.ids(caption, add_special_tokens=False), end]
        return self.pixels(image) | {_LABELS: _row(ids[: self.max_tokens(decoder)])}

    def learned(self, module: nn.Module, batch: Inputs) -> tuple[Tensor, Tensor]:
        # The model itself moves the labels one place on, as what its decoder reads.
        return module(**batch).logits.flatten(0, 1).float(), batch[_LABELS].flatten()

    def writer(self, module: nn.Module) -> nn.Module:
        # Late 4.x took the old way to reorder beams from GPT-2 and others, and did not give this class the new one.
        if getattr(module, "_supports_cache_class", True) is False:
            module._supports_cache_class = bool(getattr(module.decoder, "_supports_cache_class", False))
        return module


class Blip(Family):
    """BlipForConditionalGeneration."""

    def inputs(self, image: Image) -> Inputs:
        if self.prompt is None:
            return self.pixels(image)
        ids = _row(self.ids(self.prompt))
        return self.pixels(image) | {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    def target(self, image: Image, caption: str) -> Inputs:
        ids = self.ids(caption)
        writer = self.checkpoint.config.text_config
        ids[0] = writer.bos_token_id  # As `generate` begins.
        return self.pixels(image) | _learned(_row(ids[: self.max_tokens(writer)]))

    def writer(self, module: nn.Module) -> nn.Module:
        return module.text_decoder

    def end_ids(self, module: nn.Module) -> list[int]:
        return [module.config.text_config.sep_token_id]


class Git(Family):
    """GitForCausalLM."""

    def inputs(self, image: Image) -> Inputs:
        if self.prompt is None:
            return self.pixels(image)
        ids = [self.checkpoint.tokenizer.cls_token_id, *self.ids(self.prompt, add_special_tokens=False)]
        return self.pixels(image) | {"input_ids": _row(ids)}

    def target(self, image: Image, caption: str) -> Inputs:
        ids = self.ids(caption)[: self.max_tokens(self.checkpoint.config)]
        return self.pixels(image) | _learned(_row(ids))


class Chat(Family):
    """Any AutoModelForImageTextToText checkpoint with a chat template: SmolVLM, Idefics, Qwen2-VL, ..."""

    keeps_prompt = False

    def inputs(self, image: Image) -> Inputs:
        return self._read(image, self._asked())

    def target(self, image: Image, caption: str) -> Inputs:
        asked = self._asked()
        end = self.checkpoint.tokenizer.eos_token or ""
        n_asked = self._read(image, asked)["input_ids"].shape[1]
        inputs = self._read(image, f"{asked}{caption}{end}")
        labels = inputs["input_ids"].clone()
        labels[:, :n_asked] = IGNORED
        return inputs | {_LABELS: labels}

    def _asked(self) -> str:
        content: list[dict[str, str]] = [{"type": _IMAGE}]
        content += [{"type": "text", "text": self.prompt}] if self.prompt else []
        processor = self.checkpoint.chat_processor
        with TOKENIZER_LOCK:
            return processor.tokenizer.apply_chat_template(
                [{"role": "user", "content": content}],
                chat_template=processor.chat_template,
                add_generation_prompt=True,
                tokenize=False,
            )

    def _read(self, image: Image, text: str) -> Inputs:
        processor = self.checkpoint.chat_processor
        # As in the processors' own chat: a template that begins with the mark of a beginning gets no second one.
        begin = processor.tokenizer.bos_token
        options = {"add_special_tokens": False} if begin and text.startswith(begin) else {}
        with TOKENIZER_LOCK:
            found = processor(images=[image], text=[text], return_tensors="pt", **options)
        return dict(found)


_FAMILIES: dict[str, type[Family]] = {"vision-encoder-decoder": EncoderDecoder, "blip": Blip, "git": Git}


def family_of(checkpoint: Checkpoint, prompt: str | None) -> Family:
    """The family of a checkpoint. Raises ModelError for one that is none of them, or that takes no prompt."""
    kind = _FAMILIES.get(checkpoint.config.model_type)
    if kind is not None:
        return kind(checkpoint, prompt)
    if getattr(checkpoint.chat_processor, "chat_template", None) is None:
        raise ModelError(
            f"model {checkpoint.reference.name!r} ({checkpoint.config.model_type}) has no chat template",
            next_step=f"name a chat model for images, or one of the types {', '.join(_FAMILIES)}",
        )
    return Chat(checkpoint, prompt)


def collate(items: Sequence[Inputs], filler: int) -> Inputs:
    """A batch of one and another: rows of token ids padded on the right, all else one after another.

    filler: the id that stands where no token is.
    """
    longest = max((item[_LABELS].shape[1] for item in items if _LABELS in item), default=0)
    fillers = {"input_ids": filler, _LABELS: IGNORED}
    batch = {}
    for name in items[0]:
        rows = [item[name] for item in items]
        if longest and name in _TEXT:
            rows = [nn.functional.pad(row, (0, longest - row.shape[1]), value=fillers.get(name, 0)) for row in rows]
        batch[name] = torch.cat(rows)
    return batch


def _row(ids: Sequence[int]) -> Tensor:
    return torch.tensor([list(ids)], dtype=torch.long)


def _learned(ids: Tensor) -> Inputs:
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), _LABELS: ids.clone()}
