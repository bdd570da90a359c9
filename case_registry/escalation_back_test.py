"""The weights in force, tried on this database's own record: what would have been said on days gone by, and what came.

The record keeps what was known when: evidence is read as it was known at noon of the day, outcomes as they are known now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

from case_registry import escalation_fit
from case_registry.episodes import read_case
from case_registry.escalation import model, table
from case_registry.escalation_signs import Seen, escalates, escalations, known, look
from case_registry.outside import Facts, facts_of
from case_registry.source import NotAllowed
from case_registry.statements import fetch
from case_registry.told import BEIJING
from case_registry.whereabouts import Held, primary
from foundation.unit_of_work import UnitOfWork

MOST = 20_000
MONTHS = 24
TRIES = 3
"""Days that are tried of one dispute until one is found on which it was open."""
_PAGE = 500


def back_test_escalation(uow: UnitOfWork, *, seed: int, disputes: int = 2_000) -> dict[str, Any]:
    """Try the weights in force on a sample of so many disputes, one forecast each; the result is kept and returned.

    Raises NotAllowed: no whole horizon lies behind us, nothing was open then, or no such number of disputes.
    """
    if not 1 <= disputes <= MOST:
        raise NotAllowed(f"a sample is of 1 to {MOST} disputes")
    days = _days(uow)
    sample = (
        [dict(row) for row in uow.all(_SAMPLE, seed=str(seed), last=days[-1], most=disputes)] if days else []
    )
    forecasts = _forecasts(uow, sample, days, seed)
    if not forecasts:
        raise NotAllowed(
            f"a back-test needs disputes that were open {table()['horizon_days']} days ago or longer; there are none"
        )
    happened = _happened(uow, list(forecasts))
    cases = [(seen.signs, escalates(happened.get(d, []), day)) for d, (day, seen) in forecasts.items()]
    rules = {
        rule: [escalation_fit.rule_says(rule, seen.grade.name, seen.signs) for _, seen in forecasts.values()]
        for rule in escalation_fit.RULES
    }
    figures = escalation_fit.judge(model(), cases, rules)
    return _kept(uow, figures, seed, [day for day, _ in forecasts.values()])


def _days(uow: UnitOfWork) -> list[date]:
    """The firsts of months, of the last two years, on which something was known and whose horizon is over."""
    begun = uow.scalar("SELECT min(opened_at) FROM registry.dispute")
    if begun is None:
        return []
    last = uow.now.astimezone(BEIJING).date() - timedelta(days=table()["horizon_days"])
    months = [last.year * 12 + last.month - 1 - back for back in range(MONTHS)]
    days = [date(month // 12, month % 12 + 1, 1) for month in reversed(months)]
    return [day for day in days if begun.astimezone(BEIJING).date() <= day <= last]


_SAMPLE = """
SELECT id, number, opened_at FROM registry.dispute WHERE merged_into IS NULL AND opened_at < CAST(:last AS date) + 1
ORDER BY md5(:seed || number), seq LIMIT :most
"""


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), BEIJING)


def _forecasts(
    uow: UnitOfWork, sample: Sequence[Mapping[str, Any]], days: Sequence[date], seed: int
) -> dict[UUID, tuple[date, Seen]]:
    """One forecast of each dispute that was open on a day tried."""
    orders = {}
    for row in sample:
        possible = [day for day in days if row["opened_at"] <= _noon(day)]
        orders[row["id"]] = Random(f"{seed}|{row['number']}").sample(possible, min(TRIES, len(possible)))
    found: dict[UUID, tuple[date, Seen]] = {}
    for turn in range(TRIES):
        by_day: dict[date, list[UUID]] = {}
        for dispute, order in orders.items():
            if dispute not in found and turn < len(order):
                by_day.setdefault(order[turn], []).append(dispute)
        for day, wanted in sorted(by_day.items()):
            for start in range(0, len(wanted), _PAGE):
                seen = look_back(uow, wanted[start : start + _PAGE], _noon(day))
                found |= {dispute: (day, each) for dispute, each in seen.items()}
    return found


def look_back(uow: UnitOfWork, disputes: Sequence[UUID], at: datetime) -> dict[UUID, Seen]:
    """What was seen of these disputes at a moment, by what was known then; those not open then are left out."""
    cases = uow.all(_CASES, ids=list(disputes), at=at)
    facts = facts_of(uow, [case["id"] for case in cases], at)
    of: dict[UUID, list[int]] = {}
    for case in cases:
        of.setdefault(case["dispute"], []).append(case["id"])
    found = {}
    for dispute, episodes in _held(uow, cases, at).items():
        own = Facts.together(facts, of[dispute])
        seen = look(known(episodes, own, at)) if episodes else None
        if seen is not None and seen.stage not in ("CLOSED", "NONE"):
            found[dispute] = seen
    return found


_CASES = """
SELECT m.dispute, c.id, c.partner, c.native_id, c.agency FROM registry.membership m
JOIN registry.source_case c ON c.id = m.source_case
WHERE m.dispute = ANY(:ids) AND m.from_at <= :at AND (m.to_at IS NULL OR m.to_at > :at) ORDER BY c.partner, c.native_id
"""


def _held(uow: UnitOfWork, cases: Sequence[RowMapping], at: datetime) -> dict[UUID, list[Held]]:
    told = fetch(uow, [case["id"] for case in cases], at)
    found: dict[UUID, list[Held]] = {}
    for case in cases:
        key = (case["partner"], case["native_id"])
        episodes = read_case(told[case["id"]]).episodes
        found.setdefault(case["dispute"], []).extend(Held(case["agency"], key, e) for e in episodes)
    return found


def _happened(uow: UnitOfWork, disputes: Sequence[UUID]) -> dict[UUID, list[tuple[date, str]]]:
    """Each dispute's escalations, as known now."""
    found: dict[UUID, list[tuple[date, str]]] = {}
    for start in range(0, len(disputes), _PAGE):
        cases = uow.all(_CASES, ids=list(disputes[start : start + _PAGE]), at=uow.now)
        ids = [case["id"] for case in cases]
        of = {case["id"]: case["dispute"] for case in cases}
        notes: dict[UUID, list[tuple[str, str, datetime]]] = {}
        for row in uow.all(_NOTES, ids=ids):
            notes.setdefault(of[row["source_case"]], []).append((row["indicator"], row["step"], row["at"]))
        defaults: dict[UUID, list[datetime]] = {}
        for row in uow.all(_DEFAULTS, ids=ids):
            defaults.setdefault(of[row["source_case"]], []).append(row["at"])
        for dispute, held in _held(uow, cases, uow.now).items():
            found[dispute] = list(
                escalations(primary(held), notes.get(dispute, ()), defaults.get(dispute, ()))
            )
    return found


_NOTES = """
SELECT source_case, indicator, step, at FROM registry.indicator_note
WHERE source_case = ANY(:ids) AND ended_at IS NULL ORDER BY id
"""
# When the escrow first said that an instalment is in default.
_DEFAULTS = """
SELECT f.source_case, min(f.at) AS at FROM registry.outside_fact f, jsonb_array_elements_text(f.value -> 'flags') AS flag
WHERE f.source_case = ANY(:ids) AND f.kind = 'escrow' AND flag ~ '^DEFAULT\\M' GROUP BY f.source_case, flag ORDER BY 1, 2
"""


def _kept(uow: UnitOfWork, figures: dict[str, Any], seed: int, days: Sequence[date]) -> dict[str, Any]:
    about = {"at": uow.now, "by": uow.actor.id, "model": model().digest, "version": model().version, "seed": seed,
             "from_day": min(days), "until_day": max(days), "disputes": len(days), "cases": figures["cases"],
             "escalated": figures["escalated"]}  # fmt: skip
    names = ", ".join(about)
    values = ", ".join(f":{name}" for name in about)
    uow.execute(
        f"INSERT INTO registry.escalation_back_test ({names}, figures) VALUES ({values}, CAST(:figures AS jsonb))",
        **about,
        figures=orjson.dumps(figures).decode(),
    )
    enough = figures["cases"] >= table()["least_cases"] and 0 < figures["escalated"] < figures["cases"]
    return {**figures, **about, "least_cases": table()["least_cases"], "counts": enough}
