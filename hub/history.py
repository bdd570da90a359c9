"""Loads synthetic history: the generator runs as its own process and writes lines; the registry takes them in bulk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from functools import lru_cache
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

import case_registry
from foundation.database import make_engine
from foundation.settings import ROOT
from foundation.unit_of_work import unit_of_work
from hub.context import hub_of_process
from hub.pipeline import Hub
from schemas.claims import Claim, PartyClaim, Record, Reference

SEED = 1
COMMIT_EVERY = 5_000
MOST_PROCESSES = 4
Told = tuple[case_registry.Source, list[Record]]
GENERATE_WITHIN_S = 3600


def load_history(count: int, hub: Hub | None = None) -> dict[str, Any]:
    """Load ``count`` synthetic disputes unless history was loaded before; returns what was done."""
    hub = hub or hub_of_process()
    with unit_of_work(hub.engine) as uow:
        before = uow.scalar("SELECT result FROM exchange.job_run WHERE job = 'history' AND ok LIMIT 1")
    if before is not None or count == 0:
        return {"loaded": 0, "there": before}
    folder = hub.settings.var_dir / f"history-{count}"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "sandbox.history",
            "--disputes",
            str(count),
            "--seed",
            str(SEED),
            "--out",
            str(folder),
        ],
        check=True,
        cwd=ROOT,
        timeout=GENERATE_WITHIN_S,
    )
    loaded = load_told(hub.settings.database_url, _records(folder))
    with unit_of_work(hub.engine) as uow:
        result = {"seed": SEED, **loaded, "disputes": count}
        uow.execute(
            "INSERT INTO exchange.job_run (id, job, started_at, finished_at, ok, result) VALUES"
            " (:id, 'history', :now, clock_timestamp(), true, CAST(:result AS jsonb))",
            id=uow.new_id(),
            now=uow.now,
            result=json.dumps(result, default=str),
        )
    return {"loaded": count, **loaded}


def load_told(database_url: str, told: Iterable[Told]) -> dict[str, int]:
    """Load history by several processes, a commit every COMMIT_EVERY tellings.

    What was loaded before a failure is known again when it is told again. Returns counts: records, cases, disputes
    founded, and records of cases that were there before (`again`).
    """
    counts: Counter[str] = Counter(records=0, cases=0, disputes=0, again=0)
    waiting = iter(told)
    first = list(islice(waiting, COMMIT_EVERY))
    second = list(islice(waiting, COMMIT_EVERY))
    if not second:
        counts.update(_load_part(database_url, first))
        return dict(counts)
    # Each process works a part out by itself; they meet at the registry's lock only to write.
    processes = min(MOST_PROCESSES, os.cpu_count() or 1)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(_load_part, database_url, part) for part in (first, second)}
        while running:
            while len(running) < 2 * processes and (part := list(islice(waiting, COMMIT_EVERY))):
                running.add(pool.submit(_load_part, database_url, part))
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for each in done:
                counts.update(each.result())
    return dict(counts)


def _load_part(database_url: str, part: Sequence[Told]) -> dict[str, int]:
    """Load one part in a transaction of its own."""
    with unit_of_work(_engine(database_url)) as uow:
        return case_registry.bulk_load(uow, part)


@lru_cache(maxsize=2)
def _engine(database_url: str) -> Engine:
    return make_engine(database_url, pool_size=1, timeout_ms=0)


def _records(folder: Path) -> Iterator[tuple[case_registry.Source, list[Record]]]:
    """Records of the generator's files, one source and its records a line."""
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as file:
            for line in file:
                told = json.loads(line)
                source = case_registry.Source(told["partner"], told["institution"], told["agency"])
                yield source, [_record(each) for each in told["records"]]


def _record(told: dict[str, Any]) -> Record:
    parties = told.get("parties")
    return Record(
        kind=told["kind"],
        native_id=told["native_id"],
        version=tuple(told["version"]),
        event_at=told["event_at"],
        sub_id=told.get("sub_id", ""),
        claims=tuple(Claim(**each) for each in told.get("claims", ())),
        parties=None if parties is None else tuple(PartyClaim(**each) for each in parties),
        references=tuple(Reference(**each) for each in told.get("references", ())),
        path=told.get("path", ""),
        data=told.get("data", {}),
    )
