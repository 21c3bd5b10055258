"""Results can be written as Markdown."""

import mmpipe


@mmpipe.hookimpl
def mmpipe_writers():
    yield mmpipe.WriterSpec("markdown", "markdown_writer:Writer", (".md",), summary="a heading and a text a result")
