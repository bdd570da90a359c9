"""What follows from the watch: alarms for operators, drafts of supervision cases, lines of comparisons."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

import pytest
from sqlalchemy import Engine

from case_registry import note_indicator, open_gaps, supervision_cases, watch_deadlines
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub import choreography, missed_hand_overs, supervising
from schemas.findings import Refused
from tests.case_registry.make import PETITION, episode, person, resident, take
from tests.case_registry.supervision_world import AUTHOR, HEAD, PROOF, as_

Clock = Callable[[datetime | str], None]


def test_grades_and_repeats_draft_cases(uow: UnitOfWork) -> None:
    people = [person("周忠", id_number=resident(1))]
    told = take(uow, PETITION, episode("X1", "PETITION", "OPEN", opened_on="2026-03-30", parties=people))
    choreography.follow(uow, told.events)
    number = told.disputes[0].number
    assert supervision_cases(uow) == []
    choreography.follow(uow, note_indicator(uow, number, "U06", "recorded", "通话中表示要自杀", "police"))
    (made,) = supervision_cases(uow)
    assert (made["level"], made["reason"], made["agency"], made["drafted_by"]) == (
        "L1",
        "FACTOR_RED",
        "petition",
        "tester",
    )
    again = take(
        uow, PETITION, episode("X2", "PETITION", "OPEN", opened_on="2026-04-01", repeats="X1", parties=people)
    )
    choreography.follow(uow, again.events)
    assert len(supervision_cases(uow)) == 1, "one draft at a time"


def test_a_gap_drafts_and_a_lost_receipt_is_told_to_operators(engine: Engine, set_clock: Clock) -> None:
    from case_registry import draft_referral, send_referral

    with unit_of_work(engine) as uow:
        closed = take(
            uow,
            PETITION,
            episode(
                "X1", "PETITION", "CLOSED", opened_on="2026-03-20", closed_on="2026-04-01", outcome="REFERRED"
            ),
        )
        other = take(uow, PETITION, episode("X2", "PETITION", "OPEN", opened_on="2026-03-20"))
        referral = draft_referral(as_(uow, AUTHOR), other.disputes[0].number, "petition", "court", "应诉讼")
        send_referral(as_(uow, HEAD), referral)
    set_clock("2026-04-03T09:00")
    with unit_of_work(engine) as uow:
        choreography.follow(uow, watch_deadlines(uow))
        (made,) = supervision_cases(uow)
        assert (made["level"], made["reason"], made["dispute"]) == ("L3", "GAP", closed.disputes[0].number)
        alarms = uow.all("SELECT kind, subject, role FROM exchange.alarm")
        assert [dict(a) for a in alarms] == [
            {"kind": "hand_over_without_receipt", "subject": other.disputes[0].number, "role": "operator"}
        ]


def difference(uow: UnitOfWork, done: str = "PERSON") -> None:
    comparison = uow.new_id()
    uow.execute("INSERT INTO exchange.comparison (id, partner, since, until, at) VALUES (:id, 'court_feed', :d, :d, :now)",
                id=comparison, d=date(2026, 3, 30), now=uow.now)  # fmt: skip
    uow.execute("INSERT INTO exchange.difference (id, partner, way, day, message_id, kind, comparison, found_at, done) VALUES"
                " (:id, 'court_feed', 'to_hub', :d, 'M-9', 'MISSING_HERE', :c, :now, :done)",
                id=uow.new_id(), d=date(2026, 3, 30), c=comparison, now=uow.now, done=done)  # fmt: skip


def test_what_comparisons_left_missing_is_a_gap_until_it_comes(uow: UnitOfWork) -> None:
    difference(uow)
    assert missed_hand_overs.list_missed(uow) == 1 and missed_hand_overs.list_missed(uow) == 0
    choreography.follow(uow, watch_deadlines(uow))
    (gap,) = open_gaps(uow)
    assert (gap["kind"], gap["from_agency"], gap["to_agency"], gap["native_id"]) == (
        "LISTED_NOT_ARRIVED",
        "court",
        "mediation",
        "M-9",
    )
    uow.execute("UPDATE exchange.difference SET done = 'GONE'")
    missed_hand_overs.list_missed(uow)
    watch_deadlines(uow)
    assert open_gaps(uow) == []


def test_copies_go_by_agreement_alone(uow: UnitOfWork) -> None:
    number = take(uow, PETITION, episode("X1", "PETITION", "OPEN", opened_on="2026-03-30")).disputes[0].number
    case = supervising.open_case(as_(uow, AUTHOR), number, "L3", "petition", "RED_LAMP", "超期")
    supervising.act(as_(uow, HEAD), case, "issue", PROOF["issue"])
    supervising.act(as_(uow, HEAD), case, "copy_to", {"to": "court_feed"})
    lines = uow.all("SELECT recipient, purpose, subject FROM exchange.disclosure")
    assert [(line["recipient"], line["subject"]) for line in lines] == [("court_feed", number)]
    with pytest.raises(Refused):
        supervising.act(as_(uow, HEAD), case, "copy_to", {"to": "nobody"})
    with pytest.raises(ValueError, match="clock alone"):
        supervising.act(as_(uow, HEAD), case, "not_signed", {"rule": "SV02"})
