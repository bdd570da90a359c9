"""Messages of the ways to pay: stored like any other, read by their rail, and taken by the escrow or refused.

Callbacks, statements, and files given by hand; the answer of a call of ours is taken where the call is made.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.exc import DataError

import case_registry
import escrow
from foundation import inbox
from foundation.actors import SYSTEM, Actor
from foundation.journal import raise_alarm
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub import choreography
from hub.payments import desk_of
from hub.pipeline import Hub
from hub.rail_facts import facts_of, rows_of
from schemas.exchange import Outcome, RawMessage
from schemas.findings import Finding

log = logging.getLogger("concord.rail_inbox")
RESULTS = {
    "ACCEPTED": "accepted",
    "DUPLICATE": "duplicate",
    "QUARANTINED": "quarantined",
    "REFUSED": "refused",
}


@dataclass(frozen=True)
class Taken:
    """What became of a rail's message; ``reply`` is the HTTP answer to a callback.

    ``records``: rows that were taken (statement lines, outcomes, returns, instructions); ``facts``: what they say.
    """

    outcome: Outcome
    rail: str
    notes: tuple[Finding, ...] = ()
    cases: list[str] = field(default_factory=list)
    disputes: list[str] = field(default_factory=list)
    records: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    reply: escrow.Reply | None = None

    def as_line(self) -> dict[str, Any]:
        """The result as the fields of a JSON line."""
        findings = self.outcome.findings
        answer = self.reply.body.decode("utf-8", "replace") if self.reply else ""
        return {
            "partner": self.rail,
            "result": RESULTS.get(self.outcome.result, self.outcome.result.lower()),
            "message_id": self.outcome.message_id,
            "receipt_no": self.outcome.receipt_no,
            "records": self.records,
            "rejected_records": len({one.path for one in findings if one.scope == "row"}),
            "parked": 0,
            "findings": [finding.as_dict() for finding in findings],
            "notes": [note.as_dict() for note in self.notes],
            "disputes": self.disputes,
            "cases": self.cases,
            "reply": answer,
            "answer": answer,
            "meta": self.facts,
        }


def receive(hub: Hub, raw: RawMessage, actor: Actor = SYSTEM) -> Taken:
    """Store a rail's message and process it."""
    return process(hub, inbox.store(hub.engine, raw, actor).id, actor)


def process(hub: Hub, inbox_id: UUID, actor: Actor = SYSTEM) -> Taken:
    """Decide about a stored message of a rail; a second call returns what the first decided."""
    try:
        with unit_of_work(hub.engine, actor) as uow:
            row = uow.one("SELECT * FROM exchange.inbox WHERE id = :id FOR UPDATE", id=inbox_id)
            if row is None:
                raise LookupError(f"no message {inbox_id} in the inbox")
            if row["state"] != "RECEIVED":
                return Taken(inbox.outcome_from_dict(row["result"]["outcome"]), row["partner"])
            return _decide(hub, uow, row)
    except DataError as error:
        return _unholdable(hub, inbox_id, actor, error)
    except Exception as error:
        log.exception("message %s of a rail could not be applied", inbox_id)
        with unit_of_work(hub.engine, actor) as uow:
            inbox.failed(uow, inbox_id, f"{type(error).__name__}: {error}")
            raise_alarm(uow, "message_not_applied", str(inbox_id), error=str(error)[:500])
        raise


def _unholdable(hub: Hub, inbox_id: UUID, actor: Actor, error: DataError) -> Taken:
    """A value passed its rail that no column can hold (too large, a forbidden character): refused, and seen."""
    what = str(error.orig).splitlines()[0][:100]
    finding = Finding("SCHEMA_VIOLATION", "/", "a value that no field can hold", what)
    with unit_of_work(hub.engine, actor) as uow:
        row = uow.one("SELECT * FROM exchange.inbox WHERE id = :id FOR UPDATE", id=inbox_id)
        assert row is not None
        if row["state"] != "RECEIVED":
            return Taken(inbox.outcome_from_dict(row["result"]["outcome"]), row["partner"])
        rail = desk_of(hub).rail(row["partner"])
        raise_alarm(uow, "message_not_held", str(inbox_id), error=what)
        outcome = Outcome("", "REFUSED", (_with_partner_code(rail, finding),), "", uow.now)
        made = Taken(outcome, rail.id, reply=rail.answer_unread(hub.keys, uow.now, finding))
        _store(uow, inbox_id, "REFUSED", made, "")
        return made


def _decide(hub: Hub, uow: UnitOfWork, row: RowMapping) -> Taken:
    raw = inbox.raw_of(uow, row)
    desk = desk_of(hub)
    rail = desk.rail(raw.partner)
    context = replace(desk.context(uow, rail.id), now=raw.received_at)
    advice = rail.verify(_incoming(raw), context)
    message_id = advice.message_id or hashlib.sha256(raw.content).hexdigest()
    digest = advice.compare_digest or hashlib.sha256(raw.content).hexdigest()
    inbox.lock_message_id(uow, rail.id, message_id)
    first = inbox.in_force(uow, rail.id, message_id)
    if first is not None and not advice.refused:
        return _repeat(uow, row["id"], rail, context, advice, message_id, digest, first)
    taken = escrow.take_advice(uow, desk, rail.id, advice, raw=raw.content, stored_as=str(row["id"]))
    choreography.follow(uow, taken.events, row["id"])
    # Rows that are all refused leave nothing of the message.
    refused = any(one.scope == "message" for one in taken.findings) or (
        taken.findings and not rows_of(advice)
    )
    result = "REFUSED" if refused else "ACCEPTED"
    told = tuple(_with_partner_code(rail, finding) for finding in taken.findings)
    _alarm(uow, rail, message_id, told, row["id"])
    receipt = "" if refused else inbox.receipt_number(uow, row["id"])
    cases = sorted({str(each["mediation_number"]) for each in taken.events if each.get("mediation_number")})
    made = Taken(
        Outcome(message_id, result, told, receipt, uow.now),
        rail.id,
        advice.notes,
        cases,
        _disputes(uow, cases),
        0 if refused else rows_of(advice),
        facts_of(advice, escrow.places_of(uow, rail.id, str(row["id"]))),
        None if raw.channel == "file" and advice.reply is None else rail.answer(advice, result, context),
    )
    _store(uow, row["id"], "REFUSED" if refused else "APPLIED", made, digest)
    return made


def _store(uow: UnitOfWork, inbox_id: UUID, state: str, taken: Taken, digest: str) -> None:
    detail = {"records": taken.records, "cases": taken.cases, "meta": taken.facts, "disputes": taken.disputes,
              "notes": [note.as_dict() for note in taken.notes]}  # fmt: skip
    inbox.decide(uow, inbox_id, state, taken.outcome, compare_digest=digest, detail=detail)


def _disputes(uow: UnitOfWork, cases: list[str]) -> list[str]:
    return sorted({ref.number for case in cases for ref in case_registry.disputes_of(uow, case)})


def _alarm(uow: UnitOfWork, rail: Any, message_id: str, told: tuple[Finding, ...], inbox_id: UUID) -> None:
    """Signed well and wrong all the same: the rail's manifest says which findings a person must see at once."""
    for finding in told:
        if finding.code in rail.manifest.get("alarms", ()):
            raise_alarm(
                uow, finding.code, f"{rail.id}/{message_id}", role="cashier", inbox=str(inbox_id), path=finding.path,
                found=finding.found, expected=finding.expected,
            )  # fmt: skip


def _repeat(
    uow: UnitOfWork, inbox_id: UUID, rail: Any, context: Any, advice: escrow.Advice, message_id: str, digest: str, first: Any
) -> Taken:  # fmt: skip
    told = first["result"]
    cases, disputes = list(told.get("cases", [])), list(told.get("disputes", []))
    if first["compare_digest"] == digest:
        before = inbox.outcome_from_dict(told["outcome"])
        outcome = Outcome(message_id, "DUPLICATE", (), before.receipt_no, before.received_at)
        answer = rail.answer(advice, "DUPLICATE", context)
        made = Taken(outcome, rail.id, advice.notes, cases, disputes, 0, told.get("meta", {}), answer)
        _store(uow, inbox_id, "DUPLICATE", made, digest)
        return made
    finding = Finding("SAME_ID_OTHER_BYTES", "message id", message_id, "the content first sent under this id")
    outcome = Outcome(message_id, "QUARANTINED", (_with_partner_code(rail, finding),), "", uow.now)
    made = Taken(outcome, rail.id, reply=rail.answer(advice, "QUARANTINED", context))
    _store(uow, inbox_id, "QUARANTINED", made, digest)
    raise_alarm(uow, "same_id_other_bytes", f"{rail.id}/{message_id}", inbox=str(inbox_id))
    return made


def _incoming(raw: RawMessage) -> escrow.Incoming:
    channel = {"hook": "callback", "push": "callback", "file": "file", "pull": "file", "reply": "reply"}[
        raw.channel
    ]
    return escrow.Incoming(
        raw.content,
        channel,  # type: ignore[arg-type]
        raw.operation,  # type: ignore[arg-type]
        headers=raw.headers,
        query=str(raw.headers.get("x-query", "")),
        filename=raw.filename or "",
    )


def _with_partner_code(rail: Any, finding: Finding) -> Finding:
    if finding.partner_code:
        return finding
    return Finding(
        **{**vars(finding), "partner_code": str(rail.manifest.get("partner_code", {}).get(finding.code, ""))}
    )
