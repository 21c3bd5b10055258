"""The settings of a component: what it does not know, it refuses, and none of them lets it destroy a record."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator

from confection import Config
from spacy.util import load_model_from_config

import mmpipe
from mmpipe.document import MEDIA, RECORD
from mmpipe.errors import ConfigError
from mmpipe.testing.checks.snapshot import differences, shown, snapshot
from mmpipe.testing.checks.subject import Subject, told
from mmpipe.testing.contract import Check, NotChecked, Problem, check

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


@check("reserved-field", "under no setting does a component write its results over the record or its media")
def reserved_field(subject: Subject) -> Iterator[Problem]:
    if not subject.stage.named:
        raise NotChecked("no setting of it names a field")
    for setting, field in itertools.product(subject.stage.named, (RECORD, MEDIA)):
        try:
            # By spaCy alone, as spacy.load does it: mmpipe.load refuses such a field, whoever asks for it.
            pipe = load_model_from_config(Config(subject.tree(**{setting: field})), auto_fill=True).get_pipe(
                subject.name
            )
        except Exception:
            continue
        for passage in subject.good(ordinary=True)[:1]:
            doc = subject.doc(passage.record)
            with contextlib.suppress(Exception):
                pipe(doc)
            place = f"doc._.{field}"
            for found in differences({place: snapshot(doc)[place]}, {place: passage.before[place]}, 0.0):
                got = f"with {setting} = {field!r}, {found.place} was {shown(found.wanted)} and is {shown(found.got)}"
                step = "register the field with mmpipe.document.set_extension, which refuses such names"
                yield Problem(got, step, passage.label)


CHECKS: tuple[Check, ...] = (unknown_setting, reserved_field)
