"""Real checkpoints with random weights, small enough to build in a test: no network, no downloads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmpipe.testing.vision_checkpoints import VISION, tiny_vision_checkpoint

CLASSIFIERS = ("bert", "roberta", "distilbert", "deberta-v2")
"""Families that `tiny_checkpoint` can build with a classification head."""
EXTRACTORS = CLASSIFIERS
"""Families that `tiny_checkpoint` can build with a head that finds answers."""
SEQ2SEQ = ("bart", "t5", "pegasus")
"""Families that `tiny_checkpoint` can build as sequence-to-sequence models."""

_WIDTH = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
_DISTIL = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
_BART = {"d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4} | {
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
}
_T5 = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
_CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("Bert", _WIDTH),
    "roberta": ("Roberta", _WIDTH),
    "distilbert": ("DistilBert", _DISTIL),
    "deberta-v2": ("DebertaV2", _WIDTH | {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]}),
    "bart": ("Bart", _BART),
    "t5": ("T5", _T5),
    "pegasus": ("Pegasus", _BART),
}
_SENTENCES = [
    "the quick brown fox jumps over the lazy dog and the cat sat on the mat",
    "this film is good, that one is bad: never again, not even for free!",
    "what a wonderful day; it was raining in the morning, then the sun came out.",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ abcdefghijklmnopqrstuvwxyz 0123456789 .,;:!?'\"-()",
]


def tiny_checkpoint(
    folder: Path | str,
    family: str = "bert",
    *,
    labels: tuple[str, ...] | None = None,
    is_multi_label: bool = False,
    has_spans: bool = False,
    max_tokens: int = 64,
    seed: int = 0,
) -> Path:
    """Save a checkpoint with random weights and a tokenizer made on the spot; returns the folder.

    family: one of CLASSIFIERS, SEQ2SEQ or VISION. labels: class names; None saves a bare encoder for the families of
    CLASSIFIERS. has_spans: save it with a head that finds answers in a text. max_tokens: what the model reads at once,
    special tokens included (T5 has no limit of its own; its tokenizer states it). seed: equal seeds give equal weights.
    """
    if family in VISION:
        return tiny_vision_checkpoint(Path(folder), family, max_tokens=max_tokens, seed=seed)
    import torch
    import transformers

    name, shape = _CONFIGS[family]
    tokenizer = _tokenizer(family, max_tokens)
    ids = {f"{kind}_token_id": getattr(tokenizer, f"{kind}_token_id") for kind in ("pad", "bos", "eos")}
    # RoBERTa's position table begins after the padding id.
    positions = max_tokens + (tokenizer.pad_token_id + 1 if family == "roberta" else 0)
    settings = {**shape, **ids, "vocab_size": len(tokenizer), "max_position_embeddings": positions}
    if family in SEQ2SEQ:
        settings |= {"decoder_start_token_id": ids["eos_token_id"] if family == "bart" else ids["pad_token_id"]}
    elif labels is not None:
        settings |= {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}
        settings["problem_type"] = "multi_label_classification" if is_multi_label else None
    config = getattr(transformers, f"{name}Config")(**settings)
    auto_class = "AutoModelForQuestionAnswering" if has_spans else _auto_class(family, labels)
    torch.manual_seed(seed)
    model = getattr(transformers, auto_class).from_config(config)
    with torch.no_grad():
        # The usual tiny initial weights make every input look the same; so do Pegasus's large positions.
        for key, parameter in model.named_parameters():
            if parameter.dim() > 1:
                parameter.mul_(0.1 if family == "pegasus" and "embed_positions" in key else 10.0)
                if key == "qa_outputs.weight":
                    parameter.mul_(10.0)  # Over hundreds of pieces, no answer would be likely otherwise.
    if family in SEQ2SEQ:
        model.generation_config.max_new_tokens = 12
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    return Path(folder)


def _auto_class(family: str, labels: tuple[str, ...] | None) -> str:
    if family in SEQ2SEQ:
        return "AutoModelForSeq2SeqLM"
    return "AutoModel" if labels is None else "AutoModelForSequenceClassification"


def _tokenizer(family: str, max_tokens: int) -> Any:
    """A fast tokenizer of the family's own kind over the words and characters of a few sentences.

    Only BPE is trained: the other trainers break ties by chance, and a test must meet the same tokens each time.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    characters = sorted(set("".join(_SENTENCES)) - {" "})
    words = sorted({word for sentence in _SENTENCES for word in sentence.split() if word.isalpha()})
    if family in ("bert", "distilbert"):
        special = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
        pieces = [*characters, *(f"##{c}" for c in characters), *words]
        vocab = {piece: index for index, piece in enumerate(dict.fromkeys([*special.values(), *pieces]))}
        core = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
        core.normalizer = normalizers.BertNormalizer()
        core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        core.decoder = decoders.WordPiece()
        frame = ("[CLS]", "[SEP]")
    elif family in ("roberta", "bart"):
        special = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "mask": "<mask>"}
        core = Tokenizer(models.BPE())
        core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        core.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=list(special.values()), initial_alphabet=alphabet)
        core.train_from_iterator(_SENTENCES, trainer)
        frame = ("<s>", "</s>")
    else:
        special = {"pad": "<pad>", "eos": "</s>", "unk": "<unk>"}
        if family == "deberta-v2":
            special |= {"cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
        pieces = dict.fromkeys([*special.values(), "▁", *characters, *(f"▁{word}" for word in words)])
        scores = [(piece, -1.0 if piece.startswith("▁") else -3.0) for piece in pieces]
        core = Tokenizer(models.Unigram(scores, list(pieces).index("<unk>")))
        core.pre_tokenizer = pre_tokenizers.Metaspace()
        core.decoder = decoders.Metaspace()
        frame = ("[CLS]", "[SEP]") if family == "deberta-v2" else ("", "</s>")
    core.add_special_tokens(list(special.values()))
    # RoBERTa and BART close the first text of a pair twice, BERT and DeBERTa number the second.
    between = f"{frame[1]} {frame[1]}" if family in ("roberta", "bart") else frame[1]
    second = f"$B:1 {frame[1]}:1" if frame[0] == "[CLS]" else f"$B {frame[1]}"
    core.post_processor = processors.TemplateProcessing(
        single=" ".join(filter(None, (frame[0], "$A", frame[1]))),
        pair=" ".join(filter(None, (frame[0], "$A", between, second))),
        special_tokens=[(token, core.token_to_id(token)) for token in dict.fromkeys(frame) if token],
    )
    if family in ("roberta", "bart"):
        special |= {"cls": special["bos"], "sep": special["eos"]}
    has_types = family in ("bert", "deberta-v2")
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        model_max_length=max_tokens,
        model_input_names=["input_ids", *(["token_type_ids"] if has_types else []), "attention_mask"],
        **{f"{kind}_token": token for kind, token in special.items()},
    )
