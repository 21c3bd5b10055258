"""An engine that pauses between shards, for a machine that others use as well."""

import mmpipe


@mmpipe.hookimpl
def mmpipe_engines():
    yield mmpipe.EngineSpec("acme-gentle", "gentle_engine:gently", summary="one shard after another, with pauses")
