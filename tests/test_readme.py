"""README's own listings, run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def listings(section: str, language: str) -> list[str]:
    text = README.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def run(code: str, cwd: Path, **environ: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_python_screen(tmp_path):
    (listing,) = listings("From Python", "python")
    (tmp_path / "corpora").symlink_to(ROOT / "corpora")
    printed = run(listing, tmp_path)
    assert printed.startswith("negative")
    assert "'year': 2024, 'sentiment': {'label': 'positive'" in printed


@pytest.mark.parametrize("section", ["A pipeline", "Your own checkpoint"])
def test_config_screens_are_valid(section):
    from mmpipe.config import read_pipeline
    from mmpipe.config.spelling import SPELLINGS
    from mmpipe.plugins import get_plugins

    (listing,) = listings(section, "ini")
    (base,) = listings("A pipeline", "ini")
    if section != "A pipeline":
        listing = (
            base.split("\n[components.summary]")[0]
            + '\n[components.summary]\nfactory = "mmpipe_summariser"\n'
            + listing
        )
    listing = re.sub(r" +# .*", "", listing)
    assert read_pipeline(SPELLINGS[".cfg"](listing), None, get_plugins()).faults == ()


def test_plugin_in_twenty_lines(tmp_path):
    (project,) = listings("A plugin in twenty lines", "toml")
    init, component, usage = listings("A plugin in twenty lines", "python")
    assert sum(bool(line.strip()) for text in (project, init, component) for line in text.splitlines()) <= 20
    package = tmp_path / "mmpipe_shout"
    package.mkdir()
    (package / "__init__.py").write_text(init, "utf-8")
    (package / "component.py").write_text(component, "utf-8")
    metadata = tomllib.loads(project)["project"]
    info = tmp_path / "mmpipe_shout-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {metadata['name']}\nVersion: {metadata['version']}\n", "utf-8")
    points = metadata["entry-points"]["mmpipe"].items()
    (info / "entry_points.txt").write_text("[mmpipe]\n" + "".join(f"{k} = {v}\n" for k, v in points), "utf-8")
    printed = run(usage, tmp_path, PYTHONPATH=str(tmp_path))
    assert printed.strip() == re.search(r"# (\{.*\})", usage).group(1)
