"""The registry: history loaded, everything worked out anew, list pages, one record, the board and its changes.

The load is the product's own (``case_registry.bulk_load``, a commit every so many records), into a durable cluster with
every index, constraint and trigger on. Reads go over HTTP to the API's own process.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psycopg
from sqlalchemy import Engine

import case_registry
from benchmarks import registry_reads as reads
from benchmarks import registry_rows as rows
from benchmarks.postgres import free_port, migrated_database
from benchmarks.result import Result, percentile
from foundation.database import make_engine
from foundation.settings import PORT_OFFSETS, ROOT
from foundation.staff import add_staff, log_in
from foundation.unit_of_work import unit_of_work
from hub.history import load_told
from hub.rebuilding import rebuild
from hub.supervisor.children import python

TABLES = (
    "dispute",
    "source_case",
    "statement",
    "claim",
    "episode",
    "party",
    "link_key",
    "membership",
    "clock",
    "clock_event",
)
BOUND_BY = "Python CPU: working cases out while loading and rebuilding; log-in, query and answer of a request while reading"


def run(*, quick: bool, seed: int) -> Result:
    """One run over 2,000 (quick) or 380,000 disputes."""
    disputes = 2_000 if quick else 380_000
    calls, looks, moves = (160, 60, 3) if quick else (4_000, 1_000, 10)
    with migrated_database() as url:
        engine = make_engine(url, timeout_ms=0)
        begun = time.perf_counter()
        loaded = load_told(url, rows.told(disputes, seed))
        ingest = time.perf_counter() - begun
        _settle(url)
        bare = _bare_copy(url)
        begun = time.perf_counter()
        rebuilt = rebuild(url)
        rebuild_s = time.perf_counter() - begun
        with unit_of_work(engine) as uow:
            case_registry.record_many(
                uow, [case_registry.Spoken(s, uuid.uuid4(), r) for s, r in rows.big_dispute()]
            )
        figures, also = _reads(url, engine, calls, looks, moves)
        baseline = {"bare_copy_s": round(bare, 2), **_plain_selects(url)}
        claims = _count(url, "SELECT count(*) FROM registry.claim")
        engine.dispose()
    wrong = "" if rebuilt["same"] else f"worked out anew it is not the same: {rebuilt}"
    return Result(
        {"disputes": loaded["disputes"], **figures, "ingest_s": round(ingest, 2), "rebuild_s": round(rebuild_s, 2)},
        "the same rows by bare COPY into tables without index, key or trigger; the same list by a plain SELECT",
        baseline,
        BOUND_BY,
        {**also, "claims": claims, "records": loaded["records"], "disputes_per_s": round(loaded["disputes"] / ingest)},
        wrong,
    )  # fmt: skip


def _settle(url: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as conn:
        conn.execute("VACUUM (ANALYZE)")


def _count(url: str, sql: str) -> int:
    with psycopg.connect(url.replace("+psycopg", "")) as conn:
        return int(conn.execute(sql).fetchone()[0])  # type: ignore[index,arg-type]


def _bare_copy(url: str) -> float:
    """Seconds to COPY the rows that the load made into bare tables of the same columns, durably."""
    with (
        psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as conn,
        tempfile.TemporaryDirectory() as name,
    ):
        for table in TABLES:
            with (
                (Path(name) / table).open("wb") as file,
                conn.cursor().copy(f"COPY registry.{table} TO STDOUT") as out,
            ):
                for block in out:
                    file.write(block)
        conn.execute("CREATE SCHEMA bare")
        begun = time.perf_counter()
        with conn.transaction():
            for table in TABLES:
                conn.execute(f"CREATE TABLE bare.{table} AS SELECT * FROM registry.{table} WITH NO DATA")
                with (
                    (Path(name) / table).open("rb") as file,
                    conn.cursor().copy(f"COPY bare.{table} FROM STDIN") as into,
                ):
                    while block := file.read(1 << 20):
                        into.write(block)
        took = time.perf_counter() - begun
        conn.execute("DROP SCHEMA bare CASCADE")
    return took


def _reads(
    url: str, engine: Engine, calls: int, looks: int, moves: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    with unit_of_work(engine) as uow:
        add_staff(uow, "bench", "测试员", "330399", ["supervision_officer"], "bench-only")
        token = log_in(uow, "bench", "bench-only") or ""
        places = uow.all(
            "SELECT stage, holder, town FROM registry.dispute WHERE merged_into IS NULL AND town <> ''"
            " GROUP BY 1, 2, 3 ORDER BY count(*) DESC, 1, 2, 3 LIMIT 400"
        )
        big = uow.scalar(
            "SELECT number FROM registry.dispute WHERE 'C9999990' = ANY(numbers) AND merged_into IS NULL"
        )
        episodes = uow.scalar(
            "SELECT count(*) FROM registry.episode e JOIN registry.source_case c ON c.id = e.source_case"
            " JOIN registry.dispute d ON d.id = c.dispute WHERE d.number = :n", n=big,
        )  # fmt: skip
    paths = [reads.list_path(**places[i % len(places)]) for i in range(calls)]
    with _api(url) as port:
        reads.load(port, token, paths[: max(8, calls // 20)], 8)
        listed, sizes = reads.load(port, token, paths, 8)
        looked, _ = reads.load(port, token, [f"/v1/dispute?number={big}"] * (looks + 5), 1)
        boards, _ = reads.load(port, token, ["/v1/board"] * 12, 1)

        def change(number: object) -> None:
            assert isinstance(number, int)
            with unit_of_work(engine) as uow:
                source, records = next(rows.told(1, 1_000_000 + number))
                moved = [_renumbered(record, number) for record in records]
                case_registry.record(uow, source, uuid.uuid4(), moved)

        changed = reads.changes(port, token, range(moves), change)
    return (
        {"list_p95_ms": round(percentile(listed, 0.95), 2), "dispute_p99_ms": round(percentile(looked[5:], 0.99), 2),
         "board_ms": round(percentile(boards[2:], 0.5), 2), "change_to_board_ms": round(max(changed), 1)},
        {"list_p50_ms": round(percentile(listed, 0.5), 2), "list_bytes": max(sizes),
         "dispute_p50_ms": round(percentile(looked[5:], 0.5), 2), "dispute_episodes": episodes},
    )  # fmt: skip


def _renumbered(record: Any, number: int) -> Any:
    """The record as one of a case of its own, of other people."""
    people = tuple(replace(p, id_number=None, phone=f"19{number:09d}") for p in record.parties)
    return replace(record, native_id=f"Z{number}", parties=people)


@contextmanager
def _api(url: str) -> Iterator[int]:
    base = free_port() - PORT_OFFSETS["api"]
    port = base + PORT_OFFSETS["api"]
    with tempfile.TemporaryDirectory(prefix="concord-bench-") as folder:
        environment = {
            **os.environ, "CONCORD_DATABASE_URL": url, "CONCORD_VAR_DIR": folder, "CONCORD_PORT_BASE": str(base),
            "CONCORD_ENVIRONMENT": "sandbox", "CONCORD_AMQP_URL": "",
        }  # fmt: skip
        process = subprocess.Popen(
            python("exchange_api"), env=environment, cwd=ROOT, stdin=subprocess.DEVNULL
        )
        try:
            until = time.monotonic() + 60
            while time.monotonic() < until:
                if process.poll() is not None:
                    raise RuntimeError("the API ended")
                try:
                    if (
                        httpx.get(f"http://127.0.0.1:{port}/health", timeout=2, trust_env=False).status_code
                        == 200
                    ):
                        break
                except httpx.HTTPError:
                    time.sleep(0.1)
            yield port
        finally:
            process.terminate()
            process.wait(timeout=20)


def _plain_selects(url: str) -> dict[str, float]:
    """A list page and the board's numbers, asked of the database by plain SELECTs on one connection."""
    page, board = [], []
    with psycopg.connect(url.replace("+psycopg", "")) as conn:
        place = conn.execute(
            "SELECT stage, holder, town FROM registry.dispute WHERE town <> '' GROUP BY 1, 2, 3 ORDER BY count(*) DESC LIMIT 1"
        ).fetchone()
        for _ in range(30):
            begun = time.perf_counter()
            conn.execute(
                "SELECT * FROM registry.dispute WHERE stage = %s AND holder = %s AND town = %s ORDER BY moved_at DESC LIMIT 50",
                place,
            ).fetchall()
            page.append((time.perf_counter() - begun) * 1000)
        for _ in range(3):
            begun = time.perf_counter()
            for name in ("stage", "holder", "town", "lamp", "grade"):
                conn.execute(
                    f"SELECT {name}, count(*) FROM registry.dispute WHERE merged_into IS NULL GROUP BY 1"
                ).fetchall()
            board.append((time.perf_counter() - begun) * 1000)
    return {
        "select_p95_ms": round(percentile(page, 0.95), 2),
        "count_board_ms": round(percentile(board, 0.5), 2),
    }
