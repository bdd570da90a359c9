"""The wire tells "never left us" from "maybe arrived", and ends in time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from foundation.wire import Wire


def serve(act: Callable[[socket.socket], None]) -> tuple[str, threading.Thread]:
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        connection, _ = listener.accept()
        with connection, listener:
            connection.recv(65536)
            act(connection)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}/", thread


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


def test_answered(wire: Wire) -> None:
    url, _ = serve(lambda c: c.sendall(b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nhi"))
    reply = wire.request("POST", url, content=b"x")
    assert (reply.outcome, reply.status, reply.content) == ("ANSWERED", 503, b"hi")


def test_nobody_listens_is_not_sent(wire: Wire) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert wire.request("POST", f"http://127.0.0.1:{port}/", content=b"x").outcome == "NOT_SENT"
    assert wire.request("POST", "nonsense", content=b"x").outcome == "NOT_SENT"


@pytest.mark.parametrize("piece", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"])
def test_cut_off_is_unknown(wire: Wire, piece: bytes) -> None:
    url, _ = serve(lambda c: c.sendall(piece) if piece else None)
    assert wire.request("POST", url, content=b"x").outcome == "UNKNOWN"


def test_dripping_headers_end_at_the_total_deadline(wire: Wire) -> None:
    """A header line that comes a byte at a time keeps every single read short: only the whole has a limit."""

    def drip(connection: socket.socket) -> None:
        for piece in b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 60:
            try:
                connection.sendall(bytes([piece]))
            except OSError:
                return
            time.sleep(0.1)

    url, _ = serve(drip)
    began = time.monotonic()
    reply = wire.request("POST", url, content=b"x", timeout_s=0.5)
    assert reply.outcome == "UNKNOWN" and time.monotonic() - began < 4


def test_a_dripping_answer_ends_at_the_total_deadline(wire: Wire) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        for _ in range(30):
            try:
                connection.sendall(b"x")
            except OSError:
                return
            time.sleep(0.1)

    url, _ = serve(drip)
    began = time.monotonic()
    reply = wire.request("GET", url, timeout_s=0.5)
    assert reply.outcome == "UNKNOWN"
    assert time.monotonic() - began < 2


def test_no_call_takes_longer_than_the_wire_within_a_limit(wire: Wire) -> None:
    url, _ = serve(lambda c: time.sleep(3))
    begin = time.monotonic()
    assert wire.within(0.5).request("POST", url, content=b"x", timeout_s=60).outcome == "UNKNOWN"
    assert time.monotonic() - begin < 2
    url, _ = serve(lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"))
    assert wire.request("POST", url, content=b"x").content == b"hi"  # the wire itself is as it was
