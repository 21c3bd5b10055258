"""The weighted mean of two trainings of one model (Wortsman et al. 2022, "Model soups"), as a folder to pack.

python qa_small_average.py qa-small-4/model-last/qa/model 0.65 qa-small-2/model-last/qa/model 0.35 --out qa-small-mean
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

WEIGHTS = "model.safetensors"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path, help="a Hugging Face folder; its config and tokenizer are kept")
    parser.add_argument("share", type=float)
    parser.add_argument("second", type=Path)
    parser.add_argument("other_share", type=float)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    one, other = load_file(args.first / WEIGHTS), load_file(args.second / WEIGHTS)
    total = args.share + args.other_share
    shutil.copytree(args.first, args.out)
    mean = {
        name: ((one[name].float() * args.share + other[name].float() * args.other_share) / total).to(one[name].dtype)
        for name in one
    }
    save_file(mean, args.out / WEIGHTS, {"format": "pt"})


if __name__ == "__main__":
    main()
