"""Caption-small, stage 4: the folder that Hugging Face classes load: fp16 weights, tokenizer, preprocessor.

python caption_small_export.py --checkpoint WORK/scst.pt --out caption-small
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from caption_small_convert import convert
from caption_small_model import build
from caption_small_text import BOS, EOS, PAD, UNK, save_tokenizer
from transformers import GenerationConfig, ViTImageProcessor


def set_precision(path: Path) -> None:
    """Have the fp16 weights computed in fp32: transformers 5 takes the precision of the file's word for it."""
    config = json.loads(path.read_text(encoding="utf-8"))
    for part in (config, config["encoder"], config["decoder"]):
        part.pop("dtype", None)
        part["torch_dtype"] = "float32"
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def export(checkpoint: Path, out: Path, beams: int, length_penalty: float, block: int) -> None:
    """Write the averaged weights of a checkpoint; an existing folder is replaced once the new one is whole."""
    state = torch.load(checkpoint, map_location="cpu")
    model = build(state["words"], *state["shape"])
    model.load_state_dict(state["averaged"])
    model = convert(model.eval()).eval()
    model.generation_config = GenerationConfig(
        bos_token_id=BOS,
        eos_token_id=EOS,
        pad_token_id=PAD,
        decoder_start_token_id=BOS,
        suppress_tokens=[PAD, BOS, UNK],
        max_new_tokens=24,
        min_new_tokens=3,
        num_beams=beams,
        length_penalty=length_penalty,
        no_repeat_ngram_size=block,
        early_stopping=True,
        do_sample=False,
    )
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    model.half().save_pretrained(partial, safe_serialization=True)
    set_precision(partial / "config.json")
    (partial / "model.safetensors").chmod(0o644)
    save_tokenizer(state["words"], partial)
    side = model.config.encoder.image_size
    processor = ViTImageProcessor(
        do_resize=True,
        size={"height": side, "width": side},
        resample=2,
        do_rescale=True,
        rescale_factor=1 / 255,
        do_normalize=True,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        do_convert_rgb=True,
    )
    processor.save_pretrained(partial)
    if (out / "README.md").exists():
        shutil.copy(out / "README.md", partial)
    old = out.with_name(out.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    partial.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--beams", type=int, default=4)
    parser.add_argument("--length-penalty", type=float, default=1.0)
    parser.add_argument("--block", type=int, default=3, help="no word sequence of this length comes twice")
    args = parser.parse_args()
    export(args.checkpoint, args.out, args.beams, args.length_penalty, args.block)


if __name__ == "__main__":
    main()
