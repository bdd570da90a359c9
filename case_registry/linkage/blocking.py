"""Candidate pairs by inverted keys: rows that share a narrow key are compared, all others are not."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np

from case_registry.linkage.values import Hashes, Ints, Piece, hashes, mixed

MAX_BLOCK = 120
"""Rows that may share a key; a key of more rows says too little and finds nothing."""
PAIRS_A_ROW = 40
"""Candidate pairs a row, at most, on the average; the widest kinds of keys go first where there are more."""
MAX_PAIRS_A_KEY = 15
"""Pairs that each key of a kind brings, on the average, at most: a kind that brings more tells nothing apart."""
MAX_KEYS_A_ROW = 4
"""Values of one row that one kind of key is crossed with another's, at most."""


@dataclass
class Rule:
    """One kind of key: `hash[k]` is a key of row `row[k]`, sorted by hash."""

    name: str
    row: Ints
    hash: Hashes

    def blocks(self, limit: int = MAX_BLOCK) -> tuple[Ints, Ints]:
        """Where each block begins and how many rows it has; blocks of one row and too large ones left out."""
        edges = np.flatnonzero(np.concatenate(([True], self.hash[1:] != self.hash[:-1], [True])))
        size = np.diff(edges)
        use = (size > 1) & (size <= limit)
        return edges[:-1][use], size[use]


def rules(
    pieces: Mapping[str, Mapping[str, Piece]],
    rows: int,
    crowd: int = MAX_BLOCK,
    wanted: Container[str] | None = None,
) -> list[Rule]:
    """Kinds of keys: pieces that may stand alone, and every two pieces of different fields.

    `crowd`: keys that stand alone are crossed with others only where more rows than that have them.
    `wanted`: names of the kinds to make; all where none is given.
    """
    found = []
    named = [(label, name, piece) for label, own in pieces.items() for name, piece in own.items()]
    for place, (label, name, piece) in enumerate(named):
        own = f"{label}: {name}"
        if piece.alone and len(piece.row):
            if wanted is None or own in wanted:
                found.append(_rule(own, piece.row, piece.hash))
            named[place] = (label, name, _crowded(piece, crowd))
    for (first, name, one), (second, other_name, other) in combinations(named, 2):
        both = f"{first}: {name} + {second}: {other_name}"
        if first != second and len(one.row) and len(other.row) and (wanted is None or both in wanted):
            row, key = _crossed(one, other, rows)
            if len(row):
                found.append(_rule(both, row, key))
    return found


def _crowded(piece: Piece, crowd: int) -> Piece:
    """What is left to cross with others of a piece that finds pairs by itself: the keys of too many rows."""
    _, place, times = np.unique(piece.hash, return_inverse=True, return_counts=True)
    keep = times[place] > crowd
    return Piece(piece.row[keep], piece.hash[keep])


@cache
def _hash_of(name: str) -> np.uint64:
    return np.uint64(hashes([name])[0])


def _rule(name: str, row: Ints, key: Hashes) -> Rule:
    key = mixed(key, _hash_of(name))
    order = np.lexsort((row, key))
    row, key = row[order], key[order]
    keep = (
        np.concatenate(([True], (key[1:] != key[:-1]) | (row[1:] != row[:-1])))
        if len(row)
        else np.zeros(0, bool)
    )
    return Rule(name, row[keep], key[keep])


def _crossed(one: Piece, other: Piece, rows: int) -> tuple[Ints, Hashes]:
    """Every key of the one with every key of the other of the same row."""
    a, b = _by_row(one, rows), _by_row(other, rows)
    row_parts, key_parts = [], []
    for x in a:
        for y in b:
            both = np.flatnonzero((x != 0) & (y != 0))
            row_parts.append(both)
            key_parts.append(mixed(x[both], y[both]))
    return np.concatenate(row_parts), np.concatenate(key_parts)


def _by_row(piece: Piece, rows: int) -> list[Hashes]:
    """The k-th key of every row, 0 = none."""
    order = np.argsort(piece.row, kind="stable")
    row, key = piece.row[order], piece.hash[order]
    first = np.searchsorted(row, row)
    place = np.arange(len(row)) - first
    grids = []
    for k in range(min(MAX_KEYS_A_ROW, int(place.max(initial=-1)) + 1)):
        grid = np.zeros(rows, np.uint64)
        here = place == k
        grid[row[here]] = key[here]
        grids.append(grid)
    return grids


def candidate_pairs(
    found: Sequence[Rule], rows: int, allowed: int | None = None, source: Ints | None = None
) -> tuple[Ints, Ints, list[Rule]]:
    """Pairs i < j of rows that share a key, each once, and the rules that were used.

    `allowed`: pairs in all, at most. `source`: where given, only pairs of different sources.
    """
    budget = allowed if allowed is not None else max(2_000_000, PAIRS_A_ROW * rows)
    sized = []
    for rule in found:
        start, size = rule.blocks()
        pairs = int((size * (size - 1) // 2).sum())
        if 0 < pairs <= MAX_PAIRS_A_KEY * len(rule.row):
            sized.append((pairs, rule, start, size))
    sized.sort(key=lambda row: (row[0], row[1].name))
    total, used = 0, []
    keys = np.zeros(0, np.int64)
    waiting: list[Ints] = []
    for pairs, rule, start, size in sized:
        if total + pairs > budget * 3:
            break
        i, j = _expand(rule.row, start, size)
        if source is not None:
            apart = source[i] != source[j]
            i, j = i[apart], j[apart]
        waiting.append(np.minimum(i, j) * rows + np.maximum(i, j))
        total += pairs
        used.append(rule)
        if sum(map(len, waiting)) > 8_000_000:
            keys, waiting = _merged(keys, waiting), []
            if len(keys) > budget:
                break
    keys = _merged(keys, waiting)
    return keys // rows, keys % rows, used


def _merged(keys: Ints, waiting: list[Ints]) -> Ints:
    found = np.concatenate([keys, *waiting])
    found.sort()
    return found[np.concatenate(([True], found[1:] != found[:-1]))] if len(found) else found


def _expand(row: Ints, start: Ints, size: Ints) -> tuple[Ints, Ints]:
    """All pairs within blocks, block size by block size."""
    left, right = [], []
    for wide in np.unique(size):
        begin = start[size == wide]
        a, b = np.triu_indices(int(wide), 1)
        left.append((begin[:, None] + a[None, :]).ravel())
        right.append((begin[:, None] + b[None, :]).ravel())
    if not left:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return row[np.concatenate(left)], row[np.concatenate(right)]
