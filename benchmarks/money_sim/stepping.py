"""Where a process may die or wait: before each SQL statement, before each commit, and on both sides of a call.

`Stepper` hangs on the engine's events. It counts boundaries; at the chosen one it raises `Crash`, which no code of
ours catches: the transaction is rolled back as the server does when a process dies. For two acts at once each act
has a thread of its own, but only one of them ever runs: at a boundary it hands the turn back to the scheduler.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event

BLOCKED_AFTER_S = 0.001  # a statement that takes longer is looked at: does it wait for the other's lock?
LONGEST_LOOK_S = 0.064  # on a busy machine a statement may take long without waiting for anybody
STUCK_AFTER = 2000  # looks
ENDED = ("57014", "40P01")  # of two that wait for each other the server ends one; here the dice say which


class Crash(BaseException):
    """The process died here."""


class Slot:
    """One of two acts at once."""

    def __init__(self, name: str, act: Callable[[], Any]) -> None:
        self.name, self.act = name, act
        self.go, self.at = threading.Semaphore(0), threading.Semaphore(0)
        self.done = self.waits = False
        self.pid = 0
        self.result: Any = None
        self.trouble: BaseException | None = None


class Stepper:
    """Boundaries of one engine. `crash_at` 0 = live on."""

    def __init__(self, engine: Engine, admin: Any) -> None:
        self._admin = admin
        self._local = threading.local()
        self.count = 0
        self.crash_at = 0
        self.only = ""
        event.listen(engine, "before_cursor_execute", self._statement)
        event.listen(engine, "commit", self._commit)

    def arm(self, crash_at: int, only: str = "") -> None:
        """Count from here; die at boundary `crash_at` (0 = never), of one kind only where `only` names it."""
        self.count, self.crash_at, self.only = 0, crash_at, only

    def boundary(self, kind: str) -> None:
        """A place where the process may die or another may go on. Raises Crash."""
        slot: Slot | None = getattr(self._local, "slot", None)
        if slot is not None:
            slot.at.release()
            slot.go.acquire()
            return
        if not self.crash_at or self.only not in ("", kind):
            return
        self.count += 1
        if self.count == self.crash_at:
            self.crash_at = 0
            raise Crash(kind)

    def _statement(self, conn: Any, *_: Any) -> None:
        slot: Slot | None = getattr(self._local, "slot", None)
        if slot is not None:
            slot.pid = conn.connection.dbapi_connection.info.backend_pid
        self.boundary("statement")

    def _commit(self, _: Any) -> None:
        self.boundary("commit")

    def both(self, dice: random.Random, first: Callable[[], Any], second: Callable[[], Any]) -> list[Slot]:
        """Do two acts at once, step by step in the order that the dice say."""
        slots = [Slot("first", first), Slot("second", second)]
        threads = [threading.Thread(target=self._live, args=(slot,), daemon=True) for slot in slots]
        for thread in threads:
            thread.start()
        for slot in slots:
            slot.at.acquire()
        while open_ := [slot for slot in slots if not slot.done]:
            ready = [slot for slot in open_ if not slot.waits]
            slot = (ready or open_)[dice.randrange(len(ready or open_))]
            if ready:
                slot.go.release()
            else:  # each waits for the other
                self._admin.execute("SELECT pg_cancel_backend(%s)", (slot.pid,))
                slot.waits = False
            for one in (slot, *(other for other in open_ if other is not slot and other.waits)):
                self._until_rest(one)
        for thread in threads:
            thread.join(10)
        return slots

    def _live(self, slot: Slot) -> None:
        self._local.slot = slot
        slot.at.release()
        slot.go.acquire()
        try:
            slot.result = slot.act()
        except BaseException as trouble:
            slot.trouble = trouble
        slot.done = True
        slot.waits = False
        slot.at.release()

    def _until_rest(self, slot: Slot) -> None:
        """Wait until the act stands at a boundary, has ended, or waits for a lock of the other."""
        if slot.waits and self._blocked(slot):
            return
        wait = BLOCKED_AFTER_S
        for _ in range(STUCK_AFTER):
            if slot.at.acquire(timeout=wait):
                slot.waits = False
                return
            if self._blocked(slot):
                slot.waits = True
                return
            wait = min(2 * wait, LONGEST_LOOK_S)
        raise RuntimeError("an act does not come to rest")

    def _blocked(self, slot: Slot) -> bool:
        row = self._admin.execute("SELECT cardinality(pg_blocking_pids(%s)) AS n", (slot.pid,)).fetchone()
        return row is not None and bool(row["n"])
