"""Works payments: what was released goes out, what is open is asked; what rails say comes in by `rail_inbox`.

Each call to a rail is claimed in one transaction, carried with no transaction open, and its reply taken in
another; a worker that is killed between leaves an outcome UNKNOWN, which is asked about, never guessed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import escrow
from foundation.journal import raise_alarm
from foundation.unit_of_work import UnitOfWork, unit_of_work
from foundation.wire import Wire
from hub import choreography, money_terms
from hub.pipeline import Hub
from schemas.findings import Refused

log = logging.getLogger("concord.payments")
BATCH = 20
FILES = 4  # of many payments, a turn


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


def work(hub: Hub, wire: Wire) -> dict[str, Any]:
    """Dispatch what was released, carry what waits, ask what is open; returns how many of each."""
    desk = desk_of(hub)
    counts = {
        "dispatched": _dispatch_released(hub, desk),
        "sent": 0,
        "asked": 0,
        "accounts": 0,
        "files": send_files(hub, wire),
    }
    for name, claim in (
        ("accounts", escrow.claim_subaccounts),
        ("sent", escrow.claim_to_send),
        ("asked", escrow.claim_asks),
    ):
        with unit_of_work(hub.engine) as uow:
            claims = claim(uow, desk, BATCH)
        counts[name] = _carry(hub, wire, desk, claims)
    return counts


def send_files(hub: Hub, wire: Wire, most: int = FILES) -> int:
    """Send files of released batches, one after the other; returns how many left. A file of which an order may not go
    is not sent: people cancel the batch's rest and draft it anew."""
    desk = desk_of(hub)
    with unit_of_work(hub.engine) as uow:
        claims = escrow.claim_files(uow, desk, most)
        paused = _paused(uow)
        waiting = [each for each in escrow.waiting_files(uow, most) if each[2] not in paused]
    for batch, no, _ in waiting:
        try:
            with unit_of_work(hub.engine) as uow:
                dispatched, claim = escrow.dispatch_file(uow, desk, batch, no)
                choreography.follow(uow, dispatched.events)
        except Refused as refused:
            log.warning("file %s of batch %s is not sent: %s", no, batch, refused)
            with unit_of_work(hub.engine) as uow:
                raise_alarm(
                    uow, "batch_file_not_sent", f"{batch}/{no}", role="cashier", error=str(refused)[:300]
                )
            continue
        claims += [claim] if claim is not None else []
    for claim in claims:
        reply = escrow.carry(wire, hub.settings.partner_url(claim.rail), claim)
        with unit_of_work(hub.engine) as uow:
            taken = escrow.take_file_reply(uow, desk, claim, reply)
            choreography.follow(uow, taken.events)
    return len(claims)


def _paused(uow: UnitOfWork) -> set[str]:
    return {row["partner"] for row in uow.all("SELECT partner FROM exchange.partner_state WHERE paused")}


def _dispatch_released(hub: Hub, desk: escrow.RailDesk) -> int:
    with unit_of_work(hub.engine) as uow:
        paused = _paused(uow)
        released = escrow.released_orders(uow, limit=500)
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
