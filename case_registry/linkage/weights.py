"""Weights of agreement (Fellegi and Sunter, 1969), learnt without labels by expectation and maximisation.

m: how often two records of one thing show a level; u: how often two records of two things do. u of common levels
comes from pairs drawn by chance, u of rare ones from the candidates that learning holds for different things, so that
what recurs together (the same people quarrelling again) is not taken for chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from case_registry.linkage.fields import Field
from case_registry.linkage.values import Array, Floats, Levels

ROUNDS = 60
PRIOR_PAIRS = 30.0
"""How many pairs the first guess of m is worth."""
LEARN_FROM = 4_000_000
"""Candidate pairs that learning looks at, at most."""
MOST_BITS = 14.0
"""What one field may say at most, for or against, before the rarity of its value."""
RARITY_BITS = 8.0
_LEAST = 1e-7


@dataclass
class Weights:
    """`m[f][l-1]`, `u[f][l-1]` of field f and level l; `prior`: the share of all pairs that are one thing.

    `usual`: how frequent, by label of the field, the values are that agree at each level (level 0 first)."""

    m: list[Floats]
    u: list[Floats]
    prior: float
    usual: dict[str, Floats] = field(default_factory=dict)

    def bits(self, place: int) -> Floats:
        """Bits of each level of a field, level 0 (not told) first."""
        ratio = np.log2(np.maximum(self.m[place], _LEAST) / np.maximum(self.u[place], _LEAST))
        return np.concatenate(([0.0], np.clip(ratio, -MOST_BITS, MOST_BITS * 1.5)))

    def prior_bits(self) -> float:
        """The odds of a pair of which nothing is known, in bits."""
        return float(np.log2(self.prior / (1 - self.prior)))


def learn(
    fields: Sequence[Field],
    candidates: Sequence[Levels],
    chance: Sequence[Levels],
    rows: int,
    pairs: float,
    given: Weights | None = None,
) -> Weights:
    """Learn weights from levels of candidate pairs and of pairs drawn by chance.

    `rows`: records; `pairs`: all pairs that could be compared; `given`: values that are not to be learnt (nan =
    learn). Deterministic.
    """
    sizes = [len(f.levels) for f in fields]
    count = len(candidates[0]) if candidates else 0
    step = max(1, count // LEARN_FROM)
    packed = np.zeros(len(range(0, count, step)), np.int64)
    for level, size in zip(candidates, sizes, strict=True):
        packed = packed * (size + 1) + level[::step]
    pattern, times = np.unique(packed, return_counts=True)
    counts = times.astype(np.float64) * step
    shown = _unpacked(pattern, sizes)
    by_chance = [_shares(level, size) for level, size in zip(chance, sizes, strict=True)]
    told = [float((level > 0).mean()) if len(level) else 1.0 for level in chance]
    start = [np.array(f.start) / sum(f.start) for f in fields]
    weights = Weights([s.copy() for s in start], [u.copy() for u in by_chance], min(0.3, 0.5 * rows / pairs))
    for _ in range(ROUNDS):
        before = weights.prior
        belief = _belief(weights, shown)
        same, other = belief * counts, (1 - belief) * counts
        weights.prior = float(np.clip(same.sum() / pairs, 1e-12, 0.5))
        for place, size in enumerate(sizes):
            seen = np.bincount(shown[place], same, size + 1)[1:]
            apart = np.bincount(shown[place], other, size + 1)[1:]
            m = (seen + PRIOR_PAIRS * start[place]) / (seen.sum() + PRIOR_PAIRS)
            all_u = (by_chance[place] - weights.prior * m) / (1 - weights.prior)
            u = np.maximum(np.maximum(all_u, apart / (pairs * max(told[place], 1e-3))), _LEAST)
            weights.m[place], weights.u[place] = m, u / u.sum()
        _keep_given(weights, given)
        if abs(np.log(weights.prior / before)) < 1e-4:
            break
    return weights


def _keep_given(weights: Weights, given: Weights | None) -> None:
    if given is None:
        return
    for place in range(len(weights.m)):
        weights.m[place] = np.where(np.isnan(given.m[place]), weights.m[place], given.m[place])
        weights.u[place] = np.where(np.isnan(given.u[place]), weights.u[place], given.u[place])
    if not np.isnan(given.prior):
        weights.prior = given.prior


def _unpacked(pattern: Array, sizes: Sequence[int]) -> list[Array]:
    found = []
    for size in reversed(sizes):
        found.append(pattern % (size + 1))
        pattern = pattern // (size + 1)
    return found[::-1]


def _shares(level: Levels, size: int) -> Floats:
    counts = np.bincount(level, minlength=size + 1)[1 : size + 1].astype(np.float64)
    return np.asarray((counts + 1e-3) / (counts.sum() + 1e-3 * size))


def _belief(weights: Weights, shown: Sequence[Array]) -> Floats:
    bits = np.full(len(shown[0]) if shown else 0, weights.prior_bits())
    for place, level in enumerate(shown):
        bits += weights.bits(place)[level]
    return np.asarray(1 / (1 + np.exp2(-np.clip(bits, -60, 60))))


def rarity(u_of_level: Floats, share: Floats) -> Floats:
    """Bits to add because the value that agrees is rarer (or to take off: more frequent) than such values are."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.log2(u_of_level / np.maximum(share, 1e-9))
    return np.asarray(np.where(np.isnan(share), 0.0, np.clip(found, -RARITY_BITS, RARITY_BITS)))
