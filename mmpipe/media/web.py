"""Fetching an image from the web, from public addresses only, within limits of time and size.

A host name is resolved once a hop, every address it has must be public, and the connection is made to the very
address that was checked, so that a name which changes its mind (DNS rebinding) leads nowhere else. Redirects are
checked in the same way. Proxies are not used: they would resolve the name again.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from mmpipe.errors import RecordError
from mmpipe.media.location import check_scheme, shortened
from mmpipe.media.policy import MediaPolicy

MAX_REDIRECTS = 5
_BLOCK = 1 << 16
_SAFE = "/?&=%+:;,@!$'()*~-._#[]"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# RFC 6052: an IPv4 address in the last four bytes of an IPv6 one, behind a translator.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def fetch(url: str, policy: MediaPolicy, where: str) -> bytes:
    """The body that a web address answers with.

    Raises RecordError for an address that is not public, a status other than 200, more than MAX_REDIRECTS
    redirects, an answer larger than `policy.max_bytes`, or one that takes longer than `policy.timeout_seconds`.
    """
    deadline = time.monotonic() + policy.timeout_seconds
    at = url
    try:
        for _ in range(MAX_REDIRECTS + 1):
            check_scheme(at, policy, where)
            with _answer(at, deadline) as answer:
                target = answer.getheader("Location")
                if answer.status in _REDIRECTS and target:
                    # Headers are read as Latin-1; quoted as such, they are the bytes that the server sent.
                    at = urljoin(at, quote(target, safe=_SAFE, encoding="latin-1"))
                    continue
                if answer.status != http.client.OK:
                    raise _Refused(f"the server answered {answer.status} {answer.reason}")
                return _body(answer, policy.max_bytes, deadline)
        raise _Refused(f"more than {MAX_REDIRECTS} redirects")
    except RecordError:
        raise
    except (OSError, ValueError, http.client.HTTPException, _Refused) as error:
        is_late = isinstance(error, TimeoutError) or time.monotonic() >= deadline
        said = f"no answer within {policy.timeout_seconds:g} seconds" if is_late else str(error) or type(error).__name__
        by_way_of = f", redirected to {shortened(at)}," if at != url else ""
        raise RecordError(
            f"image {shortened(url)}{by_way_of} cannot be fetched: {said}",
            where=where,
            next_step="check the address, or fetch the image beforehand and name the file",
        ) from None


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public network, also where it wraps an IPv4 address in an IPv6 one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    inner = [ip]
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.is_site_local:
            return False  # fec0::/10, which `is_global` takes for public.
        inner += [wrapped for wrapped in (ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())) if wrapped]
        inner += [ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)] if ip in _NAT64 else []
    unwrapped = inner[1:] or inner
    return all(one.is_global and not one.is_multicast and not one.is_reserved for one in unwrapped)


class _Refused(Exception):
    """What the other side is, or does, is not what we take."""


class _Pinned(http.client.HTTPConnection):
    """A connection to an address that was checked, whatever the host name leads to by now."""

    def __init__(self, host: str, port: int, address: str, *, is_secure: bool, deadline: float) -> None:
        super().__init__(host, port, timeout=_left(deadline))
        self._address, self._is_secure = address, is_secure
        self._wire: socket.socket | None = None

    def connect(self) -> None:
        self._wire = self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._is_secure:
            context = ssl.create_default_context()
            secured = context.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self._wire = self.sock = secured
            secured.do_handshake()

    def hang_up(self) -> None:
        """End whatever waits for the other side, in any thread."""
        # `sock` is None as soon as an answer has begun that will end the connection.
        if self._wire is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._wire, socket.SHUT_RDWR)  # Not TLS's own, which would wait its turn.


@contextlib.contextmanager
def _answer(url: str, deadline: float) -> Iterator[http.client.HTTPResponse]:
    parts = urlsplit(url)
    host, is_secure = (parts.hostname or "").encode("idna").decode(), parts.scheme.lower() == "https"
    port = parts.port or (443 if is_secure else 80)
    address = _checked_address(host, port, deadline)
    connection = _Pinned(host, port, address, is_secure=is_secure, deadline=deadline)
    # A server that sends a byte a second never meets a socket's own time limit.
    watchdog = threading.Timer(_left(deadline), connection.hang_up)
    watchdog.daemon = True
    watchdog.start()
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        default = port == (443 if is_secure else 80)
        name = f"[{host}]" if ":" in host else host
        headers = {"Host": name if default else f"{name}:{port}", "Accept": "image/*", "Accept-Encoding": "identity"}
        connection.putrequest("GET", quote(target, safe=_SAFE), skip_host=True, skip_accept_encoding=True)
        for key, value in {**headers, "User-Agent": "mmpipe", "Connection": "close"}.items():
            connection.putheader(key, value)
        connection.endheaders()
        yield connection.getresponse()
    finally:
        watchdog.cancel()
        connection.close()


def _checked_address(host: str, port: int, deadline: float) -> str:
    found = list(dict.fromkeys(info[4][0] for info in _resolve(host, port, deadline)))
    hidden = [address for address in found if not is_public(address)]
    if hidden or not found:
        raise _Refused(f"{host} is at {', '.join(hidden) or 'no address'}, which is not a public address")
    return found[0]


def _resolve(host: str, port: int, deadline: float) -> list[Any]:
    """As socket.getaddrinfo, which knows no time limit."""
    answers: queue.Queue[Any] = queue.Queue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=_left(deadline))
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, Exception):
        raise _Refused(f"the host {host!r} is not known ({getattr(answer, 'strerror', None) or answer})")
    return answer


def _body(answer: http.client.HTTPResponse, max_bytes: int, deadline: float) -> bytes:
    too_large = _Refused(f"the answer is larger than max_bytes = {max_bytes:,}")
    if (answer.length or 0) > max_bytes:
        raise too_large
    blocks, size = [], 0
    while block := answer.read(_BLOCK):
        size += len(block)
        if size > max_bytes:
            raise too_large
        blocks.append(block)
    _left(deadline)
    if answer.length:
        raise _Refused(f"the answer ended {answer.length:,} bytes early")
    return b"".join(blocks)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
