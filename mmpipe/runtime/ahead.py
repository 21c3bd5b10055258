"""Work done on threads before its turn comes, so that who needs it does not wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

N_THREADS, N_AHEAD = 2, 4


def ahead(
    function: Callable[[Item], Result], items: Iterable[Item], *, n_threads: int = N_THREADS, n_ahead: int = N_AHEAD
) -> Iterator[Callable[[], Result]]:
    """For each item, in order, a function that gives `function(item)`, or raises what that raised.

    n_ahead: how many results at most wait to be asked for. Nothing is begun before the first is asked for; what waits
    when the iterator is closed is dropped.
    """
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="mmpipe-ahead")
    is_done = False
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > n_ahead:
                yield waiting.popleft().result
        while waiting:
            yield waiting.popleft().result
        is_done = True
    finally:
        pool.shutdown(wait=True, cancel_futures=not is_done)
