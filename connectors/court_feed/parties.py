"""Parties of a case as the court writes them: own rows, or several names joined in one text."""

import re
from dataclasses import replace
from typing import Any

from connectors.court_feed.row import Row
from connectors.court_feed.tables import is_organisation_name
from schemas.claims import PartyClaim, PartyRole
from schemas.identifiers import (
    check_credit_code,
    check_phone,
    check_resident_id,
    credit_code_inner_ok,
    is_masked_id,
    normalise_code,
    normalise_id,
    normalise_phone,
    unreadable_characters,
)

RESIDENT_WANTED = "18-character resident id with a real date and a right check character"
CREDIT_WANTED = "18-character credit code with a right check character"
_BLANKS = re.compile(r"[\s\u200b-\u200f\u2060\ufeff]+")
_AND_OTHERS = re.compile(r"(?:等|及其他)(?:(\d{1,5})(?:人|名|户|家)|人)$", re.ASCII)


def plain_name(text: str) -> str:
    """A name without any blank, the ideographic too; its brackets stay as written."""
    return _BLANKS.sub("", text)


def party(
    row: Row, names: dict[str, str], *, role: PartyRole, kind: str | None, key: str
) -> PartyClaim | None:
    """The party of a row. `names`: our name → the row's field (name, id, id_type, phone, address,
    representative). `kind` None = not stated, judged by the name. None when the name is blank.
    """
    raw = row.key(names["name"])
    name = plain_name(raw)
    if not name:
        return None
    if bad := unreadable_characters(name):
        row.note("NAME_CHARACTERS", names["name"], repr(bad), "readable characters")
    kind = kind or ("organisation" if is_organisation_name(name) else "person")
    extra: dict[str, Any] = {}
    blank = [ours for ours, theirs in names.items() if ours != "name" and row.told(theirs) == ""]
    if blank:
        extra["told_blank"] = blank
    if representative := names.get("representative") and row.told(names["representative"]):
        extra["legal_representative"] = plain_name(representative)
    found = _identity(row, names, kind, extra)
    return PartyClaim(
        role=role,
        kind="organisation" if kind == "organisation" else "person",
        name=name,
        key=key,
        id_number=found.get("id_number"),
        masked_id=found.get("masked_id"),
        credit_code=found.get("credit_code"),
        phone=_phone(row, names.get("phone", ""), extra),
        address=(row.told(names["address"]) if "address" in names else None) or None,
        extra=extra,
    )


def _identity(row: Row, names: dict[str, str], kind: str, extra: dict[str, Any]) -> dict[str, str]:
    field = names.get("id", "")
    raw = row.told(field) if field else None
    stated = row.code(names["id_type"], "id_type") if "id_type" in names else None
    if not raw:
        return {}
    value = normalise_id(raw)
    profile = row.context.profile
    if (stated or ("credit" if kind == "organisation" else "resident")) == "credit":
        if code := check_credit_code(value, profile=profile):
            row.refuse(code, field, raw, CREDIT_WANTED)
        elif not credit_code_inner_ok(value):
            extra["inner_check"] = "differs"
        return {"credit_code": value}
    if is_masked_id(value):
        return {"masked_id": value}
    if code := check_resident_id(value, today=row.context.today, profile=profile):
        row.refuse(code, field, raw, RESIDENT_WANTED)
    return {"id_number": value}


def _phone(row: Row, field: str, extra: dict[str, Any]) -> str | None:
    raw = row.told(field) if field else None
    if not raw:
        return None
    number = normalise_phone(normalise_code(raw))
    if check_phone(number) is None:
        return number
    row.note("PHONE_FORMAT", field, raw, "a phone number")
    extra["phone_text"] = raw
    return None


def names_of(text: str) -> tuple[list[str], int]:
    """The names in a joined text and how many people it speaks of: 甲、乙等7人 → ([甲, 乙], 7)."""
    body = re.sub(r"\s+(?=[等\d人名户家])", "", text.strip())
    count = 0
    if match := _AND_OTHERS.search(body):
        count, body = int(match[1] or 0), body[: match.start()]
    names = [name for part in re.split(r"[、,，;；\n]", body) if (name := plain_name(part))]
    return names, max(count, len(names))


def joined_parties(text: str | None, role: PartyRole) -> list[PartyClaim]:
    """Parties named in a joined text (habit 10), keyed by role and place; nothing but the names is told."""
    names, count = names_of(text or "")
    found = [
        PartyClaim(role, "organisation" if is_organisation_name(name) else "person", name, f"{role}:{place}")
        for place, name in enumerate(names, start=1)
    ]
    if found and count > len(found):
        found[-1] = replace(found[-1], extra={"and_others": count - len(found)})
    return found
