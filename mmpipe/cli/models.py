"""`mmpipe models list`, `mmpipe models pack`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from mmpipe.plugins import get_plugins

_BACKBONE = "sentence-transformers/all-MiniLM-L6-v2"

app = typer.Typer(
    help="The models that plugins ship.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)


@app.callback()
def models() -> None:
    """The models that plugins ship."""


@app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Every shipped model: name, size, licence, what it is for, and which plugin ships it. Their cards say more."""
    found = describe()
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return
    width = max((len(model["name"]) for model in found), default=0)
    for model in found:
        size = "missing" if model["size_bytes"] is None else f"{model['size_bytes'] / 1e6:.1f} MB"
        print(f"{model['name']:<{width}}  {size:>8}  {model['summary']}")
        for key in ("licence", "backbone", "card"):
            if model[key]:
                print(f"    {key:<9} {model[key]}")


@app.command("pack")
def pack_model(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="A trained model: DIR/model-best/COMPONENT/model")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Gets the overlay.")],
    base: Annotated[str, typer.Option(help="The packaged backbone that it was trained from.")] = _BACKBONE,
    force: Annotated[bool, typer.Option("--force", "-F", help="Replace an older overlay in FOLDER.")] = False,
) -> None:
    """Make of a fine-tuned model what a plugin ships: the weights that its packaged backbone does not have.

    mmpipe.ModelSpec(name, FOLDER) then offers it under a name.
    """
    from mmpipe.errors import MmpipeError
    from mmpipe.models.overlay import OVERLAY, write_overlay

    if (output / OVERLAY).exists() and not force:
        raise MmpipeError("holds an overlay already", where=str(output), next_step="name another -o, or use --force")
    names = write_overlay(checkpoint, base, output)
    size = (output / OVERLAY).stat().st_size / 1e6
    print(f"{output}: {len(names)} tensors, {size:.1f} MB, on {base}")


def describe() -> list[dict[str, Any]]:
    """What `mmpipe models list --json` prints.

    size_bytes: of all files in its folder, None where that is missing. backbone: the packaged model that it stands on.
    """
    registry = get_plugins()
    found = []
    for name in registry.names("models"):
        provided = registry.find("models", name)
        if provided is None:
            continue
        folder = Path(provided.spec.folder)
        found.append(
            {
                "name": name,
                "licence": provided.spec.licence,
                "summary": provided.spec.summary,
                "plugin": provided.plugin.origin,
                "folder": str(folder),
                "card": str(folder / "README.md") if (folder / "README.md").is_file() else None,
                "size_bytes": _size(folder),
                "backbone": _backbone(folder),
            }
        )
    return found


def _size(folder: Path) -> int | None:
    if not folder.is_dir():
        return None
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _backbone(folder: Path) -> str | None:
    try:
        overlay = json.loads((folder / "overlay.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return overlay.get("base") if isinstance(overlay, dict) else None
