"""The read side of a dispute: stage, holder, flags, fields, conflicts, edges, clocks and grade, brought to what is known.

Called for every dispute that something touched; it reads all of the dispute's episodes and writes one row.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import orjson

from case_registry import clocks, conflict_tasks, factor_log, tables, watch
from case_registry.authority import Chosen
from case_registry.episodes import CaseReading, read_case
from case_registry.flags import flags
from case_registry.listing_text import bigrams, county_of, place_code, search_text, title
from case_registry.outside import Facts, facts_of
from case_registry.projection import people, project
from case_registry.source import Event
from case_registry.statements import fetch
from case_registry.told import read_day
from case_registry.whereabouts import Held, Whereabouts, confirmation_result, primary, whereabouts
from foundation.unit_of_work import UnitOfWork


@dataclass
class Whole:
    """A dispute with everything its row is made from. `held`: episodes with their agencies; `by_case` by case id."""

    row: Mapping[str, Any]
    cases: list[Mapping[str, Any]] = field(default_factory=list)
    by_case: dict[int, CaseReading] = field(default_factory=dict)

    @cached_property
    def held(self) -> list[Held]:
        """All episodes with their agencies."""
        found = []
        for case in self.cases:
            key = (case["partner"], case["native_id"])
            found += [Held(case["agency"], key, e) for e in self.by_case[case["id"]].episodes]
        return found

    @cached_property
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
    wanted = sorted(disputes)
    _lock_rows(uow, [d for d in wanted if d not in fresh])
    wholes = load(uow, wanted, read or {})
    older = [whole for whole in wholes if whole.row["id"] not in fresh]
    facts = facts_of(uow, [case["id"] for whole in older for case in whole.cases])
    events, lamps = _watch_clocks(uow, wholes, fresh)
    return [*events, *_refresh_rows(uow, wholes, facts, lamps)]


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
    wholes = {row["id"]: Whole(dict(row)) for row in rows}
    for case in cases:
        if case["dispute"] in wholes:
            whole = wholes[case["dispute"]]
            whole.cases.append(dict(case))
            whole.by_case[case["id"]] = readings[case["id"]]
    return list(wholes.values())


def _watch_clocks(
    uow: UnitOfWork, wholes: Sequence[Whole], fresh: Container[UUID]
) -> tuple[list[Event], dict[UUID, str]]:
    """Clocks as the episodes ask for them; events, and each dispute's worst lamp."""
    asked = [
        clocks.Asked(wanted_clocks(whole), [case["id"] for case in whole.cases], whole.row["id"] in fresh)
        for whole in wholes
    ]
    events: list[Event] = []
    lamps: dict[UUID, str] = {}
    clocked = []
    for whole, synced in zip(wholes, clocks.sync_clocks(uow, asked), strict=True):
        named = {"dispute_id": whole.row["id"], "dispute": whole.row["number"]}
        events += [{**named, **e} for e in synced.events]
        if synced.lamp is not None:
            lamps[whole.row["id"]] = synced.lamp
        elif synced.any:
            clocked.append(whole.row["id"])
    return events, lamps | (watch.lamp_of_dispute(uow, clocked) if clocked else {})


def wanted_clocks(whole: Whole) -> list[clocks.Wanted]:
    """The clocks that a dispute's episodes ask for. Pure."""
    decided = confirmation_result(whole.held) in ("CONFIRMED", "REFUSED")
    agency = {case["id"]: case["agency"] for case in whole.cases}
    return [
        clock
        for case, episode in whole.pairs
        for clock in clocks.wanted_clocks(case, agency[case], episode, decided)
    ]


@dataclass
class Seen:
    """A dispute's read side worked out. `before`, `after`: conflicts' events stand between these."""

    whole: Whole
    where: Whereabouts
    chosen: dict[str, Chosen]
    shown: list[str]
    grade: str
    before: list[Event]
    after: list[Event]
    changed: dict[str, bool]


def see(uow: UnitOfWork, whole: Whole, facts: Facts, kept: factor_log.Kept) -> Seen:
    """Work out a dispute's stage, holder, flags, fields and grade. Writes nothing."""
    held = primary(whole.held)
    where = whereabouts(held, facts.outside)
    graded, grade = factor_log.assess(uow.now, uow.actor.id, whole, facts, where.stage, kept)
    chosen = project(held, where.stage, facts.decisions)
    parked = sum(len(reading.parked) for reading in whole.by_case.values())
    shown = flags(
        held, facts.outside, stage=where.stage, unstable=grade != "NONE", parked=parked, gaps=facts.open_gaps,
        by_hand=facts.flags,
    )  # fmt: skip
    row = whole.row
    changed = {"stage": where.stage != row["stage"], "holder": where.holder != row["holder"],
               "flags": shown != list(row["flags"])}  # fmt: skip
    after = _changes(row, where.stage, where.holder, shown, changed)
    return Seen(whole, where, chosen, shown, grade, _named(row, graded), after, changed)


def _refresh_rows(
    uow: UnitOfWork, wholes: Sequence[Whole], facts: Mapping[int, Facts], lamps: Mapping[UUID, str]
) -> list[Event]:
    kept = factor_log.Kept()
    seen = [see(uow, w, Facts.together(facts, [case["id"] for case in w.cases]), kept) for w in wholes]
    factor_log.keep(uow, kept)
    contested = {
        s.whole.row["id"]: s.chosen
        for s in seen
        if s.whole.row["in_conflict"] or any(c.undecided for c in s.chosen.values())
    }
    conflicts = conflict_tasks.sync(uow, contested) if contested else {}
    # One that stands alone too: it may have stood beside others before a split, or a merge taken back.
    with_episodes = [s.whole.pairs for s in seen if s.whole.pairs]
    if with_episodes:
        tables.save_edges(uow, with_episodes)
    _write(uow, [row_of_dispute(s, lamps.get(s.whole.row["id"], ""), uow.now) for s in seen])
    return [
        event
        for s in seen
        for event in (*s.before, *_named(s.whole.row, conflicts.get(s.whole.row["id"], ())), *s.after)
    ]


def _named(row: Mapping[str, Any], events: Sequence[Event]) -> list[Event]:
    return [{"dispute_id": row["id"], "dispute": row["number"], **event} for event in events]


def _changes(
    before: Mapping[str, Any], stage: str, holder: str, shown: Sequence[str], changed: Mapping[str, bool]
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
UPDATE registry.dispute d SET
    stage = t.stage, holder = t.holder, stage_why = t.stage_why, flags = t.flags, flag_names = t.flag_names, title = t.title,
    cause = t.cause, claimed_fen = t.claimed_fen, agreed_fen = t.agreed_fen, occurred_on = t.occurred_on,
    begun_on = t.begun_on, county = t.county, town = t.town, agencies = t.agencies, numbers = t.numbers, search = t.search,
    grams = t.grams, sealed = t.sealed, lamp = t.lamp, grade = t.grade,
    stage_since = COALESCE(t.stage_since, d.stage_since), holder_since = COALESCE(t.holder_since, d.holder_since),
    moved_at = COALESCE(t.moved_at, d.moved_at)
FROM json_populate_recordset(NULL::registry.dispute, CAST(:rows AS json)) AS t
WHERE d.id = t.id AND d.id = ANY(:ids)  -- named twice: by the list alone the planner knows that there are few
"""


def _write(uow: UnitOfWork, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        uow.execute(_WRITE, rows=orjson.dumps(rows).decode(), ids=[row["id"] for row in rows])


def row_of_dispute(seen: Seen, lamp: str, now: datetime) -> dict[str, Any]:
    """The columns that are worked out; instants only where something moved."""
    row, where = seen.whole.row, seen.where
    return {
        **row_values(row["number"], seen.whole.held, seen.chosen, where.stage),
        "id": row["id"],
        "stage": where.stage,
        "holder": where.holder,
        "stage_why": where.why,
        "flags": seen.shown,
        "flag_names": sorted({flag.split(":", 1)[0] for flag in seen.shown}),
        "lamp": lamp,
        "grade": seen.grade,
        "stage_since": now if seen.changed["stage"] else None,
        "holder_since": now if seen.changed["holder"] else None,
        "moved_at": now if any(seen.changed.values()) else None,
    }


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
        "claimed_fen": claimed if isinstance(claimed, int) else None,
        "agreed_fen": agreed if isinstance(agreed, int) else None,
        "occurred_on": read_day(occurred),
        "begun_on": min(begun, default=None),
        # Who may see it hangs on the county: where nobody told the place, it is that of whoever handles it.
        "county": place[:6] or county_of(str(value.get("organisation") or "")),
        "town": place[:9] if len(place) >= 9 else "",
        "agencies": sorted({h.agency for h in held}),
        "numbers": numbers,
        "search": text,
        "grams": bigrams(text),
        "sealed": any(h.episode.value("sealed") is True for h in held),
    }
