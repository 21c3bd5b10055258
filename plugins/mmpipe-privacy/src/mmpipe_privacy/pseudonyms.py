"""Pseudonyms: what was found, encrypted with a key, so that it can be turned back with it and with nothing else.

AES-SIV (RFC 5297) is deterministic: equal values of a kind have equal pseudonyms under a key, in every process. It is
authenticated: another key, or a pseudonym that was changed, gives an error and never another value.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from mmpipe import ConfigError, MmpipeError

KEY_BYTES = 64
_ALLOWED_BYTES = (32, 48, 64)
TOKEN = re.compile(r"\[([A-Z][A-Z0-9_]*):([A-Za-z0-9_-]{23,})\]")
"""A pseudonym: its kind, and its bytes in URL-safe base64."""


class Key:
    """A secret key. Neither its text nor that of an object that holds it tells what it is.

    secret: 32, 48 or 64 bytes.
    """

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESSIV(secret)
        self._hash_key = hmac.digest(secret, b"mmpipe-privacy.hash.v1", hashlib.sha256)

    def __reduce__(self) -> tuple:
        raise TypeError("a key is not written anywhere: read it again where it is needed")

    def pseudonym(self, kind: str, value: str) -> str:
        """`[EMAIL:...]`, of a value as it is written."""
        sealed = self._cipher.encrypt(value.encode("utf-8"), [_context(kind)])
        return f"[{kind.upper()}:{base64.urlsafe_b64encode(sealed).decode('ascii').rstrip('=')}]"

    def value(self, kind: str, sealed: str) -> str | None:
        """What a pseudonym stands for; None where it is none of this key. kind, sealed: the groups of TOKEN."""
        try:
            data = base64.b64decode(sealed + "=" * (-len(sealed) % 4), altchars=b"-_", validate=True)
            return self._cipher.decrypt(data, [_context(kind)]).decode("utf-8")
        except (InvalidTag, binascii.Error, ValueError):
            return None

    def digest(self, kind: str, value: str) -> str:
        """24 hexadecimal digits of an HMAC-SHA-256, which without the key nobody can compute for a guess."""
        return hmac.digest(self._hash_key, _context(kind) + value.encode("utf-8"), hashlib.sha256).hex()[:24]


def read_key(file: str | Path | None, variable: str | None, where: str) -> Key:
    """The key in a file, or else in an environment variable: 32, 48 or 64 bytes, as base64 or hexadecimal digits.

    where: what an error calls it. Raises ConfigError, which does not quote it, where there is none.
    """
    if file is not None:
        try:
            text, place = Path(file).expanduser().read_text("ascii"), str(file)
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or "holds characters that are no key's"
            raise ConfigError(
                f"the key file {str(file)!r} cannot be read: {said}",
                where=where,
                next_step="`mmpipe privacy new-key FILE` makes one",
            ) from None
    elif variable is not None and os.environ.get(variable):
        text, place = os.environ[variable], f"the environment variable {variable}"
    else:
        raise ConfigError(
            "pseudonyms and hashes need a key, and there is none",
            where=where,
            next_step=f"name a key_file or set the variable {variable}; `mmpipe privacy new-key FILE` makes a key",
        )
    secret = _decoded("".join(text.split()))
    if secret is None:
        raise ConfigError(
            f"{place} holds no key: 32, 48 or 64 bytes, as base64 or hexadecimal digits",
            where=where,
            next_step="`mmpipe privacy new-key FILE` makes one",
        )
    return Key(secret)


def new_key(file: Path) -> None:
    """Write a fresh key of 64 bytes to a file that only its owner may read. Raises MmpipeError where it is there."""
    with os.fdopen(open_for_owner(file, next_step="name a file that is not there yet"), "wb") as stream:
        stream.write(base64.b64encode(os.urandom(KEY_BYTES)) + b"\n")


def open_for_owner(file: Path, *, next_step: str) -> int:
    """A descriptor of a new file that only its owner may read. Raises MmpipeError where it is there already."""
    try:
        return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise MmpipeError(f"cannot be made: {error.strerror}", where=str(file), next_step=next_step) from None


def _context(kind: str) -> bytes:
    return f"mmpipe-privacy.v1:{kind.upper()}:".encode("ascii")


def _decoded(text: str) -> bytes | None:
    for decode in (bytes.fromhex, lambda text: base64.b64decode(text, validate=True), base64.urlsafe_b64decode):
        try:
            secret = decode(text)
        except (ValueError, binascii.Error):
            continue
        if len(secret) in _ALLOWED_BYTES:
            return secret
    return None
