"""Finds where two holdings differ: day by day, then part by part, until few ids are left (exchange rule 10).

``compare`` asks both sides the same questions and knows neither the database nor the wire; what the other side answers is
not trusted: depth, rows and answers outside what was asked are bounded and refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Protocol

from schemas.holdings import (
    MOST_DEPTH,
    MOST_RANGES,
    Answer,
    Difference,
    Held,
    Range,
    Sum,
    differences_of,
    parts_of,
    place,
)

MOST_ROWS = 4_000_000
# Looked at on each end: a message near midnight may count on the other day for the other side.
EDGE = timedelta(days=1)


class Side(Protocol):
    """One side of a comparison, for one way."""

    def days(self, since: str, until: str) -> dict[str, Sum]: ...

    def ranges(self, asked: Sequence[Range]) -> list[Answer]: ...


class AnswerBroken(Exception):
    """The other side's answers contradict each other or the protocol; nothing may be concluded from them."""


@dataclass
class Compared:
    """What a comparison found, and what it cost: ``calls`` asked of them, ``rows`` of hashes and ids that they gave."""

    differences: list[Difference] = field(default_factory=list)
    ours: int = 0
    theirs: int = 0
    calls: int = 0
    rows: int = 0


def compare(
    ours: Side,
    theirs: Side,
    since: date,
    until: date,
    *,
    here: Callable[[list[str]], dict[str, Held]] | None = None,
) -> Compared:
    """Compare the days ``since`` to ``until``. ``here``: our messages by id, of any day.

    A message that one side counts on the day before or after is no difference: a day on each end is looked at for it.
    Raises AnswerBroken, and whatever the other side raises when it is away.
    """
    first, last = str(since - EDGE), str(until + EDGE)
    mine, other = ours.days(first, last), theirs.days(first, last)
    told = Compared(calls=1, rows=len(other))
    if any(not first <= day <= last for day in other):
        raise AnswerBroken("a day that was not asked for")
    told.ours, told.theirs = (
        sum(each.count for day, each in days.items() if str(since) <= day <= str(until))
        for days in (mine, other)
    )
    waiting = [Range(day) for day in sorted(mine.keys() | other.keys()) if mine.get(day) != other.get(day)]
    left: tuple[list[Held], list[Held]] = ([], [])
    while waiting:
        portion, waiting = waiting[:MOST_RANGES], waiting[MOST_RANGES:]
        pairs = zip(
            portion, ours.ranges(portion), _checked(told, portion, theirs.ranges(portion)), strict=True
        )
        for asked, one, two in pairs:
            waiting += _narrow(asked, one, two, left)
    if here is not None:
        known = {each.id for each in left[0]}
        left[0].extend(here([each.id for each in left[1] if each.id not in known]).values())
    told.differences = [
        each for each in differences_of(*left) if str(since) <= _day_of(each) <= str(until)
    ]  # fmt: skip
    return told


def _day_of(found: Difference) -> str:
    """The day by which a difference is counted: theirs where we do not hold it."""
    return found.ours.day if found.ours is not None else found.day


def _checked(told: Compared, asked: Sequence[Range], answers: list[Answer]) -> list[Answer]:
    told.calls += 1
    if len(answers) != len(asked):
        raise AnswerBroken(f"{len(answers)} answers to {len(asked)} questions")
    for range_, answer in zip(asked, answers, strict=True):
        told.rows += len(answer.entries) + len(answer.parts or ())
        for part in answer.parts or ():
            if len(part) != len(range_.prefix) + 1 or not part.startswith(range_.prefix):
                raise AnswerBroken(f"part {part[:20]!r} of range {range_.prefix!r}")
        for held in answer.entries:
            if held.day != range_.day or not place(held.id).hex().startswith(range_.prefix):
                raise AnswerBroken(f"message {held.id[:60]!r} outside its range")
        if answer.parts is not None and len(range_.prefix) >= MOST_DEPTH:
            raise AnswerBroken(f"parts below {MOST_DEPTH} digits")
    if told.rows > MOST_ROWS:
        raise AnswerBroken(f"more than {MOST_ROWS} rows")
    return answers


def _narrow(asked: Range, one: Answer, two: Answer, left: tuple[list[Held], list[Held]]) -> list[Range]:
    """The parts that differ; where both sides name their messages, those that differ are left."""
    if one.parts is None and two.parts is None:
        same = set(one.entries) & set(two.entries)
        left[0].extend(each for each in one.entries if each not in same)
        left[1].extend(each for each in two.entries if each not in same)
        return []
    mine = one.parts if one.parts is not None else parts_of(one.entries, asked.prefix)
    other = two.parts if two.parts is not None else parts_of(two.entries, asked.prefix)
    return [
        Range(asked.day, part)
        for part in sorted(mine.keys() | other.keys())
        if mine.get(part) != other.get(part)
    ]
