"""The partners' stand-ins on a free port, and a listener that stands where the hub stands and answers as told."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from sandbox.certificates import name_of, rsa_key, self_signed
from sandbox.partners_app import make_app

Reply = tuple[int, str, bytes]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Seen:
    """One request that reached the listener."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Listener:
    """`answer` makes the reply to each request; requests are kept in `seen`."""

    url: str
    seen: list[Seen] = field(default_factory=list)
    answer: Callable[[Seen], Reply] = lambda _: (200, "text/plain", b"")


@pytest.fixture
def hub() -> Iterator[Listener]:
    listener = Listener("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if len(body) < int(self.headers.get("content-length", 0)):
                return  # a request cut in the middle is no request
            seen = Seen(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            listener.seen.append(seen)
            status, kind, reply = listener.answer(seen)
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    listener.url = f"http://127.0.0.1:{server.server_port}"
    yield listener
    server.shutdown()
    server.server_close()
    thread.join(5)


class Sandbox:
    """The control API as tests use it."""

    def __init__(self, url: str, var: Path) -> None:
        self.url, self.var = url, var
        self.http = httpx.Client(base_url=url, timeout=20, trust_env=False)

    def order(self, what: str, partner: str = "", **order: Any) -> dict[str, Any]:
        path = f"/control/{what}/{partner}" if partner else f"/control/{what}"
        reply = self.http.post(path, json=order)
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    def refused(self, what: str, partner: str, **order: Any) -> str:
        reply = self.http.post(f"/control/{what}/{partner}", json=order)
        assert reply.status_code == 422, reply.text
        return str(reply.json()["detail"])

    def clock(self, at: str) -> None:
        self.order("clock", at=at)

    def books(self, partner: str, **query: Any) -> dict[str, Any]:
        reply = self.http.get(f"/control/books/{partner}", params=query)
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    def tick_until(self, done: Callable[[], bool], rounds: int = 60) -> None:
        """Let the background task work; bounded."""
        for _ in range(rounds):
            if done():
                return
            self.http.post("/control/tick")
            time.sleep(0.02)
        raise AssertionError("did not come about")


@pytest.fixture(scope="session")
def made_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key pair of one stand-in, made once for the session: making RSA keys is what takes time."""
    home = tmp_path_factory.mktemp("keys")
    self_signed(home / "jcy.crt", rsa_key(home / "jcy.key"), name_of("330399J", "sandbox", "test"))
    return home


@pytest.fixture
def sandbox(tmp_path: Path, hub: Listener, made_keys: Path) -> Iterator[Sandbox]:
    shutil.copytree(made_keys, tmp_path / "sandbox/procuratorate")
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(make_app(tmp_path, hub.url, seed=7), host="127.0.0.1", port=port, log_level="error")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(200):
        if server.started:
            break
        time.sleep(0.02)
    box = Sandbox(f"http://127.0.0.1:{port}", tmp_path)
    told = {key: f"/partners/{key}" for key in ("court", "petition", "procuratorate", "arbitration")}
    assert box.http.put("/control/endpoints", json=told).json()["court"] == f"{hub.url}/partners/court"
    box.clock("2026-04-01T09:00:00+08:00")
    yield box
    box.http.close()
    server.should_exit = True
    thread.join(10)
