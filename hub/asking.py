"""Asks partners for what their own messages call for: a case of which numbers are lost, or that was told without facts.

The answer comes in through the inbox like every message.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import RowMapping

from connectors import all_connectors
from foundation import asks, inbox, outbox
from foundation.journal import raise_alarm
from foundation.unit_of_work import unit_of_work
from foundation.wire import Wire
from hub.pipeline import Hub, process
from hub.sending import connector_context, keep_state

log = logging.getLogger("concord.asking")
AT_ONCE = 8  # partners asked beside each other, each one thing after the other
BATCH = 20


class Asker:
    """Asks partners in threads, so that one that hangs holds up only what it is asked itself."""

    def __init__(self, hub: Hub, wire: Wire) -> None:
        self.hub = hub
        self.wire = wire
        self.pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="ask")
        self._busy: set[str] = set()
        self._lock = threading.Lock()

    def turn(self) -> None:
        """Begin to ask what is due of partners that are not being asked."""
        with self._lock:
            busy = list(self._busy)
        if len(busy) >= AT_ONCE:
            return
        with unit_of_work(self.hub.engine) as uow:
            due = asks.lease_due(uow, BATCH, busy)
        by_partner: dict[str, list[RowMapping]] = {}
        for row in due:
            by_partner.setdefault(row["partner"], []).append(row)
        for partner, rows in by_partner.items():
            with self._lock:
                self._busy.add(partner)
            self.pool.submit(self._ask, partner, rows)

    def close(self) -> None:
        """Let what is under way end."""
        self.pool.shutdown(wait=True, cancel_futures=True)

    def _ask(self, partner: str, rows: list[RowMapping]) -> None:
        try:
            for row in rows:
                _ask(self.hub, self.wire, row)
        except Exception:
            log.exception("%s could not be asked; it is asked again later", partner)
        finally:
            with self._lock:
                self._busy.discard(partner)


def work(hub: Hub, wire: Wire, limit: int = 5) -> int:
    """Ask for what is due, one thing after the other; returns how much was answered."""
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
