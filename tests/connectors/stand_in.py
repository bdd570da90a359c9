"""The partners' stand-ins on a free port, so that an adapter's client is tried over the real wire."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from sandbox.partners_app import make_app

NINE = "2026-04-01T09:00:00+08:00"


class StandIn:
    """The control API as these tests use it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=20, trust_env=False)

    def order(self, what: str, partner: str = "", **order: Any) -> dict[str, Any]:
        reply = self.http.post(f"/control/{what}" + (f"/{partner}" if partner else ""), json=order)
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    def clock(self, at: str) -> None:
        self.order("clock", at=at)

    def calls(self, partner: str, operation: str) -> list[dict[str, Any]]:
        """What the stand-in's own books say of the calls of one operation."""
        reply = self.http.get(f"/control/books/{partner}", params={"operation": operation})
        assert reply.status_code == 200, reply.text
        return list(reply.json()["entries"])


@contextmanager
def stand_in(var: Path, keys: Path) -> Iterator[StandIn]:
    """Serve the stand-ins from `var`; `keys` keeps what takes long to make from one start to the next."""
    home = var / "sandbox" / "procuratorate"
    if keys.exists():
        shutil.copytree(keys, home)
    app = make_app(var, "http://127.0.0.1:1", seed=7)
    if home.exists() and not keys.exists():
        shutil.copytree(home, keys)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(300):
        if server.started:
            break
        time.sleep(0.01)
    made = StandIn(f"http://127.0.0.1:{port}")
    made.clock(NINE)
    try:
        yield made
    finally:
        made.http.close()
        server.should_exit = True
        thread.join(10)
