"""Hooks of mkdocs: pages from READMEs all over the repository, which stay where they are.

A link of a page leads where it leads in the repository: links between what is on the site are turned into the
site's own, whatever folder either page stands in. One to a file that is not on the site becomes its text.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
INCLUDED = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "corpora/*/README.md": "corpora/{1}.md",
    "plugins/*/README.md": "plugins/{1}.md",
    "plugins/*/src/*/models/*/README.md": "models/{5}.md",
}
"""Files of the repository -> pages of the site; {n} is a part of the file's path."""
_LINK = re.compile(r"(\[[^\]\n]*\])\(([^)\s#:]+)(#[^)\s]*)?\)")


def included() -> dict[str, str]:
    """File in the repository -> page, of all that is not in docs/."""
    found = {}
    for pattern, page in INCLUDED.items():
        for file in sorted(ROOT.glob(pattern)):
            path = file.relative_to(ROOT).as_posix()
            found[path] = page.format(*path.split("/"))
    return found


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Replace patterns in `nav` by the pages that match and stand nowhere else in it, sorted."""
    docs = Path(config.docs_dir)
    pages = sorted([*included().values(), *(file.relative_to(docs).as_posix() for file in docs.rglob("*.md"))])
    named = set(_named(config.nav))
    config.nav = _expanded(config.nav, [page for page in pages if page not in named])
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for path, page in included().items():
        file = File.generated(config, page, abs_src_path=str(ROOT / path))
        file.edit_uri = None
        files.append(file)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    here = Path(page.file.abs_src_path).relative_to(ROOT).as_posix()
    pages = included()

    def led(link: re.Match[str]) -> str:
        words, target, anchor = link[1], link[2], link[3] or ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(here), target))
        if not path.endswith(".md") and f"{path}/README.md" in pages:
            path = f"{path}/README.md"
        found = path.removeprefix("docs/") if path.startswith("docs/") else pages.get(path)
        if found is not None:
            return f"{words}({posixpath.relpath(found, posixpath.dirname(page.file.src_uri) or '.')}{anchor})"
        return words[1:-1] if (ROOT / path).exists() else link[0]

    return _LINK.sub(led, markdown.replace("<!-- table of plugins -->", _table_of_plugins(here)))


def _table_of_plugins(here: str) -> str:
    """Markdown: a row for each distribution in plugins/, as its pyproject.toml describes it."""
    rows = ["| plugin | what |", "|---|---|"]
    for file in sorted(ROOT.glob("plugins/*/pyproject.toml")):
        project = tomllib.loads(file.read_text("utf-8"))["project"]
        readme = posixpath.relpath(f"plugins/{file.parent.name}/README.md", posixpath.dirname(here))
        rows.append(f"| [{project['name']}]({readme}) | {project['description']} |")
    return "\n".join(rows)


def _named(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    return [name for part in (nav.values() if isinstance(nav, dict) else nav or ()) for name in _named(part)]


def _expanded(nav: Any, free: list[str]) -> Any:
    """The nav with patterns replaced by what matches them, which `free` then holds no more."""
    if isinstance(nav, dict):
        return {title: _expanded(part, free) for title, part in nav.items()}
    if not isinstance(nav, list):
        return nav
    found: list[Any] = []
    for part in nav:
        if not isinstance(part, str) or "*" not in part:
            found.append(_expanded(part, free))
            continue
        for page in [page for page in free if _matches(page, part)]:
            free.remove(page)
            found.append(page)
    return found


def _matches(page: str, pattern: str) -> bool:
    """As a shell would: a star stays within one part of the path."""
    names, wanted = page.split("/"), pattern.split("/")
    return len(names) == len(wanted) and all(map(fnmatch.fnmatchcase, names, wanted))
