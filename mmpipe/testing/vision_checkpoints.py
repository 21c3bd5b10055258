"""Checkpoints with random weights that write about images, small enough to build in a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

VISION = ("vit-gpt2", "grid-gpt2", "blip", "git", "idefics3", "smolvlm", "qwen2-vl")
"""Families that `tiny_checkpoint` can build as image-to-text models; the last three chat."""

_SIDE = 32
_WIDTH = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
_EYE = _WIDTH | {"image_size": _SIDE, "patch_size": 8}
_TOKENIZERS = {"blip": "BertTokenizerFast", "git": "BertTokenizerFast", "qwen2-vl": "Qwen2TokenizerFast"}
_SMOL_TOKENS = ["<image>", "<fake_token_around_image>", "<global-img>", "<|im_start|>", "<end_of_utterance>"]
_SMOL_TOKENS += [f"<row_{row}_col_{column}>" for row in (1, 2) for column in (1, 2)]
_SMOL_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}:{% for line in message['content'] %}"
    "{% if line['type'] == 'text' %} {{ line['text'] }}{% elif line['type'] == 'image' %}<image>{% endif %}{% endfor %}"
    "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)
_QWEN_TOKENS = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
_QWEN_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% for line in message['content'] %}"
    "{% if line['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ line['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tiny_vision_checkpoint(folder: Path, family: str, *, max_tokens: int, seed: int) -> Path:
    """As `tiny_checkpoint`, for the families of VISION: with a tokenizer, an image processor, and a chat template."""
    import torch
    import transformers

    maker = _CHAT.get(family, _encoder_decoder if family.endswith("-gpt2") else _blip if family == "blip" else _git)
    tokenizer = _vision_tokenizer(family, max_tokens)
    config, processor, extra = maker(family, tokenizer, transformers, max_tokens)
    torch.manual_seed(seed)
    model = transformers.AutoModelForImageTextToText.from_config(config)
    with torch.no_grad():
        # The usual tiny initial weights make every image look the same.
        for name, parameter in model.named_parameters():
            if "backbone" in name and parameter.dim() > 1:  # Deep convolutions keep their size by fan-in alone.
                parameter.normal_(0.0, (3 / parameter[0].numel()) ** 0.5)
            elif parameter.dim() > 1:
                parameter.normal_(0.0, 0.25)
    model.generation_config.max_new_tokens = 12
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    processor.save_pretrained(folder)
    if family in _TOKENIZERS:
        # Some processors insist on the class that their family's own tokenizers have.
        file = folder / "tokenizer_config.json"
        file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | {"tokenizer_class": _TOKENIZERS[family]}))
    for name, content in extra.items():
        (folder / name).write_text(content, "utf-8")
    return folder


def _vision_tokenizer(family: str, max_tokens: int) -> Any:
    from tokenizers import processors

    from mmpipe.testing.checkpoints import _tokenizer

    if family in ("blip", "git"):
        tokenizer = _tokenizer("bert", max_tokens)
        tokenizer.add_special_tokens({"bos_token": "[DEC]"})
        return tokenizer
    tokenizer = _tokenizer("bart", max_tokens)
    tokenizer.backend_tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    extra = _QWEN_TOKENS if family == "qwen2-vl" else _SMOL_TOKENS if family in _CHAT else []
    tokenizer.add_special_tokens({"additional_special_tokens": extra} if extra else {})
    return tokenizer


def _with_pillow(transformers: Any, name: str) -> Any:
    """The image processor that needs no torchvision; transformers 5 gave it another name."""
    return getattr(transformers, f"{name}Pil", None) or getattr(transformers, name)


def _encoder_decoder(family: str, tokenizer: Any, transformers: Any, max_tokens: int) -> tuple[Any, Any, dict]:
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    decoder = transformers.GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=max_tokens,
        n_embd=32,
        n_layer=2,
        n_head=4,
        pad_token_id=tokenizer.pad_token_id,
        **ids,
    )
    if family == "grid-gpt2":
        from mmpipe.models.grid_encoder import GridEncoderConfig

        shape = {"stem_channels": 8, "stages": [(1, 8, 1, 2), (2, 16, 1, 2), (2, 16, 1, 2), (2, 24, 1, 2)]}
        encoder: Any = GridEncoderConfig(**_WIDTH, **shape, image_size=2 * _SIDE, last_channels=48)
    else:
        encoder = transformers.ViTConfig(**_EYE)
    config = transformers.VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.pad_token_id = tokenizer.bos_token_id, tokenizer.pad_token_id
    config.eos_token_id = tokenizer.eos_token_id
    side = encoder.image_size
    return config, _with_pillow(transformers, "ViTImageProcessor")(size={"height": side, "width": side}), {}


def _blip(family: str, tokenizer: Any, transformers: Any, max_tokens: int) -> tuple[Any, Any, dict]:
    text = _WIDTH | {"encoder_hidden_size": 32, "vocab_size": len(tokenizer), "max_position_embeddings": max_tokens}
    text |= {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.unk_token_id}
    text |= {"sep_token_id": tokenizer.sep_token_id, "pad_token_id": tokenizer.pad_token_id}
    config = transformers.BlipConfig(text_config=text, vision_config=dict(_EYE), projection_dim=32)
    return config, _with_pillow(transformers, "BlipImageProcessor")(size={"height": _SIDE, "width": _SIDE}), {}


def _git(family: str, tokenizer: Any, transformers: Any, max_tokens: int) -> tuple[Any, Any, dict]:
    ids = {"bos_token_id": tokenizer.cls_token_id, "eos_token_id": tokenizer.sep_token_id}
    config = transformers.GitConfig(
        vision_config=dict(_EYE),
        vocab_size=len(tokenizer),
        max_position_embeddings=max_tokens,
        pad_token_id=tokenizer.pad_token_id,
        **ids,
        **_WIDTH,
    )
    size = {"size": {"shortest_edge": _SIDE}, "crop_size": {"height": _SIDE, "width": _SIDE}}
    return config, _with_pillow(transformers, "CLIPImageProcessor")(**size), {}


def _smol(family: str, tokenizer: Any, transformers: Any, max_tokens: int) -> tuple[Any, Any, dict]:
    name = "SmolVLM" if family == "smolvlm" else "Idefics3"
    ids = {f"{kind}_token_id": getattr(tokenizer, f"{kind}_token_id") for kind in ("pad", "bos", "eos")}
    text = _WIDTH | ids | {"num_key_value_heads": 4, "vocab_size": len(tokenizer), "max_position_embeddings": 512}
    image = tokenizer.convert_tokens_to_ids("<image>")
    config = getattr(transformers, f"{name}Config")(
        text_config=text | {"model_type": "llama"},
        vision_config=dict(_EYE),
        image_token_id=image,
        scale_factor=2,
        pad_token_id=ids["pad_token_id"],
    )
    sizes = {"size": {"longest_edge": 2 * _SIDE}, "max_image_size": {"longest_edge": _SIDE}}
    processor = _with_pillow(transformers, f"{name}ImageProcessor")(**sizes)
    settings = f'{{"processor_class": "{name}Processor", "image_seq_len": 4}}'
    return config, processor, {"processor_config.json": settings, "chat_template.jinja": _SMOL_TEMPLATE}


def _qwen(family: str, tokenizer: Any, transformers: Any, max_tokens: int) -> tuple[Any, Any, dict]:
    ids = {f"{kind}_token_id": getattr(tokenizer, f"{kind}_token_id") for kind in ("pad", "bos", "eos")}
    marks = dict(zip(("vision_start", "vision_end", "image", "video"), _QWEN_TOKENS[2:], strict=True))
    marked = {f"{kind}_token_id": tokenizer.convert_tokens_to_ids(token) for kind, token in marks.items()}
    rope = {"type": "mrope", "rope_type": "default", "mrope_section": [2, 1, 1]}
    text = _WIDTH | ids | {"num_key_value_heads": 4, "vocab_size": len(tokenizer), "max_position_embeddings": 512}
    eye = {"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 4, "patch_size": 8, "mlp_ratio": 2}
    config = transformers.Qwen2VLConfig(
        text_config=text | {"rope_scaling": rope}, vision_config=eye, **marked, pad_token_id=ids["pad_token_id"]
    )
    sizes = {"min_pixels": 16 * 16, "max_pixels": 64 * 64, "patch_size": 8}
    processor = _with_pillow(transformers, "Qwen2VLImageProcessor")(**sizes)
    settings = '{"processor_class": "Qwen2VLProcessor"}'
    return config, processor, {"processor_config.json": settings, "chat_template.jinja": _QWEN_TEMPLATE}


_CHAT = {"idefics3": _smol, "smolvlm": _smol, "qwen2-vl": _qwen}
