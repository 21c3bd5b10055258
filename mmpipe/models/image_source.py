"""Images on their way to a model: opened, made into tensors, and gathered into batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from mmpipe.errors import MmpipeError, RecordError
from mmpipe.models.image_family import Inputs

if TYPE_CHECKING:
    from PIL.Image import Image

    ImageSource = Image | Callable[[], Image]


def open_source(image: ImageSource) -> Image:
    """The image itself. Raises what opening it raises."""
    return image() if callable(image) else image


def prepare(make: Callable[[Image], Inputs], image: Image) -> Inputs:
    """What `make` gives. Raises RecordError where the image is of a shape that the model's processor refuses."""
    try:
        return make(image)
    except MmpipeError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise RecordError(
            f"an image of {image.width} x {image.height} pixels cannot be prepared for the model: {said}",
            next_step="leave the image out, or scale it to an ordinary shape",
        ) from error


def batches(prepared: Iterable[tuple[int, Inputs]], size: int) -> Iterator[list[tuple[int, Inputs]]]:
    """Batches of at most `size` with equal shapes; at most twice as many wait."""
    waiting: dict[Any, list[tuple[int, Inputs]]] = {}
    for index, inputs in prepared:
        shapes = tuple((name, value.shape) for name, value in sorted(inputs.items()))
        group = waiting.setdefault(shapes, [])
        group.append((index, inputs))
        if len(group) == size:
            yield waiting.pop(shapes)
        elif sum(map(len, waiting.values())) >= 2 * size:
            yield waiting.pop(max(waiting, key=lambda key: len(waiting[key])))
    yield from waiting.values()
