"""The settings of a component: what it does not know, it refuses."""

from __future__ import annotations

from collections.abc import Iterator

import mmpipe
from mmpipe.errors import ConfigError
from mmpipe.testing.checks.subject import Subject, told
from mmpipe.testing.contract import Check, Problem, check

_UNKNOWN = "no_such_setting"


@check("unknown-setting", "a setting that the factory does not know is refused with a ConfigError that names it")
def unknown_setting(subject: Subject) -> Iterator[Problem]:
    step = "name each setting as a parameter of the factory, without **kwargs"
    try:
        mmpipe.load(subject.tree(**{_UNKNOWN: 1}), weights=False)
    except ConfigError as error:
        if _UNKNOWN not in str(error):
            yield Problem(f"the setting {_UNKNOWN!r} was refused, but not by name: {told(error)}", step)
    except Exception as error:
        yield Problem(f"the setting {_UNKNOWN!r} raised {told(error)}", step)
    else:
        yield Problem(f"the setting {_UNKNOWN!r} was taken without a word", step)


CHECKS: tuple[Check, ...] = (unknown_setting,)
