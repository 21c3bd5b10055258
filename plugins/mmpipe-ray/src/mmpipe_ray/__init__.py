"""The engine `ray` for mmpipe: the shards of a run by Ray Data, on this machine or a cluster."""

from collections.abc import Iterable

import mmpipe

api_version = 1


@mmpipe.hookimpl
def mmpipe_engines() -> Iterable[mmpipe.EngineSpec]:
    yield mmpipe.EngineSpec("ray", "mmpipe_ray.engine:on_ray", "Ray Data, on this machine or a cluster")
