"""A log of failures, a line each, without the records' own text."""

from pathlib import Path

import mmpipe


@mmpipe.hookimpl
def mmpipe_document_failed(failure):
    with Path("alarm.log").open("a") as log:
        print(failure["origin"], failure["component"], failure["plugin"], failure["error"], file=log)
