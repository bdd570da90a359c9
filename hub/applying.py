"""Applies stored messages of the open contract, batch by batch, woken when some were stored.

One worker applies at a time (the registry links under one lock anyway), so a case's messages keep their order. A message
that fails waits with its case and the others go on (``hub.message_batch``); where a whole batch fails, smaller ones are
tried.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg

from foundation.receipts import receipt_key
from foundation.unit_of_work import unit_of_work
from hub import batches
from hub.message_batch import MessageBatch
from hub.pipeline import Hub

log = logging.getLogger("concord.applying")

MOST_A_BATCH = 200
# Batches begin so far apart while messages keep coming: what a batch costs is shared by more of them.
APART_S = 0.2
LOOK_S = 1.0  # how often it looks by itself: time alone makes work (a gap's wait ends)
_DUE = """
SELECT i.id, i.seq, i.partner, i.content, i.data_key, i.content_hash, i.message_id, i.case_key, i.sequence, i.receipt_no,
    i.received_at, i.attempts, p.institution, p.agency FROM exchange.inbox i JOIN exchange.partner p ON p.id = i.partner
WHERE i.state = 'RECEIVED' AND i.receipt IS NOT NULL AND i.next_try <= :now ORDER BY i.next_try, i.seq LIMIT :most"""


def apply_due(hub: Hub, most: int = MOST_A_BATCH) -> int:
    """Apply what is due, at most ``most`` messages, in one transaction; returns how many were looked at."""
    with unit_of_work(hub.engine) as uow:
        if not uow.scalar("SELECT pg_try_advisory_xact_lock(hashtext('exchange.open_contract'))"):
            return 0
        rows = uow.all(_DUE, now=uow.now, most=most)
        if rows:
            MessageBatch(uow, rows).apply()
        return len(rows)


def take_up(hub: Hub, inbox_id: UUID) -> dict[str, Any]:
    """Apply one stored message now, for a person who asked for it; returns its state and result."""
    with unit_of_work(hub.engine) as uow:
        uow.execute(
            "UPDATE exchange.inbox SET next_try = :soon WHERE id = :id AND state = 'RECEIVED'",
            soon=uow.now - timedelta(days=1),
            id=inbox_id,
        )
    apply_due(hub)
    with unit_of_work(hub.engine) as uow:
        row = uow.one(
            "SELECT state, message_id, receipt_no, result FROM exchange.inbox WHERE id = :id", id=inbox_id
        )
        assert row is not None
        return dict(row)


class Applier:
    """Applies until it is told to stop; halves its batch where one fails, and doubles it again where it goes well."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.size = MOST_A_BATCH

    def turn(self) -> bool:
        """One batch; True when there may be more at once. Raises what a batch of one message raises."""
        try:
            more = self._take_portion()
            done = apply_due(self.hub, self.size)
        except Exception:
            if self.size == 1:
                raise
            log.exception("a batch of %s could not be applied; a smaller one is tried", self.size)
            self.size //= 2
            return True
        full = done >= self.size or more
        self.size = min(MOST_A_BATCH, self.size * 2)
        return full

    def _take_portion(self) -> bool:
        """Take some records of an archive that waits; True when one did."""
        with unit_of_work(self.hub.engine) as uow:
            return batches.work_portion(uow, receipt_key(self.hub.settings.key_dir))

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set: woken when something was stored, and by itself every LOOK_S."""
        url = self.hub.settings.database_url.replace("+psycopg", "")
        while not stop.is_set():
            try:
                with psycopg.connect(url, autocommit=True) as listening:
                    listening.execute("LISTEN concord_open")
                    while not stop.is_set():
                        begun = time.monotonic()
                        while self.turn() and not stop.is_set():
                            pass
                        stop.wait(max(0.0, begun + APART_S - time.monotonic()))
                        for _ in listening.notifies(timeout=LOOK_S, stop_after=1):
                            pass
            except Exception:
                log.exception("applying was interrupted; it goes on")
                stop.wait(1.0)
