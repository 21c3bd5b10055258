"""`mmpipe.ImageToText.v1`: models that write a text about an image: ViT-GPT2, BLIP, GIT, and chat models."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import torch
from thinc.api import Model
from torch import Tensor
from torch.nn import functional

from mmpipe.errors import MmpipeError, ModelError, RecordError
from mmpipe.models.checkpoint import TOKENIZER_LOCK
from mmpipe.models.image_family import IGNORED, Family, Inputs, collate, family_of
from mmpipe.models.image_source import batches, open_source, prepare
from mmpipe.models.known import KnownRows, tensors_key
from mmpipe.models.padding import padding_id
from mmpipe.models.reference import Reference
from mmpipe.models.training import Training
from mmpipe.models.transformer import Backend, TransformerShim, no_backprop, shim_of, transformer_model
from mmpipe.runtime.ahead import ahead
from mmpipe.runtime.device import Precision

if TYPE_CHECKING:
    from mmpipe.models.image_source import ImageSource

MAX_NEW_TOKENS = 64
"""For checkpoints that state no length of their own."""
_LIBRARY_DEFAULTS = (None, 20)


@dataclass(frozen=True)
class Description:
    """The text written about an image.

    score: the geometric mean of the probabilities that the model gave to the text's tokens, its end included, 0 to
        1; before any penalty or ban of the search, so that it means the same with beams as without.
    """

    text: str
    score: float


def ImageToText(
    name: str,
    revision: str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    backend: Backend = "auto",
    offline: bool = False,
    prompt: str | None = None,
    max_new_tokens: int | None = None,
    min_new_tokens: int | None = None,
    num_beams: int | None = None,
    length_penalty: float | None = None,
    no_repeat_ngram_size: int | None = None,
    repetition_penalty: float | None = None,
    early_stopping: bool | Literal["never"] | None = None,
    batch_images: int = 32,
    training: Training | None = None,
) -> Model[list[ImageSource], list[Description]]:
    """A thinc model from images to texts about them, the same in any batch (sampling is not offered).

    An image is a Pillow image, or a function without arguments that opens one, called on a thread shortly before its
    turn comes; made into tensors it is there, too.

    name, revision, offline: see mmpipe.models.reference.Reference.
    device, precision: see mmpipe.models.transformer.transformer_model; "auto" means fp32. backend: "auto" or "torch".
    prompt: what a chat model is asked about the image, or what the text begins with (BLIP, GIT).
    max_new_tokens ... early_stopping: as in Hugging Face's GenerationConfig; None leaves the checkpoint's own, and
        64 new tokens where it states no length.
    batch_images: images in one call of `generate`; at most three times as many stand in memory, as tensors. Fewer suit
        models that cut an image into many tiles.
    training: how it learns; see mmpipe.models.training.Training.
    """
    if batch_images < 1:
        raise ModelError(f"batch_images is {batch_images}", next_step="use 1 or more")
    options = {
        "max_new_tokens": max_new_tokens,
        "min_new_tokens": min_new_tokens,
        "num_beams": num_beams,
        "length_penalty": length_penalty,
        "no_repeat_ngram_size": no_repeat_ngram_size,
        "repetition_penalty": repetition_penalty,
        "early_stopping": early_stopping,
    }
    return transformer_model(
        "mmpipe.ImageToText.v1",
        forward,
        auto_class="AutoModelForImageTextToText",
        reference=Reference(name, revision, offline),
        device=device,
        precision=precision,
        backend=backend,
        is_generative=True,
        training=training,
        prompt=prompt,
        generation={key: value for key, value in options.items() if value is not None},
        batch_images=batch_images,
    )


def forward(model: Model, images: Iterable[ImageSource], is_train: bool) -> tuple[list[Description], Callable]:
    """Raises the first error that an image gives."""
    found = describe_each(model, images)
    for outcome in found:
        if isinstance(outcome, Exception):
            raise outcome
    return found, no_backprop  # type: ignore[return-value]


def check(model: Model) -> None:
    """Raises ModelError where the checkpoint is of no known family, lacks a processor, or takes no prompt."""
    _ = family_of(shim_of(model).checkpoint, model.attrs["prompt"]).checkpoint.image_processor


def describe_each(model: Model, images: Iterable[ImageSource]) -> list[Description | MmpipeError]:
    """A text, or the error of the image that could not be opened, prepared or written about, for each, in order.

    Each image is made into tensors on its own. Those of equal shapes go through the model together, wherever they
    stand in the stream; of equal tensors one. Raises ModelError where no image is to blame.
    """
    shim = shim_of(model)
    family = family_of(shim.checkpoint, model.attrs["prompt"])
    outcomes: dict[int, Description | MmpipeError] = {}
    keys: dict[int, Hashable] = {}
    firsts: dict[Hashable, int] = {}
    known = _known(shim, model.attrs)

    def read(image: ImageSource) -> Inputs:
        return prepare(family.inputs, open_source(image))

    def prepared() -> Iterator[tuple[int, Inputs]]:
        for index, ready in enumerate(ahead(read, images, n_ahead=model.attrs["batch_images"])):
            try:
                inputs = ready()
            except RecordError as error:
                outcomes[index] = error
                continue
            key = keys[index] = tensors_key(inputs)
            if firsts.setdefault(key, index) != index:
                continue
            (row,) = known.get([key])
            if row is None:
                yield index, inputs
            else:
                outcomes[index] = row

    for batch in batches(prepared(), model.attrs["batch_images"]):
        indices, items = zip(*batch, strict=True)
        fresh = dict(zip(indices, _describe_each(model, family, items), strict=True))
        told = {index: row for index, row in fresh.items() if isinstance(row, Description)}
        known.put([keys[index] for index in told], list(told.values()))
        outcomes |= fresh
    outcomes |= {index: outcomes[firsts[key]] for index, key in keys.items()}
    return [outcomes[index] for index in range(len(outcomes))]


def _known(shim: TransformerShim, attrs: dict[str, Any]) -> KnownRows[Description]:
    what = ["description", attrs["prompt"], attrs["generation"]]
    return KnownRows(shim, what, lambda row: [row.text, row.score], lambda value: Description(*value))


def loss(model: Model, images: Sequence[ImageSource], captions: Sequence[str]) -> Tensor:
    """The mean cross-entropy of the captions' tokens, each caption's end included: a scalar with its gradient.

    One caption an image. Images of unlike shapes go through the model one shape after another.
    """
    shim = shim_of(model)
    smoothing = shim.training_options.get("label_smoothing", 0.0)
    family = family_of(shim.checkpoint, model.attrs["prompt"])
    groups: dict[Any, list[Inputs]] = {}
    with shim.training() as module:
        for image, caption in zip(images, captions, strict=True):
            target = prepare(partial(family.target, caption=caption), open_source(image))
            shapes = tuple((name, value.shape) for name, value in sorted(target.items()) if value.is_floating_point())
            groups.setdefault(shapes, []).append(target)
        logits, labels = zip(
            *(
                family.learned(module, _placed(collate(items, padding_id(shim.config) or 0), shim))
                for items in groups.values()
            ),
            strict=True,
        )
        return functional.cross_entropy(
            torch.cat(logits), torch.cat(labels), ignore_index=IGNORED, label_smoothing=smoothing
        )


def _describe_each(model: Model, family: Family, items: Sequence[Inputs]) -> Sequence[Description | MmpipeError]:
    """As `_describe`; one that the model itself fails at, out of memory perhaps, has an error and the others a text."""
    try:
        return _describe(model, family, items)
    except MmpipeError:
        raise
    except Exception as error:
        if len(items) == 1:
            said = " ".join(str(error).split())[:300] or type(error).__name__
            return [
                RecordError(
                    f"the model fails at the image: {said}",
                    next_step="leave the image out, make it smaller, or choose lengths that the model can write",
                )
            ]
    # Out here, where the error no longer holds on to tensors.
    middle = len(items) // 2
    return [*_describe_each(model, family, items[:middle]), *_describe_each(model, family, items[middle:])]


def _describe(model: Model, family: Family, items: Sequence[Inputs]) -> list[Description]:
    from mmpipe.models.likelihood import Likelihood

    shim, options = shim_of(model), dict(model.attrs["generation"])
    module = shim.module
    writer = family.writer(module)
    stated = writer.generation_config
    if "max_new_tokens" not in options and stated.max_new_tokens is None and stated.max_length in _LIBRARY_DEFAULTS:
        options["max_new_tokens"] = MAX_NEW_TOKENS
    n_beams = options.get("num_beams") or stated.num_beams or 1
    follower = Likelihood(n_beams, family.end_ids(module))
    with torch.inference_mode(), follower.following(writer):
        ids = module.generate(
            **_placed(collate(items, 0), shim), do_sample=False, logits_processor=[follower], **options
        )
    scores = follower.of(ids)
    ids = ids if family.keeps_prompt else ids[:, follower.n_prompt :]
    with TOKENIZER_LOCK:
        texts = shim.tokenizer.batch_decode(ids.cpu(), skip_special_tokens=True)
    return [Description(text.strip(), score) for text, score in zip(texts, scores, strict=True)]


def _placed(inputs: Inputs, shim: TransformerShim) -> Inputs:
    where = shim.placement
    return {
        name: value.to(where.device, where.dtype if value.is_floating_point() else None)
        for name, value in inputs.items()
    }
