"""What turns images, and prompts with images in them, into tensors: a checkpoint's processor, without torchvision.

Image processors are those that compute with Pillow and numpy. Processors of chat models also want one for videos,
which needs torchvision; nothing here shows them a video, so theirs are built without that part.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

FILES = (
    "preprocessor_config.json",
    "processor_config.json",
    "video_preprocessor_config.json",
    "chat_template.json",
    "chat_template.jinja",
)
"""Files of a checkpoint that describe its processor, saved with it as they are."""
_VIDEO = "video_processor"


def load_image_processor(folder: Path, **options: Any) -> Any:
    """The image processor of a checkpoint. Raises what transformers raises."""
    import transformers

    is_five = int(transformers.__version__.partition(".")[0]) >= 5
    with_pillow: dict[str, Any] = {"backend": "pil"} if is_five else {"use_fast": False}
    return transformers.AutoImageProcessor.from_pretrained(folder, **with_pillow, **options)


def load_chat_processor(folder: Path, config: Any, image_processor: Any, tokenizer: Any, **options: Any) -> Any:
    """The processor of a checkpoint that reads a chat with images in it.

    config: the model's, which says which processor is its. Raises ValueError where it has none.
    """
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    kind = PROCESSOR_MAPPING.get(type(config), None)
    if kind is None:
        raise ValueError(f"transformers has no processor for {config.model_type!r}")
    # SmolVLM's spells out the number of a video's frames with a package of its own.
    module = sys.modules[kind.__module__]
    if getattr(module, "num2words", "") is None:
        module.num2words = str
    parts = {"image_processor": image_processor, "tokenizer": tokenizer, _VIDEO: None}

    class ImagesOnly(kind):
        """The same processor, given its parts."""

        @classmethod
        def _get_arguments_from_pretrained(cls, *args: Any, **kwargs: Any) -> list[Any]:
            names = kind.get_attributes() if hasattr(kind, "get_attributes") else kind.attributes
            return [parts[name] for name in names]

        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            return None  # There is none for videos, and tokenizers of any class will do.

    ImagesOnly.__name__ = kind.__name__
    return ImagesOnly.from_pretrained(folder, **options)
