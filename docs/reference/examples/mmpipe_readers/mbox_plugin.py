"""Mailboxes can be read: a message is a record."""

import mmpipe


@mmpipe.hookimpl
def mmpipe_readers():
    yield mmpipe.ReaderSpec("mbox", "mbox_reader:read", (".mbox",), summary="a message is a record")
