"""Gap alarms: every planted hand-over that fell between two agencies is raised within its limit, no good one is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from case_registry import find_disputes, list_hand_overs, my_work, open_gaps, settle_listed, watch_deadlines
from foundation.unit_of_work import unit_of_work
from tests.case_registry.gap_plans import plans
from tests.case_registry.gap_world import WATCH_EVERY, HandOver, open_all, play
from tests.case_registry.make import MEDIATION, PETITION, episode, take

Clock = Callable[[datetime | str], None]
ALARM = {"never_taken_up": "NOT_TAKEN_UP", "returned_and_forgotten": "NO_ACT_AFTER_RETURN",
         "closed_and_forgotten": "CLOSED_NOT_HANDED", "listed_and_lost": "LISTED_NOT_ARRIVED"}  # fmt: skip


def judge(made: list[HandOver], raised: list[dict[str, Any]], engine: Engine) -> None:
    """All planted ones raised once, of the right kind, at the first look after their limit; no other."""
    with unit_of_work(engine) as uow:
        rows = uow.all("SELECT g.id, g.due_at, c.native_id FROM registry.gap_alarm g JOIN registry.source_case c"
                       " ON c.id = g.source_case")  # fmt: skip
    named = {row["id"]: row for row in rows}
    found: dict[str, list[dict[str, Any]]] = {}
    for event in raised:
        found.setdefault(named[event["gap"]]["native_id"], []).append(event)
    planted = {each.native_id: each for each in made if each.gap_from is not None}
    assert sorted(set(found) - set(planted)) == [], "false alarms"
    assert sorted(set(planted) - set(found)) == [], "not raised"
    for native_id, events in found.items():
        each, event = planted[native_id], events[0]
        assert len(events) == 1 and event["kind"] == ALARM[each.plan]
        assert each.gap_from is not None
        assert named[event["gap"]]["due_at"] == each.gap_from, (each.plan, each.start)
        assert each.gap_from <= event["at"] < each.gap_from + WATCH_EVERY, (
            each.plan,
            each.gap_from,
            event["at"],
        )


def test_planted_gaps_are_raised_and_no_other(engine: Engine, set_clock: Clock) -> None:
    made = plans(11, dropped=8, good=20)
    set_clock("2026-04-26T09:00")
    open_all(engine, made)
    judge(made, play(engine, set_clock, made), engine)


@pytest.mark.long
def test_five_hundred_of_twenty_thousand(engine: Engine, set_clock: Clock) -> None:
    made = plans(20260427, dropped=500, good=20_000)
    set_clock("2026-04-26T09:00")
    open_all(engine, made)
    judge(made, play(engine, set_clock, made), engine)


def test_a_closing_that_hands_over_to_nobody_ends_with_a_new_holder(engine: Engine, set_clock: Clock) -> None:
    set_clock("2026-04-01T09:00")
    with unit_of_work(engine) as uow:
        take(
            uow,
            PETITION,
            episode(
                "X1", "PETITION", "CLOSED", opened_on="2026-03-20", closed_on="2026-04-01", outcome="referred"
            ),
        )
        assert not [e for e in watch_deadlines(uow) if e["event"] == "gap_alarm"]
    set_clock("2026-04-03T00:00")
    with unit_of_work(engine) as uow:
        (alarm,) = [e for e in watch_deadlines(uow) if e["event"] == "gap_alarm"]
        assert (alarm["kind"], alarm["from_agency"]) == ("CLOSED_NOT_HANDED", "petition")
        assert find_disputes(uow).rows[0]["flags"] == ["GAP"]
        assert [t["dispute"] for t in my_work(uow, {"supervision_officer"}) if t["task"] == "gaps"]
        from schemas.claims import Reference

        refs = [Reference("case_number", "X1", "petition")]
        take(uow, MEDIATION, episode("M1", "MEDIATION", "OPEN", refs=refs, opened_on="2026-04-03"))
        assert [e["why"] for e in watch_deadlines(uow) if e["event"] == "gap_ended"] in (
            ["handed"],
            ["new_holder"],
        )
        assert find_disputes(uow).rows[0]["flags"] == [] and open_gaps(uow) == []


def test_a_listed_message_that_never_came_is_shown_without_a_dispute(
    engine: Engine, set_clock: Clock
) -> None:
    set_clock("2026-04-01T09:00")
    row = {"message_id": "MSG-7", "to_agency": "mediation", "said_on": date(2026, 3, 30)}
    with unit_of_work(engine) as uow:
        assert list_hand_overs(uow, "petition_x", "petition", "comparison", [row]) == 1
        assert list_hand_overs(uow, "petition_x", "petition", "comparison", [row]) == 0, "once"
        assert [e["kind"] for e in watch_deadlines(uow) if e["event"] == "gap_alarm"] == [
            "LISTED_NOT_ARRIVED"
        ]
        (shown,) = open_gaps(uow)
        assert (shown["dispute"], shown["native_id"], shown["list"]) == (None, "MSG-7", "comparison")
        settle_listed(uow, "petition_x", ["MSG-7"], "came")
        assert [e["why"] for e in watch_deadlines(uow) if e["event"] == "gap_ended"] == ["came"]
        assert open_gaps(uow) == []


def test_old_closings_of_loaded_history_are_no_alarms(engine: Engine, set_clock: Clock) -> None:
    set_clock("2026-04-01T09:00")
    with unit_of_work(engine) as uow:
        take(
            uow,
            PETITION,
            episode(
                "X1", "PETITION", "CLOSED", opened_on="2025-03-20", closed_on="2025-06-01", outcome="REFERRED"
            ),
        )
    set_clock("2026-04-20T09:00")
    with unit_of_work(engine) as uow:
        assert not [e for e in watch_deadlines(uow) if e["event"] == "gap_alarm"]
