"""What the templates give: no placeholder is left, and the code is in our style whatever the plugin is called."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from mmpipe.scaffold.licences import LICENCES
from mmpipe.scaffold.naming import MAX_CHARS
from mmpipe.scaffold.project import Project, bounds, render, write_project

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
Made, Make = dict[str, tuple[Project, Path]], Callable[..., Project]
# ${{ matrix.python }} is for GitHub.
PLACEHOLDER = re.compile(r"(?<!\$)\{\{|\{%|\bPACKAGE\b|\bSHORT\b|\bQUALITY\b|jinja|TODO|FIXME|\bundefined\b")


def texts(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".safetensors"]
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in files}


def test_no_placeholder_is_left(projects: Made) -> None:
    for _, folder in projects.values():
        for name, text in texts(folder).items():
            assert not PLACEHOLDER.search(text), (name, PLACEHOLDER.search(text))
            assert not PLACEHOLDER.search(name) and "dot_" not in name
            if "/models/" in name and name.endswith(".json"):
                continue  # As transformers writes them.
            assert not text or (text.endswith("\n") and not text.endswith("\n\n")), name
            assert "\n\n\n\n" not in text, name


def test_a_project_has_what_a_distribution_needs(projects: Made) -> None:
    for project, folder in projects.values():
        found, package = set(texts(folder)), project.names.package
        assert {"README.md", "LICENSE", "pyproject.toml", ".gitignore", ".github/workflows/ci.yml"} <= found
        assert {f"src/{package}/__init__.py", f"src/{package}/py.typed", "tests/test_plugin.py"} <= found
        own = {f"tests/test_{kind.name}.py" for kind in project.kinds}
        assert {name for name in found if name.startswith("tests/")} == {"tests/test_plugin.py", *own}


def test_a_component_beside_a_model_is_around_that_model(make_project: Make) -> None:
    files = {
        name: text.decode() for name, text in render(make_project("component+model", "acme")) if "models" not in name
    }
    assert '"name": "mmpipe/acme"' in files["src/mmpipe_acme/component.py"]
    assert "class UtteranceKind(TextClassifierPipe)" in files["src/mmpipe_acme/pipe.py"]
    assert not [name for name, text in files.items() if "sentiment" in text or "PhraseMatcher" in text]
    alone = {name: text.decode() for name, text in render(make_project("component", "acme"))}
    assert "PhraseMatcher" in alone["src/mmpipe_acme/component.py"] and "src/mmpipe_acme/pipe.py" not in alone


@pytest.mark.parametrize("licence", LICENCES)
def test_each_licence_has_its_text_and_its_holder(make_project: Make, licence: str) -> None:
    files = dict(render(make_project("command", "acme", licence)))
    told, text = tomllib.loads(files["pyproject.toml"].decode())["project"], files["LICENSE"].decode()
    assert told["license"] == LICENCES[licence] and told["authors"][0]["name"] == 'Ada "the \\ first" Łovelace'
    assert licence == "Apache-2.0" or "Łovelace" in text
    assert ("Private :: Do Not Upload" in told["classifiers"]) == (licence == "proprietary")
    assert ("twine upload" in files["README.md"].decode()) == (licence != "proprietary")


def test_the_code_is_in_our_style_whatever_the_plugin_is_called(
    projects: Made, make_project: Make, tmp_path: Path
) -> None:
    pytest.importorskip("ruff")
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["ruff"]
    for name in ("a", "a" * MAX_CHARS, "-".join("a" * (MAX_CHARS // 2))):
        write_project(make_project("all", name), tmp_path / name)
    for _, folder in projects.values():
        assert tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["tool"]["ruff"] == ours
    folders = [*tmp_path.iterdir(), *(folder for _, folder in projects.values())]
    for command in (["check", "--no-cache"], ["format", "--check", "--diff", "--no-cache"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *folders], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("installed", "inside", "outside"),
    [
        ("0.1.0", ["0.1.0", "0.1.9"], ["0.2.0", "0.0.9", "1.0"]),
        ("0.9.3.dev1", ["0.9.1"], ["0.10.0"]),
        ("1.2.3", ["1.2.0", "1.9"], ["1.1", "2.0"]),
    ],
)
def test_a_plugin_asks_for_this_line_of_mmpipe(installed: str, inside: list[str], outside: list[str]) -> None:
    wanted = SpecifierSet(bounds(installed))
    assert all(version in wanted for version in inside) and not any(version in wanted for version in outside)
