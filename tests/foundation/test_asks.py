"""What a partner is to be asked for: once a key, at growing intervals, until it is answered or was tried often enough."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Engine

from foundation import asks, outbox
from foundation.unit_of_work import unit_of_work
from tests.conftest import STORY_START


def test_asked_until_done(engine: Engine, set_clock: Callable[[datetime | str], None]) -> None:
    def due() -> list[str]:
        with unit_of_work(engine) as uow:
            return [row["cursor"] for row in asks.lease_due(uow, 10)]

    with unit_of_work(engine) as uow:
        asks.note(uow, "p", None, uow.new_id())
        for cursor in ("A", "B", "A"):
            asks.note(uow, "p", {"kind": "case", "cursor": cursor}, uow.new_id())
    assert sorted(due()) == ["A", "B"] and due() == []
    set_clock(STORY_START + timedelta(seconds=60))
    with unit_of_work(engine) as uow:
        again = asks.lease_due(uow, 10)
        asks.done(uow, next(row for row in again if row["cursor"] == "A"))
    set_clock(STORY_START + timedelta(days=1))
    assert due() == ["B"]
    for day in range(2, 30):
        set_clock(STORY_START + timedelta(days=day))
        due()
    assert due() == []
    with unit_of_work(engine) as uow:
        asks.note(uow, "p", {"kind": "case", "cursor": "A"}, uow.new_id())
    assert due() == ["A"]


def test_partners_that_cannot_answer_now_are_passed_over(engine: Engine) -> None:
    with unit_of_work(engine) as uow:
        for partner in ("busy", "paused", "open", "well"):
            asks.note(uow, partner, {"kind": "case", "cursor": "A"}, uow.new_id())
        uow.execute("INSERT INTO exchange.partner_state (partner, paused) VALUES ('paused', true)")
        for _ in range(outbox.BREAKER_AFTER):
            outbox.note_partner(uow, "open", ok=False, error="away")
        assert [row["partner"] for row in asks.lease_due(uow, 10, ["busy"])] == ["well"]
        assert [row["partner"] for row in asks.lease_due(uow, 10)] == ["busy"]
