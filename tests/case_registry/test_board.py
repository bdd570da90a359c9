"""The board's counts are those of the disputes, whatever happened to them; whoever watches is told within a second."""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from typing import Any

import pytest
from sqlalchemy import Engine

from case_registry import Spoken, board, bulk_load, record_many
from case_registry.board_counts import fold_counts
from foundation.settings import Settings
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub.board_feed import BoardFeed
from hub.pipeline import Hub
from tests.case_registry.make import PETITION, episode, person, resident, take
from tests.case_registry.test_many import _random_message

pytestmark = pytest.mark.slow


def counted(uow: UnitOfWork, county: str = "") -> dict[str, Any]:
    """The counts taken from the disputes themselves."""
    only = " AND county = :county" if county else ""
    rows = uow.all(
        f"SELECT stage, holder, town, lamp, grade FROM registry.dispute WHERE merged_into IS NULL{only}",
        **({"county": county} if county else {}),
    )
    found: dict[str, Any] = {name: {} for name in ("stage", "holder", "town", "lamp", "grade")}
    for row in rows:
        for name in found:
            found[name][row[name]] = found[name].get(row[name], 0) + 1
    return {**found, "all": len(rows)}


@pytest.mark.parametrize("seed", range(4))
def test_counts_are_those_of_the_disputes(engine: Engine, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr("case_registry.board_counts.FOLD_ABOVE", 3)
    rnd = random.Random(seed)
    for turn in range(4):
        with unit_of_work(engine) as uow:
            messages = [_random_message(rnd, 8, 20) for _ in range(12)]
            if turn == 2:
                bulk_load(uow, [(m.source, m.records) for m in messages])
            else:
                record_many(uow, messages)
            if turn:
                assert fold_counts(uow)
        with unit_of_work(engine) as uow:
            for county in ("", "330399"):
                shown = board(uow, county)
                expected = counted(uow, county)
                assert {name: shown[name] for name in expected} == expected
            assert uow.scalar("SELECT count(*) FROM registry.board_count") < 60


def test_a_change_is_told_within_a_second(engine: Engine) -> None:
    url = engine.url.render_as_string(hide_password=False)
    feed = BoardFeed(Hub(engine, None, Settings(url, "", None, 0, "sandbox")))  # type: ignore[arg-type]

    async def watch() -> tuple[float, list[dict[str, Any]]]:
        boards: list[dict[str, Any]] = []
        changed = 0.0
        async for line in feed.watch():
            if not line.startswith(b"event: board"):
                continue
            boards.append(json.loads(line.split(b"data: ")[1]))
            if len(boards) == 1:
                await asyncio.sleep(1.2)  # it listens by now
                await asyncio.to_thread(change)
                changed = time.monotonic()
            else:
                return time.monotonic() - changed, boards
        raise AssertionError("the feed ended")

    def change() -> None:
        with unit_of_work(engine) as uow:
            take(uow, PETITION, episode("X1", "PETITION", parties=[person("周忠", id_number=resident(1))]))

    took, boards = asyncio.run(asyncio.wait_for(watch(), 20))
    assert took <= 1.0
    assert (boards[0]["all"], boards[-1]["all"]) == (0, 1)


def test_a_change_that_is_undone_is_no_change(engine: Engine) -> None:
    with pytest.raises(RuntimeError), unit_of_work(engine) as uow:
        record_many(uow, [Spoken(PETITION, uuid.uuid4(), (episode("X1", "PETITION"),))])
        assert board(uow)["all"] == 1
        raise RuntimeError
    with unit_of_work(engine) as uow:
        assert board(uow)["all"] == 0
