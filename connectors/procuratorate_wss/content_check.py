"""Checks that the XSD does not make: codes, ids, sums, attachments, who sent it (CONTRACT.md, Codes and Limits)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import unicodedata
from datetime import datetime
from decimal import Decimal, InvalidOperation

from lxml import etree

from connectors.procuratorate_wss import names
from connectors.procuratorate_wss.shape import path_of, shape_findings
from foundation.wss_envelope import Element
from schemas.findings import Finding
from schemas.identifiers import check_credit_code, check_resident_id

ID_TYPES = ("01", "02")
REASON_CODES = ("R1", "R2", "R3", "R4", "R9")
_ID_EXPECTED = {
    "ID_FORMAT": "18 characters",
    "ID_CHECK_DIGIT": "right check character",
    "ID_BIRTH_DATE": "a calendar date in places 7 to 14",
}
_DAY = re.compile(r"[12]\d{3}-\d{2}-\d{2}(?:Z|[+-]\d{2}:\d{2})?", re.ASCII)
_MEDIA = ("application/pdf", "image/jpeg", "text/plain")


def findings_of(payload: Element) -> list[Finding]:
    """Everything wrong with a payload, the machine contract's findings first, one a path."""
    found: dict[str, Finding] = {finding.path: finding for finding in shape_findings(payload)}
    for finding in _own_checks(payload):
        found.setdefault(finding.path, finding)
    return list(found.values())


def _own_checks(payload: Element) -> list[Finding]:
    name = etree.QName(payload).localname
    findings = _head_checks(payload) if payload.find(names.collab("Head")) is not None else []
    if name == "SubmitCase":
        case = payload.find(names.collab("Case"))
        if case is not None:
            findings += _blank(case, "CaseNo")
            for name in ("OccurDate", "AcceptDate", "Deadline"):
                findings += _day(case, name)
            for person in case.findall(names.collab("Person")):
                findings += _person_checks(person)
            for attachment in case.findall(names.collab("Attachment")):
                findings += attachment_checks(attachment)
            findings += _claim_check(case)
    elif name == "RevokeCase":
        findings += _blank(payload, "CaseNo") + _code(payload, "ReasonCode", REASON_CODES)
    elif name == "QueryProgress":
        findings += _blank(payload, "CaseNo")
    elif name == "ReturnResult":
        findings += result_checks(payload)
    return findings


def _head_checks(payload: Element) -> list[Finding]:
    head = payload.find(names.collab("Head"))
    assert head is not None
    findings = _blank(head, "MsgId") + _moment(head, "SendTime")
    sender = head.findtext(names.collab("SendOrg"))
    if sender is not None and sender.strip() != names.INSTITUTION:
        path = path_of(head) + "/SendOrg"
        findings.append(Finding("CODE_UNKNOWN", path, sender.strip()[:40], names.INSTITUTION))
    version = (head.findtext(names.collab("Version")) or "").strip()
    if version.lstrip("+-").isdigit() and int(version) < 1:
        findings.append(Finding("SCHEMA_VIOLATION", path_of(head) + "/Version", version, "1 or more"))
    return findings


def _blank(parent: Element, name: str) -> list[Finding]:
    text = parent.findtext(names.collab(name))
    if text is None or text.strip():
        return []
    return [Finding("SCHEMA_VIOLATION", f"{path_of(parent)}/{name}", "empty", "not empty")]


def _day(parent: Element, name: str) -> list[Finding]:
    """xs:date knows years and zones that no calendar of ours has."""
    text = (parent.findtext(names.collab(name)) or "").strip()
    if not text or _DAY.fullmatch(text):
        return []
    return [Finding("DATE_UNREADABLE", f"{path_of(parent)}/{name}", text[:40], "a calendar date")]


def _moment(parent: Element, name: str) -> list[Finding]:
    text = (parent.findtext(names.collab(name)) or "").strip()
    try:
        if not text or datetime.fromisoformat(text).tzinfo is not None:
            return []
    except ValueError:
        pass
    return [Finding("DATE_UNREADABLE", f"{path_of(parent)}/{name}", text[:40], "a time with +08:00")]


def _code(parent: Element, name: str, allowed: tuple[str, ...]) -> list[Finding]:
    text = parent.findtext(names.collab(name))
    if text is None or text.strip() in allowed:
        return []
    wanted = ", ".join(allowed[:-1]) + f" or {allowed[-1]}"
    return [Finding("CODE_UNKNOWN", f"{path_of(parent)}/{name}", text.strip()[:40], wanted)]


def _person_checks(person: Element) -> list[Finding]:
    findings = _blank(person, "Name") + _code(person, "IdType", ID_TYPES)
    number = person.findtext(names.collab("IdNo"))
    if number is None:
        return findings
    number = number.strip()
    organisation = (person.findtext(names.collab("IdType")) or "").strip() == "02"
    code = check_credit_code(number) if organisation else check_resident_id(number)
    if code is not None:
        findings.append(Finding(code, path_of(person) + "/IdNo", number, _ID_EXPECTED.get(code, "")))
    return findings


def _claim_check(case: Element) -> list[Finding]:
    text = case.findtext(names.collab("ClaimAmount"))
    if text is None:
        return []
    try:
        amount = Decimal(text.strip())
    except InvalidOperation:
        return []  # the XSD has said so
    if amount != 0:
        return []
    # A case without a sum leaves the element out (habit 2); a stated zero is a slip of the pen.
    return [
        Finding(
            "AMOUNT_UNREADABLE",
            path_of(case) + "/ClaimAmount",
            text.strip(),
            "more than 0; none = leave it out",
        )
    ]


def attachment_checks(attachment: Element) -> list[Finding]:
    """Kind, size and digest of one attachment."""
    path = path_of(attachment)
    media = (attachment.findtext(names.collab("MediaType")) or "").split(";")[0].strip().lower()
    text = attachment.findtext(names.collab("Content"))
    if text is None:
        return []  # the XSD has said so
    content = _decoded(text)
    if content is None:
        return [Finding("BASE64_INVALID", f"{path}/Content", text.strip()[:40], "base64")]
    if media not in _MEDIA:
        return [
            Finding(
                "SCHEMA_VIOLATION",
                f"{path}/MediaType",
                media[:40],
                "application/pdf, image/jpeg or text/plain",
            )
        ]
    if len(content) > names.MAX_ATTACHMENT_BYTES:
        limit = f"at most {names.MAX_ATTACHMENT_BYTES} bytes"
        return [Finding("TOO_LARGE", f"{path}/Content", f"{len(content)} bytes", limit)]
    stated = (attachment.findtext(names.collab("Sha256")) or "").strip().lower()
    counted = hashlib.sha256(content).hexdigest()
    if stated != counted:
        return [Finding("DIGEST_MISMATCH", f"{path}/Sha256", f"{stated[:2]}…", counted)]
    return []


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def result_checks(payload: Element) -> list[Finding]:
    """Habit 11: PERFORMED names the paid sum, and less than the agreed sum is a default."""
    outcome = (payload.findtext(names.collab("Outcome")) or "").strip()
    amount, paid = (_money(payload, name) for name in ("Amount", "PaidAmount"))
    path = path_of(payload) + "/PaidAmount"
    findings = _blank(payload, "CaseNo") + _day(payload, "OutcomeDate")
    for proof in payload.findall(names.collab("PaymentProof")):
        findings += attachment_checks(proof)
    if outcome == "PERFORMED" and paid is None:
        findings.append(Finding("SCHEMA_VIOLATION", path, "absent", "required for PERFORMED"))
    elif paid is not None and amount is not None and paid < amount and outcome != "DEFAULTED":
        findings.append(Finding("AMOUNT_MISMATCH", path, str(paid), f"{amount}, or Outcome DEFAULTED"))
    return findings


def _money(payload: Element, name: str) -> Decimal | None:
    text = payload.findtext(names.collab(name))
    try:
        return Decimal(text.strip()) if text is not None else None
    except InvalidOperation:
        return None


def folded_case_no(text: str) -> str:
    """CaseNo with the brackets 〔〕 whatever their own query screen prints (habit 5)."""
    folded = unicodedata.normalize("NFKC", text).replace(" ", "")
    return folded.translate(str.maketrans("[]()【】", "〔〕〔〕〔〕"))
