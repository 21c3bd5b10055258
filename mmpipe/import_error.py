"""An import that failed, in words: what was raised, and the line that raised it."""

from __future__ import annotations

from pathlib import Path

_OWN = {str(Path(__file__).with_name(name)) for name in ("installed.py", "names.py", "plugins.py", "registry.py")}


def told(error: BaseException) -> str:
    """`ModuleNotFoundError: No module named 'torhc' (.../component.py, line 3)`, on one line."""
    said = f"{type(error).__name__}: {' '.join(str(getattr(error, 'what', error)).split())}"
    place = place_of(error)
    return f"{said} ({place})" if place else said


def place_of(error: BaseException) -> str:
    """`FILE, line N`: where an import failed; "" where that is in no file but those that import plugins."""
    import traceback  # No `mmpipe --help` needs it.

    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename not in _OWN and not frame.filename.startswith("<") and "importlib" not in frame.filename
    ]
    return f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else ""
