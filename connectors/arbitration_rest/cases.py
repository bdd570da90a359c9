"""The commission's Case → checks and an episode record (CONTRACT.md, Field table and Habits 1–5, 7, 10)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from schemas.case_numbers import find_mediation_numbers, normalise_case_number
from schemas.claims import Claim, JsonValue, PartyClaim, PartyRole, Record, Reference
from schemas.findings import Finding, Scope
from schemas.identifiers import (
    check_credit_code,
    check_resident_id,
    is_masked_id,
    normalise_id,
    normalise_name,
    normalise_phone,
)
from schemas.money import Fen
from schemas.wide import Unreadable, read_wide_date

CAUSE_SYSTEM = "arbitration_partner_causeCode"
STATES = {
    "RECEIVED": "REGISTERED",
    "ACCEPTED": "OPEN",
    "NOT_ACCEPTED": "CLOSED",
    "MEDIATING": "OPEN",
    "SUSPENDED": "SUSPENDED",
    "HEARD": "OPEN",
    "AWARDED": "AWARDED",
    "CONSENT_AWARDED": "AWARDED",
    "WITHDRAWN": "WITHDRAWN",
    "CLOSED": "CLOSED",
}
_ENDED = ("NOT_ACCEPTED", "AWARDED", "CONSENT_AWARDED", "WITHDRAWN", "CLOSED")
_ROLES: dict[str, PartyRole] = {
    "APPLICANT": "applicant",
    "RESPONDENT": "respondent",
    "THIRD": "third_party",
}
_ID_EXPECTED = {
    "ID_FORMAT": "18 characters (or idMasked true)",
    "ID_CHECK_DIGIT": "right check character (or idMasked true)",
    "ID_BIRTH_DATE": "a calendar date in places 7 to 14 (or idMasked true)",
}
_FORMER_NAME = re.compile(r"[(（]曾用名[:：]?([^()（）]+)[)）]$")
# Suspended so that a mediation committee may try: their limit stops, the date is moved on resumption only.
_TO_MEDIATION = ("移送人民调解", "当事人申请人民调解")


def case_findings(case: dict[str, Any], base: str, scope: Scope) -> list[Finding]:
    """Checks that the machine contract does not make: ids and dates of a schema-valid Case at path `base`."""
    findings: list[Finding] = []
    for key in ("acceptedAt", "updatedAt"):
        if case.get(key) is not None and _moment(case[key]) is None:
            path = f"{base}/{key}"
            findings.append(
                Finding("DATE_UNREADABLE", path, case[key][:40], "a time with +08:00", scope=scope)
            )
    if case.get("limitDate") is not None and not is_day(case["limitDate"]):
        path = f"{base}/limitDate"
        findings.append(
            Finding("DATE_UNREADABLE", path, case["limitDate"][:40], "a calendar date", scope=scope)
        )
    for number, party in enumerate(case["parties"]):
        findings += party_findings(party, f"{base}/parties/{number}", scope)
    return findings


def party_findings(party: dict[str, Any], base: str, scope: Scope) -> list[Finding]:
    """Checks of one party: the id number, unless it is masked, and a name that says something."""
    if not normalise_name(party["name"]):
        return [Finding("SCHEMA_VIOLATION", f"{base}/name", "blank", "a name", scope=scope)]
    number = normalise_id(party.get("idNo") or "")
    if not number or party.get("idMasked") or is_masked_id(number):
        return []
    code = check_credit_code(number) if party["kind"] == "ORG" else check_resident_id(number)
    if code is None:
        return []
    return [Finding(code, f"{base}/idNo", str(party["idNo"])[:40], _ID_EXPECTED.get(code, ""), scope=scope)]


def case_notes(case: dict[str, Any], base: str) -> list[Finding]:
    """What is taken with care: a masked id without its flag."""
    return [
        Finding(
            "ID_FORMAT", f"{base}/parties/{n}/idNo", party["idNo"], "idMasked true beside it", severity="care"
        )
        for n, party in enumerate(case["parties"])
        if is_masked_id(normalise_id(party.get("idNo") or "")) and not party.get("idMasked")
    ]


def case_record(
    case: dict[str, Any], base: str, event_at: str | None = None, sequence: int | None = None
) -> Record:
    """One checked Case → an episode. `event_at`: when the fact was, default updatedAt."""
    data: dict[str, Any] = {"status": case["status"]}
    if case.get("statusReason"):
        data["reason"] = case["statusReason"]
    if case["status"] == "SUSPENDED" and case.get("statusReason") in _TO_MEDIATION:
        data["to_mediation"] = True
    related = case.get("relatedMediation")
    if related:
        data["related_mediation"] = related
    return Record(
        kind="episode",
        native_id=case["caseId"],
        version=(utc_text(case["updatedAt"]), case["version"]),
        event_at=event_at or case["updatedAt"],
        claims=_claims(case, sequence),
        parties=_parties(case),
        # Habit 2: typed by a clerk, so a hint and never a key.
        references=tuple(
            Reference("mediation_number", number.text, None, "hint")
            for number in find_mediation_numbers(related or "")
        ),
        path=base or "/",
        data=data,
    )


def _claims(case: dict[str, Any], sequence: int | None) -> tuple[Claim, ...]:
    amount = case["claimAmount"]
    number = case.get("caseNo")
    stated: list[tuple[str, JsonValue, str | None]] = [
        ("proceeding_kind", "ARBITRATION", None),
        ("state", STATES[case["status"]], case["status"]),
        ("outcome", case["status"] if case["status"] in _ENDED else None, None),
        # Habit 4: null until acceptance, so not yet told rather than told to be blank.
        ("case_number", normalise_case_number(number) if number else None, number),
        ("cause", case["causeName"], None),
        ("cause_code", {"system": CAUSE_SYSTEM, "code": case["causeCode"]}, None),
        ("claimed_fen", int(Fen.from_yuan_text(_plain_yuan(amount))), amount),
        ("opened_on", _beijing_day(case.get("acceptedAt")), case.get("acceptedAt")),
        ("limit_date", case.get("limitDate"), None),
        ("commission", case["commission"], None),
        ("sealed", case.get("deleted"), None),
        ("sequence", sequence, None),
    ]
    return tuple(
        Claim(field, value, text=None if text == value else text)
        for field, value, text in stated
        if value is not None
    )


def _plain_yuan(text: str) -> str:
    """The contract's pattern allows leading zeros."""
    yuan, _, cents = text.partition(".")
    return f"{int(yuan)}.{cents}"


def _parties(case: dict[str, Any]) -> tuple[PartyClaim, ...]:
    counts: dict[str, int] = {}
    made: list[PartyClaim] = []
    for party in case["parties"]:
        role = party["role"]
        counts[role] = counts.get(role, 0) + 1
        made.append(party_claim(party, f"{role}:{counts[role]}"))
    return tuple(made)


def party_claim(party: dict[str, Any], key: str) -> PartyClaim:
    """One party; a former name in brackets goes beside the name (habit 7)."""
    name, former = split_former_name(party["name"])
    number = normalise_id(party.get("idNo") or "") or None
    masked = bool(number) and (bool(party.get("idMasked")) or is_masked_id(number or ""))
    organisation = party["kind"] == "ORG"
    extra: dict[str, Any] = {}
    if former:
        extra["former_names"] = [former]
    if party.get("agent"):
        extra["agent"] = "".join(party["agent"].split())
    return PartyClaim(
        role=_ROLES[party["role"]],
        kind="organisation" if organisation else "person",
        name=name,
        key=key,
        id_number=None if masked or organisation else number,
        masked_id=number if masked else None,
        credit_code=number if organisation and not masked else None,
        phone=normalise_phone(party["phone"]) if party.get("phone") else None,
        address=party.get("address") or None,
        extra=extra,
    )


def split_former_name(text: str) -> tuple[str, str]:
    """章霞晨（曾用名：陈小明） → ("章霞晨", "陈小明"); brackets of a company's form stay."""
    # Blanks out, other brackets as written: the registry folds names when it compares.
    plain = "".join(text.split())
    match = _FORMER_NAME.search(plain)
    if match is None or not plain[: match.start()]:
        return plain, ""
    return plain[: match.start()], match[1]


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def utc_text(text: str) -> str:
    """A checked time as UTC text of fixed width, so that texts compare as times do."""
    moment = _moment(text)
    assert moment is not None
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def is_day(text: str) -> bool:
    """Whether it is a calendar date YYYY-MM-DD."""
    try:
        return len(text) == 10 and read_wide_date(text).precision == "day"
    except Unreadable:
        return False


def _beijing_day(text: str | None) -> str | None:
    if text is None:
        return None
    return read_wide_date(text).day.isoformat()
