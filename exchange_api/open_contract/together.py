"""Work that arrives together is done together: one thread, one transaction for all that waits, each answered after its commit."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy.exc import DataError

from exchange_api.quiet_log import shown
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub.pipeline import Hub

log = logging.getLogger("concord.exchange")
# While calls come one upon another, a batch waits so long for more: a commit costs as much for ten as for one.
GATHER_S = 0.012
BUSY_S = 0.1
Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Full(Exception):
    """More waits than is held: come back later."""


class Together(Generic[Item, Answer]):
    """Hands items to ``work`` in batches of at most ``most``; at most ``waiting`` are in line, beyond that Full is raised."""

    def __init__(
        self,
        hub: Hub,
        work: Callable[[UnitOfWork, Sequence[Item]], Sequence[Answer]],
        name: str,
        most: int,
        waiting: int,
    ) -> None:
        self._hub = hub
        self._work = work
        self._most = most
        self._waiting = waiting
        self._line: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._more = threading.Condition()
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ends = False
        self._thread: threading.Thread | None = None
        self._ended = float("-inf")

    def start(self) -> None:
        """Begin; called inside the event loop that waits for the answers."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish what is in line, then end."""
        with self._more:
            self._ends = True
            self._more.notify()

    def give(self, item: Item) -> asyncio.Future[Answer]:
        """Put an item in line; the future is done after its commit. Raises Full."""
        if self._loop is None:
            self.start()
        assert self._loop is not None
        if len(self._line) >= self._waiting:
            raise Full
        future: asyncio.Future[Answer] = self._loop.create_future()
        with self._more:
            self._line.append((item, future))
            self._more.notify()
        return future

    def _run(self) -> None:
        while True:
            with self._more:
                while not self._line and not self._ends:
                    self._more.wait()
                if not self._line:
                    return
            if time.monotonic() - self._ended < BUSY_S and len(self._line) < self._most:
                time.sleep(GATHER_S)
            with self._more:
                batch = [self._line.popleft() for _ in range(min(len(self._line), self._most))]
            self._do(batch)
            self._ended = time.monotonic()

    def _do(self, batch: list[tuple[Item, asyncio.Future[Answer]]]) -> None:
        answers: list[Any]
        try:
            with unit_of_work(self._hub.engine) as uow:
                answers = list(self._work(uow, [item for item, _ in batch]))
        except Exception as error:
            if isinstance(error, DataError) and len(batch) > 1:
                # One of them holds what no column takes: the others must not suffer for it.
                for each in batch:
                    self._do([each])
                return
            log.error("%s items could not be taken: %s", len(batch), shown(error))
            answers = [error] * len(batch)
        assert self._loop is not None
        self._loop.call_soon_threadsafe(_tell, batch, answers)


def _tell(batch: list[tuple[Any, asyncio.Future[Any]]], answers: list[Any]) -> None:
    for (_, future), answer in zip(batch, answers, strict=True):
        if future.cancelled():
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
