"""Works payments: what rails say comes in through the same inbox, what was released goes out, what is open is asked.

Each call to a rail is claimed in one transaction, carried with no transaction open, and its reply taken in
another; a worker that is killed between leaves an outcome UNKNOWN, which is asked about, never guessed.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

import escrow
from foundation import inbox
from foundation.actors import SYSTEM, Actor
from foundation.journal import journal, raise_alarm
from foundation.unit_of_work import UnitOfWork, unit_of_work
from foundation.wire import Wire
from hub import choreography, money_terms
from hub.pipeline import Hub
from schemas.exchange import Outcome, RawMessage
from schemas.findings import Finding, Refused

log = logging.getLogger("concord.payments")
BATCH = 20


@dataclass(frozen=True)
class Taken:
    """What became of a rail's message; ``reply`` is the HTTP answer to a callback."""

    outcome: Outcome
    rail: str
    notes: tuple[Finding, ...] = ()
    cases: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    reply: escrow.Reply | None = None

    def as_line(self) -> dict[str, Any]:
        """The result as the fields of a JSON line."""
        result = {
            "ACCEPTED": "accepted",
            "DUPLICATE": "duplicate",
            "QUARANTINED": "quarantined",
            "REFUSED": "refused",
        }
        return {
            "partner": self.rail,
            "result": result.get(self.outcome.result, self.outcome.result.lower()),
            "message_id": self.outcome.message_id,
            "receipt_no": self.outcome.receipt_no,
            "findings": [finding.as_dict() for finding in self.outcome.findings],
            "notes": [note.as_dict() for note in self.notes],
            "cases": self.cases,
            "reply": self.reply.body.decode("utf-8", "replace") if self.reply else "",
            "meta": self.facts,
        }


def rail_named(name: str) -> str | None:
    """Id of the rail that people call ``name``, or None."""
    found = money_terms.rail_named(name)
    return found.id if found else None


def rail_names() -> list[str]:
    """Ids of all rails."""
    return sorted(escrow.all_rails())


def desk_of(hub: Hub) -> escrow.RailDesk:
    """The rails with this installation's keys."""
    return escrow.RailDesk(hub.keys)


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
    except Exception as error:
        log.exception("message %s of a rail could not be applied", inbox_id)
        with unit_of_work(hub.engine, actor) as uow:
            inbox.failed(uow, inbox_id, f"{type(error).__name__}: {error}")
            raise_alarm(uow, "message_not_applied", str(inbox_id), error=str(error)[:500])
        raise


def _decide(hub: Hub, uow: UnitOfWork, row: RowMapping) -> Taken:
    raw = inbox.raw_of(row)
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
    refused = any(finding.scope == "message" for finding in taken.findings)
    result = "REFUSED" if refused else "ACCEPTED"
    told = tuple(_with_partner_code(rail, finding) for finding in taken.findings)
    receipt = "" if refused else inbox.receipt_number(uow, row["id"])
    outcome = Outcome(message_id, result, told, receipt, uow.now)
    cases = sorted({str(each["mediation_number"]) for each in taken.events if each.get("mediation_number")})
    facts = facts_of(advice)
    state = "REFUSED" if refused else "APPLIED"
    inbox.decide(
        uow, row["id"], state, outcome, compare_digest=digest, detail={"cases": cases, "meta": facts, "disputes": []}
    )  # fmt: skip
    if not refused:
        journal(uow, "message", f"{rail.id}/{message_id}", hashlib.sha256(raw.content).digest())
    reply = rail.answer(advice, result, context)
    return Taken(outcome, rail.id, advice.notes, cases, facts, reply)


def _repeat(
    uow: UnitOfWork, inbox_id: UUID, rail: Any, context: Any, advice: escrow.Advice, message_id: str, digest: str, first: Any
) -> Taken:  # fmt: skip
    if first["compare_digest"] == digest:
        before = inbox.outcome_from_dict(first["result"]["outcome"])
        outcome = Outcome(message_id, "DUPLICATE", (), before.receipt_no, before.received_at)
        inbox.decide(uow, inbox_id, "DUPLICATE", outcome, compare_digest=digest, detail=dict(first["result"]))
        return Taken(
            outcome, rail.id, advice.notes, [], facts_of(advice), rail.answer(advice, "DUPLICATE", context)
        )
    finding = Finding("SAME_ID_OTHER_BYTES", "message id", message_id, "the content first sent under this id")
    outcome = Outcome(message_id, "QUARANTINED", (_with_partner_code(rail, finding),), "", uow.now)
    inbox.decide(uow, inbox_id, "QUARANTINED", outcome, compare_digest=digest)
    raise_alarm(uow, "same_id_other_bytes", f"{rail.id}/{message_id}", inbox=str(inbox_id))
    return Taken(outcome, rail.id, (), [], {}, rail.answer(advice, "QUARANTINED", context))


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


def facts_of(advice: escrow.Advice) -> dict[str, Any]:
    """What was read, for the exchange log and the command line: outcomes, lines, balances, returns."""
    return {
        "kind": advice.kind,
        "message_type": advice.message_type,
        "outcomes": [
            {"number": o.number, "outcome": o.outcome, "rail_status": o.rail_status} for o in advice.outcomes
        ],
        "lines": len(advice.lines),
        "lines_fen": sum(int(line.signed) for line in advice.lines),
        "booked": sum(line.booked for line in advice.lines),
        "statements": [
            {"account": s.account, "sequence": s.sequence, "opening_fen": s.opening, "closing_fen": s.closing}
            for s in advice.statements
        ],
        "returns": [{"number": r.number, "fen": int(r.amount)} for r in advice.returns],
    }


# -- going out -------------------------------------------------------------------------------------------


def work(hub: Hub, wire: Wire) -> dict[str, Any]:
    """Dispatch what was released, carry what waits, ask what is open; returns how many of each."""
    desk = desk_of(hub)
    counts = {"dispatched": _dispatch_released(hub, desk), "sent": 0, "asked": 0, "accounts": 0}
    for name, claim in (
        ("accounts", escrow.claim_subaccounts),
        ("sent", escrow.claim_to_send),
        ("asked", escrow.claim_asks),
    ):
        with unit_of_work(hub.engine) as uow:
            claims = claim(uow, desk, BATCH)
        counts[name] = _carry(hub, wire, desk, claims)
    return counts


def _dispatch_released(hub: Hub, desk: escrow.RailDesk) -> int:
    with unit_of_work(hub.engine) as uow:
        paused = {
            row["partner"] for row in uow.all("SELECT partner FROM exchange.partner_state WHERE paused")
        }
        released = escrow.list_orders(uow, states=["RELEASED"], limit=500)
        # A rail that a person has paused keeps its orders: released, not yet sent.
        waiting = [each["id"] for each in released if each["rail"] not in paused][:BATCH]
    done = 0
    for order_id in waiting:
        try:
            with unit_of_work(hub.engine) as uow:
                choreography.follow(uow, escrow.dispatch(uow, desk, order_id).events)
            done += 1
        except Refused as refused:
            # A stop, a freeze or another worker was faster: the order says so on its own page.
            log.info("order %s is not sent: %s", order_id, refused)
    return done


def _carry(hub: Hub, wire: Wire, desk: escrow.RailDesk, claims: Iterable[escrow.Claim]) -> int:
    count = 0
    for claim in claims:
        reply = escrow.carry(wire, hub.settings.partner_url(claim.rail), claim)
        with unit_of_work(hub.engine) as uow:
            taken = escrow.take_reply(uow, desk, claim, reply)
            choreography.follow(uow, taken.events)
            for finding in taken.findings:
                log.warning(
                    "reply of %s about %s: %s", claim.rail, claim.number or "a sub-account", finding.text_en()
                )
        count += 1
    return count


def watch(hub: Hub) -> dict[str, Any]:
    """Bring instalments to where today's date puts them."""
    with unit_of_work(hub.engine) as uow:
        events = escrow.watch_instalments(uow).events
        choreography.follow(uow, events)
        broken = escrow.prove(uow)
        for each in broken:
            raise_alarm(uow, "invariant", str(each)[:200], role="auditor")
    return {"instalments": len(events), "broken_invariants": len(broken)}
