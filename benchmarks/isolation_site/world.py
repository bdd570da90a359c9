"""The processes of ``./bench isolation``: database, API, worker and partners, and what is asked of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import orjson
import psutil
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Engine

from benchmarks.isolation_site import adapter
from benchmarks.postgres import free_port
from foundation import http_signature, outbox, partner_keys, partners
from foundation.database import make_engine
from foundation.http_signature import Parts
from foundation.settings import ROOT
from foundation.unit_of_work import unit_of_work

GOOD = ["near_a", "near_b", "near_c", "near_d"]
FAULTY = "faulty"
CALLER = "calling_street"
READY_S = 60.0


@dataclass
class World:
    """A running hub. ``sent``: when each message to a good partner was committed; ``called``: seconds of each call."""

    folder: Path
    url: str
    engine: Engine
    site: int
    api: int
    dead_port: int
    environment: dict[str, str]
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    sent: dict[str, float] = field(default_factory=dict)
    called: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def start(self, *module: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{module[0]}.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, "-m", *module], env=self.environment, stdout=log, stderr=log, cwd=ROOT
        )
        self.processes.append(process)
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        self.processes.remove(process)

    def mode(self, mode: str) -> None:
        """Let the faulty partner be well, dead, slow or flapping from now on."""
        port = self.dead_port if mode == "dead" else self.site
        urls = {each: f"http://127.0.0.1:{self.site}/p/{each}" for each in GOOD}
        part = self.folder / "partners.part"
        part.write_text(json.dumps({**urls, FAULTY: f"http://127.0.0.1:{port}/p/{FAULTY}"}))
        part.rename(self.folder / "partners.json")
        httpx.get(f"http://127.0.0.1:{self.site}/mode/{mode}").raise_for_status()

    def owe(self, partner: str) -> None:
        """Owe a partner a message, as a decision of the hub would."""
        made = uuid.uuid4().hex
        with unit_of_work(self.engine) as uow:
            outbox.enqueue(
                uow, partner=partner, operation="Tell", message_id=made, case_key=made, body={"id": made}
            )
        if partner != FAULTY:
            self.sent[made] = time.time()

    def warm(self) -> None:
        """Wait until the deliverer has come up and delivered something. Raises TimeoutError."""
        self.owe(GOOD[0])
        until = time.monotonic() + READY_S
        while (
            not self.sent.keys()
            & orjson.loads(httpx.get(f"http://127.0.0.1:{self.site}/arrived").content).keys()
        ):
            if time.monotonic() > until:
                raise TimeoutError("nothing was delivered")
            time.sleep(0.05)
        self.sent.clear()

    def call(self, client: httpx.Client) -> None:
        """A signed status query of another partner."""
        target = "/open/v1/messages/none"
        host = f"127.0.0.1:{self.api}"
        parts = Parts("GET", "http", host, target, "", (("host", host),), b"")
        headers = http_signature.sign(
            parts, key=self.key, key_id=f"{CALLER}-1", now=datetime.now(UTC), nonce=uuid.uuid4().hex
        )  # fmt: skip
        begin = time.monotonic()
        answer = client.get(f"http://{host}{target}", headers=dict(headers))
        self.called.append(time.monotonic() - begin)
        if answer.status_code != 404:
            self.wrong.append(f"status query answered {answer.status_code}: {answer.text[:200]}")

    def clear(self) -> tuple[dict[str, float], list[float]]:
        """What was measured since the last time: latency of each delivery (what has not come, so far), of each call."""
        until = time.monotonic() + 1.0
        arrived: dict[str, float] = {}
        while True:
            arrived |= orjson.loads(httpx.get(f"http://127.0.0.1:{self.site}/arrived").content)
            if self.sent.keys() <= arrived.keys() or time.monotonic() > until:
                break
            time.sleep(0.05)
        now = time.time()
        waits = {each: max(0.0, arrived.get(each, now) - at) for each, at in self.sent.items()}
        calls, self.called, self.sent = self.called, [], {}
        # The faulty one's backlog would be work in the next run, which is to be without it.
        with unit_of_work(self.engine) as uow:
            uow.execute("UPDATE exchange.outbox SET state = 'DEAD' WHERE state IN ('WAITING', 'SENDING')")
            uow.execute("UPDATE exchange.partner_state SET failures = 0, open_until = NULL")
        return waits, calls


def shares(world: World, seconds: float) -> str:
    """Share of both cores that each process took over ``seconds``, the busiest first."""
    took: dict[str, float] = {}
    for process in world.processes:
        spent = psutil.Process(process.pid).cpu_times()
        took[str(process.args[2])] = spent.user + spent.system  # type: ignore[index]
    with world.engine.connect() as conn:
        backend = conn.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    postmaster = psutil.Process(backend).parent()
    assert postmaster is not None
    living = [each.cpu_times() for each in (postmaster, *postmaster.children())]
    ended = postmaster.cpu_times()
    took["PostgreSQL"] = (
        sum(each.user + each.system for each in living) + ended.children_user + ended.children_system
    )
    own = psutil.Process().cpu_times()
    took["who owes and calls"] = own.user + own.system
    cores = psutil.cpu_count() or 1
    listed = sorted(took.items(), key=lambda each: -each[1])
    return ", ".join(f"{name} {100 * spent / seconds / cores:.0f} %" for name, spent in listed)


@contextmanager
def made(url: str, folder: Path) -> Iterator[World]:
    """A hub over a migrated database, with everything but the deliverer."""
    adapter.write(folder / "adapters", [*GOOD, FAULTY])
    base = free_port()
    environment = {
        **os.environ, "CONCORD_DATABASE_URL": url, "CONCORD_VAR_DIR": str(folder), "CONCORD_PORT_BASE": str(base),
        "CONCORD_CONNECTOR_PATH": str(folder / "adapters"),
    }  # fmt: skip
    world = World(folder, url, make_engine(url), free_port(), base, free_port(), environment)
    try:
        world.start("benchmarks.isolation_site.partners", str(world.site))
        _wait(f"http://127.0.0.1:{world.site}/mode/ok")
        world.mode("ok")
        with unit_of_work(world.engine) as uow:
            told = partners.NewPartner(
                CALLER,
                "街道",
                "330399T",
                "street",
                ("rest",),
                ("http",),
                limits={"calls_per_s": 1000, "burst": 1000},
            )
            partners.add(uow, told)
            pem = world.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            partner_keys.register_key(uow, CALLER, "http", pem, key_id=f"{CALLER}-1")
        world.start("exchange_api")
        _wait(f"http://127.0.0.1:{base}/health")
        yield world
    finally:
        for each in list(world.processes):
            world.stop(each)
        world.engine.dispose()


def _wait(url: str) -> None:
    until = time.monotonic() + READY_S
    while True:
        try:
            if httpx.get(url, timeout=2).is_success:
                return
        except httpx.HTTPError:
            pass
        if time.monotonic() > until:
            raise TimeoutError(url)
        time.sleep(0.1)
