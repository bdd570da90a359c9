"""Hand-over between agencies: drafted, sent by a second person, delivered, taken up, returned or recalled.

Only TAKEN_UP moves the holder; until then the sender still has it and the board shows "between"
(supervision.md 4).
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

from case_registry.deadlines import over_after
from case_registry.disputes import dispute_ref
from case_registry.machines import REFERRAL
from case_registry.source import Event, NotAllowed, Unknown
from case_registry.told import BEIJING
from foundation.unit_of_work import UnitOfWork
from schemas.state_machine import IllegalMove

ACT_AFTER_RETURN = 3
"""Workdays within which the sender of a returned hand-over does something about it."""


@cache
def _limits() -> dict[str, Any]:
    return tomllib.loads(files("case_registry").joinpath("data/take_up_limits.toml").read_text("utf-8"))


def take_up_limit(from_agency: str, to_agency: str, *, urgent: bool = False) -> int:
    """Workdays within which a hand-over is to be taken up."""
    for row in _limits()["limit"]:
        fits = row["from"] in ("*", from_agency) and row["to"] in ("*", to_agency)
        if fits and (urgent or not row.get("urgent")):
            return int(row["workdays"])
    return int(_limits()["default"])


def draft(
    uow: UnitOfWork, number: str, from_agency: str, to_agency: str, reason: str,
    papers: Sequence[dict[str, str]] = (), *, urgent: bool = False,
) -> UUID:  # fmt: skip
    """Draft a hand-over of a dispute. `papers`: name and SHA-256 of each. Raises Unknown, NotAllowed."""
    if not reason.strip() or from_agency == to_agency:
        raise NotAllowed("a hand-over needs a reason and another agency")
    case = uow.one(
        "SELECT id FROM registry.source_case WHERE dispute = :d ORDER BY agency <> :from, partner, native_id LIMIT 1",
        d=dispute_ref(uow, number).id,
        **{"from": from_agency},
    )
    if case is None:
        raise Unknown("dispute with cases", number)
    referral = uow.new_id()
    uow.execute(
        "INSERT INTO registry.referral (id, source_case, from_agency, to_agency, reason, papers, limit_days, drafted_at, drafted_by)"
        " VALUES (:id, :case, :from, :to, :reason, CAST(:papers AS jsonb), :limit, :now, :by)",
        id=referral,
        case=case["id"],
        to=to_agency,
        reason=reason,
        papers=orjson.dumps(list(papers)).decode(),
        limit=take_up_limit(from_agency, to_agency, urgent=urgent),
        now=uow.now,
        by=uow.actor.id,
        **{"from": from_agency},
    )
    return referral


def _take(uow: UnitOfWork, referral: UUID, event: str) -> tuple[RowMapping, str]:
    row = uow.one("SELECT * FROM registry.referral WHERE id = :id FOR UPDATE", id=referral)
    if row is None:
        raise Unknown("hand-over", referral)
    try:
        return row, REFERRAL.next(row["state"], event)
    except IllegalMove as error:
        raise NotAllowed(f"this hand-over is {row['state']}: {event} is not possible") from error


def send(uow: UnitOfWork, referral: UUID) -> list[Event]:
    """Send it, by another person than the one who drafted it. Raises Unknown, NotAllowed."""
    row, state = _take(uow, referral, "send")
    if row["drafted_by"] == uow.actor.id:
        raise NotAllowed("a second person sends a hand-over")
    uow.execute(
        "UPDATE registry.referral SET state = :state, sent_at = :now, sent_by = :by WHERE id = :id",
        state=state,
        now=uow.now,
        by=uow.actor.id,
        id=referral,
    )
    return [_event(row, "referral_sent", referral)]


def receipt(uow: UnitOfWork, referral: UUID, receipt_no: str) -> list[Event]:
    """The partner's system signed for it: the take-up clock (SV01) starts. Raises Unknown, NotAllowed."""
    row, state = _take(uow, referral, "receipt")
    over = over_after(uow.now, row["limit_days"])
    uow.execute(
        "UPDATE registry.referral SET state = :state, delivered_at = :now, receipt = :receipt, due_at = :due WHERE id = :id",
        state=state,
        now=uow.now,
        receipt=receipt_no,
        due=over,
        id=referral,
    )
    last = over.astimezone(BEIJING).date() - timedelta(days=1)
    return [{**_event(row, "referral_delivered", referral), "due_on": last.isoformat()}]


def take_up(uow: UnitOfWork, referral: UUID, partner: str, native_id: str) -> list[Event]:
    """The receiving agency took it up under its own case: edge `referred_to`, the holder moves with that case.

    Raises Unknown (no such case yet), NotAllowed.
    """
    row, state = _take(uow, referral, "take_up")
    case = uow.scalar(
        "SELECT id FROM registry.source_case WHERE partner = :p AND native_id = :n", p=partner, n=native_id
    )
    if case is None:
        raise Unknown("case", native_id)
    _end(uow, referral, state, "")
    uow.execute("UPDATE registry.referral SET taken_case = :c WHERE id = :id", c=case, id=referral)
    _edge(uow, row["source_case"], "referred_to", case, str(referral))
    return [_event(row, "referral_taken_up", referral)]


def return_back(uow: UnitOfWork, referral: UUID, reason: str) -> list[Event]:
    """The receiving agency sends it back, with a reason and within the limit: the sender has it again.

    Raises Unknown, NotAllowed.
    """
    row, state = _take(uow, referral, "return_back")
    if not reason.strip():
        raise NotAllowed("returning needs a reason")
    if uow.now >= row["due_at"]:
        raise NotAllowed("the limit to return it has run out: take it up, or object to the supervisor")
    _end(uow, referral, state, reason)
    uow.execute(
        "UPDATE registry.referral SET act_by = :at WHERE id = :id",
        at=over_after(uow.now, ACT_AFTER_RETURN),
        id=referral,
    )
    _edge(uow, row["source_case"], "returned", row["source_case"], str(referral))
    return [{**_event(row, "referral_returned", referral), "reason": reason}]


def recall(uow: UnitOfWork, referral: UUID, reason: str) -> list[Event]:
    """The sender takes it back before it was taken up. Raises Unknown, NotAllowed."""
    row, state = _take(uow, referral, "recall")
    if not reason.strip():
        raise NotAllowed("recalling needs a reason")
    _end(uow, referral, state, reason)
    return [_event(row, "referral_recalled", referral)]


def _end(uow: UnitOfWork, referral: UUID, state: str, reason: str) -> None:
    uow.execute(
        "UPDATE registry.referral SET state = :state, ended_at = :now, ended_by = :by, ended_reason = :reason WHERE id = :id",
        state=state,
        now=uow.now,
        by=uow.actor.id,
        reason=reason,
        id=referral,
    )
    uow.execute(
        "UPDATE registry.gap_alarm SET ended_at = :now, ended_why = :why WHERE referral = :id AND ended_at IS NULL",
        now=uow.now,
        why=state.lower(),
        id=referral,
    )


def _edge(uow: UnitOfWork, from_case: int, kind: str, to_case: int, document: str) -> None:
    uow.execute(
        "INSERT INTO registry.episode_edge (from_case, from_sub, kind, to_case, to_sub, at, derived, document)"
        " VALUES (:f, '', :kind, :t, '', :now, false, :document) ON CONFLICT DO NOTHING",
        f=from_case,
        kind=kind,
        t=to_case,
        now=uow.now,
        document=document,
    )


def _event(row: RowMapping, name: str, referral: UUID) -> Event:
    return {"event": name, "referral": referral, "from_agency": row["from_agency"], "to_agency": row["to_agency"],
            "case": row["source_case"]}  # fmt: skip
