"""Order within a partner's case: which stored messages may be applied now, which wait, and whose wait is over (rule 3).

A sender may number its messages of a case from 1. A number that is missing is waited for GAP_WAIT; then the later ones
are applied, and the missing ones are shown to the sender and to people. Without numbers the order of arrival holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from foundation.journal import raise_alarm
from foundation.unit_of_work import UnitOfWork

GAP_WAIT = timedelta(seconds=30)
# Missing numbers that are noted of one gap; a sender that jumps farther is told of the last ones.
MOST_MISSING = 1000
CaseId = tuple[str, str]


@dataclass
class Standing:
    """Where a case stands: the highest number up to which nothing is waited for, and what holds it up."""

    sequence: int = 0
    held: bool = False
    stuck: UUID | None = None
    moved: bool = False


@dataclass
class Arranged:
    """What a batch comes to: ``ready`` in the order to apply, ``waits`` with the moment to look again, numbers given up."""

    ready: list[RowMapping] = field(default_factory=list)
    waits: list[tuple[UUID, datetime]] = field(default_factory=list)
    missing: list[tuple[CaseId, int]] = field(default_factory=list)
    standings: dict[CaseId, Standing] = field(default_factory=dict)


def case_of(row: RowMapping) -> CaseId:
    """Whose case a stored message is about."""
    return row["partner"], row["case_key"]


def arrange(uow: UnitOfWork, rows: Sequence[RowMapping], now: datetime) -> Arranged:
    """Order a batch. ``rows``: due messages in the order of arrival."""
    made = Arranged(standings=_standings(uow, {case_of(row) for row in rows}))
    # By number inside a case; each case stands where its first message came.
    by_case: dict[CaseId, list[RowMapping]] = {}
    for row in rows:
        by_case.setdefault(case_of(row), []).append(row)
    for case, messages in by_case.items():
        standing = made.standings.setdefault(case, Standing())
        messages.sort(key=lambda row: (row["sequence"] or 0, row["seq"]))
        for row in messages:
            _place(made, case, standing, row, now)
    return made


def _place(made: Arranged, case: CaseId, standing: Standing, row: RowMapping, now: datetime) -> None:
    if standing.stuck is not None and standing.stuck != row["id"]:
        made.waits.append((row["id"], now + GAP_WAIT))
        return
    number = row["sequence"]
    if number is None or number <= standing.sequence:
        made.ready.append(row)
        return
    until = row["received_at"] + GAP_WAIT
    if number > standing.sequence + 1 and until > now:
        made.waits.append((row["id"], until))
        standing.held = standing.moved = True
        return
    lost = range(max(standing.sequence + 1, number - MOST_MISSING), number)
    made.missing += [(case, each) for each in lost]
    standing.sequence, standing.moved = number, True
    made.ready.append(row)


def _standings(uow: UnitOfWork, cases: set[CaseId]) -> dict[CaseId, Standing]:
    ordered = sorted(cases)
    rows = uow.all(
        "SELECT o.* FROM unnest(CAST(:p AS text[]), CAST(:c AS text[])) AS g (partner, case_key)"
        " JOIN exchange.case_order o USING (partner, case_key)",
        p=[partner for partner, _ in ordered],
        c=[key for _, key in ordered],
    )
    return {case_of(row): Standing(row["sequence"], row["held"], row["stuck"]) for row in rows}


def keep(uow: UnitOfWork, made: Arranged) -> None:
    """Write what the batch changed: waits, standings, numbers given up or come after all; wake those whose turn it is."""
    if made.waits:
        uow.execute(
            "UPDATE exchange.inbox i SET next_try = g.at FROM unnest(CAST(:ids AS uuid[]), CAST(:ats AS timestamptz[]))"
            " AS g (id, at) WHERE i.id = g.id",
            ids=[each for each, _ in made.waits],
            ats=[at for _, at in made.waits],
        )
    moved = {case: standing for case, standing in made.standings.items() if standing.moved}
    if moved:
        _write(uow, moved)
    _note_missing(uow, made)
    numbered = [row for row in made.ready if row["sequence"] is not None]
    if numbered:
        uow.execute(
            "UPDATE exchange.missing_message m SET came_at = :now FROM unnest(CAST(:p AS text[]), CAST(:c AS text[]),"
            " CAST(:s AS bigint[])) AS g (partner, case_key, sequence) WHERE m.partner = g.partner"
            " AND m.case_key = g.case_key AND m.sequence = g.sequence AND m.came_at IS NULL",
            now=uow.now,
            **_columns([(case_of(row), row["sequence"]) for row in numbered]),
        )


def _write(uow: UnitOfWork, moved: dict[CaseId, Standing]) -> None:
    uow.execute(
        "INSERT INTO exchange.case_order (partner, case_key, sequence, held)"
        " SELECT * FROM unnest(CAST(:p AS text[]), CAST(:c AS text[]), CAST(:s AS bigint[]), CAST(:h AS boolean[]))"
        " ON CONFLICT (partner, case_key) DO UPDATE SET sequence = excluded.sequence, held = excluded.held",
        h=[standing.held for standing in moved.values()],
        **_columns([(case, standing.sequence) for case, standing in moved.items()]),
    )
    held = [(case, standing.sequence + 1) for case, standing in moved.items() if standing.held]
    if held:
        uow.execute(
            "UPDATE exchange.inbox i SET next_try = :now FROM unnest(CAST(:p AS text[]), CAST(:c AS text[]),"
            " CAST(:s AS bigint[])) AS g (partner, case_key, sequence) WHERE i.partner = g.partner AND"
            " i.case_key = g.case_key AND i.sequence = g.sequence AND i.state = 'RECEIVED' AND i.receipt IS NOT NULL",
            now=uow.now,
            **_columns(held),
        )


def _note_missing(uow: UnitOfWork, made: Arranged) -> None:
    if not made.missing:
        return
    uow.execute(
        "INSERT INTO exchange.missing_message (partner, case_key, sequence, since) SELECT p, c, s, :now"
        " FROM unnest(CAST(:p AS text[]), CAST(:c AS text[]), CAST(:s AS bigint[])) AS g (p, c, s) ON CONFLICT DO NOTHING",
        now=uow.now,
        **_columns(made.missing),
    )
    for partner, case_key in sorted({case for case, _ in made.missing}):
        lost = [number for case, number in made.missing if case == (partner, case_key)]
        shown = {"first": lost[0], "last": lost[-1], "count": len(lost)}
        raise_alarm(uow, "sequence_missing", f"{partner}/{case_key}", **shown)
        uow.publish("sequence_missing", partner=partner, case_key=case_key, **shown)


def _columns(rows: Sequence[tuple[CaseId, int]]) -> dict[str, list[Any]]:
    return {
        "p": [case[0] for case, _ in rows],
        "c": [case[1] for case, _ in rows],
        "s": [number for _, number in rows],
    }


def stick(uow: UnitOfWork, case: CaseId, message: UUID) -> None:
    """Hold a case back because one of its messages fails by a fault of ours."""
    uow.execute(
        "INSERT INTO exchange.case_order (partner, case_key, stuck) VALUES (:p, :c, :m)"
        " ON CONFLICT (partner, case_key) DO UPDATE SET stuck = excluded.stuck",
        p=case[0],
        c=case[1],
        m=message,
    )


def unstick(uow: UnitOfWork, case: CaseId) -> None:
    """The message that failed was decided: those behind it may go on."""
    uow.execute(
        "UPDATE exchange.case_order SET stuck = NULL WHERE partner = :p AND case_key = :c",
        p=case[0],
        c=case[1],
    )
    uow.execute(
        "UPDATE exchange.inbox SET next_try = :now WHERE partner = :p AND case_key = :c AND state = 'RECEIVED'"
        " AND receipt IS NOT NULL AND next_try > :now",
        now=uow.now,
        p=case[0],
        c=case[1],
    )
