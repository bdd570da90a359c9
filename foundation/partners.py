"""Partners that connect by Concord's own contract: rows, never code."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import RowMapping

from foundation.journal import journal
from foundation.partner_limits import Limits, limits_of
from foundation.unit_of_work import UnitOfWork
from schemas.findings import Finding, Refused

MOST_PARTNERS = 10_000


@dataclass(frozen=True)
class NewPartner:
    """What is entered for a partner. ``addresses``: {"deliver": URL}; ``auth``: see exchange.partner."""

    id: str
    name: str
    institution: str
    agency: str
    protocols: tuple[str, ...] = ("rest", "soap")
    auth: tuple[str, ...] = ("http", "wss")
    addresses: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)
    valid_to: datetime | None = None


def add(uow: UnitOfWork, told: NewPartner) -> None:
    """Enter a partner, active from now. Raises Refused: a limit out of range, an id in use or with a wrong form."""
    limits_of(told.limits)
    made = uow.execute(
        "INSERT INTO exchange.partner (id, name, institution, agency, protocols, auth, addresses, limits, state_at,"
        " state_by, valid_from, valid_to, created_at) VALUES (:id, :name, :institution, :agency, :protocols, :auth,"
        " CAST(:addresses AS jsonb), CAST(:limits AS jsonb), :now, :by, :now, :to, :now) ON CONFLICT (id) DO NOTHING",
        id=told.id, name=told.name, institution=told.institution, agency=told.agency, protocols=list(told.protocols),
        auth=list(told.auth), addresses=_json(told.addresses), limits=_json(told.limits), now=uow.now, by=uow.actor.id,
        to=told.valid_to,
    )  # fmt: skip
    if made.rowcount != 1:
        raise Refused(Finding("BUSINESS_KEY_CONFLICT", "partner", told.id, "an id that no partner has"))
    note(uow, "partner_added", told.id, name=told.name, auth=list(told.auth))


def partner(uow: UnitOfWork, partner_id: str) -> RowMapping:
    """A partner's row. Raises Refused: NOT_FOUND."""
    found = uow.one("SELECT * FROM exchange.partner WHERE id = :id", id=partner_id)
    if found is None:
        raise Refused(Finding("NOT_FOUND", "partner", partner_id, "a partner's id"))
    return found


def partners(uow: UnitOfWork) -> Sequence[RowMapping]:
    """All partners that are rows, by id."""
    return uow.all("SELECT * FROM exchange.partner ORDER BY id LIMIT :most", most=MOST_PARTNERS)


def limits(uow: UnitOfWork, partner_id: str) -> Limits:
    """A partner's limits."""
    return limits_of(partner(uow, partner_id)["limits"])


def change(uow: UnitOfWork, partner_id: str, *, addresses: Mapping[str, str] | None = None,
           limits: Mapping[str, Any] | None = None) -> None:  # fmt: skip
    """Enter other addresses or limits; what is not given stays. Raises Refused."""
    partner(uow, partner_id)
    if limits is not None:
        limits_of(limits)
    uow.execute(
        "UPDATE exchange.partner SET addresses = addresses || CAST(:addresses AS jsonb),"
        " limits = limits || CAST(:limits AS jsonb) WHERE id = :id",
        id=partner_id, addresses=_json(addresses or {}), limits=_json(limits or {}),
    )  # fmt: skip
    note(uow, "partner_changed", partner_id, addresses=dict(addresses or {}), limits=dict(limits or {}))


def suspend(uow: UnitOfWork, partner_id: str, reason: str) -> None:
    """Nothing more is taken from this partner nor sent to it, from the next second on, until ``resume``."""
    _turn(uow, partner_id, "suspended", reason)


def resume(uow: UnitOfWork, partner_id: str, reason: str) -> None:
    """End a suspension; what waits is sent."""
    _turn(uow, partner_id, "active", reason)


def _turn(uow: UnitOfWork, partner_id: str, state: str, reason: str) -> None:
    partner(uow, partner_id)
    if not reason.strip():
        raise Refused(Finding("FIELD_MISSING", "reason", "", "why, in a few words"))
    uow.execute(
        "UPDATE exchange.partner SET state = :state, state_reason = :reason, state_by = :by, state_at = :now"
        " WHERE id = :id", id=partner_id, state=state, reason=reason[:500], by=uow.actor.id, now=uow.now,
    )  # fmt: skip
    uow.execute(
        "INSERT INTO exchange.partner_state (partner, paused) VALUES (:id, :paused)"
        " ON CONFLICT (partner) DO UPDATE SET paused = excluded.paused",
        id=partner_id, paused=state == "suspended",
    )  # fmt: skip
    note(uow, f"partner_{state}", partner_id, reason=reason[:500])
    uow.wake()


def note(uow: UnitOfWork, kind: str, partner_id: str, **detail: Any) -> None:
    """Write a change of a partner or its keys into the journal."""
    digest = hashlib.sha256(orjson.dumps(detail, option=orjson.OPT_SORT_KEYS)).digest()
    journal(uow, kind, partner_id, digest, **detail)


def _json(value: Mapping[str, Any]) -> str:
    return orjson.dumps(dict(value)).decode()
