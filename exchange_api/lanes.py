"""A lane for each partner and rail: so many calls at once, so many waiting, and no more (exchange rule 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from anyio import CapacityLimiter, to_thread

AT_ONCE = 4
WAITING = 250


class Full(Exception):
    """More calls wait in this lane than it holds: come back later."""


class Lane:
    """Runs the synchronous work of one partner's calls, ``AT_ONCE`` beside each other, the others in order."""

    def __init__(self) -> None:
        self._limiter: CapacityLimiter | None = None
        self._inside = 0

    async def run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Do ``work`` in a thread of this lane. Raises Full."""
        if self._limiter is None:  # made inside the event loop
            self._limiter = CapacityLimiter(AT_ONCE)
        if self._inside >= AT_ONCE + WAITING:
            raise Full
        self._inside += 1
        try:
            return await to_thread.run_sync(work, *arguments, limiter=self._limiter)
        finally:
            self._inside -= 1
