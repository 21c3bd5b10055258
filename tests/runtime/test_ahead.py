"""Work done ahead: in order, bounded, each error where it belongs, and no thread left behind."""

from __future__ import annotations

import threading
import time

import pytest

from mmpipe.runtime.ahead import ahead


def test_results_come_in_order_and_errors_in_their_place():
    def half(number: int) -> float:
        time.sleep(0.002 * (number % 3))
        if number == 5:
            raise ValueError("five")
        return number / 2

    found = list(ahead(half, range(9)))
    assert [get() for number, get in enumerate(found) if number != 5] == [n / 2 for n in range(9) if n != 5]
    with pytest.raises(ValueError, match="five"):
        found[5]()


def test_it_runs_while_the_first_is_used_and_no_further_than_asked():
    started: list[int] = []
    first = next(stream := ahead(started.append, range(100), n_threads=2, n_ahead=3))
    first()
    deadline = time.monotonic() + 10
    while len(started) < 4 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.05)
    assert sorted(started) == [0, 1, 2, 3]
    stream.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("mmpipe-ahead")]


def test_waiting_overlaps():
    """Six waits of a tenth of a second, on two threads, beside six uses as long."""
    began = time.perf_counter()
    for get in ahead(lambda _: time.sleep(0.1), range(6)):
        get()
        time.sleep(0.1)
    assert time.perf_counter() - began < 1.1
