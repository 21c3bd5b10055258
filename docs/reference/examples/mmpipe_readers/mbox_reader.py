import email
import email.policy

from mmpipe import RecordError
from mmpipe.corpus.source import Item, Source


def read(source: Source):
    """One item a message. One without a text becomes an item with an error, and the others are read."""
    with source.open() as stream:  # Unpacks .gz, .xz and .zst, and is standard input where the source is.
        for number, raw in enumerate(messages(stream), start=1):
            origin = f"{source.name}:{number}"
            message = email.message_from_bytes(raw, policy=email.policy.default)
            body = message.get_body(("plain",))
            if body is None:
                error = RecordError("the message has no plain text", where=origin, next_step="convert it")
                yield Item(origin, error=error, raw=raw.decode("utf-8", "replace"))
                continue
            yield Item(origin, {"text": body.get_content().strip(), "subject": message["subject"]})


def messages(stream):
    """The bytes of each message: a line that begins with `From ` stands before it."""
    lines: list[bytes] = []
    for line in stream:
        if line.startswith(b"From ") and lines:
            yield b"".join(lines)
            lines = []
        elif not line.startswith(b"From "):
            lines.append(line)
    if lines:
        yield b"".join(lines)
