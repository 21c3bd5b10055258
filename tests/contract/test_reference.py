"""docs/reference is what the code says: every hook, spec field, command, option, setting and default, and no other."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

pytest.importorskip("griffe")

from contract.imports import plugins
from contract.pages import cli, components, config
from contract.settings import architectures, factories, settings_of
from contract.tree import find
from reference import FOLDER, PAGES, differences

ROOT = Path(__file__).parents[2]


def installed() -> bool:
    from mmpipe.plugins import get_plugins

    return {dist.name for dist in plugins()} <= {p.distribution for p in get_plugins().plugins if p.status == "loaded"}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_code_says(name: str) -> None:
    if name == "cli" and not installed():
        pytest.skip("not all plugins are installed")
    told = differences(name)
    assert not told, f"run `python scripts/reference.py`:\n{told}"


def test_no_page_is_left_over() -> None:
    there = {file.relative_to(FOLDER).with_suffix("").as_posix() for file in FOLDER.rglob("*.md")}
    assert there == {"index", *PAGES}


def test_every_public_name_is_on_a_page_of_python_with_its_signature() -> None:
    from contract.public import public

    text = "\n".join(page() for name, page in PAGES.items() if name.startswith("python/"))
    for row in public():
        section = text.partition(f"\n## {row.module}\n")[2].partition("\n## ")[0]
        assert [name for name in row.names if not re.search(rf"### {name}\n|`{name}`", section)] == []
    assert "def check_component(\n    factory: str,\n" in text


def test_a_page_that_lacks_or_invents_a_row_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import reference

    text = (FOLDER / "components.md").read_text("utf-8")
    row = next(line for line in text.splitlines() if line.startswith("| `top_k` "))
    monkeypatch.setattr(reference, "FOLDER", tmp_path)
    for page in (text.replace(row + "\n", ""), text.replace(row, f"{row}\n{row.replace('top_k', 'top_n')}")):
        (tmp_path / "components.md").write_text(page, "utf-8")
        assert "top_" in reference.differences("components")


def test_an_undescribed_setting_is_told() -> None:
    from contract.pages.markdown import table

    with pytest.raises(ValueError, match="`colour` is not described"):
        table(("setting", "meaning"), [("`size`", "how large"), ("`colour`", "")])


def test_every_component_and_architecture_has_its_settings() -> None:
    text = components.page()
    for dist in plugins():
        for name in dist.entry_points.get("spacy_factories", {}):
            assert f"\n## {name}\n" in text
    for name, path in architectures():
        page = PAGES["architectures"]().partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        for setting in settings_of(find(path)):
            assert f"| `{setting.name}` |" in page


def test_every_environment_variable_is_told() -> None:
    # HF_HUB_OFFLINE is not ours.
    assert config.variables() == config.ENVIRONMENT.keys() - {"HF_HUB_OFFLINE"}


@pytest.mark.skipif(not installed(), reason="not all plugins are installed")
def test_every_option_is_told() -> None:
    """Held against the help that users see."""
    text = cli.page()
    found = list(cli.commands())
    assert {"run", "plugins list", "models pack"} <= {name for name, *_ in found}
    for name, command, _ in found:
        part = text.partition(f"\n## mmpipe {name}\n")[2].partition("\n## ")[0]
        options = [spelling for option in cli.options_of(command) for spelling in option.opts]
        assert [spelling for spelling in options if f"`{spelling}`" not in part] == []
        assert part.count("\n| `-") == len(cli.options_of(command))


def test_defaults_are_those_that_spacy_has() -> None:
    """The pages read the source; this asks the factories themselves."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import importlib

    from spacy.language import Language

    for factory in factories():
        path = factory.distribution.entry_points["spacy_factories"][factory.name]
        importlib.import_module(path.partition(":")[0])
        meta = Language.get_factory_meta(factory.name)
        shown = {setting.name: setting.default for setting in factory.settings}
        assert shown == {name: repr(value) for name, value in meta.default_config.items()}
        assert (factory.assigns, factory.requires) == (list(meta.assigns), list(meta.requires))
