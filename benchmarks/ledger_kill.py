"""The end of the ledger benchmark: PostgreSQL killed while callers wait for it, started again, and read from disk."""

from __future__ import annotations

import os
import signal
import time
import uuid

import psutil
import psycopg

from escrow.ledger import prove_ledger
from foundation import embedded_postgres

BATCH = 20_000
PORT_WAIT_S = 30


def kill(cluster: embedded_postgres.Cluster) -> None:
    """kill -9 of this cluster's server, every process of it, by their ids."""
    main = int((cluster.data / "postmaster.pid").read_text(encoding="ascii").split()[0])
    family = [main, *(child.pid for child in psutil.Process(main).children(recursive=True))]
    for pid in family:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    until = time.monotonic() + PORT_WAIT_S
    while any(psutil.pid_exists(pid) for pid in family) and time.monotonic() < until:
        time.sleep(0.05)


def missing(conn: psycopg.Connection, answered: bytes) -> int:
    """How many of the ids (16 bytes each) that were answered are not in the ledger."""
    lost = 0
    for at in range(0, len(answered), 16 * BATCH):
        part = answered[at : at + 16 * BATCH]
        ids = [uuid.UUID(bytes=bytes(part[i : i + 16])) for i in range(0, len(part), 16)]
        row = conn.execute(
            "SELECT count(*) FROM unnest(%s::uuid[]) u(id) WHERE NOT EXISTS"
            " (SELECT FROM escrow.ledger_transfer t WHERE t.id = u.id)",
            [ids],
        ).fetchone()
        lost += int(row[0]) if row else len(ids)
    return lost


def verify(url: str, answered: bytes) -> tuple[int, list[str]]:
    """(answered events that are lost, what the whole proof of the ledger found wrong)."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SET statement_timeout = 0; SET work_mem = '512MB'")
        faults = prove_ledger(conn, full=True)
        return missing(conn, answered), [f"{fault.check} {fault.subject}: {fault.found}" for fault in faults]
