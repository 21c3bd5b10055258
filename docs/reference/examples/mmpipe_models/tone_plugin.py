"""A model that lies in the plugin's own folder."""

from pathlib import Path

import mmpipe


@mmpipe.hookimpl
def mmpipe_models():
    yield mmpipe.ModelSpec(
        "mmpipe/acme-tone",
        Path(__file__).parent / "acme-tone",  # config.json, model.safetensors, tokenizer.json, README.md
        licence="Apache-2.0",
        summary="tone of letters, English",
    )
