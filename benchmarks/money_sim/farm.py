"""Many runs: one process for each core, each with a scheduler and a database of its own in one cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.money_sim.clock import FROZEN, SEARCH_PATH
from benchmarks.money_sim.tally import Tally
from benchmarks.postgres import durable_cluster
from foundation import embedded_postgres
from foundation.settings import ROOT
from hub import migrate

TEMPLATE = "money_template"
# What a simulated process loses when it dies is decided by its transaction, not by the disk; the server itself never dies
# here, and what it holds is thrown away. Two that wait for each other are seen by the scheduler, which ends one. A socket
# file lies in the data folder.
SETTINGS = {
    "shared_buffers": "256MB", "deadlock_timeout": "60s", "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
    "wal_level": "minimal", "max_wal_senders": "0", "track_activities": "off", "unix_socket_directories": ".",
}  # fmt: skip
MOST_SHOWN = 20


@dataclass
class Found:
    """What a number of runs gave."""

    runs: int = 0
    double: int = 0
    lost: int = 0
    broken: int = 0
    seconds: float = 0.0
    tally: Tally = field(default_factory=Tally)
    failing: list[tuple[int, str]] = field(default_factory=list)

    @property
    def executed(self) -> int:
        """Payouts executed at bank and wallet in runs that had a fault."""
        return sum(self.tally.payouts.values())


def settings_shown() -> str:
    """The settings in words, for the benchmark's output."""
    return ", ".join(f"{name}={value}" for name, value in SETTINGS.items())


@contextmanager
def cluster() -> Iterator[embedded_postgres.Cluster]:
    """A throw-away cluster with a template whose clock stands still."""
    with durable_cluster(SETTINGS) as made:
        template(made, TEMPLATE)
        yield made


def template(made: embedded_postgres.Cluster, name: str) -> None:
    """A migrated database in which time stands still."""
    embedded_postgres.create_database(made, name)
    migrate.upgrade(made.url(name), movable_clock=True)
    freeze_clock(made.url(name), name)


def url(made: embedded_postgres.Cluster, name: str) -> str:
    """URL of a database by the socket file: half the cost of a statement's way there and back."""
    return f"postgresql+psycopg://concord:{made.password}@/{name}?host={made.data}&port={made.port}"


def freeze_clock(url: str, name: str) -> None:
    """Give a migrated database the simulator's clock."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute(FROZEN)
        admin.execute(f"ALTER DATABASE {name} SET search_path = {SEARCH_PATH}")


def clone(made: embedded_postgres.Cluster, name: str) -> str:
    """URL of a copy of the template."""
    with psycopg.connect(made.url("postgres").replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        admin.execute(f"ALTER DATABASE {name} SET search_path = {SEARCH_PATH}")
    return url(made, name)


def start(url: str, seeds: Sequence[int], *options: str, tree: Path = ROOT) -> subprocess.Popen[str]:
    """A process that runs these seeds with the code of `tree`; it writes one JSON line for each."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(tree),
        "PYTHONDONTWRITEBYTECODE": "1",
        "CONCORD_SIMULATOR_URL": url,
    }
    command = [
        sys.executable, "-m", "benchmarks.money_sim.worker", str(seeds[0]), str(len(seeds)), str(_step(seeds)), *options,
    ]  # fmt: skip
    return subprocess.Popen(command, cwd=tree, env=environment, stdout=subprocess.PIPE, text=True)


def _step(seeds: Sequence[int]) -> int:
    return seeds[1] - seeds[0] if len(seeds) > 1 else 1


def lines(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    """The results of a process as they come."""
    assert process.stdout is not None
    for line in process.stdout:
        yield json.loads(line)


def many(
    made: embedded_postgres.Cluster, runs: int, seed: int, *, faults: bool = True, processes: int = 0
) -> Found:
    """Runs of the seeds from `seed` × 1,000,000 on, spread over the processes (0 = one a core, and one that runs while
    another waits for a lock)."""
    count = min(processes or (os.cpu_count() or 1) + 1, max(1, runs))
    first = seed * 1_000_000
    kind = "storm" if faults else "plain"
    started = [
        start(
            clone(made, f"money_{kind}_{place}_{runs}"), range(first + place, first + runs, count), *([] if faults else ["--plain"])
        )
        for place in range(count)
    ]  # fmt: skip
    found = Found()
    begun = time.monotonic()
    first_result = 0.0
    import threading

    def read(process: subprocess.Popen[str]) -> None:
        nonlocal first_result
        for told in lines(process):
            first_result = first_result or time.monotonic()
            _add(found, told)

    readers = [threading.Thread(target=read, args=(process,)) for process in started]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    codes = [process.wait() for process in started]
    if any(codes) or found.runs != runs:
        raise RuntimeError(f"the simulator ended early: exit codes {codes}, {found.runs} of {runs} runs")
    # From the first result on: the start of the processes is not the simulator's speed.
    found.seconds = max(1e-6, time.monotonic() - (first_result or begun))
    return found


def _add(found: Found, told: dict[str, Any]) -> None:
    from collections import Counter

    found.runs += 1
    found.double += len(told["double"])
    found.lost += len(told["lost"])
    found.broken += len(told["broken"])
    found.tally.add(Counter(told["made"]), told["executed"])
    if told["wrong"] and len(found.failing) < MOST_SHOWN:
        found.failing.append((told["seed"], told["wrong"]))
