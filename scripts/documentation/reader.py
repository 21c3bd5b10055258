"""Someone who follows a page to the letter, in a folder and a virtual environment of their own."""

from __future__ import annotations

import doctest
import json
import os
import re
import subprocess
import sys
import textwrap
import venv
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from documentation.configs import Configs
from documentation.page import Listing
from documentation.warm import Warm

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
_LAX = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
_COLOUR = re.compile("\x1b\\[[0-9;]*m")
_OWN = ".reader"
"""Where the environment is, and what else is no business of the page's."""


class ListingError(Exception):
    """A listing does not do what its page says."""

    def __init__(self, listing: Listing, said: str) -> None:
        super().__init__(f"{listing.place}: {said}")


class Reader:
    """Writes the files of a page, runs its commands and scripts, and compares what they print.

    folder: an empty one. `corpora` in it is the project's. Packages are those of this interpreter, and what the page
    installs: from folders only, without an index.
    """

    def __init__(self, folder: Path, warm: Warm) -> None:
        self.folder = self.here = folder
        self.configs = Configs(folder)
        self.printed: str | None = None
        (folder / "corpora").symlink_to(ROOT / "corpora")
        self.environment = folder / _OWN / "environment"
        venv.EnvBuilder(symlinks=True).create(self.environment)
        (packages,) = self.environment.glob("lib/python*/site-packages")
        ours = [path for path in sys.path if path.endswith("-packages")]
        (packages / "base.pth").write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in ours))
        for command in ("mmpipe", "pytest", "script"):
            warm.install(command, self.environment)
        self._install("pip", f'exec {self._bin("python3")} -m pip "$@"')
        self._install(
            "python",
            f'if [ "$1 $2" = "-m pytest" ]; then shift 2; exec {self._bin("pytest")} "$@"; fi\n'
            f'exec {self._bin("python3")} "$@"',
        )

    def follow(self, page: Iterable[Listing]) -> None:
        """Do all that a page says, in its order. Raises ListingError at the first listing that is wrong."""
        for listing in page:
            self.do(listing)

    def do(self, listing: Listing) -> None:
        language = listing.language
        if language == "text" and self.printed is not None and listing.title is None:
            self._compare(listing, listing.text, self.printed)
        self.printed = None
        if not language or listing.excuse is not None:
            return
        if language == "diff":
            self._change(listing)
        elif listing.title is not None:
            self._write(listing)
        elif language == "console":
            self._type(listing)
        elif language in ("python", "given"):
            self.printed = self._script(listing)
        elif language == "ini":
            said = self.configs.faults(listing)
            if said:
                raise ListingError(listing, said)
        elif language in ("json", "toml"):
            (json if language == "json" else tomllib).loads(listing.text)
        elif language != "text":
            raise ListingError(listing, f"{language!r} is neither run nor excused: see {Listing.__module__}")

    def _write(self, listing: Listing) -> None:
        file = self.here / str(listing.title)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(listing.text, "utf-8")
        if file.suffix == ".py":
            compile(listing.text, str(file), "exec")

    def _change(self, listing: Listing) -> None:
        file = self.here / str(listing.title)
        lines = listing.text.splitlines(keepends=True)
        old, new = ("".join(line[1:] for line in lines if line[0] in f" {kind}") for kind in "-+")
        text = file.read_text("utf-8")
        if text.count(old) != 1:
            raise ListingError(listing, f"{listing.title} holds this {text.count(old)} times:\n{old}\nin\n{text}")
        file.write_text(text.replace(old, new), "utf-8")

    def _type(self, listing: Listing) -> None:
        steps = re.split(r"^\$ ", listing.text, flags=re.MULTILINE)
        if steps[0].strip():
            raise ListingError(listing, "a console begins with `$ `")
        for step in steps[1:]:
            # A command goes on behind a backslash, or on lines that begin with `> `.
            found = re.match(r"(?:.*\\\n)*.*\n(?:> .*\n)*", step)
            command = re.sub(r"^> ", "", found[0], flags=re.MULTILINE)
            printed = self._shell(listing, command)
            self._compare(listing, step[found.end() :], printed, command)

    def _script(self, listing: Listing) -> str:
        code = listing.text
        if listing.language == "given":
            code = textwrap.dedent(code)
        script = self.here / f"listing_{listing.line}.py"
        script.write_text(code, "utf-8")
        try:
            return self._shell(listing, f"script {script.name}")
        finally:
            script.unlink()

    def _shell(self, listing: Listing, command: str) -> str:
        left = self.folder / _OWN / "folder"
        done = subprocess.run(
            ["bash", "-c", f"{command.rstrip()}\ncode=$?; pwd > {left}; exit $code"],
            cwd=self.here,
            env=self._environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=600,
        )
        if done.returncode != listing.exit_code:
            raise ListingError(listing, f"{command.strip()} ended with {done.returncode}:\n{done.stdout}")
        self.here = Path(left.read_text("utf-8").strip())
        return done.stdout

    def _compare(self, listing: Listing, wanted: str, got: str, command: str = "") -> None:
        got = _COLOUR.sub("", got)
        if wanted.strip() and not doctest.OutputChecker().check_output(wanted.strip() + "\n", got.strip() + "\n", _LAX):
            raise ListingError(listing, f"{command}printed\n{got}\nwhere the page has\n{wanted}")

    def _environ(self) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{self._bin('')}{os.pathsep}{os.environ['PATH']}",
            "VIRTUAL_ENV": str(self.environment),
            "HF_HUB_OFFLINE": "1",
            "MMPIPE_CACHE": str(self.folder / _OWN / "cache"),
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it the other way round: this is --no-build-isolation.
            # With transformers 5 this environment lacks what mmpipe requires, and there is no index to get it from.
            **({} if find_spec("spacy_transformers") else {"PIP_NO_DEPS": "1"}),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "COLUMNS": "100",
            "NO_COLOR": "1",
        }

    def _bin(self, name: str) -> str:
        return str(self.environment / "bin" / name)

    def _install(self, name: str, code: str) -> None:
        file = self.environment / "bin" / name
        file.unlink(missing_ok=True)
        file.write_text(f"#!/bin/sh\n{code}\n", "utf-8")
        file.chmod(0o755)
