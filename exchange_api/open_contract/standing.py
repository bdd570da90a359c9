"""What every call needs without asking the database: who the partners are, and what time it is. Never older than a second."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

from foundation.clock import clock_now
from foundation.directory import Directory, DirectoryCache, Partner
from hub.pipeline import Hub
from schemas.findings import Finding, Refused

log = logging.getLogger("concord.exchange")
EVERY_S = 0.25
BOUND_S = 1.0


class Standing:
    """The directory and the hub's clock, looked at four times a second in a thread of its own."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._cache = DirectoryCache(hub.engine)
        self._directory: Directory | None = None
        self._ahead = timedelta()
        self._looked = float("-inf")
        self._stop = threading.Event()
        self._starting = threading.Lock()
        self.started = False

    def start(self) -> None:
        """Look once, then keep looking. Safe to call again, and from several threads."""
        with self._starting:
            if self.started:
                return
            try:
                self.look()
            except Exception as error:
                log.warning("partners and clock could not be read: %s", type(error).__name__)
            self._cache.start()
            threading.Thread(target=self._keep, name="standing", daemon=True).start()
            self.started = True

    def stop(self) -> None:
        """End the threads."""
        self._stop.set()
        self._cache.stop()

    @property
    def fresh(self) -> bool:
        """Whether what is known is new enough to let anyone in by it."""
        return time.monotonic() - self._looked < BOUND_S

    def directory(self) -> Directory:
        """Partners and keys. Raises Refused (UNAVAILABLE) when the database is away: nobody is let in blindly."""
        if self._directory is None or not self.fresh:
            raise Refused(Finding("UNAVAILABLE", "service", "database away", "send the same again later"))
        return self._directory

    def now(self) -> datetime:
        """The hub's time, by the database's clock row."""
        return datetime.now(UTC) + self._ahead

    def look(self) -> None:
        """Ask the database. Raises its errors."""
        begin = time.monotonic()
        self._directory = self._cache.current()
        with self._hub.engine.connect() as conn:
            self._ahead = clock_now(conn) - datetime.now(UTC)
        self._looked = begin

    def _keep(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except Exception as error:
                log.warning("partners and clock could not be read: %s", type(error).__name__)
            self._stop.wait(EVERY_S)


class Rate:
    """A bucket of calls for each partner: ``calls_per_s`` flow in, at most ``burst`` are held. For one event loop."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[float, float]] = {}

    def take(self, partner: Partner) -> tuple[bool, int, int]:
        """Whether a call may go on; calls left; seconds until there is one again."""
        limits = partner.limits
        now = time.monotonic()
        held, before = self._held.get(partner.id, (float(limits.burst), now))
        held = min(float(limits.burst), held + (now - before) * limits.calls_per_s)
        goes = held >= 1.0
        held -= 1.0 if goes else 0.0
        self._held[partner.id] = (held, now)
        wait = 0 if held >= 1.0 else int((1.0 - held) / limits.calls_per_s) + 1
        return goes, int(held), wait

    @staticmethod
    def headers(partner: Partner, left: int, wait: int) -> list[tuple[bytes, bytes]]:
        """The RateLimit fields (draft-ietf-httpapi-ratelimit-headers)."""
        window = max(1, round(partner.limits.burst / partner.limits.calls_per_s))
        return [
            (b"ratelimit-policy", b'"calls";q=%d;w=%d' % (partner.limits.burst, window)),
            (b"ratelimit", b'"calls";r=%d;t=%d' % (left, wait)),
        ]


class Inside:
    """Calls of each partner that are not answered yet: one that keeps many open leaves the others their place. For one event loop."""

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()

    def enter(self, partner: Partner) -> None:
        """One call more. Raises Refused (RATE_LIMITED) above the partner's limit."""
        most = partner.limits.calls_at_once
        if self._count[partner.id] >= most:
            raise Refused(
                Finding(
                    "RATE_LIMITED", "request", "too many calls at once", f"at most {most} not yet answered"
                )
            )
        self._count[partner.id] += 1

    def leave(self, partner_id: str) -> None:
        """It was answered."""
        self._count[partner_id] -= 1
        if self._count[partner_id] <= 0:
            del self._count[partner_id]
