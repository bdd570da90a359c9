"""How two sides compare what they hold of each other's messages without sending it all: the arithmetic, pure.

Each message has a day (Beijing), an id, a digest of what it says and whether it was taken back later. Its *place* is the
SHA-256 of its id; a range is a day and a prefix of places in hex digits, "" the whole day. The hash of a range is the
SHA-256 over its leaves in the order of places; a leaf is the place and the first half of the SHA-256 of what is said under
the id. So equal hashes mean equal holdings, and an unequal range is cut in sixteen until it has few enough ids to name.
Source: exchange rule 10; the calls are written down for partners in docs/partner/comparison.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Way = Literal["to_hub", "from_hub"]
Kind = Literal["MISSING_HERE", "MISSING_THERE", "DIFFERENT", "WITHDRAWN"]
WAYS: tuple[Way, ...] = ("to_hub", "from_hub")
DIGITS = "0123456789abcdef"
# A range with at most so many messages is answered with their ids, a larger one with the hashes of its sixteen parts.
MOST_NAMED = 16
MOST_DEPTH = 16
MOST_DAYS = 800
MOST_RANGES = 500
MOST_IDS = 100


@dataclass(frozen=True)
class Held:
    """One message that a side holds. ``day``: ISO date, Beijing, of its receipt; ``digest``: hex SHA-256 of what it says."""

    day: str
    id: str
    digest: str
    withdrawn: bool = False


@dataclass(frozen=True)
class Range:
    """A part of a day: the messages whose place begins with ``prefix`` (hex digits)."""

    day: str
    prefix: str = ""


@dataclass(frozen=True)
class Sum:
    """How many messages a range has, and their hash (hex)."""

    count: int
    hash: str


@dataclass(frozen=True)
class Answer:
    """What a side says of a range: the sums of its parts by prefix, or, of a small one, the messages."""

    parts: dict[str, Sum] | None = None
    entries: tuple[Held, ...] = ()


def place(message_id: str) -> bytes:
    """Where a message stands in its day: the SHA-256 of its id."""
    return hashlib.sha256(message_id.encode()).digest()


def leaf(held: Held) -> bytes:
    """48 bytes: the place, and half the hash of what is said there."""
    said = f"{held.digest}\n{'withdrawn' if held.withdrawn else 'held'}"
    return place(held.id) + hashlib.sha256(said.encode()).digest()[:16]


def sum_of(leaves: Iterable[bytes]) -> Sum:
    """Count and hash of a range, from its leaves in any order."""
    ordered = sorted(leaves)
    return Sum(len(ordered), hashlib.sha256(b"".join(ordered)).hexdigest())


def parts_of(held: Sequence[Held], prefix: str) -> dict[str, Sum]:
    """The sums of a range's sixteen parts; empty parts are left out."""
    by_part: dict[str, list[bytes]] = {}
    for each in held:
        found = leaf(each)
        by_part.setdefault(found.hex()[: len(prefix) + 1], []).append(found)
    return {part: sum_of(leaves) for part, leaves in by_part.items()}


class Holdings:
    """A side's holdings in memory, as a stand-in or a small partner has them: answers the two questions of the protocol."""

    def __init__(self, held: Iterable[Held]) -> None:
        self._days: dict[str, list[tuple[bytes, Held]]] = {}
        for each in held:
            self._days.setdefault(each.day, []).append((leaf(each), each))
        for entries in self._days.values():
            entries.sort(key=lambda pair: pair[0])

    def days(self, since: str, until: str) -> dict[str, Sum]:
        """The sum of each day from ``since`` to ``until`` that has messages."""
        return {
            day: sum_of(found for found, _ in entries)
            for day, entries in self._days.items()
            if since <= day <= until
        }

    def ranges(self, asked: Sequence[Range]) -> list[Answer]:
        """What is in each of these ranges."""
        return [self._range(each) for each in asked]

    def _range(self, asked: Range) -> Answer:
        entries = [
            (found, held)
            for found, held in self._days.get(asked.day, ())
            if found[:32].hex().startswith(asked.prefix)
        ]
        if len(entries) <= MOST_NAMED or len(asked.prefix) >= MOST_DEPTH:
            return Answer(entries=tuple(held for _, held in entries))
        return Answer(parts=parts_of([held for _, held in entries], asked.prefix))


@dataclass(frozen=True)
class Difference:
    """One message on which the sides differ. ``day``: where it was found, ours first."""

    kind: Kind
    day: str
    id: str
    ours: Held | None
    theirs: Held | None


def differences_of(ours: Iterable[Held], theirs: Iterable[Held]) -> list[Difference]:
    """Type what is left of both sides: the same message on another day is no difference."""
    mine, other = {each.id: each for each in ours}, {each.id: each for each in theirs}
    found = []
    for name in sorted(mine.keys() | other.keys()):
        one, two = mine.get(name), other.get(name)
        kind = kind_of(one, two)
        if kind is not None:
            day = one.day if one is not None else two.day  # type: ignore[union-attr]
            found.append(Difference(kind, day, name, one, two))
    return found


def kind_of(ours: Held | None, theirs: Held | None) -> Kind | None:
    """What the difference between two sides' words on one id is; None when there is none."""
    if ours is None:
        return "MISSING_HERE" if theirs is not None else None
    if theirs is None:
        return "MISSING_THERE"
    if ours.digest != theirs.digest:
        return "DIFFERENT"
    return "WITHDRAWN" if ours.withdrawn != theirs.withdrawn else None
