"""Group commit: one writer takes whatever callers have queued and commits it as one batch.

A single caller pays for a whole round trip, a whole call and a whole flush; thirty that wait together share one of each,
and an account that all of them want is written once. Each is answered after the commit that holds its events.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import psycopg

from escrow.ledger.events import BATCH_MAX, Outcome, Transfer, TransferFlags
from escrow.ledger.general import create_transfers

WAITING_MAX = 4 * BATCH_MAX
"""Events that may wait; beyond it callers are refused at once."""

TRIES = 5

Request = tuple[Sequence[Transfer], "Future[list[Outcome]]"]


class LedgerBusy(Exception):
    """More events wait than the ledger takes in; try again later, with the same ids."""


class GroupCommit:
    """The writer and its queue, for one process. `connect` opens a psycopg connection in autocommit mode."""

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]]) -> None:
        self._connect = connect
        self._waiting: deque[Request] = deque()
        self._events = 0
        self._bell = threading.Condition()
        self._stopped = False
        self._writer = threading.Thread(target=self._write, name="ledger-writer", daemon=True)
        self._writer.start()

    def submit(self, transfers: Sequence[Transfer]) -> Future[list[Outcome]]:
        """Queue the events of one caller, in their order; the future ends once they are on disk.

        Raises LedgerBusy when too many wait, ValueError over 8192 events.
        """
        if len(transfers) > BATCH_MAX:
            raise ValueError(f"at most {BATCH_MAX} events a call, found {len(transfers)}")
        answer: Future[list[Outcome]] = Future()
        with self._bell:
            if self._stopped or self._events + len(transfers) > WAITING_MAX:
                raise LedgerBusy(f"{self._events} events wait")
            self._events += len(transfers)
            self._waiting.append((transfers, answer))
            self._bell.notify()
        return answer

    def call(self, transfers: Sequence[Transfer], timeout_s: float = 20.0) -> list[Outcome]:
        """Queue the events and wait for their outcomes, at most `timeout_s` seconds (then ask again with the same ids)."""
        return self.submit(transfers).result(timeout_s)

    def stop(self) -> None:
        """Write what waits, then end the writer."""
        with self._bell:
            self._stopped = True
            self._bell.notify()
        self._writer.join()

    def _take(self) -> list[Request]:
        """What waits, up to one batch. A request that leaves its last chain open goes alone: it may not run into the next."""
        with self._bell:
            while not self._waiting and not self._stopped:
                self._bell.wait()
            taken: list[Request] = []
            size = 0
            while self._waiting and size + len(self._waiting[0][0]) <= BATCH_MAX:
                events = self._waiting[0][0]
                is_open = bool(events and events[-1].flags & TransferFlags.LINKED)
                if is_open and taken:
                    break
                taken.append(self._waiting.popleft())
                size += len(events)
                if is_open:
                    break
            self._events -= size
            return taken

    def _write(self) -> None:
        conn: psycopg.Connection[Any] | None = None
        while taken := self._take():
            try:
                if conn is None or conn.closed:
                    conn = self._connect()
                outcomes = create_transfers(conn, [event for events, _ in taken for event in events])
            except Exception:
                # One caller's fault is not the others': each again by itself. The ids make that harmless.
                for request in taken:
                    conn = self._alone(conn, request)
                continue
            at = 0
            for events, answer in taken:
                _answer(answer, outcomes[at : at + len(events)])
                at += len(events)
        if conn is not None:
            conn.close()

    def _alone(
        self, conn: psycopg.Connection[Any] | None, request: Request
    ) -> psycopg.Connection[Any] | None:
        events, answer = request
        for left in reversed(range(TRIES)):
            try:
                if conn is None or conn.closed:
                    conn = self._connect()
                _answer(answer, create_transfers(conn, events))
                return conn
            except (
                psycopg.errors.UniqueViolation,
                psycopg.errors.SerializationFailure,
                psycopg.OperationalError,
            ) as error:
                if left == 0:
                    answer.set_exception(error)
            except Exception as error:
                answer.set_exception(error)
                return conn
        return conn


def _answer(answer: Future[list[Outcome]], outcomes: list[Outcome]) -> None:
    if answer.set_running_or_notify_cancel():
        answer.set_result(outcomes)
