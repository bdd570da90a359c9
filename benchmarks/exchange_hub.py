"""The hub's own processes for the exchange benchmark, started by the supervisor's own command lines, over a durable PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil
import psycopg
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from benchmarks.exchange_messages import KEY_ID, PARTNER
from benchmarks.postgres import free_port, migrated_database
from foundation import partner_keys, partners
from foundation.database import make_engine
from foundation.keys import KeyStore
from foundation.settings import PORT_OFFSETS, ROOT
from foundation.timestamps import AUTHORITY
from foundation.unit_of_work import unit_of_work
from hub.supervisor.children import python
from sandbox.timestamps.keys import authority_keys

UP_WITHIN_S = 60.0


@dataclass
class BenchHub:
    """A running hub: where it listens, its database, its processes by name."""

    port: int
    url: str
    folder: Path
    processes: dict[str, subprocess.Popen[bytes]]

    def connect(self) -> psycopg.Connection:
        """A connection of the benchmark's own, for counting."""
        return psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True)

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU used so far, by part."""
        used = {name: _seconds(psutil.Process(each.pid)) for name, each in self.processes.items()}
        with self.connect() as conn:
            row = conn.execute("SELECT pg_backend_pid()").fetchone()
            assert row is not None
            server = psutil.Process(row[0]).parent()
        used["postgres"] = sum(_seconds(each) for each in server.children()) if server is not None else 0.0
        return used


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


@contextmanager
def running(*, profile: bool = False) -> Iterator[BenchHub]:
    """API and worker over a fresh durable cluster, with one partner entered. ``profile``: under cProfile, into the folder."""
    with migrated_database() as url, tempfile.TemporaryDirectory(prefix="concord-bench-") as name:
        folder = Path(name)
        enter_partner(url, folder)
        base = _free_base()
        environment = {
            **os.environ, "CONCORD_DATABASE_URL": url, "CONCORD_VAR_DIR": str(folder), "CONCORD_PORT_BASE": str(base),
            "CONCORD_ENVIRONMENT": "sandbox", "CONCORD_AMQP_URL": "",
        }  # fmt: skip
        processes = {"authority": _authority(folder)}
        processes |= {
            part: _start(part, module, environment, folder, profile)
            for part, module in (("api", "exchange_api"), ("worker", "hub.worker"))
        }
        hub = BenchHub(base + PORT_OFFSETS["api"], url, folder, processes)
        try:
            _wait_up(hub)
            yield hub
        finally:
            for process in processes.values():
                process.terminate()
            for process in processes.values():
                try:
                    process.wait(timeout=15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _authority(folder: Path) -> subprocess.Popen[bytes]:
    """The time-stamp authority, its address and its root entered as an operator does."""
    port = free_port()
    authority = authority_keys(folder / "authority", folder / "tsa.pem")
    keys = KeyStore(folder / "keys")
    keys.trust(AUTHORITY, "root.crt", authority.root.public_bytes(serialization.Encoding.PEM))
    (folder / "partners.json").write_text(json.dumps({AUTHORITY: f"http://127.0.0.1:{port}/"}))
    command = python("benchmarks.exchange_authority", str(folder), str(port))
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)


def _start(
    part: str, module: str, environment: dict[str, str], folder: Path, profile: bool
) -> subprocess.Popen[bytes]:
    command = python(module)
    if profile:
        command = (command[0], "-m", "cProfile", "-o", str(folder / f"{part}.prof"), *command[1:])
    with (folder / f"{part}.log").open("wb") as log:
        return subprocess.Popen(
            command, env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )


def _wait_up(hub: BenchHub) -> None:
    until = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < until:
        for name, process in hub.processes.items():
            if process.poll() is not None:
                text = (hub.folder / f"{name}.log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{name} ended: {text}")
        try:
            if (
                httpx.get(f"http://127.0.0.1:{hub.port}/health", timeout=2, trust_env=False).status_code
                == 200
            ):
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise RuntimeError("the API was not up in time")


def _free_base() -> int:
    """A base below which every port of the table is free enough for two processes."""
    return free_port() - PORT_OFFSETS["api"]


def enter_partner(url: str, folder: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, PARTNER)])
    begin = datetime.now(UTC) - timedelta(days=1)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number())
    certificate = (
        made.not_valid_before(begin).not_valid_after(begin + timedelta(days=30)).sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "sender.crt").write_bytes(pem)
    (folder / "sender.key").touch(mode=0o600)
    (folder / "sender.key").write_bytes(private)
    engine = make_engine(url)
    with unit_of_work(engine) as uow:
        limits = {"calls_per_s": 100_000, "burst": 100_000, "body_bytes": 1024 * 1024}
        partners.add(uow, partners.NewPartner(PARTNER, "测试街道", "330399T", "street", limits=limits))
        partner_keys.register_key(uow, PARTNER, "http", pem, key_id=KEY_ID)
        partner_keys.register_key(uow, PARTNER, "wss", pem)
    engine.dispose()
