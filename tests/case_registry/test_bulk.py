"""The bulk load comes to the same as taking the messages one by one."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from case_registry import bulk_load, find_disputes, rebuilt_hash, state_hash
from foundation.actors import SYSTEM
from foundation.clock import clock_now
from foundation.unit_of_work import UnitOfWork
from tests.case_registry.make import take
from tests.case_registry.test_order import STORIES, Told


class _Undone(Exception):
    pass


def _undone(engine: Engine, act: Callable[[UnitOfWork], Any]) -> Any:
    """What `act` returns, its work undone."""
    found = None
    try:
        with engine.begin() as conn:
            found = act(UnitOfWork(conn, SYSTEM, clock_now(conn)))
            raise _Undone
    except _Undone:
        return found


def _picture(uow: UnitOfWork) -> tuple[str, list[Any], Any]:
    """State hash, the rows of disputes by a key that no arrival decides, and counts of what hangs on them."""
    rows = [
        (
            r["stage"],
            r["holder"],
            r["flags"],
            r["cause"],
            r["claimed_fen"],
            r["agencies"],
            r["lamp"],
            r["grade"],
            r["title"],
        )
        for r in find_disputes(uow, limit=500).rows
    ]
    counts = {
        table: uow.scalar(f"SELECT count(*) FROM registry.{table}")
        for table in (
            "statement",
            "claim",
            "episode",
            "party",
            "link_key",
            "link_edge",
            "episode_edge",
        )
    }
    for name, state in (("proposal", "OPEN"), ("conflict", "OPEN"), ("clock", "RUNNING")):
        counts[name] = uow.scalar(f"SELECT count(*) FROM registry.{name} WHERE state = '{state}'")
    assert rebuilt_hash(uow) == state_hash(uow)
    return state_hash(uow), sorted(rows, key=str), counts


@pytest.mark.parametrize("chunk", [1000, 5])
@pytest.mark.parametrize("seed", [1, 2])
def test_same_as_one_by_one(engine: Engine, monkeypatch: pytest.MonkeyPatch, chunk: int, seed: int) -> None:
    monkeypatch.setattr("case_registry.bulk.CHUNK", chunk)
    told: list[Told] = [*STORIES[2], *STORIES[0][:3]]
    random.Random(seed).shuffle(told)

    def single(uow: UnitOfWork) -> Any:
        for source, record in told:
            take(uow, source, record)
        return _picture(uow)

    def bulk(uow: UnitOfWork) -> Any:
        loaded = bulk_load(uow, [(source, [record]) for source, record in told])
        assert loaded["records"] == len(told)
        return _picture(uow)

    def half(uow: UnitOfWork) -> Any:
        for source, record in told[:7]:
            take(uow, source, record)
        bulk_load(uow, [(source, [record]) for source, record in told[7:]])
        return _picture(uow)

    expected = _undone(engine, single)
    assert _undone(engine, bulk) == expected
    assert _undone(engine, half) == expected
