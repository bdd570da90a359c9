"""Weights learnt from forecasts whose outcome is known, and how well any weights did: both for the back-test.

A forecast is the set of signs that were true on a day, with whether the dispute escalated within the horizon. Nothing here
knows days: whoever calls splits by time and hands in what was known.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from case_registry.escalation import BANDS, Model, band_of, percent_of, share_of, table

_ROUNDS = 40
_RIDGE = 2.0
"""How strongly weights are held to 0, in forecasts: a rare sign needs many before it weighs."""
_SURE = 1.96  # of 95 %
Case = tuple[Collection[str], bool]


@dataclass(frozen=True)
class Tried:
    """What a choice of forecasts came to. `flagged`: chosen; `hits`: of these, those that escalated; `of`: all that did."""

    flagged: int
    hits: int
    of: int

    @property
    def precision(self) -> float:
        """Share of the chosen that escalated; 0 where none was chosen."""
        return self.hits / self.flagged if self.flagged else 0.0

    @property
    def recall(self) -> float:
        """Share of those that escalated that was chosen."""
        return self.hits / self.of if self.of else 0.0

    def as_row(self) -> dict[str, Any]:
        """For a table: counts, shares in per cent, and the 95 % interval of the precision."""
        low, high = interval(self.hits, self.flagged)
        return {"flagged": self.flagged, "hits": self.hits, "of": self.of, "precision_pct": round(100 * self.precision, 1),
                "recall_pct": round(100 * self.recall, 1), "low_pct": round(100 * low, 1), "high_pct": round(100 * high, 1)}  # fmt: skip


def interval(hits: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    if not of:
        return 0.0, 1.0
    share, square = hits / of, _SURE**2
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = _SURE / (1 + square / of) * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def fit(cases: Sequence[Case], version: str) -> Model:
    """Logistic weights by penalised least squares, again and again (Newton's steps), rounded as they are kept.

    Signs that stood in fewer than `least_seen` cases get no weight. Raises ValueError where all or none escalated.
    """
    seen = {name: sum(name in signs for signs, _ in cases) for name in table()["by_id"]}
    names = [name for name, n in seen.items() if table()["least_seen"] <= n < len(cases)]
    x = np.array([[1.0, *(float(name in signs) for name in names)] for signs, _ in cases])
    y = np.array([float(escalated) for _, escalated in cases])
    if not 0 < y.sum() < len(y):
        raise ValueError("weights need cases that escalated and cases that did not")
    held = np.diag([0.0, *([_RIDGE] * len(names))])
    weights = np.zeros(len(names) + 1)
    for _ in range(_ROUNDS):
        share = 1 / (1 + np.exp(-(x @ weights)))
        slope = x.T @ (y - share) - held @ weights
        bend = (x * (share * (1 - share))[:, None]).T @ x + held
        step = np.linalg.solve(bend, slope)
        weights += step
        if float(np.abs(step).max()) < 1e-6:
            break
    rounded = [round(float(w), 2) + 0.0 for w in weights]
    return Model(version, rounded[0], {n: w for n, w in zip(names, rounded[1:], strict=True) if w})


def tried(chosen: Sequence[bool], outcomes: Sequence[bool]) -> Tried:
    """How well a choice did."""
    return Tried(sum(chosen), sum(a and b for a, b in zip(chosen, outcomes, strict=True)), sum(outcomes))


def judge(weights: Model, cases: Sequence[Case], rules: Mapping[str, Sequence[bool]]) -> dict[str, Any]:
    """How these weights did on cases they were not fitted to, beside plain rules' choices of the same cases.

    `bands`: per band, how many were told so, what was told on average and what came; `high`: those told HIGH; `rules`: each
    rule's choice, and `as_many`: the model's likeliest, as many as that rule chose.
    """
    outcomes = [escalated for _, escalated in cases]
    shares = [share_of(weights, frozenset(signs)) for signs, _ in cases]
    told = [band_of(percent_of(share)) for share in shares]
    return {
        "cases": len(cases),
        "escalated": sum(outcomes),
        "bands": [_band(name, [i for i, band in enumerate(told) if band == name], shares, outcomes) for name in BANDS],
        "high": tried([band == "HIGH" for band in told], outcomes).as_row(),
        "rules": {
            name: {**tried(chosen, outcomes).as_row(), "as_many": tried(_likeliest(shares, sum(chosen)), outcomes).as_row()}
            for name, chosen in rules.items()
        },
        "brier": round(sum((s - o) ** 2 for s, o in zip(shares, outcomes, strict=True)) / max(1, len(cases)), 4),
        "ranked_right": round(ranked_right(shares, outcomes), 3),
    }  # fmt: skip


def _band(name: str, at: Sequence[int], shares: Sequence[float], outcomes: Sequence[bool]) -> dict[str, Any]:
    came, of = sum(outcomes[i] for i in at), max(1, len(at))
    low, high = interval(came, len(at))
    told = sum(shares[i] for i in at) / of
    return {"band": name, "cases": len(at), "escalated": came, "told_pct": round(100 * told, 1),
            "came_pct": round(100 * came / of, 1), "low_pct": round(100 * low, 1), "high_pct": round(100 * high, 1)}  # fmt: skip


def _likeliest(shares: Sequence[float], many: int) -> list[bool]:
    """The likeliest, so many; of equals, the first."""
    chosen = set(sorted(range(len(shares)), key=lambda i: (-shares[i], i))[:many])
    return [i in chosen for i in range(len(shares))]


def ranked_right(shares: Sequence[float], outcomes: Sequence[bool]) -> float:
    """Of pairs of one that escalated and one that did not: in how many the first was rated higher (ties count half)."""
    s, y = np.array(shares, dtype=float), np.array(outcomes, dtype=bool)
    ups, downs = int(y.sum()), int((~y).sum())
    if not ups or not downs:
        return 0.5
    _, place, count = np.unique(s, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    return float((rank[y].sum() - ups * (ups + 1) / 2) / (ups * downs))


RULES = ("graded", "two_signs")
"""Plain rules that the model is held against: graded YELLOW or higher; RED, or two indicators of the watch list at once."""


def rule_says(rule: str, grade: str, signs: Collection[str]) -> bool:
    """Whether a plain rule would have chosen a dispute of this grade with these signs."""
    if rule == "graded":
        return grade in ("YELLOW", "ORANGE", "RED")
    return grade == "RED" or sum(name[:1] == "U" and name[1:].isdigit() for name in signs) >= 2
