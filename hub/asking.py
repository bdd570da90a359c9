"""Asks partners for what their own messages call for: a case of which numbers are lost, or that was told without facts.

The answer comes in through the inbox like every message.
"""

from __future__ import annotations

import logging

from sqlalchemy import RowMapping

from connectors import all_connectors
from foundation import asks, inbox, outbox
from foundation.journal import raise_alarm
from foundation.unit_of_work import unit_of_work
from foundation.wire import Wire
from hub.pipeline import Hub, process
from hub.sending import connector_context, keep_state

log = logging.getLogger("concord.asking")


def work(hub: Hub, wire: Wire, limit: int = 5) -> int:
    """Ask for what is due; returns how much was answered."""
    with unit_of_work(hub.engine) as uow:
        due = asks.lease_due(uow, limit)
    return sum(_ask(hub, wire, row) for row in due)


def _ask(hub: Hub, wire: Wire, row: RowMapping) -> bool:
    adapter = all_connectors().get(row["partner"])
    if adapter is None or adapter.client is None or not hub.settings.partner_url(row["partner"]):
        return False
    with unit_of_work(hub.engine) as uow:
        context = connector_context(hub, uow, adapter)
    try:
        pulled = adapter.client.pull(wire, context, row["kind"], row["cursor"])
    except Exception as error:  # away or refusing: tried again later, and a person is told in the end
        log.warning("%s could not be asked for %s: %s", adapter.id, row["cursor"], error)
        with unit_of_work(hub.engine) as uow:
            keep_state(uow, adapter.id, context.state)
            outbox.note_partner(uow, adapter.id, ok=False, error=str(error))
            if row["tries"] >= asks.MOST_TRIES:
                raise_alarm(
                    uow, "partner_not_asked", f"{adapter.id}/{row['cursor']}", because=str(row["because"])
                )
        return False
    with unit_of_work(hub.engine) as uow:
        keep_state(uow, adapter.id, context.state)
        outbox.note_partner(uow, adapter.id, ok=True)
        stored = [inbox.store_in(uow, message) for message in pulled.messages]
        asks.done(uow, row)
    for each in stored:
        process(hub, each.id)
    return True
