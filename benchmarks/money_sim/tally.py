"""Kinds of fault, and how often each was made, and how many payouts the runs with it had."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field

FAULTS = (
    # a call of the hub to bank or gateway
    "call refused", "call lost before it arrived", "answer lost after it was booked", "call arrives late",
    "answer is HTTP 500", "answer says unknown", "answer is garbage", "answer of another call", "bank is closed",
    "line is down for several calls",
    # what the bank does
    "bank refuses", "bank is silent", "bank holds it back", "query finds nothing yet", "payment returned",
    # a message to the hub
    "message twice", "messages out of order", "message replayed", "message forged", "answer to a message lost",
    "message lost", "statement late", "statement lacks a line", "statement doubles a line", "statement twice",
    "word without money",
    # around
    "crash at a statement", "crash before a commit", "crash between call and note", "two at once", "court freeze",
    "freeze and release at once", "clock forward", "clock back", "key rotated", "payee changed", "payer pays short",
    "payer pays too much", "agreement void", "refund to another account tried", "own draft approved tried",
    "paid share drafted again tried",
)  # fmt: skip


@dataclass
class Tally:
    """`attempts`: faults made, by kind; `payouts`: payouts executed at bank or wallet in runs that had the kind."""

    attempts: Counter[str] = field(default_factory=Counter)
    payouts: Counter[str] = field(default_factory=Counter)

    def add(self, made: Counter[str], executed: int) -> None:
        """Add one run."""
        self.attempts.update(made)
        for kind in made:
            self.payouts[kind] += executed

    def missing(self) -> list[str]:
        """Kinds that never happened, or in whose runs nothing was paid."""
        return [kind for kind in FAULTS if not self.attempts[kind] or not self.payouts[kind]]


class Trace:
    """What happened in a run, line by line; equal for equal seeds."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.made: Counter[str] = Counter()

    def note(self, line: str) -> None:
        """One thing that happened."""
        self.lines.append(line)

    def fault(self, kind: str, about: str = "") -> None:
        """A fault was made."""
        assert kind in FAULTS, kind
        self.made[kind] += 1
        self.note(f"fault: {kind} {about}".rstrip())

    def digest(self) -> str:
        """SHA-256 of all lines."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()
