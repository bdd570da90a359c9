"""One partner that hangs, one that is dead and one whose every call fails hold up nobody else's deliveries."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sqlalchemy import Engine

from benchmarks.isolation_site import adapter
from connectors import all_connectors
from foundation import outbox
from foundation.clock import release_clock
from foundation.keys import KeyStore
from foundation.settings import Settings
from foundation.unit_of_work import unit_of_work
from foundation.wire import Wire
from hub.delivering import Deliverer
from hub.pipeline import Hub

EACH = 20
NAMES = ["near_a", "near_b", "hanging", "dead", "failing"]


class _Site(BaseHTTPRequestHandler):
    arrived: Counter[str]
    calls: Counter[str]
    at_once: Counter[str]
    most: Counter[str]
    go_on: threading.Event

    def do_POST(self) -> None:
        name = self.path.rpartition("/")[2]
        self.rfile.read(int(self.headers["content-length"]))
        self.calls[name] += 1
        self.at_once[name] += 1
        self.most[name] = max(self.most[name], self.at_once[name])
        if name == "hanging":
            self.go_on.wait(20)
        self.at_once[name] -= 1
        self.arrived[name] += 1
        self.send_response(503 if name == "failing" else 200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[tuple[type[_Site], str]]:
    told = {name: Counter() for name in ("arrived", "calls", "at_once", "most")}
    handler = type("Site", (_Site,), {**told, "go_on": threading.Event()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield handler, f"http://127.0.0.1:{server.server_port}/p/"
    handler.go_on.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def hub(
    engine: Engine,
    database_url: str,
    tmp_path: Path,
    site: tuple[type[_Site], str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Hub]:
    adapter.write(tmp_path / "adapters", NAMES)
    monkeypatch.setenv("CONCORD_CONNECTOR_PATH", str(tmp_path / "adapters"))
    all_connectors.cache_clear()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        urls = {each: f"{site[1]}{each}" for each in NAMES}
        urls["dead"] = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
        (tmp_path / "partners.json").write_text(json.dumps(urls))
        with engine.begin() as conn:
            release_clock(conn)
        yield Hub(engine, KeyStore(tmp_path / "keys"), Settings(database_url, "", tmp_path, 8600, "sandbox"))
    all_connectors.cache_clear()


@pytest.mark.slow
def test_nobody_waits_for_another(hub: Hub, site: tuple[type[_Site], str]) -> None:
    handler, _ = site
    with unit_of_work(hub.engine) as uow:
        for number in range(EACH):
            for name in ("hanging", "dead", "failing", "near_a", "near_b"):
                made = f"{name}-{number}"
                outbox.enqueue(
                    uow, partner=name, operation="Tell", message_id=made, case_key=made, body={"n": number}
                )
    deliverer = Deliverer(hub, Wire())
    stop = threading.Event()
    running = threading.Thread(target=deliverer.run, args=(stop,))
    running.start()
    until = time.monotonic() + 60
    while handler.arrived["near_a"] + handler.arrived["near_b"] < 2 * EACH:
        assert time.monotonic() < until, (handler.arrived, handler.calls)
        time.sleep(0.02)
    assert handler.calls["hanging"] == 2  # its own two places, no more, and not one answered
    time.sleep(1.0)
    handler.go_on.set()
    stop.set()
    deliverer.wake.set()
    running.join(30)
    assert all(most <= 2 for most in handler.most.values())
    with unit_of_work(hub.engine) as uow:
        states = {row["partner"]: row for row in uow.all("SELECT * FROM exchange.partner_state")}
    # The breaker of those that fail is open, so that they are not hammered; the others' is closed.
    assert states["dead"]["open_until"] and states["failing"]["open_until"]
    assert not states["near_a"]["open_until"]
    assert handler.calls["failing"] <= outbox.BREAKER_AFTER + 1
