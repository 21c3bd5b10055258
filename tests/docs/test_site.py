"""The site builds without a warning, leads nowhere that is not there, and fetches nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytest.importorskip("mkdocs")
if not (ROOT / "mkdocs.yml").is_file():
    pytest.skip("mkdocs.yml is only in the repository", allow_module_level=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-f", str(ROOT / "mkdocs.yml"), "-d", str(folder)],
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Tags(HTMLParser):
    """What a page loads, links to, and can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        self.ids.add(given.get("id", ""))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in ("script", "img", "iframe") and given.get("src"):
            self.loaded.append(given["src"])
        elif tag == "link" and given.get("rel") != "canonical" and given.get("href"):
            self.loaded.append(given["href"])


def test_links_lead_somewhere_and_nothing_is_fetched(site: Path) -> None:
    pages = {page: Tags(page.read_text("utf-8")) for page in site.rglob("*.html") if page.name != "404.html"}
    assert len(pages) > 20
    for page, tags in pages.items():
        for address in tags.loaded:
            assert "//" not in address and (page.parent / address.split("?")[0]).is_file(), (page, address)
        for link in tags.links:
            path, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", link):
                continue
            target = (page.parent / path).resolve() if path else page
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), (page, link)
            assert not anchor or anchor == "__skip" or anchor in pages[target].ids, (page, link)
    styles = [file.read_text("utf-8") for file in site.rglob("*.css")]
    assert styles and not [found for style in styles for found in re.findall(r"url\(['\"]?(?:https?:)?//.*?\)", style)]


def test_every_plugin_and_model_has_a_page(site: Path) -> None:
    for readme in [*ROOT.glob("plugins/*/README.md"), *ROOT.glob("plugins/*/src/*/models/*/README.md")]:
        folder = "plugins" if readme.parts[-3] == "plugins" else "models"
        assert (site / folder / f"{readme.parent.name}.html").is_file()


PATTERNS = ("*.md", "docs/**/*.md", "plugins/*/README.md", "corpora/*/README.md")
IN_REPOSITORY = sorted(file for pattern in PATTERNS for file in ROOT.glob(pattern))


@pytest.mark.parametrize("page", IN_REPOSITORY, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere_in_the_repository_too(page: Path) -> None:
    text = page.read_text("utf-8")
    for target, anchor in re.findall(r"\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]*))?\)", text):
        file = page.parent / target if target else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), flags=re.MULTILINE)
            slugs = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert anchor in slugs, f"{target}#{anchor}"
