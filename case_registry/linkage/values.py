"""A column boiled down: each row's value as a code, and what is known of each different value.

Comparing works on numbers: equality by 64-bit hashes, the rest on the pairs of different values that occur,
each once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from case_registry.linkage.folding import is_missing

Ints = NDArray[np.int64]
Levels = NDArray[np.int8]
Hashes = NDArray[np.uint64]
Floats = NDArray[np.float64]
Array = NDArray[Any]
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass
class Values:
    """`code`: per row, -1 = missing; the rest per different value: folded text, its hash, the share of rows that
    have it, and what a field type adds."""

    code: Ints
    text: list[str]
    hash: Hashes
    share: Floats
    more: dict[str, Array] = field(default_factory=dict)


@dataclass
class Piece:
    """Keys of one kind for blocking: `hash[k]` is a key of row `row[k]`. `alone`: may find pairs by itself."""

    row: Ints
    hash: Hashes
    alone: bool = True


def hashes(texts: Sequence[str]) -> Hashes:
    """64-bit hashes of texts, the same for the same text in one process."""
    return pl.Series(values=list(texts), dtype=pl.String).hash(7).to_numpy().astype(np.uint64)


def mixed(one: Hashes, other: Hashes | np.uint64) -> Hashes:
    """A hash of two hashes in this order."""
    with np.errstate(over="ignore"):
        found = (one ^ (one >> np.uint64(31))) * _MIX + other
        return np.asarray(found ^ (found >> np.uint64(29)), dtype=np.uint64)


def column(frame: pl.DataFrame, name: str) -> list[str]:
    """A column's texts, "" where nothing is told. Raises KeyError for a column that there is not."""
    if name not in frame.columns:
        raise KeyError(name)
    return frame[name].cast(pl.String).fill_null("").to_list()


def values(texts: Sequence[str], fold: Callable[[str], str]) -> Values:
    """Fold each different text once. What folds to "" is missing."""
    place: dict[str, int] = {}
    code = np.fromiter((place.setdefault(text, len(place)) for text in texts), np.int64, len(texts))
    folded = ["" if is_missing(text) else fold(text) for text in place]
    gone = np.fromiter((not text for text in folded), bool, len(folded))
    if gone.any():
        code = np.where(gone[code], -1, code)
    own = hashes(folded)
    return Values(code, folded, own, shares(own, code))


def shares(own: Hashes, code: Ints) -> Floats:
    """The share of the told rows that have each value (values that fold alike count together)."""
    counts = np.bincount(code[code >= 0], minlength=len(own)).astype(np.float64)
    _, place = np.unique(own, return_inverse=True)
    return np.asarray(np.bincount(place, counts)[place] / max(1.0, counts.sum()))


def different_pairs(a: Ints, b: Ints, wide: int) -> tuple[Ints, Ints, Ints]:
    """The different pairs of codes, and for each pair of rows which of them it is."""
    key, place = np.unique(a * wide + b, return_inverse=True)
    return key // wide, key % wide, place


def rows_of(piece: Values, hash_of_value: Hashes, alone: bool = True) -> Piece:
    """A piece with one key a row, from hashes of the values; a hash of 0 is no key."""
    told = np.flatnonzero(piece.code >= 0)
    keys = hash_of_value[piece.code[told]]
    return Piece(told[keys != 0], keys[keys != 0], alone)
