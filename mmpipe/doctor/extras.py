"""Optional parts of mmpipe: which are there, and what the others would give."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires, version

from mmpipe.doctor.finding import Finding

GIVES = {
    "peft": "training of adapters (LoRA)",
    "evaluate": "ROUGE, BLEU and AUC in `mmpipe evaluate`",
    "pdf": "reading PDF",
    "plots": "plots in reports",
    "corpora": "the pictures of corpora/gallery",
    "tensorboard": "`mmpipe train --tensorboard`",
    "metrics": "`mmpipe run --metrics`, in Prometheus's format",
    "openvino": 'backend = "openvino", bf16 and int8 sooner on the processor',
    "onnx": 'backend = "onnx", int8 on the processor',
    "ctranslate2": 'backend = "ctranslate2", written text sooner on the processor',
}
_REQUIREMENT = re.compile(r"^([A-Za-z0-9][\w.-]*).*;.*extra\s*==\s*['\"]([\w-]+)['\"]")


def check(environ: Mapping[str, str]) -> Iterator[Finding]:
    """One finding an extra; a missing one is no fault."""
    parts: dict[str, list[str]] = defaultdict(list)
    for text in requires("mmpipe") or ():
        match = _REQUIREMENT.match(text)
        if match and match.group(2) != "test":
            parts[match.group(2)].append(match.group(1))
    for name, packages in parts.items():
        missing = [package for package in packages if not _is_installed(package)]
        gives = GIVES.get(name, "what its name says")
        if not missing:
            yield Finding("extras", name, "ok", f"is installed: {gives}")
        else:
            what = f"is not installed ({', '.join(missing)}); it gives {gives}"
            yield Finding("extras", name, "ok", what, f"pip install 'mmpipe[{name}]'")


def _is_installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False
