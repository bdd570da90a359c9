"""What a word about an instruction does to its outcome: pure rules over the table payment_outcome.

A notice moves nothing, it only makes us ask. UNKNOWN is left by a query's answer or a person with a document (and
by a statement line, see payouts); a report that is pushed to us while the outcome is UNKNOWN makes us ask as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from escrow.machines import PAYMENT_OUTCOME

Source = Literal["REPLY", "QUERY", "REPORT", "NOTICE", "PERSON", "HUB"]
HOUR = timedelta(hours=1)
ON_ITS_WAY = ("ACCEPTED", "IN_PROCESS")
ASK_CEILING = timedelta(days=15)  # deadlines ES04: then a person decides; never a failure by time


@dataclass(frozen=True)
class Verdict:
    """`after`: the outcome now; `applied`: it changed or was confirmed; `ask`: query now; `contradicts`: a break."""

    after: str | None
    applied: bool
    ask: bool = False
    contradicts: bool = False


def judge(current: str | None, said: str, source: Source) -> Verdict:
    """The verdict on a word `said` by `source` when the outcome is `current` (None = nothing known yet)."""
    if source == "NOTICE":
        return Verdict(current, applied=False, ask=current != "DONE" or said == "REFUSED")
    if said == current:
        return Verdict(current, applied=True, ask=said == "UNKNOWN")
    if said == "UNKNOWN" and current not in (None, "NOT_SENT"):
        return Verdict(current, applied=False, ask=True)  # it never takes back what is known already
    if current == "UNKNOWN":
        if source not in ("QUERY", "PERSON"):
            return Verdict(current, applied=False, ask=True)
        return Verdict(said, applied=True)
    allowed = any(
        m.state == (current or "NONE") and m.event == "say" and m.next == said for m in PAYMENT_OUTCOME.moves
    )
    if current == "DONE" and said in ON_ITS_WAY and source != "QUERY":
        return Verdict(current, applied=False)  # a word of the way that came late: it has arrived since
    if not allowed:
        return Verdict(current, applied=False, ask=source != "QUERY", contradicts=True)
    return Verdict(said, applied=True, ask=said == "UNKNOWN")


def next_ask(now: datetime, asks: int, delays: list[int]) -> datetime:
    """When to ask again after `asks` questions: the rail's own delays (seconds), then hourly."""
    return now + (timedelta(seconds=delays[asks]) if asks < len(delays) else HOUR)


def repeat_delay(sends: int) -> timedelta:
    """How long to wait before the same bytes are sent again after a proven NOT_SENT: 15 s, doubling to 30 min."""
    return timedelta(seconds=min(1800, 15 * 2 ** max(0, sends - 1)))
