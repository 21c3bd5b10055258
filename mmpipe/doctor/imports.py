"""Can the libraries be imported, and which devices do they see? In a process of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from mmpipe.doctor.finding import Finding
from mmpipe.doctor.probe import probe

MODULES = ("numpy", "pydantic", "rich", "typer", "thinc.api", "spacy", "torch", "transformers", "spacy_transformers")
OPTIONAL = frozenset({"spacy_transformers"})
DRIVER = "/proc/driver/nvidia/version"
_CODE = """
import importlib, json, sys
def tell(**answer): print(json.dumps(answer), flush=True)
for name in {modules!r}:
    tell(begun=name)
    try:
        module = importlib.import_module(name)
        tell(module=name, version=str(getattr(module, "__version__", "")))
    except BaseException as error:
        tell(module=name, error=type(error).__name__ + ": " + " ".join(str(error).split())[:300])
try:
    import torch
    from mmpipe.runtime.device import available_devices, place
    tell(cuda=torch.version.cuda or "", gpus=torch.cuda.device_count())
    for name in available_devices():
        tell(device=name, precision=place(name).precision, reason=place(name).reason)
    tell(auto=str(place("auto").device))
except BaseException as error:
    tell(device="", error=type(error).__name__ + ": " + " ".join(str(error).split())[:300])
"""


def check(environ: Mapping[str, str]) -> Iterator[Finding]:
    """One finding a module, then one a device, and whether torch and the driver fit each other."""
    rest, answers = list(MODULES), []
    while rest:
        found = probe(_CODE.format(modules=rest), environ)
        answers += found.answers
        if found.cause is None:
            break
        # It died while it imported the last one that it began.
        begun = [answer["begun"] for answer in found.answers if "begun" in answer]
        told = {answer["module"] for answer in found.answers if "module" in answer}
        if not begun or begun[-1] in told:
            answers.append({"device": "", "error": found.cause})
            break
        answers.append({"module": begun[-1], "error": found.cause})
        rest = rest[rest.index(begun[-1]) + 1 :]
    for answer in answers:
        if "module" in answer:
            yield _of_module(answer)
    yield from _of_devices(answers)


def _of_module(answer: dict[str, Any]) -> Finding:
    name, error = answer["module"], answer.get("error")
    package = name.partition(".")[0].replace("_", "-")
    if error is None:
        return Finding("imports", package, "ok", f"{answer.get('version') or ''} can be imported".strip())
    is_missing = error.startswith("ModuleNotFoundError") and repr(name.partition(".")[0]) in error
    if name in OPTIONAL and is_missing:
        return Finding("imports", package, "ok", "is not installed; only pipelines that share an encoder need it")
    if "numpy.dtype size changed" in error or "NumPy 1.x" in error or "numpy.core" in error:
        what = f"was built for another numpy: {error}"
        return Finding(
            "imports", package, "error", what, "pip install --force-reinstall --no-cache-dir numpy thinc spacy"
        )
    mend = f"pip install {package}" if is_missing else f"pip install --force-reinstall {package}"
    return Finding("imports", package, "error", f"cannot be imported: {error}", mend)


def _of_devices(answers: list[dict[str, Any]]) -> Iterator[Finding]:
    auto = next((answer["auto"] for answer in answers if "auto" in answer), None)
    for answer in answers:
        if answer.get("device") == "":
            why = f"cannot be asked for: {answer['error']}"
            yield Finding("devices", "torch", "error", why, "pip install --force-reinstall torch")
        elif "device" in answer:
            chosen = "; auto chooses it" if answer["device"] == auto else ""
            what = f"auto precision {answer['precision']}: {answer['reason']}{chosen}"
            yield Finding("devices", answer["device"], "ok", what)
        elif "gpus" in answer and not answer["gpus"] and os.path.exists(DRIVER):
            built = f"built for CUDA {answer['cuda']}" if answer["cuda"] else "built without CUDA"
            what = f"an NVIDIA driver is here and torch, {built}, sees no GPU: the driver may be too old for it"
            yield Finding(
                "devices", "torch", "warning", what, "nvidia-smi   then install the torch for its CUDA version"
            )
