"""What the commission answers to our calls (pages, a case, awards, problems), and our own request as a file."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

from connectors.arbitration_rest.cases import case_findings, case_notes, case_record, party_findings
from connectors.arbitration_rest.contract_check import shape_findings
from connectors.arbitration_rest.events import award_findings, award_record, items_findings
from schemas.canonical import digest, sha256_hex
from schemas.exchange import RawMessage, Reading
from schemas.findings import Finding, Refused

RESTART = (
    "start again with updatedSince = last seen updatedAt minus 10 minutes; drop doubles by (caseId, version)"
)


def read_reply(value: Any, message: RawMessage) -> Reading:
    """Read a parsed JSON value by what it holds. Raises Refused."""
    if isinstance(value, dict) and "items" in value and "nextCursor" in value:
        return _page(value, message)
    if isinstance(value, dict) and "mediationNo" in value:
        return _own_request(value)
    if isinstance(value, dict) and "caseId" in value and "parties" in value:
        return _one_case(value)
    if isinstance(value, dict) and {"title", "status", "code"} <= set(value):
        return _problem(value)
    if isinstance(value, list):
        return _awards(value)
    found = ", ".join(map(str, list(value)[:5])) if isinstance(value, dict) else type(value).__name__
    raise Refused(
        Finding("SCHEMA_VIOLATION", "/", found[:80], "an Event, a page of cases, a Case, awards or a problem")
    )


def case_notes_of(event: dict[str, Any]) -> list[Finding]:
    """Notes about the case inside an event."""
    return case_notes(event["case"], "/case") if "case" in event else []


def _page(page: dict[str, Any], message: RawMessage) -> Reading:
    """A page; a case that is wrong is refused alone, the others are taken."""
    findings = shape_findings(
        {**page, "items": []} if isinstance(page.get("items"), list) else page, "CasePage"
    )
    if findings:
        raise Refused.of(findings)
    rows: list[Finding] = []
    notes: list[Finding] = []
    records = []
    for number, case in enumerate(page["items"]):
        base = f"/items/{number}"
        wrong = shape_findings(case, "Case", base, "row") or case_findings(case, base, "row")
        rows += wrong
        if not wrong:
            records.append(case_record(case, base))
            notes += case_notes(case, base)
    whole = sha256_hex(message.content)
    return Reading(
        message_id=f"cases-{whole[:24]}",
        compare_digest=whole,
        records=tuple(records),
        findings=tuple(rows),
        notes=tuple(notes),
        parts=len(page["items"]),
        meta={"operation": "listCases", "cursor": page["nextCursor"]},
    )


def _one_case(case: dict[str, Any]) -> Reading:
    findings = shape_findings(case, "Case") or case_findings(case, "", "message")
    if findings:
        raise Refused.of(findings)
    content = digest(case)
    return Reading(
        message_id=f"case-{case['caseId']}-{case['version']}-{content[:16]}",
        compare_digest=content,
        records=(case_record(case, ""),),
        notes=tuple(case_notes(case, "")),
        case_key=case["caseId"],
        parts=1,
        meta={"operation": "getCase"},
    )


def _awards(awards: list[Any]) -> Reading:
    findings: list[Finding] = []
    for number, award in enumerate(awards):
        base = f"/{number}"
        findings += shape_findings(award, "Award", base) or award_findings(award, base)
    if findings:
        raise Refused.of(findings)
    content = digest(awards)
    records = tuple(
        award_record(award, f"/{number}", f"{award['issuedOn']}T00:00:00+08:00", None)
        for number, award in enumerate(awards)
    )
    case_key = awards[0]["caseId"] if awards else ""
    return Reading(
        f"awards-{content[:24]}", content, records=records, case_key=case_key, parts=len(awards),
        meta={"operation": "listAwards"},
    )  # fmt: skip


def _problem(problem: dict[str, Any]) -> Reading:
    """application/problem+json as answer to one of our calls: states nothing about a case."""
    findings = shape_findings(problem, "Problem")
    if findings:
        raise Refused.of(findings)
    content = digest(problem)
    meta: dict[str, Any] = {
        "operation": "problem",
        "code": problem["code"],
        "action": action_for(problem["code"]),
    }
    return Reading(f"problem-{content[:24]}", content, meta=meta)


def action_for(code: str) -> str:
    """What a problem's code asks of us (CONTRACT.md, Codes)."""
    known = {
        "ARB-0401": "get a new token, then once again",
        "ARB-0404": "unknown or sealed: delete nothing",
        "ARB-0410": RESTART,
        "ARB-0429": "retry after the time in Retry-After",
        "ARB-0503": "retry with back-off: closed for maintenance",
    }
    return known.get(code, "permanent: park for a person")


def request_findings(request: dict[str, Any]) -> list[Finding]:
    """Checks of a consent-award request before it leaves: contract, ids, sums, the paper's digest."""
    findings = shape_findings(request, "ConsentAwardRequest")
    if findings:
        return findings
    for number, party in enumerate(request["parties"]):
        findings += party_findings(party, f"/parties/{number}", "message")
    findings += items_findings(request["items"], request["totalFen"], "")
    paper = request["agreement"]
    try:
        content = base64.b64decode(paper["content"], validate=True)
    except (binascii.Error, ValueError):
        return [*findings, Finding("BASE64_INVALID", "/agreement/content", "not base64", "base64")]
    counted = hashlib.sha256(content).hexdigest()
    if counted != paper["sha256"]:
        findings.append(Finding("DIGEST_MISMATCH", "/agreement/sha256", paper["sha256"][:16] + "…", counted))
    return findings


def _own_request(request: dict[str, Any]) -> Reading:
    """Our own request, come back as a file: it states nothing, and 202 would not be acceptance."""
    findings = request_findings(request)
    if findings:
        raise Refused.of(findings)
    meta = {"operation": "requestConsentAward", "direction": "hub->partner", "reply": 202}
    return Reading(request["requestId"], digest(request), case_key=request["mediationNo"], meta=meta)
