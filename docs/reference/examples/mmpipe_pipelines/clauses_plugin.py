"""A pipeline that has a name."""

import mmpipe


@mmpipe.hookimpl
def mmpipe_pipelines():
    config = {
        "nlp": {"lang": "en", "pipeline": ["sentencizer"]},
        "components": {"sentencizer": {"factory": "sentencizer", "punct_chars": ["!", ".", "?", ";"]}},
    }
    yield mmpipe.PipelineSpec("acme-clauses", config, summary="sentences, which a semicolon ends as well")
