"""A component that says how loud a text is."""

import mmpipe

api_version = 1


@mmpipe.hookimpl
def mmpipe_components():
    yield mmpipe.ComponentSpec("acme_loudness", module="loudness_component", summary="how loud a text is")
