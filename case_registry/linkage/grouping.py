"""From scored pairs to groups: correlation clustering by greedy contraction, with pairs that may not meet.

Over-merging is a fault of grouping: within what hangs together every pair is scored, and two groups join only while
what speaks for it outweighs what speaks against it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

import numpy as np

from case_registry.linkage.values import Array, Floats, Ints

WHOLE = 80
"""Rows up to which every pair of a part is scored; of larger ones only the candidates are known."""
UNKNOWN_BITS = -1.0
"""What a pair says that was never a candidate, in a part too large to score every pair."""
CAP_BITS = 20.0
FORBIDDEN = -1e6
Score = Callable[[Ints, Ints], Floats]


def group(rows: int, i: Ints, j: Ints, bits: Floats, score: Score, threshold: float = 0.0) -> Ints:
    """The group of each row, numbered by first row.

    `bits`: log odds of each pair, FORBIDDEN or less where the two may not meet. Pairs above `threshold` hang rows
    together; what hangs together is grouped by all its pairs, those above zero (or a lower threshold) speaking for
    one thing. `score`: gives the bits of pairs that were no candidates. Deterministic.
    """
    strong = bits > threshold
    zero = min(0.0, threshold)
    label = components(rows, i[strong], j[strong])
    order = np.argsort(label, kind="stable")
    edges = np.flatnonzero(np.concatenate(([True], np.diff(label[order]) > 0, [True])))
    size = np.diff(edges)
    members = [order[edges[k] : edges[k + 1]] for k in np.flatnonzero(size > 2)]
    inside = label[i] == label[j]
    wide = np.zeros(rows, np.int64)
    wide[order] = np.repeat(size, size)
    inside &= wide[i] > 2
    pair_label = label[i[inside]]
    pairs = np.lexsort((j[inside], i[inside], pair_label))
    a, b, w = i[inside][pairs], j[inside][pairs], bits[inside][pairs] - zero
    starts = np.searchsorted(pair_label[pairs], [label[m[0]] for m in members])
    ends = np.searchsorted(pair_label[pairs], [label[m[0]] for m in members], "right")
    found = label.copy()
    blank = _missing(members, a, b, starts, ends, score)
    for k, part in enumerate(members):
        rest = blank.get(k)
        p, q, r = a[starts[k] : ends[k]], b[starts[k] : ends[k]], w[starts[k] : ends[k]]
        if rest is not None:
            p, q, r = (
                np.concatenate([p, rest[0]]),
                np.concatenate([q, rest[1]]),
                np.concatenate([r, rest[2] - zero]),
            )
        if (r > 0).all() and (rest is not None or len(r) == len(part) * (len(part) - 1) // 2):
            continue
        for piece in _contracted(part, p, q, r):
            found[piece] = min(piece)
    return found


def components(rows: int, i: Ints, j: Ints) -> Ints:
    """The least row of what each row hangs together with."""
    parent = list(range(rows))

    def root(x: int) -> int:
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    for x, y in zip(i.tolist(), j.tolist(), strict=True):
        a, b = root(x), root(y)
        if a != b:
            parent[max(a, b)] = min(a, b)
    return np.array([root(x) for x in range(rows)], dtype=np.int64)


def _missing(
    members: list[Ints], a: Ints, b: Ints, starts: Array, ends: Array, score: Score
) -> dict[int, tuple[Ints, Ints, Floats]]:
    """The pairs of each part that were no candidates, scored, all in one go."""
    left, right, part_of = [], [], []
    for k, part in enumerate(members):
        size = len(part)
        if size > WHOLE or ends[k] - starts[k] == size * (size - 1) // 2:
            continue
        known = set(zip(a[starts[k] : ends[k]].tolist(), b[starts[k] : ends[k]].tolist(), strict=True))
        rows = part.tolist()
        for x, one in enumerate(rows):
            for other in rows[x + 1 :]:
                if (one, other) not in known:
                    left.append(one)
                    right.append(other)
                    part_of.append(k)
    if not left:
        return {}
    i, j = np.array(left, dtype=np.int64), np.array(right, dtype=np.int64)
    bits, own = score(i, j), np.array(part_of)
    cuts = np.flatnonzero(np.diff(own)) + 1
    return {int(own[s[0]]): (i[s], j[s], bits[s]) for s in np.split(np.arange(len(own)), cuts)}


def _contracted(part: Ints, i: Ints, j: Ints, bits: Floats) -> list[list[int]]:
    """Greedy additive contraction: the pair of groups that most speaks for joining joins, while any does."""
    near: dict[int, dict[int, float]] = {int(x): {} for x in part}
    for a, b, w in zip(i.tolist(), j.tolist(), bits.tolist(), strict=True):
        near[a][b] = near[b][a] = w if w <= FORBIDDEN / 2 else max(-CAP_BITS, min(CAP_BITS, w))
    whole = len(part) <= WHOLE
    groups = {int(x): [int(x)] for x in part}
    heap = [(-w, a, b) for a, others in near.items() for b, w in others.items() if a < b and w > 0]
    heapq.heapify(heap)
    while heap:
        w, a, b = heapq.heappop(heap)
        if a not in groups or b not in groups or near[a].get(b) != -w:
            continue
        if len(near[a]) < len(near[b]):
            a, b = b, a
        del near[a][b]
        for other, more in near.pop(b).items():
            if other == a:
                continue
            del near[other][b]
            total = near[a].get(other, 0.0 if whole else UNKNOWN_BITS) + more
            near[a][other] = near[other][a] = total
            if total > 0:
                heapq.heappush(heap, (-total, min(a, other), max(a, other)))
        groups[a] += groups.pop(b)
    return [sorted(found) for found in groups.values()]
