"""The component: captions of a record's images, which can stand in for its text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Model

from mmpipe import MmpipeError, ModelError, RecordError
from mmpipe.component import TransformerPipe
from mmpipe.document import media_of, place_of
from mmpipe.media.image import open_image
from mmpipe.media.location import shortened
from mmpipe.media.policy import MAX_BYTES, MAX_PIXELS, TIMEOUT_SECONDS, MediaPolicy
from mmpipe.models import image_to_text
from mmpipe.models.image_to_text import Description
from mmpipe_multimodal.gold import gold_of
from mmpipe_multimodal.retelling import retold

if TYPE_CHECKING:
    from PIL.Image import Image


class Caption(TransformerPipe):
    """Writes `doc._.captions`: one `{image, text, score}` for each of the record's images, in its order.

    image: the path or address as the record wrote it; text: the caption; score: how sure the model is of it, 0 to
    1; see mmpipe.models.image_to_text.Description. A document without images has an empty list.

    make_doc: makes the Doc of a text, for `as_text`: the pipeline's `nlp.make_doc`.
    field, save_weights: see TransformerPipe.
    as_text: a document with images and no text of its own (none, or white space alone) is replaced by one whose
        text its captions are, so that every later component works on it; see mmpipe_multimodal.retelling.
    roots, allow_urls, max_bytes, max_pixels, timeout_seconds: see mmpipe.media.policy.MediaPolicy.
    """

    metric: ClassVar[str | None] = "caption"
    result_type: ClassVar[Any] = [{"image": "string", "text": "string", "score": "float"}]

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str = "caption",
        *,
        make_doc: Callable[[str], Doc] | None = None,
        field: str = "captions",
        as_text: bool = False,
        roots: Sequence[str] = (),
        allow_urls: bool = False,
        max_bytes: int = MAX_BYTES,
        max_pixels: int = MAX_PIXELS,
        timeout_seconds: float = TIMEOUT_SECONDS,
        save_weights: bool = True,
    ) -> None:
        super().__init__(
            vocab,
            model,
            name,
            field=field,
            save_weights=save_weights,
            as_text=as_text,
            roots=list(roots),
            allow_urls=allow_urls,
            max_bytes=max_bytes,
            max_pixels=max_pixels,
            timeout_seconds=timeout_seconds,
        )
        self._make_doc = make_doc or Tokenizer(vocab)

    @property
    def media_policy(self) -> MediaPolicy:
        """What it opens; `mmpipe.make_doc` asks for it when it makes references."""
        keys = ("allow_urls", "max_bytes", "max_pixels", "timeout_seconds")
        return MediaPolicy(roots=tuple(self.cfg["roots"]), **{key: self.cfg[key] for key in keys})

    def load_weights(self) -> None:
        super().load_weights()
        image_to_text.check(self.model)

    def predict(self, docs: Iterable[Doc]) -> list[list[Description]]:
        """A description of each image of each document. Raises the first error that an image gives."""
        found = self._describe(list(docs))
        for outcome in found:
            if isinstance(outcome, MmpipeError):
                raise outcome
        return found  # type: ignore[return-value]

    def set_annotations(self, docs: Iterable[Doc], predictions: Sequence[Sequence[Description]]) -> None:
        for doc, descriptions in zip(docs, predictions, strict=True):
            pairs = zip(media_of(doc), descriptions, strict=True)
            captions = [{"image": ref["path"], "text": of.text, "score": of.score} for ref, of in pairs]
            doc._.set(self.field, captions)

    def _process(self, docs: list[Doc]) -> Iterator[Doc]:
        """As the base, but that no image is captioned twice because another one in its batch is at fault."""
        try:
            outcomes = self._describe(docs)
        except ModelError:
            raise
        except Exception:  # No image's fault: the base finds the document whose it is.
            yield from super()._process(docs)
            return
        for doc, outcome in zip(docs, outcomes, strict=True):
            if isinstance(outcome, MmpipeError):
                self.get_error_handler()(self.name, self, [doc], outcome)
                continue
            self.set_annotations([doc], [outcome])
            is_wordless = self.cfg["as_text"] and bool(outcome) and not doc.text.strip()
            yield retold(doc, [of.text for of in outcome], self._make_doc) if is_wordless else doc

    def has_gold(self, example: Example) -> bool:
        return bool(gold_of(example))

    def loss(self, examples: Sequence[Example]) -> torch.Tensor:
        """See mmpipe.models.image_to_text.loss. Of an image's captions one is drawn each time, by torch's generator.

        Raises RecordError where gold is malformed or an image cannot be opened.
        """
        policy = self.media_policy
        images, captions = [], []
        for example in examples:
            for reference, texts in gold_of(example):
                images.append(partial(open_image, reference, policy, place_of(example.reference)))
                captions.append(texts[int(torch.randint(len(texts), ()))])
        return image_to_text.loss(self.model, images, captions)

    def _describe(self, docs: Sequence[Doc]) -> list[list[Description] | MmpipeError]:
        """Each document's descriptions, or the error of the first of its images that has one."""
        outcomes = iter(image_to_text.describe_each(self.model, self._images(docs)))
        found: list[list[Description] | MmpipeError] = []
        for doc in docs:
            paths = [reference["path"] for reference in media_of(doc)]
            own = [next(outcomes) for _ in paths]
            failed = ((path, one) for path, one in zip(paths, own, strict=True) if isinstance(one, MmpipeError))
            path, error = next(failed, ("", None))
            if error is not None and error.where is None:
                what = f"image {shortened(path)}: {error.what}"
                error = RecordError(what, where=place_of(doc), next_step=error.next_step)
            found.append(error or own)  # type: ignore[arg-type]
        return found

    def _images(self, docs: Sequence[Doc]) -> Iterator[Callable[[], Image]]:
        """A function for each image of all documents that opens it, when the model comes to it."""
        policy = self.media_policy
        for doc in docs:
            for reference in media_of(doc):
                yield partial(open_image, reference, policy, place_of(doc))
