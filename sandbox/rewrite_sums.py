"""New sums for a story such that everything that added up before adds up after.

The amounts of a story are sorted; one that is the sum of two smaller ones (or twice a smaller one) is derived, the
others are free. Free ones are scaled by one factor, derived ones are added up again from their new parts.
"""

from __future__ import annotations

import random

# a sum above the tier needs a third person (escrow tiers); a story's sums stay on their side of it
LIMITS = (5_000_000, 500_000_000)


def derivations(amounts: set[int]) -> dict[int, tuple[int, int] | None]:
    """For each amount (fen, in rising order) the two parts that make it up, or None when it is free."""
    known: list[int] = []
    found: dict[int, tuple[int, int] | None] = {}
    for amount in sorted(each for each in amounts if each > 0):
        parts = None
        for small in known:
            rest = amount - small
            if rest in found and small <= rest:
                parts = (small, rest)
                break
        found[amount] = parts
        known.append(amount)
    return found


def new_sums(amounts: set[int], numbers: random.Random) -> dict[int, int]:
    """Old fen → new fen. 0 stays 0; equal stays equal; sums add up; no amount crosses a limit."""
    made_of = derivations(amounts)
    best: dict[int, int] = {}
    for _ in range(200):
        factor = numbers.choice((numbers.randint(6100, 9600), numbers.randint(10400, 14900)))
        best = {0: 0}
        for amount, parts in made_of.items():
            best[amount] = best[parts[0]] + best[parts[1]] if parts else max(1, amount * factor // 10_000)
        if all((old > limit) == (new > limit) for old, new in best.items() for limit in LIMITS):
            break
    return best


def yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"
