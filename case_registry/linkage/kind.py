"""What a kind of values is: how one is folded and keyed, and how two that are not equal compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from rapidfuzz.process import cpdist

from case_registry.linkage.values import Array, Ints, Levels, Piece, Values

MANY = 20_000
"""Texts from which comparing them is shared between the cores."""
Study = Callable[[Values], None]
Unequal = Callable[[Values, Values, Ints, Ints], Levels]
Pieces = Callable[[Values], dict[str, Piece]]


@dataclass(frozen=True)
class Kind:
    """Levels run from "equal" to "different". `start`: how often two records of one thing show each level, as a first
    guess that learning replaces. `study` adds to the values what comparing needs; `unequal` gives the levels of pairs of
    unequal values.
    """

    levels: tuple[str, ...]
    start: tuple[float, ...]
    fold: Callable[[str], str]
    unequal: Unequal
    pieces: Pieces
    study: Study = lambda found: None
    numeric: bool = False  # `unequal` is cheap: no need to look for the different pairs first


def texts(one: Values, other: Values, a: Ints, b: Ints) -> tuple[list[str], list[str]]:
    """The texts of pairs of values."""
    return [one.text[k] for k in a], [other.text[k] for k in b]


def alike(one: list[str], other: list[str], scorer: Callable[..., float]) -> Array:
    """The scorer's answer for each pair of texts."""
    return np.asarray(
        cpdist(one, other, scorer=scorer, dtype=np.float32, workers=-1 if len(one) > MANY else 1)
    )
