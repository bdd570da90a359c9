"""Finding disputes by what others call them, and where they are, even while only waiting statements are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from case_registry.access import Reader, row_filter
from case_registry.source import DisputeRef
from foundation.unit_of_work import UnitOfWork
from schemas.case_numbers import normalise_case_number


@dataclass(frozen=True)
class Spot:
    """Where something is: `stage` NONE and `holder` "-" while no dispute knows it."""

    dispute: DisputeRef | None
    stage: str
    holder: str
    flags: list[str]


def disputes_of(
    uow: UnitOfWork, number: str, agency: str = "", reader: Reader | None = None
) -> list[DisputeRef]:
    """The disputes that bear a number: an agency's own key, a case number, a mediation number, our own.

    `reader`: only those that this person may know of.
    """
    folded = normalise_case_number(number)
    seen, params = row_filter(reader, alias="d.") if reader else ("true", {})
    rows = uow.all(
        "SELECT DISTINCT d.id, d.number, d.seq FROM registry.dispute d WHERE d.merged_into IS NULL"
        f" AND (d.numbers && CAST(:numbers AS text[])) AND {seen}"
        " AND (:agency = '' OR EXISTS (SELECT 1 FROM registry.source_case c WHERE c.dispute = d.id AND c.agency = :agency"
        "      AND c.native_id = ANY(CAST(:numbers AS text[])))) ORDER BY d.seq",
        numbers=sorted({number, folded}),
        agency=agency,
        **params,
    )
    return [DisputeRef(row["id"], row["number"]) for row in rows]


def whereabouts_of(
    uow: UnitOfWork, references: Sequence[tuple[str, str]], reader: Reader | None = None
) -> Spot:
    """Where the dispute is that any of these (agency, native id) belongs to.

    Statements that still wait for their case are shown as PARKED:n on whatever reference can show them. Where
    the references belong to several disputes, the oldest one is taken. `reader`: disputes that this person may not know
    of are as if they were not there.
    """
    seen, params = row_filter(reader, alias="d.") if reader else ("true", {})
    rows = uow.all(
        "SELECT c.id, c.dispute, d.seq, d.number, d.stage, d.holder, d.flags,"
        " (SELECT count(*) FROM registry.statement s WHERE s.source_case = c.id AND s.parked) AS parked"
        " FROM unnest(CAST(:agencies AS text[]), CAST(:natives AS text[])) AS t(agency, native)"
        " JOIN registry.source_case c ON c.agency = t.agency AND c.native_id = t.native"
        f" LEFT JOIN registry.dispute d ON d.id = c.dispute WHERE d.id IS NULL OR {seen} ORDER BY d.seq NULLS LAST",
        agencies=[agency for agency, _ in references],
        natives=[native for _, native in references],
        **params,
    )
    known = [row for row in rows if row["dispute"] is not None]
    loose = sum(row["parked"] for row in rows if row["dispute"] is None)
    if not known:
        return Spot(None, "NONE", "-", [f"PARKED:{loose}"] if loose else [])
    first = known[0]
    return Spot(
        DisputeRef(first["dispute"], first["number"]),
        first["stage"],
        first["holder"],
        _with_parked(first["flags"], loose),
    )


def cases_by_partner(
    uow: UnitOfWork, disputes: Sequence[UUID]
) -> dict[UUID, tuple[str, dict[str, list[str]]]]:
    """For each of these disputes its number, and which partner knows it under which of its own numbers; sealed
    disputes are left out."""
    rows = uow.all(
        "SELECT c.dispute, d.number, c.partner, array_agg(c.native_id ORDER BY c.id) AS natives"
        " FROM registry.source_case c JOIN registry.dispute d ON d.id = c.dispute"
        " WHERE c.dispute = ANY(:ids) AND NOT d.sealed GROUP BY c.dispute, d.number, c.partner",
        ids=list(disputes),
    )
    found: dict[UUID, tuple[str, dict[str, list[str]]]] = {}
    for row in rows:
        found.setdefault(row["dispute"], (row["number"], {}))[1][row["partner"]] = list(row["natives"])
    return found


def _with_parked(flags: Sequence[Any], loose: int) -> list[str]:
    if not loose:
        return list(flags)
    told = sum(int(str(f).split(":")[1]) for f in flags if str(f).startswith("PARKED:"))
    return [str(f) for f in flags if not str(f).startswith("PARKED:")] + [f"PARKED:{told + loose}"]


def parked_count(uow: UnitOfWork, native_ids: str | Sequence[str]) -> int:
    """How many statements wait for a case under these keys, of whatever agency."""
    keys = [native_ids] if isinstance(native_ids, str) else list(native_ids)
    return int(
        uow.scalar(
            "SELECT count(*) FROM registry.statement s JOIN registry.source_case c ON c.id = s.source_case"
            " WHERE s.parked AND c.native_id = ANY(:keys)",
            keys=keys,
        )
    )
