"""Carries what the outbox owes: each partner in its own lane, so that one that is dead or slow holds up no other."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor

from foundation.dispatch import lease_due
from foundation.unit_of_work import unit_of_work
from foundation.wire import Wire
from hub.pipeline import Hub
from hub.sending import adapter_limits, send_one

log = logging.getLogger("concord.delivering")

AT_ONCE = 64  # deliveries under way in one worker; 32 partners that all hang, at two each
POLL_S = 0.5


class Deliverer:
    """One worker process's deliveries, in a thread of its own."""

    def __init__(self, hub: Hub, wire: Wire) -> None:
        self.hub = hub
        self.wire = wire
        self.wake = threading.Event()
        self.pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="send")
        self._lock = threading.Lock()
        self.under_way: Counter[str] = Counter()

    def run(self, stop: threading.Event) -> None:
        """Deliver until ``stop`` is set, then let what is under way end."""
        while not stop.is_set():
            try:
                self.turn()
            except Exception:
                log.exception("a turn of deliveries failed; it goes on")
                stop.wait(1.0)
            self.wake.wait(POLL_S)
            self.wake.clear()
        self.pool.shutdown(wait=True, cancel_futures=True)

    def turn(self) -> int:
        """Start what is due and has room; how many were started."""
        with self._lock:
            free, under_way = AT_ONCE - self.under_way.total(), dict(self.under_way)
        if free <= 0:
            return 0
        with unit_of_work(self.hub.engine) as uow:
            rows = list(lease_due(uow, free, adapter_limits, under_way))
        for row in rows:
            with self._lock:
                self.under_way[row["partner"]] += 1
            future = self.pool.submit(send_one, self.hub, self.wire, row)
            future.add_done_callback(lambda done, partner=row["partner"]: self._ended(partner, done))
        return len(rows)

    def _ended(self, partner: str, done: Future[str]) -> None:
        with self._lock:
            self.under_way[partner] -= 1
        if done.cancelled() or done.exception() is not None:
            log.error("a sending to %s failed: %s", partner, None if done.cancelled() else done.exception())
        self.wake.set()
