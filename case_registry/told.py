"""What was told, as stored: statements and their claims, and the best of them by the teller's own order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from schemas.claims import JsonValue

BEIJING = ZoneInfo("Asia/Shanghai")
MAKES_EPISODE = frozenset({"episode", "confirmation", "enforcement"})
NEEDS_EPISODE = frozenset({"withdrawal", "award"})
PARTIES = "parties"
"""The claim field that holds the whole set of parties that a statement tells."""


@dataclass(frozen=True, slots=True)
class ToldClaim:
    """One stored claim. `value` None = told to be blank."""

    id: int
    field: str
    value: JsonValue
    text: str | None = None
    valid_from: str | None = None
    valid_to: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """One stored statement: what a record said, without its place in any message.

    `version` is already a sort key (`versions.version_key`); `digest` breaks ties between equal versions,
    so that arrival never does.
    """

    id: int
    sub_id: str
    kind: str
    version: str
    digest: str
    event_at: str
    recorded_at: datetime
    message: UUID
    claims: tuple[ToldClaim, ...] = ()
    references: tuple[dict[str, Any], ...] = ()
    data: dict[str, Any] = field(default_factory=dict)
    parked: bool = False

    @property
    def order(self) -> tuple[str, str]:
        """Its place among the statements of its case: the version, then the content."""
        return self.version, self.digest


@dataclass(frozen=True, slots=True)
class Best:
    """The claim that holds for a field of one episode, with where it comes from."""

    value: JsonValue
    claim: int
    told: Told
    text: str | None = None


@lru_cache(maxsize=65536)
def read_time(text: str) -> datetime | None:
    """An ISO date or time as an instant; a date is its first moment, no zone means Beijing. None if unreadable."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=BEIJING) if moment.tzinfo is None else moment


def read_day(value: JsonValue) -> date | None:
    """The Beijing day of an ISO date or time held in a claim, None where there is none."""
    return _day_of(value) if isinstance(value, str) else None


@lru_cache(maxsize=65536)
def _day_of(text: str) -> date | None:
    moment = read_time(text)
    return moment.astimezone(BEIJING).date() if moment else None


def read_day_of(value: date | str | None) -> date | None:
    """A day handed in as a date or as ISO text."""
    return value if isinstance(value, date) or value is None else read_day(value)


def read_moment(value: datetime | str | None) -> datetime | None:
    """A moment handed in as a datetime or as ISO text; a bare day means its end, Beijing time."""
    if not isinstance(value, str):
        return value
    moment = read_time(value)
    return moment + timedelta(days=1, microseconds=-1) if moment and len(value) <= 10 else moment


def best_claims(told: Iterable[Told], as_true_on: date | None = None) -> dict[str, Best]:
    """The holding claim of each field: the latest by the teller's order; "not told" never overwrites.

    `as_true_on`: only claims that were true on that day count.
    """
    best: dict[str, Best] = {}
    for statement in sorted(told, key=lambda t: t.order):
        for claim in statement.claims:
            if as_true_on is None or _true_on(claim, statement, as_true_on):
                best[claim.field] = Best(claim.value, claim.id, statement, claim.text)
    return best


def _true_on(claim: ToldClaim, statement: Told, day: date) -> bool:
    start = read_day(claim.valid_from or statement.event_at)
    end = read_day(claim.valid_to)
    return (start is None or start <= day) and (end is None or day < end)


def sequences(told: Iterable[Told]) -> list[tuple[int, Told]]:
    """The partner's own running numbers in these statements, as (number, statement), sorted."""
    found = []
    for statement in told:
        stated = [c.value for c in statement.claims if c.field == "sequence"] + [
            statement.data.get("sequence")
        ]
        found += [(n, statement) for n in stated if isinstance(n, int) and not isinstance(n, bool)]
    return sorted(found, key=lambda pair: (pair[0], pair[1].order))


def holes(told: Sequence[Told]) -> list[int]:
    """Running numbers that never came. A hole is a real loss, and is shown until its message comes."""
    present = {n for n, _ in sequences(told)}
    return [n for n in range(1, max(present, default=1)) if n not in present]


def unfilled(told: Sequence[Told]) -> list[int]:
    """Those holes that no later whole snapshot of the case makes up for: what comes behind them may mislead.

    A snapshot is an `episode` statement that tells the state, without a running number, not older than the first
    message behind the hole. It tells how the case stands, not what the lost message said.
    """
    numbered = sequences(told)
    with_number = {id(t) for _, t in numbered}
    whole = [t for t in told if t.kind == "episode" and any(c.field == "state" for c in t.claims)]
    snapshots = [read_time(t.event_at) for t in whole if id(t) not in with_number]
    missing = []
    for n in holes(told):
        behind = next(read_time(t.event_at) for number, t in numbered if number > n)
        if not any(s is not None and behind is not None and s >= behind for s in snapshots):
            missing.append(n)
    return missing
