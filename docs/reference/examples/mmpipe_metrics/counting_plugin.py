"""A metric for components that count."""

import mmpipe


@mmpipe.hookimpl
def mmpipe_metrics():
    yield mmpipe.MetricSpec("acme-count", "counting_metric:Counting", summary="how far counts are off")
