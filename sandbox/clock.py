"""The sandbox's clock: real, or virtual and ticking at real speed from an instant that was set; kept over restarts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from sandbox.books import Books

BEIJING = timezone(timedelta(hours=8), "CST")


class VirtualClock:
    """Reads the process's time. `set(at)` makes it virtual, `set(None)` real again."""

    def __init__(self, books: Books) -> None:
        self._books = books
        kept = books.get("", "clock", "anchor")
        self._virtual: datetime | None = None
        self._real = datetime.now(UTC)
        if kept:
            self._virtual = datetime.fromisoformat(kept["virtual"])
            self._real = datetime.fromisoformat(kept["real"])

    @property
    def is_virtual(self) -> bool:
        return self._virtual is not None

    def now(self) -> datetime:
        """Aware UTC."""
        real, virtual = datetime.now(UTC), self._virtual
        return real if virtual is None else virtual + (real - self._real)

    def beijing(self) -> datetime:
        """Beijing time, which most partners write without a zone."""
        return self.now().astimezone(BEIJING)

    def set(self, at: datetime | None) -> None:
        """Raises ValueError for a time without a zone."""
        if at is None:
            self._virtual = None
            self._books.drop("", "clock", "anchor")
            return
        if at.tzinfo is None:
            raise ValueError("the instant needs a zone, such as 2026-04-02T09:00:00+08:00")
        virtual, real = at.astimezone(UTC), datetime.now(UTC)
        self._books.put("", "clock", "anchor", {"virtual": virtual.isoformat(), "real": real.isoformat()})
        self._real, self._virtual = real, virtual
