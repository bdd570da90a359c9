"""A field that holds a set of people: compared one to one without regard to side, as one piece of evidence.

Name, id and phone of one person agree together or not at all, so they are never counted as three proofs: the level
says how the best two different persons of both rows agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from rapidfuzz.distance import OSA
from rapidfuzz.process import cpdist

from case_registry.linkage.fields import SEPARATOR
from case_registry.linkage.folding import digits, has_han, identity, is_missing, person_name, sound
from case_registry.linkage.kinds import MANY
from case_registry.linkage.values import (
    Array,
    Floats,
    Hashes,
    Ints,
    Levels,
    Piece,
    column,
    different_pairs,
    hashes,
    mixed,
    shares,
)
from case_registry.names import looks_like_body
from schemas.identifiers import check_resident_id, mask_id

MAX_PEOPLE = 4
"""People of one row that are compared; more are left out."""
_ABSENT = 9
_STRONG, _NAME, _LIKE = 3, 2, 1
_CONFLICT = 13
Told = tuple[int, str, str, str, str, bool]
"""Side, folded name, folded former name, id, phone, whether it is a body."""
_LEVEL = {
    (_STRONG, _STRONG): 1, (_STRONG, _NAME): 2, (_NAME, _NAME): 3, (_STRONG, _LIKE): 4, (_NAME, _LIKE): 5,
    (_STRONG, _ABSENT): 6, (_NAME, _ABSENT): 7, (_LIKE, _LIKE): 8, (_LIKE, _ABSENT): 8, (_STRONG, 0): 9, (_NAME, 0): 10,
    (_LIKE, 0): 11, (0, 0): 12, (0, _ABSENT): 12,
}  # fmt: skip
_TABLE = np.zeros((4, 10), np.int8)
for (_best, _second), _found in _LEVEL.items():
    _TABLE[_best, _second] = _found


@dataclass(frozen=True)
class Side:
    """The columns of one side: names, and where told ids and phones in the same order."""

    names: str
    ids: str = ""
    phones: str = ""


@dataclass
class Group:
    """People by row and place. 0 = not told; `name`: code of the folded name, -1 = nobody there."""

    count: Ints
    side: Array
    name: Array
    former: Hashes
    id: Hashes
    ends: Hashes
    phone: Hashes
    body: Array
    text: list[str]
    own: Hashes
    sounds: Hashes
    often: Floats
    rows: list[list[Told]]


@dataclass
class People:
    """A set of people in the columns of one or more sides."""

    label: str
    sides: tuple[Side, ...]
    separator: re.Pattern[str] = field(default=SEPARATOR)
    levels: tuple[str, ...] = (
        "two by id or phone", "one by id or phone, one by name", "two by name", "one by id or phone, one nearly",
        "one by name, one nearly", "one by id or phone, no other told", "one by name, no other told", "nearly",
        "one by id or phone, the other differs", "one by name, the other differs", "one nearly, the other differs",
        "different people", "same name, other id",
    )  # fmt: skip
    start: tuple[float, ...] = (0.22, 0.22, 0.25, 0.04, 0.06, 0.04, 0.03, 0.02, 0.03, 0.03, 0.01, 0.03, 0.02)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(name for side in self.sides for name in (side.names, side.ids, side.phones) if name)

    def prepare(self, frame: pl.DataFrame) -> Group:
        rows = frame.height
        grid = _Grid(rows)
        for place, side in enumerate(self.sides):
            empty = [""] * rows
            names = column(frame, side.names)
            ids = column(frame, side.ids) if side.ids else empty
            phones = column(frame, side.phones) if side.phones else empty
            for row, (name, number, phone) in enumerate(zip(names, ids, phones, strict=True)):
                if name:
                    grid.add(row, place + 1, self._split(name, number, phone))
        return grid.group()

    def _split(self, names: str, ids: str, phones: str) -> Sequence[tuple[str, str, str]]:
        """One person after the other; of a lone person's several numbers or phones the first counts."""
        split = self.separator.split
        several, numbers, calls = split(names), split(ids), split(phones)
        if len(several) == 1:
            return ((names, numbers[0], calls[0]),)
        return [
            (name, numbers[k] if k < len(numbers) else "", calls[k] if k < len(calls) else "")
            for k, name in enumerate(several)
        ]

    def compare(self, one: Group, other: Group, i: Ints, j: Ints) -> Levels:
        return self._compared(one, other, i, j)[0]

    def share(self, one: Group, other: Group, i: Ints, j: Ints, level: Levels) -> Floats:
        """The share of the names that agree, multiplied: damped, since a pair that quarrels often is no chance."""
        found = np.full(len(level), np.nan)
        k = np.flatnonzero((level >= 1) & (level <= 11))
        often = self._compared(one, other, i[k], j[k])[1]
        found[k] = np.where(np.isnan(often), np.nan, often)
        return found

    def _compared(self, one: Group, other: Group, i: Ints, j: Ints) -> tuple[Levels, Floats]:
        level = np.zeros(len(i), np.int8)
        often = np.full(len(i), np.nan)
        most_i, most_j = one.count[i], other.count[j]
        most = np.maximum(most_i, most_j)
        told = (most_i > 0) & (most_j > 0)
        for low, high in ((1, 2), (3, MAX_PEOPLE)):
            k = np.flatnonzero(told & (most >= low) & (most <= high))
            if k.size:
                level[k], often[k] = _levels(one, other, i[k], j[k], high)
        return level, often

    def pieces(self, found: Group) -> dict[str, Piece]:
        row, place = np.nonzero(found.name >= 0)
        row = row.astype(np.int64)
        code = found.name[row, place]
        said = found.sounds[code]
        pieces = {"name": Piece(row, said, alone=False)}
        for label, grid in (("id", found.id), ("phone", found.phone)):
            told = grid[row, place] != 0
            person = told & (found.body[row, place] == 0)
            pieces[label] = Piece(row[person], grid[row, place][person])
        masked = (found.ends[row, place] != 0) & (found.body[row, place] == 0)
        pieces["shown id and name"] = Piece(row[masked], mixed(found.ends[row, place][masked], said[masked]))
        pairs_row, pairs = [], []
        for a in range(found.name.shape[1]):
            for b in range(a + 1, found.name.shape[1]):
                both = np.flatnonzero((found.name[:, a] >= 0) & (found.name[:, b] >= 0))
                x, y = found.sounds[found.name[both, a]], found.sounds[found.name[both, b]]
                pairs_row.append(both)
                pairs.append(mixed(np.minimum(x, y), np.maximum(x, y)))
        if pairs:
            pieces["two names"] = Piece(np.concatenate(pairs_row), np.concatenate(pairs))
        return pieces

    def shown(self, found: Group, row: int) -> str:
        return ", ".join(map(_said, found.rows[row]))


class _Grid:
    """People gathered row by row."""

    def __init__(self, rows: int) -> None:
        self.rows: list[list[Told]] = [[] for _ in range(rows)]
        self._names: dict[str, tuple[str, str, bool]] = {}
        self._seen: dict[str, str] = {}
        self._phones: dict[str, str] = {}

    def add(self, row: int, side: int, people: Sequence[tuple[str, str, str]]) -> None:
        for name, number, phone in people:
            known = self._names.get(name)
            if known is None:
                folded = ("", "") if is_missing(name) else person_name(name)
                known = self._names[name] = (*folded, looks_like_body(name))
            if known[0] and len(self.rows[row]) < MAX_PEOPLE:
                told = self._seen.get(number)
                if told is None:
                    told = self._seen[number] = identity(number)
                call = self._phones.get(phone)
                if call is None:
                    call = self._phones[phone] = digits(phone)
                self.rows[row].append((side, known[0], known[1], told, call, known[2]))

    def group(self) -> Group:
        wide = max(1, max(map(len, self.rows), default=1))
        shape = (len(self.rows), wide)
        flat = [person for row in self.rows for person in row]
        where = np.repeat(np.arange(len(self.rows)), [len(row) for row in self.rows])
        within = np.concatenate([np.arange(len(row)) for row in self.rows] or [np.zeros(0, int)]).astype(
            np.int64
        )
        text = list(dict.fromkeys(person[1] for person in flat)) or [""]
        place = {name: k for k, name in enumerate(text)}
        code = np.array([place[person[1]] for person in flat], dtype=np.int64)

        def grid(place: int, fold: Callable[[str], str] = str) -> Hashes:
            made = np.zeros(shape, np.uint64)
            told = [str(person[place]) for person in flat]
            folded = {text: fold(text) for text in set(told)}
            texts = [folded[text] for text in told]
            made[where, within] = (
                np.where([bool(t) for t in texts], hashes(texts), np.uint64(0)) if texts else 0
            )
            return made

        name = np.full(shape, -1, np.int64)
        name[where, within] = code
        side, body = np.zeros(shape, np.int8), np.zeros(shape, np.int8)
        side[where, within] = [person[0] for person in flat]
        body[where, within] = [person[5] for person in flat]
        own = hashes(text)
        return Group(
            np.array([len(row) for row in self.rows], dtype=np.int64), side, name,
            grid(2), grid(3, _full), grid(3, _ends), grid(4), body, text, own,
            hashes([sound(t) for t in text]), shares(own, code),
            self.rows,
        )  # fmt: skip


def _full(number: str) -> str:
    """The number where it is whole and nothing speaks against it."""
    if len(number) == 18 and number[0] in "123456" and check_resident_id(number) == "ID_CHECK_DIGIT":
        return ""
    return number if number and "*" not in number else ""


def _ends(number: str) -> str:
    ends = number[:6] + number[-4:]
    return ends if len(number) >= 14 and "*" not in ends else ""


def _said(person: Told) -> str:
    _, name, former, number, phone, _ = person
    more = [f"({former})" if former else "", mask_id(number) if number else "", phone]
    return " ".join([name, *filter(None, more)])


def _levels(one: Group, other: Group, i: Ints, j: Ints, wide: int) -> tuple[Levels, Floats]:
    wide_i, wide_j = min(wide, one.name.shape[1]), min(wide, other.name.shape[1])
    evidence = np.zeros((len(i), wide_i, wide_j), np.int8)
    conflict = np.zeros(len(i), bool)
    for a in range(wide_i):
        for b in range(wide_j):
            evidence[:, a, b], against = _person(one, other, i, j, a, b)
            conflict |= against
    flat = evidence.reshape(len(i), -1)
    rows = np.arange(len(i))
    at = flat.argmax(1)
    a, b = at // wide_j, at % wide_j
    best = flat[rows, at].copy()
    rest = evidence.copy()
    rest[rows, a, :] = 0
    rest[rows, :, b] = 0
    rest = rest.reshape(len(i), -1)
    at_second = rest.argmax(1)
    second = rest[rows, at_second].copy()
    lone = np.minimum(one.count[i], other.count[j]) <= 1
    open_ = np.flatnonzero((second == 0) & ~lone & (best >= _NAME))
    if open_.size:
        second[open_] = _nearly(one, other, i[open_], j[open_], a[open_], b[open_], wide_i, wide_j)
    second = np.where(lone & (second == 0), _ABSENT, second)
    level = _TABLE[best, np.where(second == _ABSENT, _ABSENT, np.minimum(best, second))]
    level = np.where(conflict & (best < _STRONG), _CONFLICT, level).astype(np.int8)
    often = np.where(best >= _NAME, _often(other, j, b), 1.0)
    named = (second >= _NAME) & (second != _ABSENT)
    often = often * np.where(named, _often(other, j, at_second % wide_j), 1.0)
    return level, np.where(best >= _NAME, often, np.nan)


def _often(group: Group, row: Ints, place: Ints) -> Floats:
    return np.asarray(group.often[np.maximum(group.name[row, np.minimum(place, group.name.shape[1] - 1)], 0)])


def _person(one: Group, other: Group, i: Ints, j: Ints, a: int, b: int) -> tuple[Array, Array]:
    """Evidence (0 … 3) that person a of each row i is person b of row j, and whether identity speaks against it."""
    x, y = one.name[i, a], other.name[j, b]
    there = (x >= 0) & (y >= 0)
    u, v = one.own[x], other.own[y]
    exact = u == v
    f, g = one.former[i, a], other.former[j, b]
    exact |= ((f != 0) & ((f == v) | (f == g))) | ((g != 0) & (g == u))
    alike = exact | (one.sounds[x] == other.sounds[y])
    p, q = one.id[i, a], other.id[j, b]
    both = (p != 0) & (q != 0)
    same_id = both & (p == q)
    m, n = one.ends[i, a], other.ends[j, b]
    shown = (m != 0) & (n != 0)
    same_ends = shown & (m == n) & (same_id | ~both)
    r, s = one.phone[i, a], other.phone[j, b]
    same_phone = (r != 0) & (r == s)
    body = (one.body[i, a] | other.body[j, b]) != 0
    found = np.zeros(len(i), np.int8)
    found[same_phone & ~body] = _LIKE
    found[alike] = _NAME
    found[(alike & (same_ends | same_phone)) | same_id] = _STRONG
    found[body & (found == _STRONG)] = (
        _NAME  # a company has many disputes: its code says no more than its name
    )
    differs = (both & ~same_id) | (shown & (m != n))
    against = there & alike & differs & ~same_phone & ~body
    found[~there | against] = 0
    return found, against


def _nearly(one: Group, other: Group, i: Ints, j: Ints, a: Ints, b: Ints, wide_i: int, wide_j: int) -> Array:
    """_LIKE where two of the people left over differ by one slip of the pen or one name holds the other."""
    found = np.zeros(len(i), np.int8)
    for x in range(wide_i):
        for y in range(wide_j):
            p, q = one.name[i, x], other.name[j, y]
            k = np.flatnonzero((x != a) & (y != b) & (p >= 0) & (q >= 0) & (found == 0))
            if k.size:
                first, second, place = different_pairs(p[k], q[k], len(other.text))
                u, v = [one.text[c] for c in first], [other.text[c] for c in second]
                slip = np.asarray(
                    cpdist(u, v, scorer=OSA.distance, score_cutoff=2, workers=-1 if len(u) > MANY else 1)
                )
                near = [
                    (d <= 1 and min(len(s), len(t)) >= (2 if has_han(s) else 4)) or _holds(s, t)
                    for d, s, t in zip(slip, u, v, strict=True)
                ]
                found[k] = np.where(np.array(near, dtype=bool)[place], _LIKE, 0)
    return found


def _holds(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return len(shorter) >= 5 and shorter in longer
