"""What results were made with: versions, pipeline, models, data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from spacy.language import Language

from mmpipe.component import TransformerPipe
from mmpipe.corpus.source import Input
from mmpipe.models.files import file_sha256
from mmpipe.redaction import redactors_of

PACKAGES = ("mmpipe", "spacy", "torch", "transformers", "scikit-learn", "rouge-score", "sacrebleu")


def of_pipeline(name: str, nlp: Language) -> dict[str, Any]:
    """name: as the user gave it. config_sha256: of the config with every default filled in.

    private: where its runs are (see mmpipe.redaction).
    """
    components = {
        pipe_name: {
            "factory": nlp.get_pipe_meta(pipe_name).factory,
            **(pipe.provenance if isinstance(pipe, TransformerPipe) else {}),
            **({"temperature": temperature} if (temperature := _temperature(pipe)) is not None else {}),
        }
        for pipe_name, pipe in nlp.pipeline
    }
    private = {"private": True} if redactors_of(nlp) else {}
    return {"name": name, "config_sha256": config_sha256(nlp), "components": components, **private}


def config_sha256(nlp: Language) -> str:
    """SHA-256 over the config of a pipeline, with every default filled in."""
    return hashlib.sha256(nlp.config.interpolate().to_str().encode()).hexdigest()


def config_of(nlp: Language) -> dict[str, Any]:
    """The config of a pipeline with every default filled in, as JSON data."""
    return json.loads(json.dumps(nlp.config.interpolate()))


def of_inputs(inputs: Iterable[Input]) -> list[dict[str, Any]]:
    """Name, bytes and SHA-256 of each file; of standard input the name alone."""
    return [
        {"name": given.source.name, **({} if given.source.path is None else _file(given.source.path))}
        for given in inputs
    ]


def of_versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Of the packages that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _file(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": file_sha256(path)}


def _temperature(pipe: Any) -> float | None:
    return pipe.model.attrs.get("temperature") if isinstance(pipe, TransformerPipe) else None
