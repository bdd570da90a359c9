"""The read side of a dispute: stage, holder, flags, fields, conflicts, edges, clocks and grade, brought to what is known.

Called for every dispute that something touched; it reads all of the dispute's episodes and writes one row.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from case_registry import clocks, conflict_tasks, factor_log, tables, watch
from case_registry.authority import Chosen
from case_registry.episodes import CaseReading, read_case
from case_registry.flags import flags
from case_registry.listing_text import bigrams, place_code, search_text, title
from case_registry.outside import Facts, facts_of
from case_registry.projection import people, project
from case_registry.source import Event
from case_registry.statements import fetch
from case_registry.told import read_day
from case_registry.whereabouts import Held, confirmation_result, primary, whereabouts
from foundation.unit_of_work import UnitOfWork


@dataclass
class Whole:
    """A dispute with everything its row is made from. `held`: episodes with their agencies; `by_case` by case id."""

    row: RowMapping
    cases: list[RowMapping] = field(default_factory=list)
    by_case: dict[int, CaseReading] = field(default_factory=dict)

    @property
    def held(self) -> list[Held]:
        """All episodes with their agencies."""
        found = []
        for case in self.cases:
            key = (case["partner"], case["native_id"])
            found += [Held(case["agency"], key, e) for e in self.by_case[case["id"]].episodes]
        return found

    @property
    def pairs(self) -> list[tuple[int, Any]]:
        """All episodes with the ids of their cases."""
        return [(case["id"], e) for case in self.cases for e in self.by_case[case["id"]].episodes]


def refresh(
    uow: UnitOfWork,
    disputes: Iterable[UUID],
    read: Mapping[int, CaseReading] | None = None,
    fresh: Container[UUID] = (),
) -> list[Event]:
    """Bring the rows of these disputes to what is known; returns what changed.

    `read`: cases already worked out. `fresh`: disputes founded just now, on which nothing can hang yet.
    """
    events: list[Event] = []
    wanted = sorted(disputes)
    _lock_rows(uow, [d for d in wanted if d not in fresh])
    wholes = load(uow, wanted, read or {})
    older = [whole for whole in wholes if whole.row["id"] not in fresh]
    facts = facts_of(uow, [case["id"] for whole in older for case in whole.cases])
    clocked = []
    lamps: dict[UUID, str] = {}
    for whole in wholes:
        synced = _watch_clocks(uow, whole, fresh=whole.row["id"] in fresh)
        events += synced.events
        if synced.lamp is not None:
            lamps[whole.row["id"]] = synced.lamp
        elif synced.any:
            clocked.append(whole.row["id"])
    lamps |= watch.lamp_of_dispute(uow, clocked) if clocked else {}
    for whole in wholes:
        own = Facts.together(facts, [case["id"] for case in whole.cases])
        events += _refresh_one(uow, whole, own, lamps.get(whole.row["id"], ""))
    return events


def _lock_rows(uow: UnitOfWork, disputes: Sequence[UUID]) -> None:
    """One at a time on each dispute, always in the same order: what is read after this is what will be written."""
    if disputes:
        uow.execute(
            "SELECT 1 FROM registry.dispute WHERE id = ANY(:ids) ORDER BY seq FOR UPDATE", ids=list(disputes)
        )


def load(uow: UnitOfWork, disputes: Iterable[UUID], read: Mapping[int, CaseReading]) -> list[Whole]:
    """Fetch disputes with their cases and episodes, merged ones left out, oldest first."""
    wanted = list(disputes)
    rows = uow.all(
        "SELECT d.id, d.number, d.stage, d.holder, d.flags, d.grade, f.score, f.computed, f.lower_since, f.indicators,"
        " EXISTS (SELECT 1 FROM registry.conflict c WHERE c.dispute = d.id AND c.state = 'OPEN') AS in_conflict"
        " FROM registry.dispute d LEFT JOIN registry.factor f ON f.dispute = d.id"
        " WHERE d.id = ANY(:ids) AND d.merged_into IS NULL ORDER BY d.seq",
        ids=wanted,
    )
    cases = uow.all(
        "SELECT id, partner, institution, agency, native_id, dispute, born FROM registry.source_case"
        " WHERE dispute = ANY(:ids) ORDER BY partner, native_id",
        ids=wanted,
    )
    missing = [case["id"] for case in cases if case["id"] not in read]
    told = fetch(uow, missing) if missing else {}
    readings = {**read, **{case: read_case(statements) for case, statements in told.items()}}
    wholes = {row["id"]: Whole(row) for row in rows}
    for case in cases:
        if case["dispute"] in wholes:
            whole = wholes[case["dispute"]]
            whole.cases.append(case)
            whole.by_case[case["id"]] = readings[case["id"]]
    return list(wholes.values())


def _watch_clocks(uow: UnitOfWork, whole: Whole, *, fresh: bool) -> clocks.Synced:
    decided = confirmation_result(whole.held) in ("CONFIRMED", "REFUSED")
    agency = {case["id"]: case["agency"] for case in whole.cases}
    wanted = [
        clock
        for case, episode in whole.pairs
        for clock in clocks.wanted_clocks(case, agency[case], episode, decided)
    ]
    synced = clocks.sync_clocks(uow, wanted, [case["id"] for case in whole.cases], fresh=fresh)
    synced.events = [
        {"dispute_id": whole.row["id"], "dispute": whole.row["number"], **e} for e in synced.events
    ]
    return synced


def _refresh_one(uow: UnitOfWork, whole: Whole, facts: Facts, lamp: str) -> list[Event]:
    held = primary(whole.held)
    where = whereabouts(held, facts.outside)
    events, grade = factor_log.assess(uow, whole, facts, where.stage)
    chosen = project(held, where.stage, facts.decisions)
    if whole.row["in_conflict"] or any(c.undecided for c in chosen.values()):
        events += conflict_tasks.sync(uow, whole.row["id"], chosen)
    parked = sum(len(reading.parked) for reading in whole.by_case.values())
    shown = flags(
        held, facts.outside, stage=where.stage, unstable=grade != "NONE", parked=parked, gaps=facts.open_gaps,
        by_hand=facts.flags,
    )  # fmt: skip
    if len(held) > 1:
        tables.save_edges(uow, whole.pairs)
    before = whole.row
    changed = {
        "stage": where.stage != before["stage"],
        "holder": where.holder != before["holder"],
        "flags": shown != list(before["flags"]),
    }
    _write(uow, whole, chosen, where.stage, where.holder, where.why, shown, lamp, grade, changed)
    return [*_named(before, events), *_changes(before, where.stage, where.holder, shown, changed)]


def _named(row: RowMapping, events: Sequence[Event]) -> list[Event]:
    return [{"dispute_id": row["id"], "dispute": row["number"], **event} for event in events]


def _changes(
    before: RowMapping, stage: str, holder: str, shown: Sequence[str], changed: Mapping[str, bool]
) -> list[Event]:
    base = {"dispute_id": before["id"], "dispute": before["number"], "stage": stage, "holder": holder}
    events: list[Event] = []
    if changed["stage"]:
        events.append({"event": "stage_changed", **base, "from": before["stage"], "to": stage})
    if changed["holder"]:
        events.append({"event": "holder_changed", **base, "from": before["holder"], "to": holder})
    events += [{"event": "flag_raised", **base, "flag": f} for f in shown if f not in before["flags"]]
    events += [{"event": "flag_cleared", **base, "flag": f} for f in before["flags"] if f not in shown]
    return events


_WRITE = """
UPDATE registry.dispute SET
    stage = :stage, holder = :holder, stage_why = :why, flags = :flags, flag_names = :flag_names, title = :title, cause = :cause,
    claimed_fen = :claimed, agreed_fen = :agreed, occurred_on = :occurred, begun_on = :begun, county = :county,
    town = :town, agencies = :agencies, numbers = :numbers, search = :search, grams = :grams, sealed = :sealed,
    lamp = :lamp, grade = :grade,
    stage_since = CASE WHEN :stage_moved THEN :now ELSE stage_since END,
    holder_since = CASE WHEN :holder_moved THEN :now ELSE holder_since END,
    moved_at = CASE WHEN :moved THEN :now ELSE moved_at END
WHERE id = :id
"""


def _write(
    uow: UnitOfWork, whole: Whole, chosen: Mapping[str, Chosen], stage: str, holder: str, why: str,
    shown: Sequence[str], lamp: str, grade: str, changed: Mapping[str, bool],
) -> None:  # fmt: skip
    uow.execute(
        _WRITE,
        **row_values(whole.row["number"], whole.held, chosen, stage),
        id=whole.row["id"],
        stage=stage,
        holder=holder,
        why=why,
        flags=list(shown),
        flag_names=sorted({flag.split(":", 1)[0] for flag in shown}),
        lamp=lamp,
        grade=grade,
        stage_moved=changed["stage"],
        holder_moved=changed["holder"],
        moved=any(changed.values()),
        now=uow.now,
    )


def row_values(number: str, held: Sequence[Held], chosen: Mapping[str, Chosen], stage: str) -> dict[str, Any]:
    """The descriptive columns of a dispute's row. Pure."""
    persons = people(held, stage)
    value = {name: c.value for name, c in chosen.items()}
    begun = [d for h in held if (d := h.episode.day("opened_on") or h.episode.first_day())]
    numbers = sorted(
        {n for h in held for n in (h.case[1], h.episode.sub_id, h.episode.text("case_number")) if n}
        | {number}
    )
    cause = str(value.get("cause") or "")
    text = search_text(cause, persons, numbers)
    place = place_code(str(value.get("place_code") or ""), str(value.get("place_text") or ""))
    claimed, agreed, occurred = (value.get(name) for name in ("claimed_fen", "agreed_fen", "occurred_on"))
    return {
        "title": title(cause, persons),
        "cause": cause,
        "claimed": claimed if isinstance(claimed, int) else None,
        "agreed": agreed if isinstance(agreed, int) else None,
        "occurred": read_day(occurred),
        "begun": min(begun, default=None),
        "county": place[:6],
        "town": place[:9] if len(place) >= 9 else "",
        "agencies": sorted({h.agency for h in held}),
        "numbers": numbers,
        "search": text,
        "grams": bigrams(text),
        "sealed": any(h.episode.value("sealed") is True for h in held),
    }
