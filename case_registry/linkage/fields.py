"""Fields of a configuration: a column of one value, or several columns of several values, compared by level."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import polars as pl

from case_registry.linkage.folding import digits, is_missing, reference
from case_registry.linkage.kind import Kind
from case_registry.linkage.kinds import KINDS
from case_registry.linkage.values import (
    Array,
    Floats,
    Hashes,
    Ints,
    Levels,
    Piece,
    Values,
    column,
    different_pairs,
    hashes,
    shares,
    values,
)

SEPARATOR = re.compile(r"[|;；、\n]")
MAX_SEVERAL = 6
"""Values of one row that are compared in a field of several values; more are left out."""


class Field(Protocol):
    """What linking asks of a field. Level 0 = not told on one side; 1 … n = `levels`, from equal to different."""

    label: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it reads."""

    @property
    def levels(self) -> tuple[str, ...]:
        """Names of the levels, from equal to different."""

    @property
    def start(self) -> tuple[float, ...]:
        """The first guess of how often two records of one thing show each level."""

    def prepare(self, frame: pl.DataFrame) -> Any:
        """Boil the field's columns down. Raises KeyError for a column that there is not."""

    def compare(self, one: Any, other: Any, i: Ints, j: Ints) -> Levels:
        """The level of each pair (row i[k] of `one`, row j[k] of `other`)."""

    def share(self, one: Any, other: Any, i: Ints, j: Ints, level: Levels) -> Floats:
        """How frequent the value that a pair agrees in is (in `other`); nan where that says nothing."""

    def pieces(self, found: Any) -> dict[str, Piece]:
        """Keys for blocking."""

    def shown(self, found: Any, row: int) -> str:
        """The row's value for a person who reads the reasons."""


@dataclass
class Single:
    """A column of one value a row."""

    label: str
    kind: Kind
    columns: tuple[str, ...]

    @property
    def levels(self) -> tuple[str, ...]:
        return self.kind.levels

    @property
    def start(self) -> tuple[float, ...]:
        return self.kind.start

    def prepare(self, frame: pl.DataFrame) -> Values:
        texts = column(frame, self.columns[0])
        for more in self.columns[1:]:  # the first column that tells it
            texts = [text or other for text, other in zip(texts, column(frame, more), strict=True)]
        found = values(texts, self.kind.fold)
        self.kind.study(found)
        return found

    def compare(self, one: Values, other: Values, i: Ints, j: Ints) -> Levels:
        a, b = one.code[i], other.code[j]
        level = np.zeros(len(i), np.int8)
        told = np.flatnonzero((a >= 0) & (b >= 0))
        a, b = a[told], b[told]
        equal = one.hash[a] == other.hash[b]
        level[told[equal]] = 1
        rest = told[~equal]
        if rest.size:
            a, b = a[~equal], b[~equal]
            if self.kind.numeric:
                level[rest] = self.kind.unequal(one, other, a, b)
            else:
                first, second, place = different_pairs(a, b, len(other.text))
                level[rest] = self.kind.unequal(one, other, first, second)[place]
        return level

    def share(self, one: Values, other: Values, i: Ints, j: Ints, level: Levels) -> Floats:
        found = np.full(len(level), np.nan)
        k = np.flatnonzero(level == 1)
        found[k] = other.share[other.code[j[k]]]
        return found

    def pieces(self, found: Values) -> dict[str, Piece]:
        return self.kind.pieces(found)

    def shown(self, found: Values, row: int) -> str:
        code = int(found.code[row])
        return found.text[code] if code >= 0 else ""


@dataclass
class Many:
    """Values of a field of several values: `hash[row, k]`, 0 = none; `known`, `often`: shares by sorted hash."""

    hash: Hashes
    text: list[list[str]]
    known: Hashes
    often: Floats


@dataclass
class Several:
    """Columns of several values a row (phones, case numbers): two rows agree when they share one."""

    label: str
    columns: tuple[str, ...]
    is_phone: bool
    levels: tuple[str, ...] = ("one in common", "none in common")
    start: tuple[float, ...] = (0.6, 0.4)
    separator: re.Pattern[str] = field(default=SEPARATOR)

    def prepare(self, frame: pl.DataFrame) -> Many:
        fold = digits if self.is_phone else reference
        told = [column(frame, name) for name in self.columns]
        rows: list[list[str]] = []
        for cells in zip(*told, strict=True):
            parts = (part for cell in cells if cell for part in self.separator.split(cell))
            rows.append(
                list(dict.fromkeys(f for p in parts if not is_missing(p) and (f := fold(p))))[:MAX_SEVERAL]
            )
        wide = max(1, max(map(len, rows), default=1))
        flat = hashes([text for row in rows for text in row])
        where = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
        within = np.concatenate([np.arange(len(row)) for row in rows]) if rows else np.zeros(0, int)
        grid = np.zeros((len(rows), wide), np.uint64)
        grid[where, within.astype(np.int64)] = flat
        known, counts = np.unique(flat, return_counts=True)
        return Many(grid, rows, known, counts / max(1, len(rows)))

    def _agreed(self, one: Many, other: Many, i: Ints, j: Ints) -> Hashes:
        found = np.zeros(len(i), np.uint64)
        for a in range(one.hash.shape[1]):
            x = one.hash[i, a]
            for b in range(other.hash.shape[1]):
                found = np.where((x != 0) & (x == other.hash[j, b]) & (found == 0), x, found)
        return found

    def compare(self, one: Many, other: Many, i: Ints, j: Ints) -> Levels:
        told = (one.hash[i, 0] != 0) & (other.hash[j, 0] != 0)
        return np.where(told, np.where(self._agreed(one, other, i, j) != 0, 1, 2), 0).astype(np.int8)

    def share(self, one: Many, other: Many, i: Ints, j: Ints, level: Levels) -> Floats:
        found = np.full(len(level), np.nan)
        k = np.flatnonzero(level == 1)
        place = np.searchsorted(other.known, self._agreed(one, other, i[k], j[k]))
        found[k] = other.often[np.minimum(place, max(0, len(other.often) - 1))]
        return found

    def pieces(self, found: Many) -> dict[str, Piece]:
        row, place = np.nonzero(found.hash)
        return {"one": Piece(row.astype(np.int64), found.hash[row, place])}

    def shown(self, found: Many, row: int) -> str:
        return ", ".join(found.text[row])


def single(label: str, kind: str, columns: Sequence[str]) -> Single:
    """A field of one of KINDS. Raises KeyError for another kind."""
    return Single(label, KINDS[kind], tuple(columns))


__all__ = ["Array", "Field", "Many", "Several", "Single", "shares", "single"]
