"""The rule of access on rows of other rooms: matters and escrows carry the number of the office's case, no dispute.

The condition is that of lists of disputes (`access.row_filter`) on the dispute in which that case stands now, whatever
was merged or split. What the registry does not know of is as a dispute of no county and no agency, not sealed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from case_registry.access import PERSON, Reader, check_seen, row_filter, sees_unplaced
from foundation.conditions import Condition
from foundation.unit_of_work import UnitOfWork

_OF = "registry.source_case sc WHERE sc.native_id = {column} AND sc.agency = 'mediation' AND sc.dispute IS NOT NULL"
_SEEN = (
    "EXISTS (SELECT 1 FROM registry.dispute sd, " + _OF + " AND sd.id = sc.dispute AND {seen})"
)  # fmt: skip
_UNKNOWN = "NOT EXISTS (SELECT 1 FROM " + _OF + ")"


def numbers_seen(reader: Reader, kind: str = PERSON) -> Condition:
    """The rule as a condition on rows that carry the number of the office's case: those of whose dispute the reader may see
    fields of class `kind`."""
    clause, params = row_filter(reader, kind, "sd.")

    def condition(column: str) -> tuple[str, Mapping[str, Any]]:
        if clause in ("true", "false"):
            return clause, {}
        seen = _SEEN.format(column=column, seen=clause)
        if sees_unplaced(reader, kind):
            return f"({seen} OR {_UNKNOWN.format(column=column)})", params
        return seen, params

    return condition


def disputes_seen(reader: Reader, kind: str = PERSON) -> Condition:
    """The rule as a condition on rows that carry the number of a dispute."""
    clause, params = row_filter(reader, kind, "sd.")

    def condition(column: str) -> tuple[str, Mapping[str, Any]]:
        return f"EXISTS (SELECT 1 FROM registry.dispute sd WHERE sd.number = {column} AND {clause})", params

    return condition


def sees_number(uow: UnitOfWork, reader: Reader, number: str, kind: str = PERSON) -> bool:
    """Whether the reader may see fields of class `kind` of the office's case of that number; the database is asked too."""
    clause, params = numbers_seen(reader, kind)(":number")
    if not uow.scalar(f"SELECT {clause}", number=number, **params):
        return False
    dispute = dispute_of_number(uow, number)
    return dispute is None or bool(check_seen(uow, reader, [dispute["id"]]))


def dispute_of_number(uow: UnitOfWork, number: str) -> RowMapping | None:
    """The dispute (`id`, `number`) in which the office's case of that number stands; None where the registry knows none."""
    return uow.one(
        "SELECT sd.id, sd.number FROM registry.dispute sd, " + _OF.format(column=":number") + " AND sd.id = sc.dispute"
        " ORDER BY sc.id LIMIT 1",
        number=number,
    )  # fmt: skip


_OF_CASES = "SELECT c.dispute FROM registry.{table} t JOIN registry.source_case c ON c.id {on} WHERE t.id = CAST(:ref AS uuid)"
_BEHIND = {
    "dispute": "SELECT id AS dispute FROM registry.dispute WHERE id = CAST(:ref AS uuid)",
    "conflict": "SELECT dispute FROM registry.conflict WHERE id = CAST(:ref AS uuid)",
    "clock": _OF_CASES.format(table="clock", on="= t.source_case"),
    "referral": _OF_CASES.format(table="referral", on="= t.source_case"),
    "note": _OF_CASES.format(table="indicator_note", on="= t.source_case").replace("uuid", "bigint"),
    "supervision": _OF_CASES.format(table="supervision_case", on="= t.source_case"),
    "proposal": _OF_CASES.format(table="proposal", on="IN (t.a, t.b)"),
    "link_decision": _OF_CASES.format(table="link_decision", on="IN (t.a, t.b)"),
}


def sees_behind(uow: UnitOfWork, reader: Reader, what: str, ref: UUID | int, kind: str = PERSON) -> bool:
    """Whether the reader may see fields of class `kind` of every dispute behind a `what` of that id (dispute, conflict,
    clock, referral, note, supervision, proposal, link_decision); False where there is none."""
    ids = {row["dispute"] for row in uow.all(_BEHIND[what], ref=ref)}
    if not ids or None in ids:
        return False
    clause, params = row_filter(reader, kind, "d.")
    rows = uow.all(
        f"SELECT d.id FROM registry.dispute d WHERE d.id = ANY(:ids) AND {clause}", ids=list(ids), **params
    )
    return len(rows) == len(ids) and check_seen(uow, reader, list(ids)) == ids
