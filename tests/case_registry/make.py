"""Hand-made records in the language of the connectors, short to write."""

from __future__ import annotations

import uuid
from typing import Any

from case_registry import RecordResult, Source, record
from foundation.unit_of_work import UnitOfWork
from schemas.claims import Claim, PartyClaim, Record, Reference
from schemas.identifiers import resident_check_digit

COURT = Source("court_x", "I1", "court")
PETITION = Source("petition_x", "I2", "petition")
ARBITRATION = Source("arbitration_x", "I3", "arbitration")
PROCURATORATE = Source("procuratorate_x", "I4", "procuratorate")
MEDIATION = Source("mediation", "I5", "mediation")
SOURCES = {s.agency: s for s in (COURT, PETITION, ARBITRATION, PROCURATORATE, MEDIATION)}


def resident(number: int) -> str:
    """A made-up resident id."""
    first = f"3303991980{1 + number % 12:02d}{1 + number % 28:02d}{number % 1000:03d}"
    return first + resident_check_digit(first)


def person(name: str, role: str = "applicant", **more: Any) -> PartyClaim:
    return PartyClaim(role=role, kind="person", name=name, key=f"{role}-{name}", **more)  # type: ignore[arg-type]


def body(name: str, role: str = "respondent", **more: Any) -> PartyClaim:
    return PartyClaim(role=role, kind="organisation", name=name, key=f"{role}-{name}", **more)  # type: ignore[arg-type]


def episode(
    native_id: str,
    kind: str,
    state: str = "OPEN",
    *,
    version: tuple[str | int, ...] = (1,),
    sub_id: str = "",
    at: str = "2026-03-20",
    parties: list[PartyClaim] | None = None,
    refs: list[Reference] | None = None,
    data: dict[str, Any] | None = None,
    record_kind: str = "episode",
    **fields: Any,
) -> Record:
    told = {"proceeding_kind": kind, "state": state, **fields}
    return Record(
        kind=record_kind,  # type: ignore[arg-type]
        native_id=native_id,
        sub_id=sub_id,
        version=version,
        event_at=at,
        claims=tuple(Claim(name, value) for name, value in told.items() if value is not ...),
        parties=None if parties is None else tuple(parties),
        references=tuple(refs or ()),
        data=data or {},
    )


def withdrawal(
    native_id: str,
    version: tuple[str | int, ...],
    *,
    sub_id: str = "",
    hide: bool = False,
    at: str = "2026-04-02",
) -> Record:
    return Record(
        "withdrawal", native_id, version, at, sub_id=sub_id, data={"reason": "当事人撤诉", "hide": hide}
    )


def take(uow: UnitOfWork, source: Source, *records: Record) -> RecordResult:
    return record(uow, source, uuid.uuid4(), records)
