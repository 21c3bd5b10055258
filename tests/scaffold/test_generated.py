"""Generated projects are built, installed into an environment that is fresh for them, tested there, and uninstalled.

The environment is a venv over the packages of this one: what mmpipe needs is there, what the projects bring is not.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
from packaging.metadata import Metadata
from packaging.utils import parse_wheel_filename

from mmpipe.scaffold.project import TEMPLATES, Project

pytest.importorskip("hatchling")
pytest.importorskip("pip")
ROOT = Path(__file__).parents[2]
Made = dict[str, tuple[Project, Path]]
OFFLINE = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
PIP = ("-m", "pip", "-q")


@dataclass(frozen=True)
class Environment:
    """A venv in which the wheels are installed. python: its interpreter. wheels: kind -> wheel."""

    python: Path
    wheels: dict[str, Path]

    def run(self, *arguments: str | Path, cwd: Path | None = None) -> str:
        return run(self.python, *arguments, cwd=cwd)

    def plugins(self) -> dict[str, dict[str, Any]]:
        """Distribution -> what `mmpipe plugins list` says of it."""
        listed = json.loads(self.run("-m", "mmpipe", "plugins", "list", "--json"))
        return {plugin["distribution"]: plugin for plugin in listed}


def run(python: str | Path, *arguments: str | Path, cwd: Path | None = None) -> str:
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("MMPIPE_", "PYTEST_"))}
    done = subprocess.run(
        [str(python), *map(str, arguments)],
        cwd=cwd,
        env={**environ, **OFFLINE},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def environment(projects: Made, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    root = tmp_path_factory.mktemp("environment")
    folders = {project.names.distribution: (kind, folder) for kind, (project, folder) in projects.items()}
    build = [*PIP, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "-w", root / "dist"]
    run(sys.executable, *build, *(folder for _, folder in folders.values()))
    wheels = {folders[parse_wheel_filename(file.name)[0]][0]: file for file in (root / "dist").glob("*.whl")}
    venv.create(root / "venv", with_pip=False)
    python = root / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    own = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    standard = Path(sysconfig.get_path("stdlib")).resolve()
    folders_below = [path.resolve() for path in map(Path, sys.path) if path.is_dir()]
    below = [path for path in folders_below if path not in (standard, standard / "lib-dynload")]
    (Path(own) / "below.pth").write_text("".join(f"{path}\n" for path in below), "utf-8")
    made = Environment(python, wheels)
    made.run(*PIP, "install", "--no-deps", "--no-index", *wheels.values())
    yield made
    made.run(*PIP, "uninstall", "-y", *folders)
    assert not made.plugins().keys() & folders.keys()


def test_each_is_listed_as_loaded_with_what_it_provides(projects: Made, environment: Environment) -> None:
    listed = environment.plugins()
    for project, _ in projects.values():
        plugin = listed[project.names.distribution]
        assert (plugin["status"], plugin["error"], plugin["version"]) == ("loaded", None, "0.1.0")
        assert plugin["provides"] == {
            kind.registered: [project.names.provided(kind, project.kinds)] for kind in project.kinds
        }


def test_each_passes_its_own_tests(projects: Made, environment: Environment) -> None:
    config = projects["all"][1] / "pyproject.toml"
    command = ["-m", "pytest", "-q", "-c", config, "-p", "no:cacheprovider", "--durations=10"]
    said = environment.run(*command, *(folder / "tests" for _, folder in projects.values()), cwd=projects["all"][1])
    assert re.search(r"^\d+ passed(, \d+ warnings?)? in ", said, re.MULTILINE), said


def test_what_each_readme_prints(projects: Made, environment: Environment) -> None:
    program, wanted = [], []
    for _, folder in projects.values():
        for listing in re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text("utf-8"), re.DOTALL):
            program.append(listing)
            wanted += re.findall(r"print\(.*\)  # (.*)", listing)
    assert len(program) == 8 and len(wanted) == 10
    assert environment.run("-W", "ignore", "-c", "\n".join(program)).splitlines() == wanted


def test_the_metadata_is_valid(projects: Made, environment: Environment) -> None:
    assert set(environment.wheels) == set(projects)
    for kind, wheel in environment.wheels.items():
        project = projects[kind][0]
        with zipfile.ZipFile(wheel) as archive:
            names = set(archive.namelist())
            (info,) = {name.partition("/")[0] for name in names if ".dist-info/" in name}
            told = archive.read(f"{info}/METADATA")
            points = archive.read(f"{info}/entry_points.txt").decode()
        metadata = Metadata.from_email(told, validate=True)
        assert metadata.name == project.names.distribution and metadata.license_expression == "Apache-2.0"
        assert {"mmpipe"} <= {requirement.name for requirement in metadata.requires_dist or ()}
        assert BytesParser().parsebytes(told)["Description-Content-Type"] == "text/markdown"
        assert {f"{project.names.package}/py.typed", f"{info}/licenses/LICENSE"} <= names
        assert "[mmpipe]" in points and ("[spacy_factories]" in points) == ("component" in project.values()["has"])
        assert not any(name.startswith(("tests/", "recipes/")) for name in names)


@pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="not in the repository")
def test_mmpipes_own_wheel_holds_every_template(tmp_path: Path) -> None:
    run(sys.executable, *PIP, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "-w", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {file.relative_to(TEMPLATES.parents[1]) for file in TEMPLATES.rglob("*") if file.is_file()}
    assert len(wanted) > 30 and not {f"mmpipe/{path.as_posix()}" for path in wanted} - names
