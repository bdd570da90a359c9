"""``./concord sandbox partner NAME``: answers as the hub would, on loopback, until Ctrl-C; nothing of it is kept.

The same doors, checks and receipts as the hub's, over a database that is made for it and thrown away. Every call is
explained in the terminal and at ``/sandbox/calls``. On PORT it speaks HTTP, on PORT + 1 TLS with client certificates.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn

from exchange_api import quiet_log
from exchange_api.app import make_app
from exchange_api.head_limit import HeadLimited
from exchange_api.partner_sandbox.checking import Calls, Explaining
from exchange_api.partner_sandbox.papers import own_keys, sample_messages
from exchange_api.tls import Protocol, context_of, keep_trusting, with_certificate
from foundation import embedded_postgres, local_ca, partner_keys, partners
from foundation.actors import Actor
from foundation.database import make_engine
from foundation.directory import DirectoryCache
from foundation.keys import KeyStore
from foundation.settings import Settings
from foundation.unit_of_work import unit_of_work
from hub import migrate, partner_desk
from hub.applying import Applier
from hub.pipeline import Hub
from hub.sealing import keep_sealing
from schemas.findings import Refused

ENGINEER = Actor("sandbox")


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    told = _told()
    quiet_log.set_up()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with tempfile.TemporaryDirectory(prefix="concord-sandbox-") as folder, _hub(Path(folder)) as hub:
        try:
            _enter(hub, told)
        except Refused as refused:
            raise SystemExit("\n".join(finding.text_en() for finding in refused.findings)) from None
        _serve(hub, told, stop)


def _told() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="concord sandbox partner", description=__doc__)
    parser.add_argument("name", help="the partner's id: small letters, digits, _")
    parser.add_argument(
        "--http", type=Path, help="public key or certificate for HTTP message signatures; keyid is NAME-1"
    )
    parser.add_argument("--wss", type=Path, help="certificate for WS-Security")
    parser.add_argument("--tls-request", type=Path, help="signing request (CSR) for a TLS client certificate")
    parser.add_argument("--agency", default="street", help="kind of agency")
    parser.add_argument("--port", type=int, default=8790)
    parser.add_argument(
        "--out", type=Path, help="folder for what the hub hands out; NAME-sandbox unless said"
    )
    return parser.parse_args()


@contextmanager
def _hub(folder: Path) -> Iterator[Hub]:
    """A hub over a database of its own that lies in ``folder`` and ends with it."""
    place = folder / "postgres"
    # Where root runs this, PostgreSQL's own user must get there.
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    cluster = embedded_postgres.locate(place, _free_port())
    embedded_postgres.start(cluster, durable=False)
    try:
        embedded_postgres.create_database(cluster, "sandbox")
        migrate.upgrade(cluster.url("sandbox"), movable_clock=True)
        keys = KeyStore(folder / "keys")
        local_ca.prepare(keys, ("localhost", "127.0.0.1"), datetime.now(UTC))
        url = cluster.url("sandbox")
        hub = Hub(make_engine(url), keys, Settings(url, "", folder, 0, "sandbox"))
        yield hub
        hub.engine.dispose()
    finally:
        embedded_postgres.stop(cluster)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _enter(hub: Hub, told: argparse.Namespace) -> None:
    """Enter the partner with its keys, or with a pair made for it where it brings none, and hand out what it needs."""
    out = told.out or Path(f"{told.name}-sandbox")
    out.mkdir(parents=True, exist_ok=True)
    with unit_of_work(hub.engine, ENGINEER) as uow:
        partner_desk.add(
            hub, uow, partners.NewPartner(told.name, told.name, "330399T", told.agency, auth=("tls", "http", "wss"))
        )  # fmt: skip
        if told.http:
            partner_keys.register_key(uow, told.name, "http", told.http.read_bytes(), key_id=f"{told.name}-1")
        if told.wss:
            partner_keys.register_key(uow, told.name, "wss", told.wss.read_bytes())
        if told.tls_request:
            _, issued = partner_desk.certify(hub, uow, told.name, told.tls_request.read_bytes())
            (out / f"{told.name}.tls.crt").write_bytes(issued)
        if not (told.http or told.wss or told.tls_request):
            pair = own_keys(out, told.name, uow.now)
            partner_keys.register_key(uow, told.name, "http", pair.pem, key_id=f"{told.name}-1")
            partner_keys.register_key(uow, told.name, "wss", pair.pem)
            partner_keys.register_key(uow, told.name, "tls", pair.pem)
            sample_messages(out, told.name, f"127.0.0.1:{told.port}", pair, uow.now)
        partner_desk.hand_out(hub, uow, told.name, out)
    print(f"handed out in {out}/", flush=True)


def _serve(hub: Hub, told: argparse.Namespace, stop: threading.Event) -> None:
    calls = Calls()
    context = context_of(hub.keys)
    cache = DirectoryCache(hub.engine)
    plain = _server(hub, calls, told.port, http=HeadLimited)
    secure = _server(
        hub, calls, told.port + 1, http=Protocol, ssl_context_factory=lambda _config, _default: context
    )
    threads = [
        threading.Thread(target=keep_trusting, args=(context, cache, stop)),
        threading.Thread(target=Applier(hub).run, args=(stop,)),
        threading.Thread(target=keep_sealing, args=(hub, stop)),
        *(threading.Thread(target=each.run) for each in (plain, secure)),
    ]
    for each in threads:
        each.daemon = True
        each.start()
    print(
        f"http://127.0.0.1:{told.port} and https://localhost:{told.port + 1} answer as the hub would",
        flush=True,
    )
    while not stop.wait(0.5):
        if not all(each.is_alive() for each in threads[-2:]):
            raise SystemExit(f"port {told.port} or {told.port + 1} is in use: choose another with --port")
    for server in (plain, secure):
        server.should_exit = True
    for each in threads:
        each.join(10)


def _server(hub: Hub, calls: Calls, port: int, **more: Any) -> uvicorn.Server:
    app = Explaining(make_app(hub), calls)
    config = uvicorn.Config(
        with_certificate(app), host="127.0.0.1", port=port, log_config=None, access_log=False, server_header=False,
        timeout_graceful_shutdown=2, **more,
    )  # fmt: skip
    return uvicorn.Server(config)


if __name__ == "__main__":
    main()
