"""Days: fixed ones (a birth), whole or in part, and moments, of which only the distance says something."""

from __future__ import annotations

import numpy as np

from case_registry.linkage.days import NO_DAY, ordinal, read_day
from case_registry.linkage.kind import Kind
from case_registry.linkage.values import Array, Ints, Levels, Piece, Values, rows_of


def _fold_day(text: str) -> str:
    told = read_day(text)
    return "" if told == NO_DAY else f"{told[0]:04d}{told[1]:02d}{told[2]:02d}"


def _study_day(found: Values) -> None:
    parts = np.array(
        [(int(t[:4] or 0), int(t[4:6] or 0), int(t[6:] or 0)) for t in found.text] or [NO_DAY], dtype=np.int64
    )
    # Where New Year's Day is far too frequent, it stands for "some day of the year".
    newyear = (parts[:, 1] == 1) & (parts[:, 2] == 1)
    counts = (
        np.bincount(found.code[found.code >= 0], minlength=len(parts)) if len(found.text) else np.zeros(1)
    )
    if counts[newyear].sum() > 0.02 * max(1, counts.sum()):
        parts[newyear, 1:] = 0
    found.more["year"], found.more["month"], found.more["day"] = parts.T.copy()
    found.more["at"] = np.array([ordinal((int(y), int(m), int(d))) for y, m, d in parts], dtype=np.int64)


def _one_slip(a: Array, b: Array, places: int) -> Array:
    """Whether two numbers differ in one decimal digit, or by two neighbouring digits exchanged."""
    differ = np.zeros(len(a), np.int16)
    swapped = np.zeros(len(a), bool)
    for k in range(places):
        x, y = a // 10**k % 10, b // 10**k % 10
        differ += x != y
        if k + 1 < places:
            p, q = a // 10 ** (k + 1) % 10, b // 10 ** (k + 1) % 10
            swapped |= (x == q) & (y == p) & (x != y)
    return np.asarray((differ == 1) | ((differ == 2) & swapped))


def _unequal_days(one: Values, other: Values, a: Ints, b: Ints) -> Levels:
    (y1, m1, d1), (y2, m2, d2) = (
        (v.more["year"][k], v.more["month"][k], v.more["day"][k]) for v, k in ((one, a), (other, b))
    )
    level = np.full(len(a), 7, np.int8)
    level[np.abs(y1 - y2) <= 2] = 6
    partial = (m1 == 0) | (m2 == 0) | (d1 == 0) | (d2 == 0)
    level[y1 == y2] = 5
    equal = (y1 == y2).astype(np.int8) + (m1 == m2) + (d1 == d2)
    level[~partial & (equal == 2)] = 3
    level[partial & (y1 == y2) & ((m1 == m2) | (m1 == 0) | (m2 == 0))] = 4
    slip = (
        ((y1 != y2) & (m1 == m2) & (d1 == d2) & _one_slip(y1, y2, 4))
        | ((y1 == y2) & (m1 != m2) & (d1 == d2) & _one_slip(m1, m2, 2))
        | ((y1 == y2) & (m1 == m2) & (d1 != d2) & _one_slip(d1, d2, 2))
        | ((y1 == y2) & (m1 == d2) & (d1 == m2))
    )
    level[~partial & slip] = 2
    return level


def _day_pieces(found: Values) -> dict[str, Piece]:
    whole = np.where(found.more["day"] > 0, found.hash, np.uint64(0))
    month_day = (found.more["month"] * 100 + found.more["day"]).astype(np.uint64)
    return {
        "same": rows_of(found, whole),
        "year": rows_of(found, found.more["year"].astype(np.uint64), alone=False),
        "month and day": rows_of(
            found, np.where(found.more["day"] > 0, month_day, np.uint64(0)), alone=False
        ),
    }


APART = (3, 31, 92, 183, 366, 1100)
"""Days within which two moments are near, level by level."""


def _unequal_moments(one: Values, other: Values, a: Ints, b: Ints) -> Levels:
    apart = np.abs(one.more["at"][a] - other.more["at"][b])
    return np.asarray(np.searchsorted(np.array(APART), apart) + 2, dtype=np.int8)


def _moment_pieces(found: Values) -> dict[str, Piece]:
    month = (found.more["at"] // 30).astype(np.uint64)
    return {"same": rows_of(found, found.hash, alone=False), "month": rows_of(found, month, alone=False)}


DATE = Kind(("equal", "one slip", "two parts of three", "as far as told", "same year", "within two years", "different"),
                 (0.72, 0.08, 0.05, 0.06, 0.04, 0.02, 0.03), _fold_day, _unequal_days, _day_pieces, _study_day, True)  # fmt: skip
MOMENT = Kind(("equal", "3 days", "a month", "3 months", "6 months", "a year", "3 years", "further"),
                   (0.30, 0.08, 0.15, 0.2, 0.12, 0.1, 0.04, 0.01), _fold_day, _unequal_moments, _moment_pieces, _study_day,
                   True)  # fmt: skip
