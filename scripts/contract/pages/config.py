"""docs/reference/config.md: the sections and keys of a config, what training adds, and the environment."""

from __future__ import annotations

import re

import griffe

from contract.descriptions import describe, summary
from contract.pages.architectures import typed_table
from contract.pages.markdown import MADE, default, kind, prose, settings_table, table
from contract.settings import settings_of
from contract.signatures import fields
from contract.tree import ROOT, entry_points, find

ENVIRONMENT = {
    "MMPIPE_PLUGINS": "Which plugins are loaded: unset, all; empty, none; a comma-separated list of distributions or "
    "entry points, only those. Decided before anything is imported.",
    "MMPIPE_BLOCK_PLUGINS": "Plugins that are not loaded, in the same way.",
    "MMPIPE_STRICT_PLUGINS": "`1`: a fault of any plugin ends the command.",
    "MMPIPE_CACHE": "The folder for what mmpipe makes of models, such as ONNX files; by default one in the user's own "
    "cache folder.",
    "MMPIPE_RESULT_CACHE": "Where what models say is kept, and looked for first; `mmpipe run --cache` names one, too.",
    "MMPIPE_RESULT_CACHE_GB": "What that folder may take up, in gigabytes; by default 10.",
    "MMPIPE_UNTRUSTED": "`1`: the config is a stranger's, as `mmpipe --untrusted` says; see SECURITY.md.",
    "MMPIPE_ROOTS": "Folders that an untrusted config may name files in, besides its own and the working folder.",
    "MMPIPE_FUNCTIONS": "Distributions, besides spaCy's and plugins', whose registered functions a config may name.",
    "MMPIPE_LOCKED": "A lock file that all models must stand in, as `mmpipe run --locked` says.",
    "HF_HUB_OFFLINE": "`1`: no model is fetched from the network; `offline = true` in a model block says so for one.",
}


def page() -> str:
    sections, nlp = (find(f"mmpipe.config.schema.{name}") for name in ("PipelineSchema", "NlpSection"))
    parts = [
        MADE,
        "# Config",
        "A pipeline is spaCy's own config, in a `.cfg`, `.toml`, `.yaml` or `.json` file, or a Python dict. Any key "
        "can be overridden on the command line, `--components.summary.ratio=0.2`, and in "
        '`mmpipe.load(..., {"components.summary.ratio": 0.2})`. An unknown key is an error that names the nearest '
        "right one. `mmpipe config PIPELINE` prints a pipeline with every default filled in.",
        "## Sections",
        _model(sections),
        "## [nlp]",
        _model(nlp),
        "## [components.NAME]",
        "`factory`: the registered name of a component, [those of the plugins here](components.md) or any of spaCy's; "
        "it may be left out where NAME is that of a factory. All other keys are the component's settings; "
        "`[components.NAME.model]` is its model block, with `@architectures` and the settings of "
        "[that architecture](architectures.md). A block that leaves `@architectures` out has the component's own.",
        "## Training",
        "What mmpipe registers for spaCy's training config; [training](../training.md) tells how to use it.",
    ]
    for word, group in (("@readers", "spacy_readers"), ("@batchers", "spacy_batchers")):
        for name, path, _ in sorted(entry_points(group), key=lambda found: found[0]):
            function = find(path)
            parts += [f"### {name}", f'`{word} = "{name}"`. {prose(summary(function))}']
            parts.append(settings_table(settings_of(function), function.module))
    parts += ["### One of the `sources` of mmpipe.JsonlCorpus.v1", typed_table("mmpipe.train.corpus.SourceTable")]
    parts += ["## Environment", table(("variable", "meaning"), ((f"`{k}`", v) for k, v in ENVIRONMENT.items()))]
    return "\n\n".join(parts) + "\n"


def _model(found: griffe.Class) -> str:
    told = describe(found, [field.name for field in fields(found)])
    rows = []
    for field in fields(found):
        value = "" if field.value is None else str(field.value)
        words = kind(str(field.annotation), found.module)
        rows.append((f"`{field.name}`", words, default(value), prose(told.get(field.name, ""))))
    return table(("key", "value", "default", "meaning"), rows)


def variables() -> set[str]:
    """The environment variables of mmpipe's own that its source names."""
    sources = (file.read_text("utf-8") for file in ROOT.glob("mmpipe/**/*.py"))
    return {name for text in sources for name in re.findall(r"[\"'](MMPIPE_[A-Z_]+)[\"']", text)}
