"""A command: mmpipe acme-words FILE."""

import mmpipe


@mmpipe.hookimpl
def mmpipe_commands():
    yield mmpipe.CommandSpec("acme-words", "words_command:words", summary="Count the words of results.")
