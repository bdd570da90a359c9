"""A field that holds a set of people: compared one to one without regard to side, as one piece of evidence.

Name, id and phone of one person agree together or not at all, so they are never counted as three proofs: the level
says how the best two different persons of both rows agree.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from case_registry.linkage.fields import SEPARATOR
from case_registry.linkage.people_levels import levels_of
from case_registry.linkage.people_rows import MAX_PEOPLE, Grid, Group, said
from case_registry.linkage.values import Floats, Ints, Levels, Piece, column, mixed


@dataclass(frozen=True)
class Side:
    """The columns of one side: names, and where told ids and phones in the same order."""

    names: str
    ids: str = ""
    phones: str = ""


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
        grid = Grid(rows)
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
                level[k], often[k] = levels_of(one, other, i[k], j[k], high)
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
        return ", ".join(map(said, found.rows[row]))
