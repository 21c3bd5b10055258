"""What a plugin may import: import-linter's contracts for the plugins of the tree, and the names behind the modules."""

from __future__ import annotations

import ast
import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from contract.public import exceptions, names_of, public
from contract.tree import ROOT, Distribution, distributions, modules

HEAVY = ("spacy", "thinc", "torch", "transformers")
GUIDANCE = "docs/plugin-api.md lists what a plugin may import"


def plugins() -> list[Distribution]:
    """The distributions of the tree that are plugins of mmpipe."""
    return [dist for dist in distributions() if "mmpipe" in dist.entry_points]


def configuration() -> str:
    """import-linter's, in INI format: only public modules, no other plugin, nothing heavy in the module of hooks."""
    packages = [package for dist in plugins() for package in dist.packages]
    private = sorted(set(modules("mmpipe")) - {row.module for row in public()})
    sections = [_section("importlinter", root_packages=["mmpipe", *packages], include_external_packages="True")]
    for package in packages:
        ignored = [f"{importer} -> {module}" for importer, module in exceptions() if _is_in(importer, package)]
        others = [module for other in packages if other != package for module in modules(other)]
        sections.append(
            _section(
                f"importlinter:contract:{package}",
                name=f"{package} imports only what is public",
                type="forbidden",
                source_modules=modules(package),
                forbidden_modules=[*private, *others],
                ignore_imports=ignored,
                allow_indirect_imports="True",
                as_packages="False",
                broken_contract_guidance=GUIDANCE,
            )
        )
        sections.append(
            _section(
                f"importlinter:contract:{package}_hooks",
                name=f"{package} registers without anything heavy",
                type="forbidden",
                source_modules=[package],
                forbidden_modules=list(HEAVY),
                allow_indirect_imports="True",
                as_packages="False",
            )
        )
    return "\n".join(sections)


def lint() -> int:
    """Run import-linter; its exit status. It prints what it finds."""
    from importlinter.cli import lint_imports

    with tempfile.TemporaryDirectory() as folder, _importable():
        file = Path(folder) / "importlinter.ini"
        file.write_text(configuration(), "utf-8")
        return lint_imports(str(file), no_cache=True)


def private_names() -> list[str]:
    """Names that plugins take from public modules and that are not public: `file:line: module.name`."""
    files = [file for dist in plugins() for file in sorted(dist.source.rglob("*.py"))]
    return [f"{file.relative_to(ROOT)}:{told}" for file in files for told in private_names_in(file)]


def private_names_in(file: Path, *, is_alone: bool = False) -> list[str]:
    """The same of one file. is_alone: names of private modules, too, which are otherwise import-linter's affair."""
    taken = _taken(ast.parse(file.read_text("utf-8")))
    return [f"{number}: {name}" for number, name in taken if not _is_public(name, is_alone)]


def _taken(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of what is imported from mmpipe, and of what is read from its modules."""
    bound: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and _is_in(node.module, "mmpipe") and not node.level:
            for alias in node.names:
                bound[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield node.lineno, f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            bound |= {alias.asname or "mmpipe": alias.name for alias in node.names if _is_in(alias.name, "mmpipe")}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = bound.get(node.value.id, "")
            if names_of(module) is not None:
                yield node.lineno, f"{module}.{node.attr}"


def _is_public(name: str, is_alone: bool) -> bool:
    module, _, last = name.rpartition(".")
    names = names_of(module)
    if names is None:
        return not is_alone or names_of(name) is not None
    return last in names or names_of(name) is not None or last.startswith("__")


def _is_in(module: str, package: str) -> bool:
    return f"{module}.".startswith(f"{package}.")


def _section(title: str, **entries: str | list[str]) -> str:
    lines = [f"[{title}]"]
    for key, value in entries.items():
        if isinstance(value, str):
            lines.append(f"{key} = {value}")
        elif value:
            lines.append("".join([f"{key} =", *(f"\n    {item}" for item in value)]))
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def _importable() -> Iterator[None]:
    """The plugins' sources can be found, installed or not. They are read and not imported."""
    before = list(sys.path)
    sys.path[:0] = [str(dist.source) for dist in distributions()]
    try:
        yield
    finally:
        sys.path[:] = before
