"""Two-phase transfers a second in the general ledger: single callers, batches, one hot account; killed and verified.

A transfer is a hold and its release, each an event of its own with its own durable commit (a batch: one commit for its
holds, one for its releases). Every event is checked, changes two accounts, adds a link to both their chains.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import psycopg

from benchmarks import ledger_bare as bare
from benchmarks import ledger_kill as killing
from benchmarks import ledger_load as load
from benchmarks.ledger_service import serve
from benchmarks.postgres import SETTINGS, durable_cluster
from benchmarks.result import Result, percentile
from escrow.ledger import Account, create_accounts
from foundation import embedded_postgres
from hub import migrate

SINGLE_CALLERS, HUNDREDS_CALLERS, THOUSANDS_CALLERS = 32, 8, 2
ROUNDS = 2
BOUND_BY = (
    "CPU: of a batch about a third is the engine's loop (checks, balances, two SHA-256 links an event), a third finding what "
    "the batch names and locking it, a quarter writing rows, indexes and accounts, the rest parsing columns and the guard of "
    "accounts; batches that share accounts overlap only before their locks; single callers share calls and flushes"
)


Pair = dict[bool, load.Series]
"""Spread (False) and hot (True)."""


@dataclass
class Run:
    """The settings of a run and all that was answered in it."""

    url: str
    seconds: float
    answered: bytearray = field(default_factory=bytearray)
    wrong: int = 0

    def take(self, series: load.Series) -> load.Series:
        self.answered += series.answered
        self.wrong += series.wrong
        return series


def run(*, quick: bool, seed: int) -> Result:
    """Measure, kill, verify. ``quick``: 0.3 s a series, batches of 1,000 for 8,000.

    ``seed`` changes nothing: ids must be new in every run.
    """
    with durable_cluster() as cluster:
        embedded_postgres.create_database(cluster, "bench")
        migrate.upgrade(cluster.url("bench"), movable_clock=True)
        url = cluster.url("bench").replace("+psycopg", "")
        run = Run(url, 0.3 if quick else 5.0)
        open_accounts(url)
        settings = told_settings(url)
        singles = both(run, lambda hot: by_service(run, hot), rounds=1 if quick else ROUNDS)
        direct_callers = 4 if quick else SINGLE_CALLERS
        direct = run.take(load.run_callers(load.single_direct, (url, False), direct_callers, run.seconds))
        hundreds = both(
            run, lambda hot: in_batches(run, 100, HUNDREDS_CALLERS, hot), rounds=1 if quick else ROUNDS
        )
        thousands = both(
            run,
            lambda hot: in_batches(run, 1000 if quick else 8000, THOUSANDS_CALLERS, hot),
            rounds=1 if quick else ROUNDS,
        )
        copied, inserted = baseline(run, quick)
        lost, faults = end(cluster, run)
    return told(run, singles, direct, hundreds, thousands, copied, inserted, settings, lost, faults)


def told(
    run: Run, singles: Pair, direct: load.Series, hundreds: Pair, thousands: Pair, copied: load.Series,
    inserted: load.Series, settings: str, lost: int, faults: list[str],
) -> Result:  # fmt: skip
    """The figures of a run."""
    figures = {
        "single_per_s": round(singles[False].per_s),
        "single_p50_ms": round(1000 * percentile(singles[False].waits, 0.5), 2),
        "single_p99_ms": round(1000 * percentile(singles[False].waits, 0.99), 2),
        "hot_ratio": round(singles[True].per_s / max(1.0, singles[False].per_s), 3),
        "batch100_spread_per_s": round(hundreds[False].per_s),
        "batch100_hot_per_s": round(hundreds[True].per_s),
        "batch8000_spread_per_s": round(thousands[False].per_s),
        "batch8000_hot_per_s": round(thousands[True].per_s),
        "limit_ratio": round(thousands[False].per_s / max(1.0, copied.per_s), 3),
        "verified_after_kill": lost == 0 and not faults,
    }
    also = {
        "single_hot_per_s": round(singles[True].per_s),
        "single_direct_per_s": round(direct.per_s),
        "single_direct_p99_ms": round(1000 * percentile(direct.waits, 0.99), 2),
        "single_limit_ratio": round(singles[False].per_s / max(1.0, inserted.per_s), 3),
        "answered_events": len(run.answered) // 16,
        "lost": lost,
        "settings": settings,
    }
    failed = "; ".join(
        [
            *([f"{lost} answered events lost"] if lost else []),
            *faults[:3],
            *([f"{run.wrong} events refused"] if run.wrong else []),
        ]
    )
    return Result(
        figures,
        "bare inserts of the same rows: COPY of 8,000 transfers a commit, 2 callers; INSERT of one row a commit, 32 callers",
        {"batch8000_per_s": round(copied.per_s), "single_per_s": round(inserted.per_s)},
        BOUND_BY, also, failed,
    )  # fmt: skip


def open_accounts(url: str) -> None:
    """The accounts: all of them may owe, so that no transfer is refused; every check is made all the same."""
    with psycopg.connect(url, autocommit=True) as conn:
        for first in range(1, load.ACCOUNTS + 1, 5000):
            create_accounts(conn, [Account(number, 1, 1) for number in range(first, first + 5000)])
        conn.execute("ANALYZE escrow.ledger_account")


def told_settings(url: str) -> str:
    """What the server itself says about durability and memory."""
    names = ("fsync", "synchronous_commit", "full_page_writes", "wal_level", "commit_delay", *SETTINGS)
    with psycopg.connect(url, autocommit=True) as conn:
        shown = [(name, conn.execute(f"SHOW {name}").fetchone()) for name in names]
    return ", ".join(f"{name}={row[0] if row else '?'}" for name, row in shown)


def both(run: Run, act: Callable[[bool], load.Series], rounds: int) -> Pair:
    """Spread and hot by turns, so that a slow minute of the machine meets both."""
    total = {False: load.Series(), True: load.Series()}
    for _ in range(rounds):
        for hot in (False, True):
            series = run.take(act(hot))
            total[hot].transfers += series.transfers
            total[hot].seconds += series.seconds
            total[hot].waits += series.waits
    return total


def in_batches(run: Run, size: int, callers: int, hot: bool) -> load.Series:
    """Batches of one size from several callers."""
    return load.run_callers(load.batches, (run.url, size, hot), callers, run.seconds)


@contextmanager
def service(url: str) -> Iterator[int]:
    """The process that commits for single callers; gives its port."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(url, theirs), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.kill()
        process.join(10)


def by_service(run: Run, hot: bool) -> load.Series:
    """32 connections, each a process of its own."""
    with service(run.url) as port:
        return load.run_callers(load.single_by_service, (port, hot), SINGLE_CALLERS, run.seconds)


def baseline(run: Run, quick: bool) -> tuple[load.Series, load.Series]:
    """The same rows without a ledger: by COPY in batches, and one by one."""
    bare.prepare(run.url)
    size = 1000 if quick else 8000
    text = bare.rows(run.url, bare.ROWS_PER_TRANSFER * size)
    copied = load.run_callers(bare.copy_batches, (run.url, text, size), THOUSANDS_CALLERS, run.seconds)
    inserted = load.run_callers(bare.insert_single, (run.url, text), SINGLE_CALLERS, run.seconds)
    return copied, inserted


def end(cluster: embedded_postgres.Cluster, run: Run) -> tuple[int, list[str]]:
    """Kill PostgreSQL amid its work, start it again on the same files, and look for everything that was answered."""

    def kill_midway() -> None:
        time.sleep(run.seconds / 2)
        killing.kill(cluster)

    with service(run.url) as port:
        run.answered += load.run_callers(
            load.single_by_service, (port, False), SINGLE_CALLERS, run.seconds, during=kill_midway
        ).answered
    Path(cluster.data / "postmaster.pid").unlink(missing_ok=True)
    embedded_postgres.start(cluster, durable=True, settings=SETTINGS)
    return killing.verify(run.url, bytes(run.answered))
