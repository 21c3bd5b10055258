"""Errors say what, where and what to do next, and cross processes whole."""

from __future__ import annotations

import pickle

import pytest

from mmpipe.errors import ConfigError, Fault, MmpipeError, ModelError, NoInputError, PluginError, RecordError


@pytest.mark.parametrize("kind", [MmpipeError, PluginError, ModelError, RecordError, NoInputError, ConfigError])
def test_message_and_pickle(kind: type[MmpipeError]) -> None:
    error = kind("got 5", where="a.b", next_step="write 6")
    assert str(error) == "a.b: got 5\n  next: write 6"
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind and str(again) == str(error) and again.next_step == "write 6"
    assert str(kind("got 5")) == "got 5"


def test_config_error_lists_every_fault() -> None:
    faults = [Fault("nlp.lang", "missing", "add it"), Fault("components.x", "odd", "mend it")]
    error = pickle.loads(pickle.dumps(ConfigError("2 faults", where="p.cfg", faults=faults)))
    assert str(error) == "p.cfg: 2 faults\n- nlp.lang: missing\n  next: add it\n- components.x: odd\n  next: mend it"
    assert error.faults == tuple(faults)
