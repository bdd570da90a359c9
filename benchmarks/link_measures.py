"""How good a grouping is against the truth: pairs, B-cubed, over-merged clusters, recall by kind of error."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from itertools import combinations
from typing import Any

Groups = Sequence[Hashable]


def quality(found: Groups, truth: Groups) -> dict[str, float]:
    """precision, recall, f1 over pairs; bcubed_f1; over_merged_pct: clusters that hold more than one thing."""
    together = Counter(zip(found, truth, strict=True))
    clusters, things = Counter(found), Counter(truth)
    right, told, true = (sum(n * (n - 1) // 2 for n in c.values()) for c in (together, clusters, things))
    precision, recall = right / told if told else 1.0, right / true if true else 1.0
    rows = len(truth)
    b_precision = sum(n * n / clusters[c] for (c, _), n in together.items()) / rows
    b_recall = sum(n * n / things[t] for (_, t), n in together.items()) / rows
    mixed = sum(n > 1 for n in Counter(c for c, _ in together).values())
    return {
        "precision": precision, "recall": recall, "f1": _f1(precision, recall),
        "bcubed_f1": _f1(b_precision, b_recall), "over_merged_pct": 100 * mixed / max(1, len(clusters)),
    }  # fmt: skip


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def recall_by_error(found: Groups, truth: Groups, errors: Sequence[str]) -> dict[str, float]:
    """Recall over the true pairs of which at least one record bears an error, error by error."""
    rows_of: defaultdict[Hashable, list[int]] = defaultdict(list)
    for row, thing in enumerate(truth):
        rows_of[thing].append(row)
    kinds = [frozenset(e.split(":")[0] for e in text.split("|") if e) for text in errors]
    seen: Counter[str] = Counter()
    met: Counter[str] = Counter()
    for rows in rows_of.values():
        for a, b in combinations(rows, 2):
            own = (kinds[a] | kinds[b]) or {"none"}
            seen.update(own)
            if found[a] == found[b]:
                met.update(own)
    return {error: met[error] / seen[error] for error in sorted(seen)}


def by_exact_numbers(rows: Sequence[dict[str, Any]]) -> list[int]:
    """The plainest linking: rows that share a whole id number or a phone are one thing."""
    parent = list(range(len(rows)))

    def root(x: int) -> int:
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    first: dict[str, int] = {}
    for place, row in enumerate(rows):
        told = [
            row[f"{side}_{what}"] or "" for side in ("applicant", "respondent") for what in ("ids", "phones")
        ]
        for number in "|".join(told).split("|"):
            if number and "*" not in number and not number.startswith("9"):  # a company's code is no person's
                parent[root(place)] = root(first.setdefault(number, place))
    return [root(x) for x in range(len(rows))]
