"""Pairs of rows compared field by field and weighed: what learning has found, and how a pair is scored by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from case_registry.linkage.blocking import Rule
from case_registry.linkage.config import Config
from case_registry.linkage.fields import Field, Several, Single
from case_registry.linkage.shaping import is_name, silenced
from case_registry.linkage.values import Array, Floats, Ints, Levels
from case_registry.linkage.weights import Weights, rarity

CHUNK = 1_000_000
DAMPED = 0.5
"""How much of the rarity of a set of people counts: people who quarrel once quarrel again, so that is no chance."""
BOTH_BY_ID, NAMES_ONLY = (1, 2, 4, 6), 13


@dataclass
class Model:
    """What is known of a register: its fields, which of them repeat others, their weights, and the keys that find
    pairs."""

    config: Config
    fields: list[Field]
    weights: Weights
    repeats: dict[int, list[int]] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)

    def compare(self, one: Sequence[Any], other: Sequence[Any], i: Ints, j: Ints) -> list[Levels]:
        """Levels of each field for each pair (row i[k] of `one`, j[k] of `other`)."""
        found = compare(self.fields, one, other, i, j)
        silenced(found, self.repeats)
        return found

    def score(
        self, one: Sequence[Any], other: Sequence[Any], i: Ints, j: Ints, levels: Sequence[Levels]
    ) -> Floats:
        """Log odds (bits) that each pair is one thing."""
        found = np.full(len(i), self.weights.prior_bits())
        for start in range(0, len(i), CHUNK):
            part = slice(start, start + CHUNK)
            for place in range(len(self.fields)):
                found[part] += self.bits(place, one, other, i[part], j[part], levels[place][part])
        return found

    def bits(
        self, place: int, one: Sequence[Any], other: Sequence[Any], i: Ints, j: Ints, level: Levels
    ) -> Floats:
        """Bits of one field for each pair, the rarity of the value that agrees included."""
        f, weights = self.fields[place], self.weights
        found = weights.bits(place)[level]
        share = f.share(one[place], other[place], i, j, level)
        if isinstance(f, Single | Several):
            usual = np.concatenate(([1.0], weights.u[place]))[level]
            return np.asarray(found + np.where(found > 0, rarity(usual, share), 0.0))
        typical = weights.usual.get(f.label)
        if typical is None:
            typical = weights.usual[f.label] = _usual(len(f.levels), share, level)
        return np.asarray(found + DAMPED * rarity(typical[level], share))

    def strong(self, levels: Sequence[Levels]) -> Array:
        """Pairs that agree in a field of which the configuration asks one; all, where it asks none."""
        wanted = self.config.strong
        if not wanted:
            return np.ones(len(levels[0]), bool)
        found = np.zeros(len(levels[0]), bool)
        for f, level in zip(self.fields, levels, strict=True):
            if f.label in wanted:
                sure = (1, 2) if isinstance(f, Single) else (1,) if isinstance(f, Several) else BOTH_BY_ID
                found |= np.isin(level, sure)
        return found


def compare(
    fields: Sequence[Field], one: Sequence[Any], other: Sequence[Any], i: Ints, j: Ints
) -> list[Levels]:
    """Levels of each field for each pair, chunk by chunk so that memory stays flat."""
    found = [np.zeros(len(i), np.int8) for _ in fields]
    for start in range(0, len(i), CHUNK):
        a, b = i[start : start + CHUNK], j[start : start + CHUNK]
        for place, f in enumerate(fields):
            found[place][start : start + CHUNK] = f.compare(one[place], other[place], a, b)
        _exchanged(fields, one, other, a, b, [level[start : start + CHUNK] for level in found])
    return found


def _exchanged(
    fields: Sequence[Field], one: Sequence[Any], other: Sequence[Any], a: Ints, b: Ints, levels: Sequence[Levels]
) -> None:  # fmt: skip
    """Two columns of names may have been filled in the wrong way round: then both agree as exchanged words do."""
    names = [k for k, f in enumerate(fields) if is_name(f)]
    if len(names) != 2:
        return
    x, y = names
    odd = np.flatnonzero((levels[x] > 2) & (levels[y] > 2))
    if not odd.size:
        return
    hash_of = [
        [values[k].hash[values[k].code[rows[odd]]] for k in names] for values, rows in ((one, a), (other, b))
    ]
    crossed = odd[(hash_of[0][0] == hash_of[1][1]) & (hash_of[0][1] == hash_of[1][0])]
    levels[x][crossed] = levels[y][crossed] = 2


def _usual(levels: int, share: Floats, level: Levels) -> Floats:
    """The usual (geometric mean) frequency of what agrees, level by level; nan where none is known."""
    found = np.full(levels + 1, np.nan)
    for k in range(1, levels + 1):
        known = share[(level == k) & ~np.isnan(share)]
        if known.size:
            found[k] = np.exp(np.log(np.maximum(known, 1e-12)).mean())
    return found
