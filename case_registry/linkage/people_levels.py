"""How the people of two rows agree: who is whom, on what evidence, and at which level two sets of people agree."""

from __future__ import annotations

import numpy as np
from rapidfuzz.distance import OSA
from rapidfuzz.process import cpdist

from case_registry.linkage.folding import has_han
from case_registry.linkage.kind import MANY
from case_registry.linkage.people_rows import Group
from case_registry.linkage.values import Array, Floats, Ints, Levels, different_pairs

_ABSENT = 9
_STRONG, _NAME, _LIKE = 3, 2, 1
_CONFLICT = 13
_LEVEL = {
    (_STRONG, _STRONG): 1, (_STRONG, _NAME): 2, (_NAME, _NAME): 3, (_STRONG, _LIKE): 4, (_NAME, _LIKE): 5,
    (_STRONG, _ABSENT): 6, (_NAME, _ABSENT): 7, (_LIKE, _LIKE): 8, (_LIKE, _ABSENT): 8, (_STRONG, 0): 9, (_NAME, 0): 10,
    (_LIKE, 0): 11, (0, 0): 12, (0, _ABSENT): 12,
}  # fmt: skip
_TABLE = np.zeros((4, 10), np.int8)
for (_best, _second), _found in _LEVEL.items():
    _TABLE[_best, _second] = _found


def levels_of(one: Group, other: Group, i: Ints, j: Ints, wide: int) -> tuple[Levels, Floats]:
    """The level of each pair, of up to `wide` people a row, and how frequent the names that agree are."""
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
