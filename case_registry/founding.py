"""New disputes set down whole: a message about one new case that nothing stored has a key in common with.

The most common message by far, and the cheapest: everything is worked out in memory, and all rows of many such
messages go to the database in one statement. What comes of it is what `recording` would make of it step by step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from case_registry import clocks, conflict_tasks, factor_log, linking, statements, tables
from case_registry.authority import as_row
from case_registry.clock_acts import CAME_SUSPENDED, suspend
from case_registry.episodes import Episode
from case_registry.gathering import CaseAfter, reserve
from case_registry.outside import Facts
from case_registry.refresh import Whole, row_of_dispute, see, wanted_clocks
from case_registry.source import DisputeRef, Event
from case_registry.told import BEIJING
from foundation.unit_of_work import UnitOfWork

TOLD = "what was told of it"
DISPUTE = (
    "id, seq, number, opened_at, stage, stage_since, stage_why, holder, holder_since, flags, flag_names, title, cause, claimed_fen,"
    " agreed_fen, occurred_on, begun_on, county, town, agencies, numbers, search, grams, sealed, lamp, grade, moved_at"
)
# In one statement, since foreign keys are looked at when it ends. Where a column may hold JSON's null it says so.
_TABLES: dict[str, tuple[str, str]] = {
    "dispute": (DISPUTE, DISPUTE),
    "source_case": (linking.CASE + ", dispute, born", linking.CASE + ", dispute, born"),
    "statement": (statements.STATEMENT, statements.STATEMENT),
    "claim": (statements.CLAIM, statements.CLAIM_VALUES),
    "episode": ("id, " + tables.EPISODE, "id, " + tables.EPISODE),
    "party": (tables.PARTY, tables.PARTY),
    "link_key": ("key, source_case", "key, source_case"),
    "membership": ("source_case, dispute, from_at, by, why",) * 2,
    "episode_edge": ("from_case, from_sub, kind, to_case, to_sub, at",) * 2,
    "clock": (clocks.OPENED, clocks.OPENED),
    "clock_event": ("clock, kind, at, by, detail",) * 2,
    "conflict": ("id, dispute, field, voices, role, opened_at",) * 2,
    "factor": (factor_log.COLUMNS, factor_log.COLUMNS),
    "factor_log": (factor_log.LOG_COLUMNS, factor_log.LOG_COLUMNS),
}  # fmt: skip
_INSERT = {
    table: f"INSERT INTO registry.{table} ({columns}) SELECT {values}"
    f" FROM json_populate_recordset(NULL::registry.{table}, CAST(:{table} AS json))"
    for table, (columns, values) in _TABLES.items()
}
Rows = dict[str, list[dict[str, Any]]]


@dataclass
class Founded:
    """A dispute founded by one case: what it is called, and what happened, in order."""

    case: CaseAfter
    ref: DisputeRef
    wanted: list[clocks.Wanted] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


def found_whole(uow: UnitOfWork, cases: Sequence[CaseAfter], numbers: Sequence[int]) -> list[Founded]:
    """Found a dispute by each of these new cases, under these running numbers, and write all there is of it. Under the
    lock of linking."""
    ids = reserve(uow, episode=sum(len(case.reading.episodes) for case in cases))
    rows: Rows = {table: [] for table in _TABLES}
    episodes = iter(ids["episode"])
    kept = factor_log.Kept()
    founded: list[Founded] = []
    for case, seq in zip(cases, numbers, strict=True):
        number = f"JF-{uow.now.astimezone(BEIJING).year}-{seq:06d}"
        one = Founded(case, DisputeRef(uow.new_id(), number))
        _told_rows(rows, case, one.ref.id, episodes, uow)
        _watch(uow, one, seq, rows, kept)
        founded.append(one)
    rows["factor"], rows["factor_log"] = kept.rows, kept.log
    write(uow, rows)
    for one in founded:
        for clock, row in zip(
            one.wanted, (e for e in one.events if e["event"] == "clock_opened"), strict=True
        ):
            if clock.suspended:
                suspend(uow, row["clock"], uow.now, CAME_SUSPENDED)
    return founded


def write(uow: UnitOfWork, rows: Mapping[str, Sequence[dict[str, Any]]]) -> None:
    """Insert these rows, all in one statement."""
    parts = [(table, found) for table, found in rows.items() if found]
    made = [f"made_{table} AS ({_INSERT[table]})" for table, _ in parts[:-1]]
    sql = f"WITH {', '.join(made)} {_INSERT[parts[-1][0]]}" if made else _INSERT[parts[-1][0]]
    uow.execute(sql, **{table: orjson.dumps(found).decode() for table, found in parts})


def _told_rows(rows: Rows, case: CaseAfter, dispute: UUID, episodes: Iterator[int], uow: UnitOfWork) -> None:
    waiting = {t.id for t in case.reading.parked}
    rows["source_case"].append({**linking.case_row(case, uow.now), "dispute": dispute, "born": dispute})
    for row, told in case.said:
        rows["statement"].append(statements.statement_row(case.id, row, told, waits=told.id in waiting))
        rows["claim"] += statements.claim_rows(row, told)
    for episode in case.reading.episodes:
        ident = next(episodes)
        rows["episode"].append({"id": ident, **tables.episode_row(case.id, episode)})
        rows["party"] += tables.party_rows(ident, episode)
    rows["link_key"] += linking.key_rows([case])
    rows["membership"].append(
        {"source_case": case.id, "dispute": dispute, "from_at": uow.now, "by": uow.actor.id, "why": TOLD}
    )


def _watch(uow: UnitOfWork, one: Founded, seq: int, rows: Rows, kept: factor_log.Kept) -> None:
    """The dispute's own row, its clocks, conflicts and edges, and what is to be said of them."""
    case, ref, now = one.case, one.ref, uow.now
    whole = _whole(case, ref)
    one.wanted = [clock for clock in wanted_clocks(whole) if clock.running]
    opened = clocks.opened(one.wanted, [uow.new_id() for _ in one.wanted], now)
    rows["clock"] += opened.rows
    rows["clock_event"] += [{**row, "by": uow.actor.id} for row in opened.log]
    lamps = ["GREY" if c.suspended else row["lamp"] for c, row in zip(one.wanted, opened.rows, strict=True)]
    seen = see(uow, whole, Facts(), kept)
    rows["dispute"].append(
        {**row_of_dispute(seen, clocks.worst(lamps), now), "seq": seq, "number": ref.number, "opened_at": now,
         "stage_since": now, "holder_since": now, "moved_at": now}
    )  # fmt: skip
    pairs = whole.pairs
    if len(pairs) > 1:
        rows["episode_edge"] += edge_rows(pairs, uow)
    named = {"dispute_id": ref.id, "dispute": ref.number}
    one.events.append({"event": "dispute_opened", **named, "agency": case.stored.agency})
    one.events += [{**named, **event} for events in opened.events for event in events]
    one.events += seen.before
    for name, choice in seen.chosen.items():
        if choice.undecided:
            voices = [as_row(v) for v in choice.undecided]
            row = conflict_tasks.opening(uow.new_id(), ref.id, name, voices)
            rows["conflict"].append({**row, "opened_at": now})
            one.events.append({**named, **conflict_tasks.found_event(row)})
    one.events += seen.after


def edge_rows(pairs: Sequence[tuple[int, Episode]], uow: UnitOfWork) -> Iterable[dict[str, Any]]:
    """Edges inside one new dispute."""
    for from_case, from_sub, kind, to_case, to_sub in tables.derived_edges(pairs):
        yield {
            "from_case": from_case,
            "from_sub": from_sub,
            "kind": kind,
            "to_case": to_case,
            "to_sub": to_sub,
            "at": uow.now,
        }


def _whole(case: CaseAfter, ref: DisputeRef) -> Whole:
    """A dispute of one case, as `refresh.load` would give it before anything of it is worked out."""
    row: dict[str, Any] = {
        "id": ref.id, "number": ref.number, "stage": "NONE", "holder": "-", "flags": [], "grade": "NONE", "score": None,
        "computed": None, "lower_since": None, "indicators": None, "in_conflict": False,
    }  # fmt: skip
    stored = case.stored
    return Whole(
        row,
        [{"id": case.id, "partner": stored.partner, "agency": stored.agency, "native_id": stored.native_id}],
        {case.id: case.reading},
    )
