"""README's own listings, run as they stand."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
pytest.importorskip("documentation", reason="scripts/ is only in the repository")

from documentation.configs import Configs  # noqa: E402
from documentation.page import Listing, listings  # noqa: E402
from documentation.reader import Reader  # noqa: E402

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def found(section: str, language: str) -> list[Listing]:
    return [one for one in listings(ROOT / "README.md") if (one.section, one.language) == (section, language)]


def test_python_screen(tmp_path: Path, warm: Any) -> None:
    reader = Reader(tmp_path, warm)
    reader.follow(found("From Python", "python"))
    assert reader.printed is not None and reader.printed.startswith("negative")
    assert "'year': 2024, 'sentiment': {'label': 'positive'" in reader.printed


def test_config_screens_are_valid(tmp_path: Path) -> None:
    configs = Configs(tmp_path)
    screens = [one for section in ("A pipeline", "Your own checkpoint") for one in found(section, "ini")]
    assert len(screens) == 2
    assert [configs.faults(screen) for screen in screens] == ["", ""]


def test_plugin_in_twenty_lines(tmp_path: Path, warm: Any) -> None:
    (project,) = found("A plugin in twenty lines", "toml")
    init, component, usage = found("A plugin in twenty lines", "python")
    code = [line for one in (project, init, component) for line in one.text.splitlines()]
    assert sum(bool(line.strip()) for line in code) <= 20
    reader = Reader(tmp_path, warm)
    (packages,) = reader.environment.glob("lib/python*/site-packages")
    package, info = packages / "mmpipe_shout", packages / "mmpipe_shout-0.1.0.dist-info"
    package.mkdir()
    (package / "__init__.py").write_text(init.text, "utf-8")
    (package / "component.py").write_text(component.text, "utf-8")
    metadata = tomllib.loads(project.text)["project"]
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {metadata['name']}\nVersion: {metadata['version']}\n", "utf-8")
    points = metadata["entry-points"]["mmpipe"].items()
    (info / "entry_points.txt").write_text("[mmpipe]\n" + "".join(f"{k} = {v}\n" for k, v in points), "utf-8")
    reader.do(usage)
    wanted = re.search(r"# (\{.*\})", usage.text)
    assert wanted is not None and reader.printed == f"{wanted[1]}\n"
