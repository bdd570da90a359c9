"""A city's hand-overs over some weeks of virtual time: good ones of every kind, and ones planted to fall between.

Each hand-over is a list of acts at instants; `play` does all acts in order and lets the watch look every hour of trouble.
The limits are counted here anew, from the working calendar alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import Engine

from case_registry import (
    Source,
    Spoken,
    dispute_ref,
    draft_referral,
    list_hand_overs,
    recall_referral,
    record_many,
    referral_receipt,
    return_referral,
    send_referral,
    take_up_referral,
    watch_deadlines,
)  # fmt: skip
from foundation.actors import Actor
from foundation.unit_of_work import UnitOfWork, unit_of_work
from schemas.claims import Reference
from schemas.wide import BEIJING
from schemas.workdays import work_calendar
from tests.case_registry.make import MEDIATION, PETITION, SOURCES, episode

FIRST = date(2026, 4, 27)  # the Labour Day holiday and a moved workday (9 May) lie in the weeks that follow
WATCH_EVERY = timedelta(hours=1)
DAYS = 24
DROPPED = ("never_taken_up", "returned_and_forgotten", "closed_and_forgotten", "listed_and_lost")
GOOD = (
    "taken_up", "taken_up_last_minute", "returned_and_answered", "returned_and_sent_on", "recalled", "closed_and_sent",
    "closed_and_begun_elsewhere", "listed_and_sent", "listed_and_begun", "closed_otherwise",
)  # fmt: skip
TAKE_UP = {("petition", "mediation"): 2}
Act = Callable[[UnitOfWork, "HandOver"], None]


def over(at: datetime, workdays: int) -> datetime:
    """First instant after so many workdays, day by day."""
    day = at.astimezone(BEIJING).date()
    while workdays:
        day += timedelta(days=1)
        workdays -= work_calendar().is_workday(day)
    return datetime.combine(day + timedelta(days=1), time(), BEIJING)


def tens(at: datetime) -> datetime:
    """Down to ten minutes: what happens at one instant is done in one transaction."""
    return at - timedelta(minutes=at.minute % 10, seconds=at.second, microseconds=at.microsecond)


@dataclass
class HandOver:
    """One of them: what kind, between whom, its acts, and (for a dropped one) from when it is a gap."""

    no: int
    plan: str
    source: Source
    to: str
    start: datetime
    acts: list[tuple[datetime, Act]] = field(default_factory=list)
    gap_from: datetime | None = None
    referral: uuid.UUID | None = None

    @property
    def native_id(self) -> str:
        return f"{self.source.agency[:2].upper()}2026{self.no:06d}"

    @property
    def limit(self) -> int:
        return TAKE_UP.get((self.source.agency, self.to), 3)

    def at(self, moment: datetime, act: Act) -> None:
        self.acts.append((moment, act))


KINDS = {"court": "TRIAL", "petition": "PETITION", "arbitration": "ARBITRATION", "procuratorate": "CIVIL_SUPERVISION",
         "mediation": "MEDIATION"}  # fmt: skip
DRAFTER, SENDER = (Actor(n, n, frozenset({"supervision_officer"}), "瓯栖县") for n in ("one", "two"))


def tell(uow: UnitOfWork, source: Source, *records: Any) -> None:
    record_many(uow, [Spoken(source, uuid.uuid4(), [each]) for each in records])


def _number(uow: UnitOfWork, each: HandOver) -> Any:
    return uow.scalar("SELECT dispute FROM registry.source_case WHERE partner = :p AND native_id = :n",
                      p=each.source.partner, n=each.native_id)  # fmt: skip


def says_draft(uow: UnitOfWork, each: HandOver) -> None:
    number = dispute_ref(uow, _number(uow, each)).number
    acting = UnitOfWork(uow.conn, DRAFTER, uow.now)
    each.referral = draft_referral(acting, number, each.source.agency, each.to, "移送办理")


def says_send(uow: UnitOfWork, each: HandOver) -> None:
    assert each.referral is not None
    send_referral(UnitOfWork(uow.conn, SENDER, uow.now), each.referral)


def says_deliver(uow: UnitOfWork, each: HandOver) -> None:
    assert each.referral is not None
    referral_receipt(uow, each.referral, f"R{each.no}")


def says_take_up(uow: UnitOfWork, each: HandOver) -> None:
    assert each.referral is not None
    source = SOURCES[each.to]
    says_begin(uow, each)
    take_up_referral(uow, each.referral, source.partner, f"T{each.no:06d}")


def says_begin(uow: UnitOfWork, each: HandOver) -> None:
    """The receiving agency's own case, which cites the sender's number."""
    refs = [Reference("case_number", each.native_id, each.source.agency)]
    told = episode(
        f"T{each.no:06d}",
        KINDS[each.to],
        "OPEN",
        refs=refs,
        opened_on=uow.now.astimezone(BEIJING).date().isoformat(),
    )
    tell(uow, SOURCES[each.to], told)


def says_return(uow: UnitOfWork, each: HandOver) -> None:
    assert each.referral is not None
    return_referral(uow, each.referral, "不属本单位")


def says_recall(uow: UnitOfWork, each: HandOver) -> None:
    assert each.referral is not None
    recall_referral(uow, each.referral, "重复移送")


def says_sender_acts(uow: UnitOfWork, each: HandOver) -> None:
    tell(uow, each.source, episode(each.native_id, KINDS[each.source.agency], "OPEN", version=(3,)))


def says_close(outcome: str) -> Act:
    def act(uow: UnitOfWork, each: HandOver) -> None:
        day = uow.now.astimezone(BEIJING).date().isoformat()
        tell(
            uow,
            each.source,
            episode(
                each.native_id,
                KINDS[each.source.agency],
                "CLOSED",
                version=(2,),
                closed_on=day,
                outcome=outcome,
            ),
        )

    return act


def says_list(uow: UnitOfWork, each: HandOver) -> None:
    row = {"native_id": each.native_id, "to_agency": each.to, "said_on": uow.now.astimezone(BEIJING).date()}
    assert list_hand_overs(uow, each.source.partner, each.source.agency, "四月移送清单", [row]) == 1


def open_all(engine: Engine, made: list[HandOver], portion: int = 1_000) -> None:
    """Every sender's own case, told before the first hand-over."""
    for at in range(0, len(made), portion):
        with unit_of_work(engine) as uow:
            record_many(uow, [
                Spoken(e.source, uuid.uuid4(), [episode(e.native_id, KINDS[e.source.agency], "OPEN", opened_on="2026-04-20")])
                for e in made[at : at + portion]
            ])  # fmt: skip


def play(engine: Engine, set_clock: Callable[[datetime], None], made: list[HandOver]) -> list[dict[str, Any]]:
    """Do everything in the order of time, the watch looking every hour; returns the gap alarms that were raised."""
    raised: list[dict[str, Any]] = []
    acts = sorted(
        ((at, e.no, k, act, e) for e in made for k, (at, act) in enumerate(e.acts)), key=lambda a: a[:3]
    )
    looks = datetime.combine(FIRST, time(8), BEIJING)
    end = looks + timedelta(days=DAYS)
    for hour, mine in _hours(acts, looks, end):
        for at, group in groupby(mine, key=lambda a: a[0]):
            set_clock(at)
            with unit_of_work(engine) as uow:
                for _, _, _, act, each in group:
                    act(uow, each)
        set_clock(hour)
        with unit_of_work(engine) as uow:
            raised += [{**e, "at": uow.now} for e in watch_deadlines(uow) if e["event"] == "gap_alarm"]
    return raised


def _hours(acts: list[Any], first: datetime, end: datetime) -> Iterator[tuple[datetime, list[Any]]]:
    i, hour = 0, first
    while hour <= end:
        mine = []
        while i < len(acts) and acts[i][0] <= hour:
            mine.append(acts[i])
            i += 1
        # Between acts the watch would find the same at each hour until midnight, when limits end.
        if mine or hour.hour in (0, 1, 9) or first == hour:
            yield hour, mine
        hour += WATCH_EVERY


__all__ = ["MEDIATION", "PETITION", "WATCH_EVERY", "HandOver", "open_all", "over", "play"]
