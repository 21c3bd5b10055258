"""Caption-small: the trained GPT-2 decoder as a Blenderbot decoder, which is the same function.

Both are pre-norm with learned positions; Blenderbot keeps queries, keys and values apart. Beam search of a
VisionEncoderDecoderModel needs `_reorder_cache` on the decoder in transformers 4.x, which GPT-2 lost there.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from caption_small_text import BOS, EOS, PAD
from safetensors.torch import load_file
from torch import Tensor
from transformers import (
    BlenderbotConfig,
    BlenderbotForCausalLM,
    GPT2LMHeadModel,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
)


def map_linear(out: dict[str, Tensor], state: dict[str, Tensor], name: str, targets: list[str]) -> None:
    """GPT-2's (input, output) matrix, split evenly over the targets' (output, input) matrices."""
    weights = state[f"{name}.weight"].t().chunk(len(targets))
    biases = state[f"{name}.bias"].chunk(len(targets))
    for target, weight, bias in zip(targets, weights, biases, strict=True):
        out[f"{target}.weight"], out[f"{target}.bias"] = weight.contiguous(), bias.contiguous()


def map_state(state: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """GPT-2's parameters under Blenderbot's names."""
    out = {
        "model.decoder.embed_tokens.weight": state["transformer.wte.weight"],
        "model.decoder.embed_positions.weight": state["transformer.wpe.weight"],
        "lm_head.weight": state["transformer.wte.weight"],
    }
    for part in ("weight", "bias"):
        out[f"model.decoder.layer_norm.{part}"] = state[f"transformer.ln_f.{part}"]
    for i in range(layers):
        old, new = f"transformer.h.{i}", f"model.decoder.layers.{i}"
        for part in ("weight", "bias"):
            out[f"{new}.self_attn_layer_norm.{part}"] = state[f"{old}.ln_1.{part}"]
            out[f"{new}.encoder_attn_layer_norm.{part}"] = state[f"{old}.ln_cross_attn.{part}"]
            out[f"{new}.final_layer_norm.{part}"] = state[f"{old}.ln_2.{part}"]
        own, cross = f"{new}.self_attn", f"{new}.encoder_attn"
        map_linear(out, state, f"{old}.attn.c_attn", [f"{own}.{x}_proj" for x in "qkv"])
        map_linear(out, state, f"{old}.attn.c_proj", [f"{own}.out_proj"])
        map_linear(out, state, f"{old}.crossattention.q_attn", [f"{cross}.q_proj"])
        map_linear(out, state, f"{old}.crossattention.c_attn", [f"{cross}.{x}_proj" for x in "kv"])
        map_linear(out, state, f"{old}.crossattention.c_proj", [f"{cross}.out_proj"])
        map_linear(out, state, f"{old}.mlp.c_fc", [f"{new}.fc1"])
        map_linear(out, state, f"{old}.mlp.c_proj", [f"{new}.fc2"])
    return out


def unmap_linear(state: dict[str, Tensor], name: str, sources: list[str]) -> dict[str, Tensor]:
    """What `map_linear` came from."""
    weights, biases = ([state[f"{source}.{part}"] for source in sources] for part in ("weight", "bias"))
    return {f"{name}.weight": torch.cat(weights).t().contiguous(), f"{name}.bias": torch.cat(biases)}


def unmap_state(state: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """What `map_state` came from."""
    out = {
        "transformer.wte.weight": state["model.decoder.embed_tokens.weight"],
        "transformer.wpe.weight": state["model.decoder.embed_positions.weight"],
        "lm_head.weight": state["model.decoder.embed_tokens.weight"],
    }
    for part in ("weight", "bias"):
        out[f"transformer.ln_f.{part}"] = state[f"model.decoder.layer_norm.{part}"]
    for i in range(layers):
        new, old = f"transformer.h.{i}", f"model.decoder.layers.{i}"
        for part in ("weight", "bias"):
            out[f"{new}.ln_1.{part}"] = state[f"{old}.self_attn_layer_norm.{part}"]
            out[f"{new}.ln_cross_attn.{part}"] = state[f"{old}.encoder_attn_layer_norm.{part}"]
            out[f"{new}.ln_2.{part}"] = state[f"{old}.final_layer_norm.{part}"]
        own, cross = f"{old}.self_attn", f"{old}.encoder_attn"
        out |= unmap_linear(state, f"{new}.attn.c_attn", [f"{own}.{x}_proj" for x in "qkv"])
        out |= unmap_linear(state, f"{new}.attn.c_proj", [f"{own}.out_proj"])
        out |= unmap_linear(state, f"{new}.crossattention.q_attn", [f"{cross}.q_proj"])
        out |= unmap_linear(state, f"{new}.crossattention.c_attn", [f"{cross}.{x}_proj" for x in "kv"])
        out |= unmap_linear(state, f"{new}.crossattention.c_proj", [f"{cross}.out_proj"])
        out |= unmap_linear(state, f"{new}.mlp.c_fc", [f"{old}.fc1"])
        out |= unmap_linear(state, f"{new}.mlp.c_proj", [f"{old}.fc2"])
    return out


def restored(folder: Path) -> dict:
    """An exported model as a checkpoint to go on from: its words, its shape, and its weights under GPT-2's names."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    vocabulary = json.loads((folder / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
    encoder, decoder = config["encoder"], config["decoder"]
    shape = (
        decoder["d_model"],
        decoder["decoder_attention_heads"],
        encoder["num_hidden_layers"],
        decoder["decoder_layers"],
    )
    saved = {name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()}
    inner = {name.removeprefix("decoder."): tensor for name, tensor in saved.items() if name.startswith("decoder.")}
    weights = {name: tensor for name, tensor in saved.items() if name.startswith("encoder.")}
    weights |= {f"decoder.{name}": tensor for name, tensor in unmap_state(inner, shape[3]).items()}
    return {"words": sorted(vocabulary, key=vocabulary.__getitem__), "shape": shape, "averaged": weights}


def convert(model: VisionEncoderDecoderModel) -> VisionEncoderDecoderModel:
    """The captioner with its decoder under Blenderbot's names."""
    gpt2: GPT2LMHeadModel = model.decoder
    old = gpt2.config
    config = BlenderbotConfig(
        vocab_size=old.vocab_size,
        max_position_embeddings=old.n_positions,
        d_model=old.n_embd,
        decoder_layers=old.n_layer,
        decoder_attention_heads=old.n_head,
        decoder_ffn_dim=4 * old.n_embd,
        encoder_layers=old.n_layer,  # unused, but transformers 5 sizes its cache by it
        encoder_attention_heads=old.n_head,
        encoder_ffn_dim=4 * old.n_embd,
        activation_function="gelu_new",
        scale_embedding=False,
        bos_token_id=BOS,
        eos_token_id=EOS,
        pad_token_id=PAD,
        decoder_start_token_id=BOS,
        forced_eos_token_id=None,
        is_decoder=True,
        add_cross_attention=True,
        is_encoder_decoder=False,
    )
    decoder = BlenderbotForCausalLM(config).eval()
    decoder.load_state_dict(map_state(gpt2.state_dict(), old.n_layer))
    both = VisionEncoderDecoderConfig.from_encoder_decoder_configs(model.encoder.config, config)
    both.decoder_start_token_id, both.pad_token_id, both.eos_token_id = BOS, PAD, EOS
    return VisionEncoderDecoderModel(both, encoder=model.encoder, decoder=decoder)
