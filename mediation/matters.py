"""Matters: accept one, move it on, read it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

from foundation.conditions import Condition, every_row
from foundation.unit_of_work import UnitOfWork
from mediation.machines import MATTER
from schemas.findings import Finding, Refused

MOST_PARTIES = 60


@dataclass(frozen=True)
class MatterParty:
    """A party of a matter. ``account``: holder, number, bank_code, bank_name or wallet, as dict, or None."""

    key: str
    role: str
    kind: str
    name: str
    id_number: str | None = None
    phone: str | None = None
    address: str | None = None
    account: dict[str, Any] | None = None


@dataclass(frozen=True)
class NewMatter:
    """What the intake clerk enters. ``claimed_fen`` in fen; ``mediation_number`` only for old files."""

    committee: str
    mediator: str
    cause: str
    accepted_on: date
    parties: tuple[MatterParty, ...]
    county: str = "330399"
    category: str = ""
    place: str = ""
    occurred_on: date | None = None
    claimed_fen: int | None = None
    narrative: str = ""
    source: str = "A1"
    medium: str = "W1"
    referral: str = ""
    mediation_number: str = ""
    payment_numbers: dict[str, str] = field(default_factory=dict)


def accept_matter(uow: UnitOfWork, new: NewMatter) -> tuple[UUID, list[dict[str, Any]]]:
    """Accept a matter; returns its id and the events of it. Raises Refused when a field is missing.

    The same ``mediation_number`` again returns the matter that is there and no event.
    """
    _check(new)
    if new.mediation_number:
        there = uow.one("SELECT id FROM mediation.matter WHERE mediation_number = :n", n=new.mediation_number)
        if there:
            return there["id"], []
    number = new.mediation_number or _next_number(uow, new.committee, new.accepted_on.year)
    matter_id = uow.new_id()
    uow.execute(
        "INSERT INTO mediation.matter (id, mediation_number, county, committee, mediator, category, cause, place,"
        " occurred_on, accepted_on, claimed_fen, narrative, source, medium, referral, payment_numbers, created_at,"
        " created_by, changed_at) VALUES (:id, :number, :county, :committee, :mediator, :category, :cause, :place,"
        " :occurred_on, :accepted_on, :claimed_fen, :narrative, :source, :medium, :referral,"
        " CAST(:payment_numbers AS jsonb), :now, :by, :now)",
        id=matter_id,
        number=number,
        county=new.county,
        committee=new.committee,
        mediator=new.mediator,
        category=new.category,
        cause=new.cause,
        place=new.place,
        occurred_on=new.occurred_on,
        accepted_on=new.accepted_on,
        claimed_fen=new.claimed_fen,
        narrative=new.narrative,
        source=new.source,
        medium=new.medium,
        referral=new.referral,
        payment_numbers=orjson.dumps(new.payment_numbers).decode(),
        now=uow.now,
        by=uow.actor.id,
    )
    uow.execute_many(
        "INSERT INTO mediation.matter_party (matter, key, role, kind, name, id_number, phone, address, account)"
        " VALUES (:matter, :key, :role, :kind, :name, :id_number, :phone, :address, CAST(:account AS jsonb))",
        [{**vars(party), "matter": matter_id, "account": _json(party.account)} for party in new.parties],
    )
    return matter_id, [{"event": "matter_accepted", "matter": matter_id}]


def _check(new: NewMatter) -> None:
    findings = [
        Finding("SCHEMA_VIOLATION", name, "absent", "required")
        for name in ("committee", "mediator", "cause")
        if not getattr(new, name).strip()
    ]
    roles = {party.role for party in new.parties}
    if not {"applicant", "respondent"} <= roles or len(new.parties) > MOST_PARTIES:
        findings.append(
            Finding("SCHEMA_VIOLATION", "parties", f"{len(new.parties)} parties, roles {sorted(roles)}",
                    f"an applicant and a respondent, at most {MOST_PARTIES} parties")
        )  # fmt: skip
    if new.claimed_fen is not None and new.claimed_fen < 0:
        findings.append(Finding("AMOUNT_UNREADABLE", "claimed_fen", str(new.claimed_fen), "0 or more fen"))
    if findings:
        raise Refused(*findings)


def _next_number(uow: UnitOfWork, committee: str, year: int) -> str:
    """瓯栖调〔2026〕云渡0112号: per committee and year, never used again (identifiers.md 6)."""
    serial = uow.scalar(
        "INSERT INTO mediation.number_series VALUES (:committee, :year, 1)"
        " ON CONFLICT (committee, year) DO UPDATE SET last = number_series.last + 1 RETURNING last",
        committee=committee,
        year=year,
    )
    named = re.match(
        r"(?P<county>[\u4e00-\u9fff]{1,6}?)[县市区](?P<body>[\u4e00-\u9fff]+?)(?:街道|镇|乡)", committee
    )
    county, body = (named["county"], named["body"]) if named else ("瓯栖", committee[:4])
    return f"{county}调〔{year}〕{body}{serial:04d}号"


def matter(uow: UnitOfWork, matter_id: UUID) -> dict[str, Any] | None:
    """One matter with its parties and agreements, newest first."""
    row = uow.one("SELECT * FROM mediation.matter WHERE id = :id", id=matter_id)
    if row is None:
        return None
    parties = uow.all(
        "SELECT * FROM mediation.matter_party WHERE matter = :id ORDER BY role, key", id=matter_id
    )
    agreements = uow.all(
        "SELECT * FROM mediation.agreement WHERE matter = :id ORDER BY created_at DESC LIMIT 50", id=matter_id
    )
    return {
        **row,
        "parties": [dict(each) for each in parties],
        "agreements": [
            {**each, "digest": bytes(each["digest"]).hex() if each["digest"] else ""} for each in agreements
        ],
    }


def matter_by_number(uow: UnitOfWork, mediation_number: str) -> dict[str, Any] | None:
    """The matter with that mediation number."""
    row = uow.one("SELECT id FROM mediation.matter WHERE mediation_number = :n", n=mediation_number)
    return matter(uow, row["id"]) if row else None


def number_of(uow: UnitOfWork, *, matter: UUID | None = None, agreement: UUID | None = None) -> str | None:
    """The mediation number of a matter, or of the matter of an agreement; None where there is none."""
    found: str | None = uow.scalar(
        "SELECT m.mediation_number FROM mediation.matter m WHERE m.id = coalesce(CAST(:matter AS uuid),"
        " (SELECT a.matter FROM mediation.agreement a WHERE a.id = CAST(:agreement AS uuid)))",
        matter=matter,
        agreement=agreement,
    )
    return found


def matters(
    uow: UnitOfWork, *, state: str = "", limit: int = 100, seen: Condition = every_row
) -> list[RowMapping]:
    """Matters for lists, newest first; at most ``limit``. ``seen``: which the person who looks may see, by number."""
    clause, params = seen("m.mediation_number")
    return list(
        uow.all(
            f"SELECT m.* FROM mediation.matter m WHERE (:state = '' OR m.state = :state) AND {clause}"
            " ORDER BY m.accepted_on DESC, m.id DESC LIMIT :limit",
            state=state,
            limit=limit,
            **params,
        )
    )


def move_matter(uow: UnitOfWork, matter_id: UUID, event: str, *, reason: str = "") -> list[dict[str, Any]]:
    """Move a matter along its table (mediate, fail, withdraw, close, reopen …). Raises IllegalMove."""
    row = uow.one("SELECT state FROM mediation.matter WHERE id = :id FOR UPDATE", id=matter_id)
    if row is None:
        raise Refused(Finding("UNKNOWN_ORIGINAL", "matter", str(matter_id), "a matter of this office"))
    state = MATTER.next(row["state"], event)
    uow.execute(
        "UPDATE mediation.matter SET state = :state, version = version + 1, changed_at = :now WHERE id = :id",
        state=state,
        now=uow.now,
        id=matter_id,
    )
    return [{"event": "matter_moved", "matter": matter_id, "move": event, "state": state, "reason": reason}]


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def set_account(uow: UnitOfWork, matter_id: UUID, key: str, account: dict[str, Any]) -> None:
    """Write down a party's account for payments (holder, number, bank or wallet). Raises Refused."""
    changed = uow.execute(
        "UPDATE mediation.matter_party SET account = COALESCE(account, '{}') || CAST(:account AS jsonb)"
        " WHERE matter = :matter AND key = :key",
        account=_json(account),
        matter=matter_id,
        key=key,
    )
    if changed.rowcount != 1:
        raise Refused(Finding("UNKNOWN_ORIGINAL", "party", key, "a party of the matter"))
