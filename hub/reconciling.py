"""The day's reconciliation: fetch what the rails have for a Beijing day, then prove ledger, bank and registry."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date
from typing import Any

import escrow
from foundation import inbox, outbox
from foundation.journal import raise_alarm
from foundation.unit_of_work import unit_of_work
from foundation.wire import Wire, WireReply
from hub import choreography, payments, rail_inbox
from hub.pipeline import Hub
from hub.sending import keep_state
from schemas.exchange import RawMessage

log = logging.getLogger("concord.reconcile")
MOST_PAGES = 100


@dataclass(frozen=True)
class Fetched:
    """What a rail gave: messages taken, or why it gave nothing."""

    rail: str
    messages: int = 0
    trouble: str = ""


def reconcile(hub: Hub, day: str) -> dict[str, Any]:
    """Fetch and prove one day. Run again, it takes nothing twice and opens no break twice."""
    wire = Wire()
    try:
        fetched = [
            each
            for rail in escrow.all_rails().values()
            for each in _fetch(hub, wire, rail, date.fromisoformat(day))
        ]
    finally:
        wire.close()
    with unit_of_work(hub.engine) as uow:
        done = escrow.reconcile_day(uow, date.fromisoformat(day))
        choreography.follow(uow, done.events)
        violations = escrow.prove(uow)
        for each in violations:
            raise_alarm(uow, "invariant", str(each)[:200], role="auditor")
        sealed = escrow.seal_day(uow, date.fromisoformat(day))
    return {
        "day": day,
        "fetched": [vars(each) for each in fetched],
        "broken_invariants": len(violations),
        "sealed": sealed.data,
        **done.data,
    }


def _fetch(hub: Hub, wire: Wire, rail: escrow.Rail, day: date) -> list[Fetched]:
    """Missed messages where the rail keeps a numbered list; the day's bill where it has one."""
    found = []
    if not hub.settings.partner_url(rail.id):
        return [Fetched(rail.id, trouble="no address is configured")]
    if rail.missed is not None:
        found.append(_missed(hub, wire, rail))
    if rail.bill_link is not None:
        found.append(_bill(hub, wire, rail, day))
    return found


def _call(hub: Hub, wire: Wire, rail: escrow.Rail, request: Any) -> WireReply:
    base = hub.settings.partner_url(rail.id)
    return wire.request(
        request.method,
        base + request.path,
        headers=dict(request.headers),
        content=request.body or None,
        timeout_s=15.0,
    )


def _missed(hub: Hub, wire: Wire, rail: escrow.Rail) -> Fetched:
    assert rail.missed is not None
    taken = 0
    for _ in range(MOST_PAGES):
        with unit_of_work(hub.engine) as uow:
            state = dict(
                uow.scalar("SELECT state FROM exchange.partner_state WHERE partner = :p", p=rail.id) or {}
            )
            context = payments.desk_of(hub).context(uow, rail.id, uow.new_id().hex)
            request = rail.missed(int(state.get("last_sequence", 0)), context)
        reply = _call(hub, wire, rail, request)
        if reply.outcome != "ANSWERED":
            return _away(hub, rail, taken, reply.error)
        incoming = escrow.Incoming(
            reply.content, "reply", "missed", status=reply.status or 0, headers=reply.headers
        )
        with unit_of_work(hub.engine) as uow:
            advice = rail.verify(incoming, payments.desk_of(hub).context(uow, rail.id))
        if advice.findings or not advice.messages:
            return Fetched(rail.id, taken, advice.findings[0].text_en() if advice.findings else "")
        with unit_of_work(hub.engine) as uow:
            stored = [
                inbox.store_in(
                    uow, RawMessage(rail.id, "hook", "", each.content, uow.now, dict(each.headers))
                )
                for each in advice.messages
            ]
            keep_state(uow, rail.id, {**state, "last_sequence": advice.last_sequence})
        for each in stored:
            rail_inbox.process(hub, each.id)
        taken += len(stored)
    return Fetched(rail.id, taken, f"more than {MOST_PAGES} pages: the rest comes with the next run")


def _bill(hub: Hub, wire: Wire, rail: escrow.Rail, day: date) -> Fetched:
    assert rail.bill_link is not None
    with unit_of_work(hub.engine) as uow:
        request = rail.bill_link(day, payments.desk_of(hub).context(uow, rail.id, uow.new_id().hex))
    reply = _call(hub, wire, rail, request)
    if reply.outcome != "ANSWERED":
        return _away(hub, rail, 0, reply.error)
    incoming = escrow.Incoming(
        reply.content, "reply", "bill_link", status=reply.status or 0, headers=reply.headers
    )
    with unit_of_work(hub.engine) as uow:
        advice = rail.verify(incoming, payments.desk_of(hub).context(uow, rail.id))
    if not advice.link:
        return Fetched(
            rail.id, 0, advice.findings[0].text_en() if advice.findings else advice.text or "no bill yet"
        )
    file = wire.request("GET", advice.link, timeout_s=30.0)
    if file.outcome != "ANSWERED" or file.status != 200:
        return _away(hub, rail, 0, file.error or f"HTTP {file.status}")
    with unit_of_work(hub.engine) as uow:
        raw = RawMessage(rail.id, "pull", "statement", file.content, uow.now, {}, f"bill-{day.isoformat()}")
    taken = rail_inbox.receive(hub, raw)
    trouble = taken.outcome.findings[0].text_en() if taken.outcome.findings else ""
    return Fetched(rail.id, 1, trouble)


def _away(hub: Hub, rail: escrow.Rail, taken: int, error: str) -> Fetched:
    with unit_of_work(hub.engine) as uow:
        outbox.note_partner(uow, rail.id, ok=False, error=error)
    return Fetched(rail.id, taken, error)
