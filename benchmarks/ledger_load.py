"""Callers of the ledger benchmark: each a process of its own, each waits for its answer before it goes on.

A transfer is two-phase: a hold, answered when it is on disk, then its release, answered when it is on disk.
"""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

import psycopg

from benchmarks.ledger_service import ASK, CREATED, HOLD, POST
from escrow.ledger import AMOUNT_MAX, Outcome, Transfer, commit_transfers, create_transfers

ACCOUNTS = 10_000
HOT = 1
FORK = get_context("fork")


@dataclass
class Series:
    """What one series of callers did: whole transfers, seconds, waits; `answered`: the ids (16 bytes each) of what was answered."""

    transfers: int = 0
    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)
    answered: bytearray = field(default_factory=bytearray)
    wrong: int = 0

    @property
    def per_s(self) -> float:
        return self.transfers / self.seconds if self.seconds else 0.0


def new_id(rng: random.Random) -> int:
    """An id that rises with time, as ids of transfers should."""
    return (time.time_ns() // 1_000_000 << 80) | rng.getrandbits(80)


def pair(rng: random.Random, hot: bool) -> tuple[int, int]:
    """Debit and credit account: any two, or always from the hot one."""
    debit = HOT if hot else rng.randint(2, ACCOUNTS)
    credit = rng.randint(2, ACCOUNTS - 1)
    return debit, credit + (credit >= debit and not hot)


Step = Callable[[Series], None]
"""One transfer (or one batch of them): hold, wait, release, wait."""


@contextmanager
def single_by_service(port: int, hot: bool, rng: random.Random) -> Iterator[Step]:
    """One connection to the service."""
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def step(done: Series) -> None:
            debit, credit = pair(rng, hot)
            hold, post = new_id(rng).to_bytes(16), new_id(rng).to_bytes(16)
            for asked in (
                ASK.pack(hold, debit.to_bytes(16), credit.to_bytes(16), rng.randint(1, 1000)),
                ASK.pack(post, hold, bytes(16), 0),
            ):
                began = time.perf_counter()
                line.sendall(asked)
                answer = line.recv(1)
                if not answer:
                    raise ConnectionResetError("the service gave no answer")
                done.waits.append(time.perf_counter() - began)
                if answer == CREATED:
                    done.answered += asked[:16]
                else:
                    done.wrong += 1
            done.transfers += 1

        yield step


@contextmanager
def single_direct(url: str, hot: bool, rng: random.Random) -> Iterator[Step]:
    """One connection to PostgreSQL: locks go early, the answer waits for the flush."""
    with psycopg.connect(url, autocommit=True) as conn:

        def step(done: Series) -> None:
            debit, credit = pair(rng, hot)
            hold = Transfer(new_id(rng), debit, credit, rng.randint(1, 1000), ledger=1, code=1, flags=HOLD)
            post = Transfer(new_id(rng), pending_id=hold.id, amount=AMOUNT_MAX, flags=POST)
            for each in (hold, post):
                began = time.perf_counter()
                outcomes = commit_transfers(conn, [each])
                done.waits.append(time.perf_counter() - began)
                take(done, [each], outcomes)
            done.transfers += 1

        yield step


@contextmanager
def batches(url: str, size: int, hot: bool, rng: random.Random) -> Iterator[Step]:
    """Batches of `size` holds, then the batch that posts them; each batch one durable commit."""
    with psycopg.connect(url, autocommit=True) as conn:

        def step(done: Series) -> None:
            holds = []
            for _ in range(size):
                debit, credit = pair(rng, hot)
                holds.append(
                    Transfer(new_id(rng), debit, credit, rng.randint(1, 1000), ledger=1, code=1, flags=HOLD)
                )
            posts = [Transfer(new_id(rng), pending_id=h.id, amount=AMOUNT_MAX, flags=POST) for h in holds]
            for batch in (holds, posts):
                began = time.perf_counter()
                outcomes = create_transfers(conn, batch)
                done.waits.append(time.perf_counter() - began)
                take(done, batch, outcomes)
            done.transfers += size

        yield step


def take(done: Series, events: list[Transfer], outcomes: list[Outcome]) -> None:
    """Note what was answered."""
    for event, outcome in zip(events, outcomes, strict=True):
        if outcome.ok:
            done.answered += int(event.id).to_bytes(16)
        else:
            done.wrong += 1


Act = Callable[..., AbstractContextManager[Step]]


def run_callers(
    act: Act,
    given: tuple[Any, ...],
    callers: int,
    seconds: float,
    *,
    during: Callable[[], None] | None = None,
) -> Series:
    """Start the callers, let each make one transfer to warm up, then work for `seconds`; add up what they did.

    `during` runs while they work, and may take the database from under them.
    """
    pipes = []
    for _ in range(callers):
        ours, theirs = FORK.Pipe()
        process = FORK.Process(
            target=_caller, args=(act, given, seconds, during is not None, theirs), daemon=True
        )
        process.start()
        theirs.close()
        pipes.append((process, ours))
    for _, ours in pipes:
        ours.recv()
    began = time.perf_counter()
    for _, ours in pipes:
        ours.send("go")
    if during is not None:
        during()
    total = Series()
    for process, ours in pipes:
        done: Series = ours.recv()
        total.transfers += done.transfers
        total.waits += done.waits
        total.answered += done.answered
        total.wrong += done.wrong
        total.seconds = max(total.seconds, done.seconds)
        process.join(10)
    total.seconds = total.seconds or time.perf_counter() - began
    return total


def _caller(act: Act, given: tuple[Any, ...], seconds: float, may_break: bool, tell: Any) -> None:
    rng = random.Random(f"{os.getpid()}/{time.time_ns()}")  # ids of two runs must not meet: no seed
    done, warm = Series(), Series()
    try:
        with act(*given, rng) as step:
            step(warm)
            tell.send("ready")
            tell.recv()
            began = time.perf_counter()
            while time.perf_counter() < began + seconds:
                step(done)
                done.seconds = time.perf_counter() - began
    except (OSError, psycopg.OperationalError):
        if not may_break:
            raise  # else the database was killed: what was answered counts
    done.answered += warm.answered
    done.wrong += warm.wrong
    tell.send(done)
