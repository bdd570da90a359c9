"""Pulls from partners: page by page, messages and cursor in one commit, then each message processed."""

from __future__ import annotations

from typing import Any

from connectors import Connector, connector
from foundation import inbox, outbox
from foundation.unit_of_work import UnitOfWork, unit_of_work
from foundation.wire import Wire
from hub.pipeline import Hub, Processed, process
from hub.sending import connector_context, keep_state
from schemas.exchange import ConnectorContext, Pulled

MOST_PAGES = 200


class PartnerAway(Exception):
    """The partner could not be asked now; ``kind`` says what it is and so what helps.

    unreachable, busy (its stated rate), refused (it does not let us in), not_configured, paused (by a person),
    breaker_open (failed lately, tried again soon).
    """

    def __init__(self, partner: str, kind: str, text: str) -> None:
        super().__init__(f"{partner}: {text}")
        self.partner = partner
        self.kind = kind


def pull(hub: Hub, partner_id: str, kind: str, wire: Wire | None = None) -> dict[str, Any]:
    """Pull everything new of one kind. Raises PartnerAway. The watermark lies in the hub's own database.

    Safe to run again at any point: the cursor moves in the commit that stores the messages it covers.
    """
    adapter = connector(partner_id)
    own = wire is None
    wire = wire or Wire()
    counts = {
        "partner": partner_id,
        "kind": kind,
        "pages": 0,
        "messages": 0,
        "accepted": 0,
        "duplicate": 0,
        "refused": 0,
    }
    try:
        for _ in range(MOST_PAGES):
            pulled, context, stored = _page(hub, adapter, kind, wire)
            counts["pages"] += 1
            for each in stored:
                processed = process(hub, each.id)
                _count(counts, processed)
                if hasattr(adapter.client, "acknowledge"):
                    adapter.client.acknowledge(wire, context, each.raw, processed.outcome)
            with unit_of_work(hub.engine) as uow:
                keep_state(uow, partner_id, context.state)
            if not pulled.more:
                break
    finally:
        if own:
            wire.close()
    return counts


def _page(
    hub: Hub, adapter: Connector, kind: str, wire: Wire
) -> tuple[Pulled, ConnectorContext, list[inbox.Stored]]:
    with unit_of_work(hub.engine) as uow:
        context = connector_context(hub, uow, adapter)
        _may_ask(uow, adapter.id)
    if adapter.client is None or not context.base_url:
        raise PartnerAway(adapter.id, "not_configured", "no address is configured")
    cursor = str(context.state.get("cursors", {}).get(kind, ""))
    try:
        pulled: Pulled = adapter.client.pull(wire, context, kind, cursor)
    except Exception as error:
        with unit_of_work(hub.engine) as uow:
            outbox.note_partner(uow, adapter.id, ok=False, error=str(error))
            keep_state(uow, adapter.id, context.state)
        raise PartnerAway(adapter.id, getattr(error, "kind", "unreachable"), str(error)) from error
    context.state.setdefault("cursors", {})[kind] = pulled.next_cursor
    with unit_of_work(hub.engine) as uow:
        stored = [inbox.store_in(uow, message) for message in pulled.messages]
        outbox.note_partner(uow, adapter.id, ok=True)
        keep_state(uow, adapter.id, context.state)
    return pulled, context, stored


def _may_ask(uow: UnitOfWork, partner: str) -> None:
    """Raise PartnerAway when a person has paused the partner or its breaker is open."""
    row = uow.one("SELECT paused, open_until FROM exchange.partner_state WHERE partner = :p", p=partner)
    if row and row["paused"]:
        raise PartnerAway(partner, "paused", "paused by a person")
    if row and row["open_until"] and row["open_until"] > uow.now:
        raise PartnerAway(
            partner, "breaker_open", f"failed lately; tried again after {row['open_until']:%H:%M:%S}Z"
        )


def _count(counts: dict[str, Any], processed: Processed) -> None:
    counts["messages"] += 1
    name = {"ACCEPTED": "accepted", "DUPLICATE": "duplicate"}.get(processed.outcome.result, "refused")
    counts[name] += 1
