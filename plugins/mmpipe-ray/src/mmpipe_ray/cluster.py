"""The Ray cluster that a run is done on."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator

import ray
from ray.data import DataContext

from mmpipe.errors import MmpipeError


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[None]:
    """A connection to the cluster; one that this process has already is used, and stays.

    address: such as `10.0.0.1:6379`, or `auto` for that of this machine. None takes `RAY_ADDRESS`, or starts Ray
    here for as long as the run takes. Raises MmpipeError where there is none.
    """
    if ray.is_initialized():
        yield
        return
    address = address or os.environ.get("RAY_ADDRESS")
    # Nothing leaves the cluster that the user did not ask for.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Of what Ray's own processes write, the terminal gets what ends them; the rest is in Ray's logs.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    here = {} if address else {"include_dashboard": False}
    try:
        ray.init(address=address or "local", logging_level="ERROR", log_to_driver=False, **here)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise MmpipeError(
            f"no Ray cluster answers: {' '.join(str(error).split())[:300]}",
            where=address,
            next_step="see `ray status` there; without --ray-address, Ray is started on this machine",
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


@contextlib.contextmanager
def one_block_a_shard() -> Iterator[None]:
    """Ray Data hands on each block as it is read, however small; it is silent, for mmpipe has a bar of its own."""
    context, logger = DataContext.get_current(), logging.getLogger("ray.data")
    ours = {"target_max_block_size": 1, "target_min_block_size": 0, "enable_progress_bars": False}
    before = {name: getattr(context, name) for name in ours}, logger.level
    for name, value in ours.items():
        setattr(context, name, value)
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for name, value in before[0].items():
            setattr(context, name, value)
        logger.setLevel(before[1])
