import os
import time

from mmpipe.corpus.engine import in_process


def gently(job, nlp, pending):
    """Yields an entry for each shard when its files are whole, as every engine does."""
    pause_seconds = float(os.environ.get("ACME_PAUSE_SECONDS", "1"))
    for entry in in_process(job, nlp, pending):
        yield entry
        time.sleep(pause_seconds)
