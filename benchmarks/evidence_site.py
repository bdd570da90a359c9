"""What ``bench evidence`` works on: a hub with messages that are stored, decided, sealed and stamped."""

from __future__ import annotations

import hashlib
import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.serialization import Encoding

from foundation import cades, clock, inbox
from foundation.database import make_engine
from foundation.keys import KeyStore
from foundation.sealing import seal
from foundation.settings import Settings
from foundation.timestamps import AUTHORITY
from foundation.unit_of_work import unit_of_work
from foundation.wire import Wire
from hub import sealing
from hub.pipeline import Hub
from sandbox.timestamps.keys import AuthorityKeys, authority_keys
from sandbox.timestamps.stamping import answer
from schemas.exchange import Outcome, RawMessage

PARTNER = "bench_partner"
TOGETHER = 200
# Lines of one batch: what 1,000 messages/s leave for a sealer that looks every 250 ms.
BATCH = 250


@dataclass(frozen=True)
class Site:
    """The hub, its messages' ids, and PEM files of whom a verifier trusts."""

    hub: Hub
    messages: list[UUID]
    batches: int
    hub_pem: Path
    tsa_pem: Path


@contextmanager
def site(url: str, folder: Path, messages: int, seed: int) -> Iterator[Site]:
    """Build it; the authority answers over HTTP on loopback until the end."""
    keys = KeyStore(folder / "keys")
    cades.prepare(keys)
    authority = authority_keys(folder / "authority", folder / "tsa.pem")
    keys.trust(AUTHORITY, "root.crt", authority.root.public_bytes(Encoding.PEM))
    (folder / "hub.pem").write_bytes(keys.certificate(cades.EVIDENCE_KEY).public_bytes(Encoding.PEM))
    engine = make_engine(url)
    with _serving(authority, engine) as address:
        (folder / "partners.json").write_text(json.dumps({AUTHORITY: address}))
        hub = Hub(engine, keys, Settings(url, "", folder, 8600, "sandbox"))
        try:
            ids = _store(hub, messages, random.Random(seed))
            batches = _seal(hub)
            yield Site(hub, ids, batches, folder / "hub.pem", folder / "tsa.pem")
        finally:
            engine.dispose()


@contextmanager
def _serving(authority: AuthorityKeys, engine: Any) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with engine.connect() as conn:
                made = answer(authority, body, clock.clock_now(conn))
            self.send_response(200)
            self.send_header("content-length", str(len(made)))
            self.end_headers()
            self.wfile.write(made)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def _store(hub: Hub, count: int, chance: random.Random) -> list[UUID]:
    """Messages of 1 to 9 kB, stored and decided."""
    ids: list[UUID] = []
    for start in range(0, count, TOGETHER):
        with unit_of_work(hub.engine) as uow:
            for number in range(start, min(start + TOGETHER, count)):
                content = _message(number, chance)
                headers = {
                    "content-type": "application/json",
                    "content-digest": hashlib.sha256(content).hexdigest(),
                }
                stored = inbox.store_in(uow, RawMessage(PARTNER, "push", "submit", content, uow.now, headers))
                outcome = Outcome(f"M-{number}", "ACCEPTED", (), f"R{number:010d}", uow.now)
                inbox.decide(uow, stored.id, "APPLIED", outcome, compare_digest=headers["content-digest"])
                ids.append(stored.id)
    return ids


def _message(number: int, chance: random.Random) -> bytes:
    rows = [
        {"案由": chance.choice(["相邻关系纠纷", "民间借贷纠纷", "物业服务合同纠纷"]), "金额": chance.randrange(10**8),
         "说明": f"{chance.getrandbits(512):x}"}
        for _ in range(chance.randrange(5, 45))
    ]  # fmt: skip
    return json.dumps({"message_id": f"M-{number}", "records": rows}, ensure_ascii=False).encode()


def _seal(hub: Hub) -> int:
    batches = 0
    while True:
        with unit_of_work(hub.engine) as uow:
            if seal(uow, most=BATCH) is None:
                break
        batches += 1
    wire = Wire()
    while sealing.stamp_waiting(hub, wire):
        pass
    wire.close()
    return batches
