"""The office as one of the agencies: a matter told to the registry as a record, like any partner's message."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import case_registry
import mediation
from foundation.unit_of_work import UnitOfWork
from schemas.claims import Claim, PartyClaim, Record, Reference
from schemas.findings import Finding, Refused

SOURCE = case_registry.Source("office", "office", "mediation")
BEIJING = ZoneInfo("Asia/Shanghai")
STATES = {
    "ACCEPTED": "REGISTERED",
    "MEDIATING": "OPEN",
    "AGREED": "AGREED",
    "FAILED": "FAILED",
    "CLOSED": "CLOSED",
    "WITHDRAWN": "WITHDRAWN",
}


def tell_matter(uow: UnitOfWork, matter_id: UUID) -> list[dict[str, Any]]:
    """Record how a matter stands now; returns the registry's events."""
    record = matter_record(uow, matter_id)
    result = case_registry.record(uow, SOURCE, uow.new_id(), (record,))
    return list(result.events)


def matter_record(uow: UnitOfWork, matter_id: UUID) -> Record:
    """The record of a matter as it stands. Each change of the matter gives a later version."""
    found = mediation.matter(uow, matter_id)
    if found is None:
        raise Refused(Finding("UNKNOWN_ORIGINAL", "matter", str(matter_id), "a matter of this office"))
    live = mediation.live_agreement(uow, matter_id)
    values: dict[str, Any] = {
        "proceeding_kind": "MEDIATION",
        "state": STATES[found["state"]],
        "case_number": found["mediation_number"],
        "cause": found["cause"],
        "claimed_fen": found["claimed_fen"],
        "opened_on": found["accepted_on"].isoformat(),
        "occurred_on": found["occurred_on"].isoformat() if found["occurred_on"] else None,
        "place_text": found["place"] or None,
        "narrative": found["narrative"] or None,
        "organisation": found["committee"],
        "mediator": found["mediator"],
    }
    told = {name: value for name, value in values.items() if value is not None}
    if live:
        told["agreed_fen"] = live["total_fen"]
        told["agreed_on"] = live["signed_at"].astimezone(BEIJING).date().isoformat()
    elif found["agreements"]:
        # There was an agreement and it was set aside: told to be blank, so that the old values do not stand.
        told["agreed_fen"] = told["agreed_on"] = None
    claims = tuple(Claim(name, value) for name, value in told.items())
    references = (Reference("case_number", found["referral"]),) if found["referral"] else ()
    return Record(
        kind="episode",
        native_id=found["mediation_number"],
        version=(int(found["version"]),),
        event_at=_fact_time(found, live).astimezone(BEIJING).isoformat(),
        claims=claims,
        parties=tuple(_party(each) for each in found["parties"]),
        references=references,
        path="matter",
    )


def _fact_time(found: dict[str, Any], live: dict[str, Any] | None) -> datetime:
    """When what the record says became so: not when we wrote it down, which for an old record is much later."""
    if found["state"] == "ACCEPTED":
        return datetime.combine(found["accepted_on"], time(), BEIJING)
    if found["state"] == "AGREED" and live:
        return live["signed_at"]  # type: ignore[no-any-return]
    return found["changed_at"]  # type: ignore[no-any-return]


def _party(row: dict[str, Any]) -> PartyClaim:
    organisation = row["kind"] == "organisation"
    return PartyClaim(
        role=row["role"],
        kind=row["kind"],
        name=row["name"],
        key=row["key"],
        id_number=None if organisation else row["id_number"],
        credit_code=row["id_number"] if organisation else None,
        phone=row["phone"],
        address=row["address"],
    )
