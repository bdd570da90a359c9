"""Hand-overs that are dropped on the way, and good ones: what is planted, its instants drawn at random."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, time, timedelta

from schemas.wide import BEIJING
from tests.case_registry.gap_world import (
    DROPPED,
    FIRST,
    GOOD,
    HandOver,
    over,
    says_begin,
    says_close,
    says_deliver,
    says_draft,
    says_list,
    says_recall,
    says_return,
    says_send,
    says_sender_acts,
    says_take_up,
    tens,
)
from tests.case_registry.make import SOURCES


def _through(each: HandOver, at: datetime) -> datetime:
    """Drafted, sent and delivered within an hour; returns when it was delivered."""
    for minutes, act in ((0, says_draft), (20, says_send), (40, says_deliver)):
        each.at(at + timedelta(minutes=minutes), act)
    return at + timedelta(minutes=40)


def _plan_closed(
    chance: random.Random, each: HandOver, start: datetime, inside: Callable[[datetime], datetime]
) -> None:
    each.at(start, says_close("MEDIATED" if each.plan == "closed_otherwise" else "REFERRED"))
    limit = over(start, 1)
    if each.plan == "closed_and_forgotten":
        each.gap_from = limit
    elif each.plan == "closed_and_sent":
        each.at(
            _through(each, start + timedelta(minutes=10 * chance.randrange(3, 60))) + timedelta(minutes=40),
            says_take_up,
        )
    elif each.plan == "closed_and_begun_elsewhere":
        each.at(inside(limit), says_begin)


def _plan_listed(
    chance: random.Random, each: HandOver, start: datetime, inside: Callable[[datetime], datetime]
) -> None:
    each.at(start, says_list)
    if each.plan == "listed_and_lost":
        each.gap_from = over(start, 1)
    elif each.plan == "listed_and_begun":
        each.at(inside(over(start, 1)), says_begin)
    else:
        each.at(
            _through(each, start + timedelta(minutes=10 * chance.randrange(3, 60))) + timedelta(minutes=40),
            says_take_up,
        )


def plan(chance: random.Random, no: int, name: str) -> HandOver:
    """One hand-over of a kind, its instants drawn at random inside what the kind means."""
    agency, to = chance.choice([("petition", "mediation"), ("mediation", "court"), ("court", "mediation"), ("petition", "court"),
                                ("arbitration", "mediation"), ("procuratorate", "mediation")])  # fmt: skip
    start = datetime.combine(
        FIRST + timedelta(days=chance.randrange(9)),
        time(8 + chance.randrange(9), 30 * chance.randrange(2)),
        BEIJING,
    )
    each = HandOver(no, name, SOURCES[agency], to, start)
    limit = over(start, each.limit)

    def inside(until: datetime) -> datetime:
        return tens(start + (until - start) * chance.uniform(0.05, 0.95))

    if name.startswith("closed"):
        _plan_closed(chance, each, start, inside)
    elif name.startswith("listed"):
        _plan_listed(chance, each, start, inside)
    else:
        delivered = _through(each, start)
        limit = over(delivered, each.limit)
        if name == "never_taken_up":
            each.gap_from = limit
        elif name == "taken_up_last_minute":
            each.at(limit - timedelta(seconds=1), says_take_up)
        elif name in ("taken_up", "recalled"):
            each.at(
                max(inside(limit), delivered + timedelta(minutes=10)),
                says_take_up if name == "taken_up" else says_recall,
            )
        else:
            returned = max(inside(limit), delivered + timedelta(minutes=10))
            each.at(returned, says_return)
            act_by = over(returned, 3)
            again = tens(returned + (act_by - returned) * chance.uniform(0.05, 0.9)) + timedelta(minutes=10)
            if name == "returned_and_forgotten":
                each.gap_from = act_by
            elif name == "returned_and_answered":
                each.at(again, says_sender_acts)
            else:
                each.at(_through(each, again) + timedelta(minutes=30), says_take_up)
    return each


def plans(seed: int, dropped: int, good: int) -> list[HandOver]:
    """So many of each, kinds in turn."""
    chance = random.Random(seed)
    names = [DROPPED[i % len(DROPPED)] for i in range(dropped)] + [GOOD[i % len(GOOD)] for i in range(good)]
    chance.shuffle(names)
    return [plan(chance, no, name) for no, name in enumerate(names)]
