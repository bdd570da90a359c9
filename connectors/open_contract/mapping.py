"""A message of the open contract → what the registry is told; and the checks that no schema makes. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

from schemas.case_numbers import normalise_case_number
from schemas.claims import Claim, PartyClaim, Record, Reference
from schemas.findings import Finding
from schemas.identifiers import (
    check_credit_code,
    check_resident_id,
    is_masked_id,
    normalise_code,
    normalise_id,
    normalise_name,
    normalise_phone,
)
from schemas.open_contract import ContractRecord, Message, Party

# Whose word each kind of record is; a kind that is not named may come from any agency.
ONLY_FROM = {
    "confirmation": ("court",),
    "hold": ("court",),
    "enforcement": ("court",),
    "award": ("arbitration",),
}
# Deadlines are counted from what is told: the calendar has to go on behind it.
YEARS = range(1900, 2200)
_DAYS = ("opened_on", "closed_on", "occurred_on", "limit_date")


def findings_of(message: Message, agency: str) -> list[Finding]:
    """Faults of a message that has the right shape: moments and days that are none, id numbers, who may say what.

    Parameters: ``agency`` the kind of agency that sends it.
    """
    found = list(_moment_faults(message.event_time, "/event_time"))
    found += _kind_faults(message)
    for place, record in enumerate(message.records):
        path = f"/records/{place}"
        found += _record_faults(record, path, agency)
        for number, party in enumerate(record.parties):
            found += _party_faults(party, f"{path}/parties/{number}")
    return found


def _kind_faults(message: Message) -> Iterator[Finding]:
    if message.kind != "withdrawal" and not message.records:
        yield Finding("FIELD_MISSING", "/records", "absent", "at least one record")
    if message.kind == "withdrawal" and message.records:
        yield Finding(
            "SCHEMA_VIOLATION", "/records", f"{len(message.records)} records", "none: it only takes back"
        )
    if message.kind == "record" and message.corrects is not None:
        yield Finding(
            "SCHEMA_VIOLATION", "/corrects", message.corrects, "kind correction or withdrawal with it"
        )
    if message.kind != "record" and message.corrects is None:
        yield Finding("FIELD_MISSING", "/corrects", "absent", "the message_id that is taken back")
    if message.corrects == message.message_id:
        yield Finding("SCHEMA_VIOLATION", "/corrects", message.message_id, "another message's id")


def _record_faults(record: ContractRecord, path: str, agency: str) -> Iterator[Finding]:
    allowed = ONLY_FROM.get(record.kind)
    if allowed is not None and agency not in allowed:
        yield Finding(
            "NOT_AUTHORISED", f"{path}/kind", f"{record.kind} from {agency}", f"from {', '.join(allowed)}"
        )
    for name in ("confirmation", "hold", "award", "enforcement", "withdrawal"):
        there = getattr(record, name) is not None
        if there != (name == record.kind):
            code = "SCHEMA_VIOLATION" if there else "FIELD_MISSING"
            yield Finding(
                code, f"{path}/{name}", "there" if there else "absent", f"with kind {name} and only then"
            )
    if record.kind == "episode" and (record.fields is None or not record.fields.model_fields_set):
        yield Finding("FIELD_MISSING", f"{path}/fields", "absent", "what is told of the case")
    if record.event_time is not None:
        yield from _moment_faults(record.event_time, f"{path}/event_time")
    for place, value in _days_of(record):
        if not _is_day(value):
            yield Finding(
                "DATE_UNREADABLE",
                f"{path}/{place}",
                value,
                f"a day of the calendar, {YEARS[0]} to {YEARS[-1]}",
            )


def _days_of(record: ContractRecord) -> Iterator[tuple[str, str]]:
    if record.fields is not None:
        told = [(f"fields/{name}", getattr(record.fields, name)) for name in _DAYS]
        yield from ((place, value) for place, value in told if value)
    if record.confirmation is not None and record.confirmation.agreement_signed_on:
        yield "confirmation/agreement_signed_on", record.confirmation.agreement_signed_on
    if record.hold is not None:
        told = [("hold/from_on", record.hold.from_on), ("hold/until_on", record.hold.until_on)]
        yield from ((place, value) for place, value in told if value)
    if record.award is not None:
        yield "award/issued_on", record.award.issued_on
        for number, item in enumerate(record.award.items):
            if item.due_date:
                yield f"award/items/{number}/due_date", item.due_date


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).year in YEARS
    except ValueError:
        return False


def _moment_faults(text: str, path: str) -> Iterator[Finding]:
    try:
        fits = datetime.fromisoformat(text).astimezone(UTC).year in YEARS
    except (ValueError, OverflowError):
        fits = False
    if not fits:
        wanted = f"a moment of the calendar, with its zone, from {YEARS[0]} to {YEARS[-1]}"
        yield Finding("DATE_UNREADABLE", path, text, wanted)


def _party_faults(party: Party, path: str) -> Iterator[Finding]:
    if not normalise_name(party.name):
        yield Finding("SCHEMA_VIOLATION", f"{path}/name", "blank", "a name")
    if party.id_number is not None:
        code = check_resident_id(normalise_id(party.id_number))
        if code is not None:
            yield Finding(
                code, f"{path}/id_number", "(not shown)", "18 characters with a right check character"
            )
    if party.masked_id is not None and not is_masked_id(normalise_id(party.masked_id)):
        yield Finding("ID_FORMAT", f"{path}/masked_id", "(not shown)", "an id number with * in it")
    if party.credit_code is not None:
        code = check_credit_code(normalise_code(party.credit_code))
        if code is not None:
            yield Finding(
                code, f"{path}/credit_code", party.credit_code, "18 characters, right check character"
            )


def records_of(message: Message) -> tuple[Record, ...]:
    """What a checked message tells the registry."""
    return tuple(_record(message, record, place) for place, record in enumerate(message.records))


def _record(message: Message, record: ContractRecord, place: int) -> Record:
    event_at = record.event_time or message.event_time
    return Record(
        kind=record.kind,
        native_id=message.case_key,
        sub_id=record.proceeding or "",
        # The sender's own order: when it was, then its running number, then the place in the message.
        version=(utc_text(event_at), message.sequence or 0, place),
        event_at=event_at,
        claims=_claims(message, record),
        parties=tuple(map(_party, record.parties)) if record.parties else None,
        references=tuple(Reference(r.kind, r.value, r.agency, r.strength) for r in record.references),
        path=f"/records/{place}",
        data=_data(record),
    )


def utc_text(moment: str) -> str:
    """The moment in UTC with six places, so that text order is time order."""
    return datetime.fromisoformat(moment).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _claims(message: Message, record: ContractRecord) -> tuple[Claim, ...]:
    if record.fields is None:
        return ()
    made: list[Claim] = []
    for name in record.fields.model_fields_set:
        value = getattr(record.fields, name)
        if name == "cause_code" and value is not None:
            value = {"system": value.system, "code": value.code}
        if name == "case_number" and value is not None:
            normal = normalise_case_number(value)
            made.append(Claim(name, normal, text=None if normal == value else value))
        else:
            made.append(Claim(name, value))
    return tuple(sorted(made, key=lambda claim: claim.field))


def _party(party: Party) -> PartyClaim:
    return PartyClaim(
        role=party.role,
        kind=party.kind,
        name=normalise_name(party.name),
        key=party.key,
        id_number=normalise_id(party.id_number) if party.id_number else None,
        masked_id=normalise_id(party.masked_id) if party.masked_id else None,
        phone=normalise_phone(party.phone) if party.phone else None,
        address=party.address,
        gender=party.gender,
        credit_code=normalise_code(party.credit_code) if party.credit_code else None,
    )


def _data(record: ContractRecord) -> dict[str, Any]:
    part = getattr(record, record.kind, None)
    if part is None:
        return {}
    told: dict[str, Any] = part.model_dump(mode="json", exclude_none=True)
    if record.kind == "hold":
        # Registry and escrow call them by the court's own words.
        renamed = {"from_on": "from", "until_on": "until"}
        told = {renamed.get(name, name): value for name, value in told.items()}
    if record.kind == "award":
        told["counts_from"] = told["issued_on"]
    return told
