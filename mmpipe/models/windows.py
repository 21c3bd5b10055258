"""Text longer than a model, in windows of that model's own tokens: what is read, and how much of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mmpipe.errors import ModelError, RecordError
from mmpipe.models.checkpoint import TOKENIZER_LOCK

LongText = Literal["window", "truncate", "error"]

# Their position table starts after the padding id: 514 rows serve 512 tokens.
# fmt: off
_OFFSET_POSITIONS = frozenset((
    "camembert", "data2vec-text", "esm", "ibert", "layoutlmv3", "lilt", "longformer", "luke", "markuplm", "mpnet",
    "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod",
))
# fmt: on


@dataclass(frozen=True)
class Window:
    """A stretch of one text as the model reads it.

    inputs: tokenizer outputs by name (`input_ids`, `token_type_ids`), with special tokens, unpadded.
    n_new_pieces: pieces that no earlier window of the text held; at least 1 for a text with any.
    pieces: which of the text's pieces it holds; place: where the first of them stands in `inputs`.
    """

    inputs: dict[str, list[int]]
    n_new_pieces: int
    pieces: range = range(0)
    place: int = 0

    def __len__(self) -> int:
        return len(self.inputs["input_ids"])


@dataclass(frozen=True)
class Reading:
    """All windows of one text, in its order, and the share of its pieces that they hold (`coverage`, 0 to 1)."""

    windows: tuple[Window, ...]
    n_pieces: int
    coverage: float


def model_max_tokens(config: Any, tokenizer: Any) -> int:
    """The most tokens, special ones included, that a checkpoint reads at once."""
    limits = []
    if 0 < (tokenizer.model_max_length or 0) < 1_000_000:
        limits.append(tokenizer.model_max_length)
    positions = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    if isinstance(positions, int) and positions > 0:
        offset = (config.pad_token_id or 0) + 1 if config.model_type in _OFFSET_POSITIONS else 0
        limits.append(positions - offset)
    return min(limits, default=512)


def window_size(config: Any, tokenizer: Any, max_tokens: int | None, *, is_pair: bool = False) -> int:
    """`max_tokens` if given and possible, else the model's own limit. Raises ModelError if it cannot be.

    is_pair: a window holds two texts, which takes more special tokens.
    """
    limit = model_max_tokens(config, tokenizer)
    least = tokenizer.num_special_tokens_to_add(pair=is_pair) + (2 if is_pair else 1)
    if max_tokens is not None and not least <= max_tokens <= limit:
        raise ModelError(
            f"max_tokens = {max_tokens}, but this model reads {least} to {limit} tokens at once",
            next_step="set max_tokens within these limits, or leave it out",
        )
    return max_tokens or limit


def read_texts(
    tokenizer: Any,
    texts: Sequence[str],
    *,
    max_tokens: int,
    stride_tokens: int,
    long_text: LongText,
    prefix: str = "",
) -> list[Reading]:
    """Cut each text into windows of at most `max_tokens` tokens, special tokens and prefix included.

    max_tokens: the most tokens in a window; where a setting of that name says None, the model's own limit.
    stride_tokens: tokens that neighbouring windows share; cut down where windows are small.
    long_text: for a text longer than one window: "window" reads all of it, "truncate" what Hugging Face's
        truncation keeps, "error" raises RecordError.
    prefix: every window begins with it; it does not count as text.
    A text with no pieces (empty, or only white space) has no windows and coverage 1.0.
    """
    if not texts:
        return []
    encoded = encode(
        tokenizer,
        [prefix + text for text in texts],
        return_special_tokens_mask=True,
        return_offsets_mapping=bool(prefix),
    )
    masks = encoded.pop("special_tokens_mask")
    offsets = encoded.pop("offset_mapping", [[]] * len(texts))
    readings = []
    for index, mask in enumerate(masks):
        row = {name: encoded[name][index] for name in encoded}
        start, end = own_pieces(mask)
        # A piece that straddles the seam belongs to the text.
        text_start = start + sum(1 for _, last in offsets[index][start:end] if last <= len(prefix)) if prefix else start
        frame = Frame(row, start, text_start, end)
        readings.append(cut_windows(frame, max_tokens, stride_tokens, long_text, tokenizer.truncation_side))
    return readings


def own_pieces(special: Sequence[int]) -> tuple[int, int]:
    """Where the pieces of a text begin and end between special tokens, which are 1 in the mask."""
    if 0 not in special:
        return len(special), len(special)
    return special.index(0), len(special) - special[::-1].index(0)


def encode(tokenizer: Any, texts: list[str], *pairs: list[str], **options: Any) -> Any:
    """What a fast tokenizer makes of texts, or of pairs of them, without attention masks.

    Raises RecordError for a text that it cannot read.
    """
    with TOKENIZER_LOCK:
        try:
            return tokenizer(texts, *pairs, return_attention_mask=False, verbose=False, **options)
        except (TypeError, UnicodeError) as error:
            raise RecordError(
                f"the tokenizer cannot read a text: {error}",
                next_step="it may hold half of a surrogate pair, as cut UTF-16 does: repair its encoding",
            ) from error


@dataclass(frozen=True)
class Frame:
    """One encoded text, its own pieces from `text_start` to `end`; what stands around them is in every window.

    start: where the first piece stands that is not special, be it of a prefix.
    """

    row: dict[str, list[int]]
    start: int
    text_start: int
    end: int

    def window(self, first: int, last: int, n_new: int) -> Window:
        """The window that holds the text's pieces from `first` to `last`."""
        cut = slice(self.text_start + first, self.text_start + last)
        parts = {n: [*ids[: self.text_start], *ids[cut], *ids[self.end :]] for n, ids in self.row.items()}
        return Window(parts, n_new, range(first, last), self.text_start)


def cut_windows(frame: Frame, max_tokens: int, stride_tokens: int, long_text: LongText, kept_side: str) -> Reading:
    """The windows of one encoded text; arguments and errors as those of `read_texts`."""
    n_pieces = frame.end - frame.text_start
    if n_pieces == 0:
        return Reading((), 0, 1.0)
    room = max_tokens - (len(frame.row["input_ids"]) - n_pieces)
    if room < 1:
        raise ModelError(
            f"the prefix has {frame.text_start - frame.start} tokens and leaves no room for text in {max_tokens}",
            next_step="use a shorter prefix, or a larger max_tokens",
        )
    if n_pieces > room and long_text == "error":
        raise RecordError(
            f"the text has {n_pieces} tokens, more than the model's {room} at once",
            next_step='set long_text = "window" or "truncate", or split the record',
        )
    if n_pieces > room and long_text == "truncate":
        first = n_pieces - room if kept_side == "left" else 0
        return Reading((frame.window(first, first + room, room),), n_pieces, room / n_pieces)
    stride = max(0, min(stride_tokens, room // 2))
    windows = []
    for first in range(0, max(n_pieces - stride, 1), room - stride):
        last = min(first + room, n_pieces)
        windows.append(frame.window(first, last, last - first - (stride if first else 0)))
    return Reading(tuple(windows), n_pieces, 1.0)
