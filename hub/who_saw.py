"""Who saw a person's data: one query over the disclosure log and the disputes in which the person is a party (PIPL 45, 50)."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson

import case_registry
from foundation.conditions import every_row
from foundation.journal import journal
from foundation.unit_of_work import UnitOfWork
from hub.sharing_terms import field_of
from schemas.findings import Finding, Refused
from schemas.identifiers import normalise_id, normalise_name, normalise_phone

MOST = 5_000
# Whoever reads a whole record, or a register asked about a person, has seen personal data.
_WHOLE = ("record", "matter", "escrow", "order", "supervision")
_SAW = """
WITH known AS (SELECT DISTINCT p.dispute, p.number FROM registry.person_number p WHERE ({who}) AND {{seen}})
SELECT s.at, s.actor, s.recipient, s.purpose, s.subject, k.dispute, s.data_set, s.fields, s.basis, s.agreement
FROM exchange.disclosure s JOIN known k ON k.number = s.subject ORDER BY s.at DESC, s.id DESC LIMIT :most"""
_BY_NUMBER = _SAW.format(who="p.id_number = :number OR p.credit_code = :number")
_BY_PHONE = _SAW.format(who="p.name = :name AND p.phone = :phone")


def who_saw(
    uow: UnitOfWork,
    *,
    number: str = "",
    name: str = "",
    phone: str = "",
    reader: case_registry.Reader | None = None,
) -> list[dict[str, Any]]:
    """Every disclosure about the disputes of a person or organisation, newest first; at most MOST.

    By ``number`` (resident id or credit code), or by ``name`` and ``phone`` together: a name alone is many people. Each
    row says who, when, for what, on what ground, which fields, under which agreement ("" = within the hub), and whether
    personal fields were among them. The look itself is written into the journal. Raises Refused: FIELD_MISSING.
    ``reader``: only disputes whose persons this one may see.
    """
    number, name, phone = (
        normalise_id(number.strip()),
        normalise_name(name.strip()),
        normalise_phone(phone.strip()),
    )
    if not number and not (name and phone):
        raise Refused(
            Finding("FIELD_MISSING", "number", "absent", "an id number, or a name and a telephone number")
        )
    seen, bound = (case_registry.disputes_seen(reader) if reader else every_row)("p.dispute")
    asked_by = {"number": number} if number else {"name": name, "phone": phone}
    rows = uow.all((_BY_NUMBER if number else _BY_PHONE).format(seen=seen), most=MOST, **asked_by, **bound)
    asked = orjson.dumps([number, name, phone])
    journal(uow, "disclosures_read", uow.actor.id, sha256(asked).digest(), found=len(rows))
    return [{**row, "personal": _personal(row["data_set"], row["fields"])} for row in rows]


def _personal(data_set: str, fields: list[str]) -> bool:
    if not data_set:
        return any(each in _WHOLE for each in fields)
    known = [field_of(data_set, each) or {} for each in fields]
    return any(each.get("class") in ("personal", "sensitive") for each in known)
