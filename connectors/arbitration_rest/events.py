"""Webhook events → records: a case told anew, an award, a withdrawal, a paper that is ready."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from connectors.arbitration_rest.cases import (
    case_findings,
    case_record,
    is_day,
    split_former_name,
    utc_text,
)
from schemas.case_numbers import normalise_case_number
from schemas.claims import Claim, PartyClaim, Record
from schemas.findings import Finding
from schemas.wide import BEIJING, Unreadable, read_epoch_millis

_NEEDS_AWARD = ("award.issued", "award.corrected")
# What the event's own name says of the state, for an event that comes without its case.
_STATE_OF_EVENT = {"case.accepted": "OPEN", "case.suspended": "SUSPENDED"}
LARGEST_FEN = 10**15
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ORGANISATION = re.compile("公司|合伙|合作社|医院|学校|中心|委员会|[厂店行所]$")
_CASE_ID = re.compile(r"ARB-\d{4}-\d{6}", re.ASCII)


def event_findings(event: dict[str, Any]) -> list[Finding]:
    """Checks that the machine contract does not make, for a schema-valid Event."""
    findings = _id_findings(event)
    try:
        read_epoch_millis(event["occurredAt"])
    except (Unreadable, ValueError, OverflowError, OSError):
        findings.append(
            Finding("DATE_UNREADABLE", "/occurredAt", str(event["occurredAt"]), "Unix milliseconds")
        )
    if event["type"] in _NEEDS_AWARD and "award" not in event:
        findings.append(Finding("SCHEMA_VIOLATION", "/award", "absent", "required"))
    for part in ("case", "award"):
        stated = event.get(part, {}).get("caseId", event["caseId"])
        if stated != event["caseId"]:
            findings.append(Finding("REPLY_MISMATCH", f"/{part}/caseId", stated[:40], event["caseId"]))
    if "case" in event:
        findings += case_findings(event["case"], "/case", "message")
    if "award" in event:
        findings += award_findings(event["award"], "/award")
        if event["type"] == "award.corrected" and not event["award"].get("corrects"):
            findings.append(Finding("SCHEMA_VIOLATION", "/award/corrects", "absent", "required"))
    return findings


def _id_findings(event: dict[str, Any]) -> list[Finding]:
    """Ids that the contract promises in words: eventId a UUID, caseId ARB-yyyy-nnnnnn."""
    findings = []
    if not _UUID.fullmatch(event["eventId"]):
        findings.append(Finding("SCHEMA_VIOLATION", "/eventId", event["eventId"][:80], "a UUID"))
    if not _CASE_ID.fullmatch(event["caseId"]):
        findings.append(Finding("SCHEMA_VIOLATION", "/caseId", event["caseId"][:80], "ARB-yyyy-nnnnnn"))
    return findings


def award_findings(award: dict[str, Any], base: str) -> list[Finding]:
    """Dates, and the total against its items (habit 6: totals are per document)."""
    findings: list[Finding] = []
    for key in ("issuedOn", "servedOn", "effectiveOn"):
        if award.get(key) is not None and not is_day(award[key]):
            findings.append(Finding("DATE_UNREADABLE", f"{base}/{key}", award[key][:40], "a calendar date"))
    return findings + items_findings(award["items"], award["totalFen"], base)


def items_findings(items: list[dict[str, Any]], total: int, base: str) -> list[Finding]:
    """Due dates, sums in range, and a total that is the sum of its items."""
    findings: list[Finding] = []
    for number, item in enumerate(items):
        path = f"{base}/items/{number}"
        if item.get("dueDate") is not None and not is_day(item["dueDate"]):
            findings.append(
                Finding("DATE_UNREADABLE", f"{path}/dueDate", item["dueDate"][:40], "a calendar date")
            )
        if item["amountFen"] > LARGEST_FEN:
            found = str(item["amountFen"])
            findings.append(
                Finding("AMOUNT_UNREADABLE", f"{path}/amountFen", found, f"at most {LARGEST_FEN}")
            )
    counted = sum(item["amountFen"] for item in items)
    if counted != total:
        findings.append(Finding("AMOUNT_MISMATCH", f"{base}/totalFen", str(total), str(counted)))
    return findings


def event_records(event: dict[str, Any]) -> tuple[Record, ...]:
    """Records of a checked event. Each carries the event's sequence, so that holes can be seen."""
    kind, sequence = event["type"], event["sequence"]
    at = datetime.fromtimestamp(event["occurredAt"] / 1000, UTC)
    occurred = at.astimezone(BEIJING).isoformat()
    if kind == "case.withdrawn":
        return _withdrawal(event, occurred), _case_behind(event, occurred)
    records = []
    if "case" in event:
        records.append(case_record(event["case"], "/case", occurred, sequence))
    if "award" in event and kind in _NEEDS_AWARD:
        records.append(award_record(event["award"], "/award", occurred, sequence))
        if "case" not in event:
            records.append(_case_behind(event, occurred))
    if not records:
        records.append(_bare(event, occurred))
    return tuple(records)


def _case_behind(event: dict[str, Any], occurred: str) -> Record:
    """The case that an event without it speaks of: that it is there, its number, and whom the award names.

    It is older than everything that is ever told of the case itself, so that the case's own words always win.
    """
    award = event.get("award", {})
    claims = [Claim("proceeding_kind", "ARBITRATION")]
    if award.get("caseNo"):
        claims.append(Claim("case_number", normalise_case_number(award["caseNo"]), text=award["caseNo"]))
    return Record(
        kind="episode",
        native_id=event["caseId"],
        version=("", 0),
        event_at=occurred,
        claims=tuple(claims),
        parties=tuple(_named_by(award)) if award else None,
        path="/award" if award else "/",
        data={"event": event["type"]},
    )


def _named_by(award: dict[str, Any]) -> list[PartyClaim]:
    """Payees and payers of an award by name: who is paid is taken for the one who applied."""
    made: dict[tuple[str, str], PartyClaim] = {}
    for item in award["items"]:
        for role, told in (("applicant", item["payee"]), ("respondent", item["payer"])):
            name, former = split_former_name(told)
            made.setdefault(
                (role, name),
                PartyClaim(
                    role=role,  # type: ignore[arg-type]
                    kind="organisation" if _ORGANISATION.search(name) else "person",
                    name=name,
                    key=f"AWARD:{role}:{name}",
                    extra={"former_names": [former]} if former else {},
                ),
            )
    return list(made.values())


def _withdrawal(event: dict[str, Any], occurred: str) -> Record:
    return Record(
        kind="withdrawal",
        native_id=event["caseId"],
        version=(utc_text(occurred), 0),
        event_at=occurred,
        claims=(Claim("state", "WITHDRAWN"),),
        path="/",
        data={"reason": event.get("reason") or "撤回仲裁申请", "hide": False, "sequence": event["sequence"]},
    )


def award_record(award: dict[str, Any], base: str, at: str, sequence: int | None) -> Record:
    """An award. Whether it ends the case is the registry's to say: `final`, and no message lost before it."""
    items = [
        {
            "no": item["no"],
            "text": item["text"],
            "payer": item["payer"],
            "payee": item["payee"],
            "amount_fen": item["amountFen"],
            "due_date": item.get("dueDate"),
        }
        for item in award["items"]
    ]
    data: dict[str, Any] = {
        "award_id": award["awardId"],
        "award_kind": award["kind"],
        "final": award["final"],
        "corrects": award.get("corrects"),
        # A correction counts from its own issue date; sums paid under the first stay paid.
        "counts_from": award["issuedOn"],
        "issued_on": award["issuedOn"],
        "served_on": award.get("servedOn"),
        "effective_on": award.get("effectiveOn"),
        "items": items,
        "total_fen": award["totalFen"],
        "document_sha256": award["documentSha256"],
    }
    if sequence is not None:
        data["sequence"] = sequence
    number = award["caseNo"]
    return Record(
        kind="award",
        native_id=award["caseId"],
        version=(utc_text(at), 0),
        event_at=at,
        claims=(Claim("case_number", normalise_case_number(number), text=number),) if number else (),
        path=base,
        data=data,
    )


def _bare(event: dict[str, Any], occurred: str) -> Record:
    """An event without its case: what its name says, and its place in the sequence."""
    claims = [Claim("proceeding_kind", "ARBITRATION"), Claim("sequence", event["sequence"])]
    state = _STATE_OF_EVENT.get(event["type"])
    if state:
        claims.append(Claim("state", state, text=event["type"]))
    data = {"event": event["type"], **({"reason": event["reason"]} if event.get("reason") else {})}
    return Record(
        kind="episode",
        native_id=event["caseId"],
        version=(utc_text(occurred), 0),
        event_at=occurred,
        claims=tuple(claims),
        path="/",
        data=data,
    )
