"""Fetching over http, from a server in this process. Its address is private, which only `is_public` is told."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mmpipe.errors import RecordError
from mmpipe.media import web
from mmpipe.media.policy import MediaPolicy

POLICY = MediaPolicy(allow_urls=True, max_bytes=100_000, timeout_seconds=1.0)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/redirect":
            self.answer(302, b"", Location=self.path.partition("?to=")[2])
        elif path == "/loop":
            self.answer(302, b"", Location="/loop")
        elif path == "/large":
            self.answer(200, b"x" * 100_001)
        elif path == "/endless":
            self.send_response(200)
            self.end_headers()
            self.drip(b"x" * 50_000, 0.0)
        elif path == "/slow-body":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.drip(b"x", 0.1)
        elif path == "/slow-head":
            self.drip(b"HTTP/1.0 200 OK\r\nX: ", 0.0, 1)
            self.drip(b"x", 0.1)
        elif path == "/short":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"only this")
        elif path == "/to-unicode":
            self.answer(302, b"", Location="/caf\u00e9.png".encode().decode("latin-1"))
        elif path == "/caf%C3%A9.png":
            self.answer(200, b"coffee")
        elif path == "/host":
            self.answer(200, self.headers["Host"].encode())
        else:
            self.answer(200 if path == "/ok" else 404, b"the image")

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def drip(self, block: bytes, pause: float, times: int = 100) -> None:
        try:
            for _ in range(times):
                self.wfile.write(block)
                self.wfile.flush()
                time.sleep(pause)
        except OSError:
            pass

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """127.0.0.1 counts as public; other addresses are judged as ever."""
    judge = web.is_public
    monkeypatch.setattr(web, "is_public", lambda address: address == "127.0.0.1" or judge(address))


def refused(url: str, policy: MediaPolicy = POLICY) -> str:
    with pytest.raises(RecordError) as caught:
        web.fetch(url, policy, "record 7")
    assert str(caught.value).startswith("record 7: image ") and caught.value.next_step
    return str(caught.value)


def test_a_body_comes_whole(server: str, trusting: None) -> None:
    assert web.fetch(f"{server}/ok", POLICY, "record") == b"the image"
    assert web.fetch(f"{server}/redirect?to=/ok", POLICY, "record") == b"the image"
    assert web.fetch(f"{server}/redirect?to={server}/ok", POLICY, "record") == b"the image"
    assert web.fetch(f"{server}/host", POLICY, "record").decode() == server.removeprefix("http://")


def test_a_redirect_in_bare_unicode_is_followed_as_by_urllib(server: str, trusting: None) -> None:
    wanted = urllib.request.urlopen(f"{server}/to-unicode", timeout=5).read()
    assert web.fetch(f"{server}/to-unicode", POLICY, "record") == wanted == b"coffee"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/nowhere", "answered 404"),
        ("/loop", "more than 5 redirects"),
        ("/large", "larger than max_bytes = 100,000"),
        ("/endless", "larger than max_bytes = 100,000"),
        ("/short", "991 bytes early"),
        ("/redirect?to=file:///etc/hostname", "are not opened"),
        ("/redirect?to=http://127.0.0.2/", "127.0.0.2, which is not a public address"),
        ("/redirect?to=http://[::1]:80/", "::1, which is not a public address"),
        ("/redirect?to=http://169.254.169.254/latest/meta-data", "which is not a public address"),
    ],
)
def test_what_is_not_taken(server: str, trusting: None, path: str, said: str) -> None:
    assert said in refused(server + path)


@pytest.mark.parametrize("path", ["/slow-body", "/slow-head"])
def test_a_server_that_drips_is_left_in_time(server: str, trusting: None, path: str) -> None:
    started = time.monotonic()
    assert "no answer within 0.5 seconds" in refused(server + path, MediaPolicy(allow_urls=True, timeout_seconds=0.5))
    assert time.monotonic() - started < 8  # The server takes ten; a busy machine takes its time, too.


def test_a_name_server_that_does_not_answer_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(5))
    started = time.monotonic()
    assert "no answer within 0.2 seconds" in refused(
        "http://example.org/", MediaPolicy(allow_urls=True, timeout_seconds=0.2)
    )
    assert time.monotonic() - started < 2


def test_this_machine_is_never_asked(server: str) -> None:
    assert "127.0.0.1, which is not a public address" in refused(f"{server}/ok")
    assert "which is not a public address" in refused(server.replace("127.0.0.1", "localhost") + "/ok")


def resolver(*answers: list[str]) -> Callable[..., list[Any]]:
    """A name server that gives these addresses, one list after the other, the last for ever."""
    left = list(answers)

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    return resolve


def test_one_private_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolver(["93.184.216.34", "10.0.0.1"]))
    assert "example.org is at 10.0.0.1, which is not a public address" in refused("http://example.org/")


def test_a_name_that_changes_its_mind_is_connected_where_it_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: public when it is asked first, private ever after."""
    asked: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], *_: Any) -> Any:
        asked.append(address)
        raise ConnectionRefusedError("not in a test")

    monkeypatch.setattr(socket, "getaddrinfo", resolver(["93.184.216.34"], ["127.0.0.1"]))
    monkeypatch.setattr(socket, "create_connection", connect)
    refused("https://example.org/a.png")
    assert asked == [("93.184.216.34", 443)]


def test_an_unknown_host_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert "the host 'example.invalid' is not known (Name or service not known)" in refused("http://example.invalid/a")


PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fec0::1",
    "feff::1",
    "fd12:3456::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::1",
    "2002:c0a8:101::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_in_every_dress(address: str) -> None:
    ipaddress.ip_address(address.partition("%")[0])
    assert not web.is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]
)
def test_public_addresses(address: str) -> None:
    assert web.is_public(address)
