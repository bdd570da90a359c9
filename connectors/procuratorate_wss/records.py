"""A verified, valid payload → records in words that no partner invented (CONTRACT.md, Field table and Habits)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from connectors.procuratorate_wss import names
from connectors.procuratorate_wss.content_check import folded_case_no
from connectors.procuratorate_wss.shape import path_of
from foundation.wss_envelope import Element
from schemas.claims import Claim, JsonValue, PartyClaim, PartyRole, Record, Reference
from schemas.findings import Finding
from schemas.identifiers import normalise_phone
from schemas.money import Fen

_KINDS = {
    "XSHJ": "CRIMINAL_RECONCILIATION",
    "ZCQS": "SUPPORT_PROSECUTION",
    "MSJD": "CIVIL_SUPERVISION",
    "SFJZ": "JUDICIAL_RELIEF",
    "GYSS": "PUBLIC_INTEREST",
}
_ROLES: dict[str, PartyRole] = {
    "BHR": "applicant",
    "SQR": "applicant",
    # Habit 4: in a mediation paper this is a party like others; the wire's word for it goes no further.
    "FZXYR": "respondent",
    "BSQR": "respondent",
    "DLR": "representative",
}
REASONS = {
    "R1": "处理错误",
    "R2": "当事人撤回意愿",
    "R3": "已另行处理",
    "R4": "移送管辖",
    "R9": "其他",
}
_CUT_MARK = "（涉密部分已删除）"
_LAST = 2**31 - 1


def child(parent: Element, *steps: str) -> str | None:
    """Stripped text of a descendant by local names, None when absent."""
    text = parent.findtext("/".join(names.collab(step) for step in steps))
    return None if text is None else text.strip()


def send_time(payload: Element) -> datetime | None:
    """Head/SendTime as an aware moment, None where the payload has none or it cannot be read."""
    text = child(payload, "Head", "SendTime")
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else None


def case_record(payload: Element) -> Record:
    """SubmitCase → one episode; a revision (Version ≥ 2) states the whole case anew."""
    case = payload.find(names.collab("Case"))
    assert case is not None
    version = int(child(payload, "Head", "Version") or 1)
    number = child(case, "CaseNo") or ""
    police = child(case, "PoliceNo")
    return Record(
        kind="episode",
        native_id=folded_case_no(number),
        # An equal Version that comes later by Seq is ignored, whatever the order of arrival.
        version=(version, -int(child(payload, "Head", "Seq") or 0)),
        event_at=child(payload, "Head", "SendTime") or "",
        claims=_case_claims(case, number, whole=version > 1),
        parties=_parties(case),
        references=(Reference("incident", police, "police", "hint"),) if police else (),
        path=path_of(case),
        data=_case_data(case),
    )


def _case_claims(case: Element, number: str, *, whole: bool) -> tuple[Claim, ...]:
    kind = child(case, "BizType") or ""
    amount = child(case, "ClaimAmount")
    stated: list[tuple[str, JsonValue, str | None]] = [
        ("proceeding_kind", _KINDS[kind], kind),
        ("state", "REFERRED", None),
        ("case_number", folded_case_no(number), number),
        ("cause", child(case, "Charge"), None),
        ("narrative", child(case, "Facts"), None),
        ("occurred_on", _day(child(case, "OccurDate")), None),
        ("opened_on", _day(child(case, "AcceptDate")), None),
        ("limit_date", _day(child(case, "Deadline")), None),
        ("claimed_fen", int(fen(amount)) if amount else None, amount),
        ("sealed", child(case, "Sealed") in ("true", "1"), None),
    ]
    # Absent in a first version means "not told"; a revision replaces the whole case, so absent means "gone".
    return tuple(
        Claim(field, value, text=None if text == value else text)
        for field, value, text in stated
        if value is not None or whole
    )


def fen(text: str) -> Fen:
    """Yuan as the XSD lets them be written (+, leading zeros, no digit before the point) → fen."""
    whole, _, cents = text.strip().lstrip("+").partition(".")
    return Fen.from_yuan_text(f"{int(whole or 0)}.{cents or 0}")


def _day(text: str | None) -> str | None:
    """xs:date may carry a zone; a date stays a date (habit 6: the end of that day, Beijing time)."""
    return text[:10] if text else None


def _case_data(case: Element) -> dict[str, Any]:
    data: dict[str, Any] = {"handler": child(case, "Handler") or ""}
    if (child(case, "Facts") or "").startswith(_CUT_MARK):
        data["narrative_cut"] = True
    attachments = case.findall(names.collab("Attachment"))
    if attachments:
        data["attachments"] = [
            {
                "file_name": child(each, "FileName") or "",
                "media_type": child(each, "MediaType") or "",
                "sha256": (child(each, "Sha256") or "").lower(),
            }
            for each in attachments
        ]
    return data


def _parties(case: Element) -> tuple[PartyClaim, ...]:
    made: list[PartyClaim] = []
    counts: dict[str, int] = {}
    for person in case.findall(names.collab("Person")):
        role = child(person, "Role") or ""
        counts[role] = counts.get(role, 0) + 1
        made.append(_party(person, role, f"{role}:{counts[role]}"))
    return tuple(made)


def _party(person: Element, role: str, key: str) -> PartyClaim:
    organisation = child(person, "IdType") == "02"
    number = child(person, "IdNo")
    phone = child(person, "Phone")
    extra: dict[str, Any] = {"wire_role": role}
    minor = child(person, "Minor")
    if minor is not None:  # habit 8: absent is not false
        extra["minor"] = minor in ("true", "1")
    if not number:  # habit 1: a protected person, a weaker sign for linking
        extra["protected"] = True
    return PartyClaim(
        role=_ROLES[role],
        kind="organisation" if organisation else "person",
        # Blanks out, brackets as written: the registry folds names when it compares.
        name="".join((child(person, "Name") or "").split()),
        key=key,
        id_number=None if organisation else number,
        credit_code=number if organisation else None,
        phone=normalise_phone(phone) if phone else None,
        address=child(person, "Address") or None,
        extra=extra,
    )


def revocation_record(payload: Element) -> Record:
    """RevokeCase → the episode is withdrawn; reason R1 also hides what came by the referral."""
    code = child(payload, "ReasonCode") or ""
    stated = child(payload, "Head", "Version")
    return Record(
        kind="withdrawal",
        native_id=folded_case_no(child(payload, "CaseNo") or ""),
        # Without a Version it takes back whatever was submitted; with one, a higher revision may follow.
        version=(int(stated), 1) if stated else (_LAST, 1),
        event_at=child(payload, "Head", "SendTime") or "",
        claims=(Claim("state", "WITHDRAWN"),),
        path=path_of(payload),
        data={
            "reason": child(payload, "Reason") or REASONS[code],
            "reason_code": code,
            "hide": code == "R1",
        },
    )


def notes_of(payload: Element) -> tuple[Finding, ...]:
    """What was taken with care: protected persons, a narrative with parts cut out."""
    notes: list[Finding] = []
    for person in payload.iter(names.collab("Person")):
        if not child(person, "IdNo"):
            path = f"{path_of(person)}/IdNo"
            notes.append(
                _care("FIELD_MISSING", path, "absent (protected person)", "name, phone and address only")
            )
    facts = payload.find(f"{names.collab('Case')}/{names.collab('Facts')}")
    if facts is not None and (facts.text or "").startswith(_CUT_MARK):
        notes.append(_care("TEXT_CUT", path_of(facts), _CUT_MARK, "restricted parts removed by the sender"))
    return tuple(notes)


def _care(code: str, path: str, found: str, expected: str) -> Finding:
    return Finding(code, path, found, expected, action="take with care", severity="care")
