"""Personal data for mmpipe: found and masked by the component `mmpipe_privacy`."""

from collections.abc import Iterable

import mmpipe

api_version = 1


@mmpipe.hookimpl
def mmpipe_components() -> Iterable[mmpipe.ComponentSpec]:
    yield mmpipe.ComponentSpec("mmpipe_privacy", "mmpipe_privacy.factory", "finds and masks personal data")


@mmpipe.hookimpl
def mmpipe_pipelines() -> Iterable[mmpipe.PipelineSpec]:
    config = {
        "nlp": {"lang": "xx", "pipeline": ["privacy"]},
        "components": {"privacy": {"factory": "mmpipe_privacy"}},
    }
    yield mmpipe.PipelineSpec("privacy", config, "masks e-mails, phones, cards, IBANs, IP addresses and URLs")


@mmpipe.hookimpl
def mmpipe_commands() -> Iterable[mmpipe.CommandSpec]:
    yield mmpipe.CommandSpec("privacy", "mmpipe_privacy.commands:app", "Make keys, and turn pseudonyms back.")
