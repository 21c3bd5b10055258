"""Caption-small: captions as words, and the word-level tokenizer that is saved with the model."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

PAD, BOS, EOS, UNK = range(4)
SPECIAL = ["<pad>", "<s>", "</s>", "<unk>"]


def words_of(caption: str) -> list[str]:
    """Lower-case words; "man 's" becomes "man's", a hyphen inside a word stays, all other marks go."""
    return re.findall(r"[a-z0-9]+(?:['-][a-z0-9]+)*", re.sub(r"\s+'s\b", "'s", caption.lower().replace("’", "'")))


def bare(caption: str) -> str:
    """The form in which captions are compared: lower case, letters and digits only."""
    return " ".join(re.findall(r"[a-z0-9]+", caption.lower()))


def vocabulary(rows: list[dict], least: int = 4) -> list[str]:
    """The special tokens, then every word that occurs `least` times, most frequent first."""
    counts = Counter(word for row in rows for caption in row["captions"] for word in words_of(caption))
    return SPECIAL + [word for word, count in counts.most_common() if count >= least]


def encode(caption: str, index: dict[str, int], longest: int) -> list[int]:
    """Word numbers without the start; the end is there unless the caption was cut."""
    ids = [index.get(word, UNK) for word in words_of(caption)] + [EOS]
    return ids[:longest]


def save_tokenizer(words: list[str], folder: Path) -> PreTrainedTokenizerFast:
    """A fast tokenizer whose decoding joins words with spaces."""
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
    )
    fast.save_pretrained(folder)
    return fast
