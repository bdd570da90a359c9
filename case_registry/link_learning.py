"""What people's answers teach about linking: shares with their intervals, and scores at which to cut. Pure.

Intervals are Wilson's for a share (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927), at 95 %: they hold for few answers and
for shares near 0 and 1, where linking is. A cut is chosen and judged by the same answers, which flatters it a little;
the audit (`link_audits`) says afterwards what became of it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Z = 1.959964
"""Two-sided 95 %."""
NEAREST = 30
"""How many answers next to a cut must be right on their own: many easy ones far away must not outvote them."""
Answer = tuple[float, bool]
"""The score (bits) of a pair, and whether a person said that it is one thing."""


def wilson(hits: int, asked: int) -> tuple[float, float]:
    """The 95 % interval of a share of which `hits` of `asked` were seen; (0, 1) when nothing was asked."""
    if asked == 0:
        return 0.0, 1.0
    share, z2 = hits / asked, Z * Z
    middle = share + z2 / (2 * asked)
    spread = Z * math.sqrt(share * (1 - share) / asked + z2 / (4 * asked * asked))
    below = 0.0 if hits == 0 else (middle - spread) / (1 + z2 / asked)
    above = 1.0 if hits == asked else (middle + spread) / (1 + z2 / asked)
    return below, above


def needed(wanted: float) -> int:
    """How many answers, all of one kind, it takes before the lower end of their share reaches `wanted`."""
    return math.ceil(wanted * Z * Z / (1 - wanted))


@dataclass(frozen=True)
class Part:
    """A kind of pairs: how many there are, and how many of those asked about were one thing."""

    population: float
    same: int
    asked: int

    @property
    def share(self) -> float | None:
        """The share seen, None when nothing was asked."""
        return self.same / self.asked if self.asked else None

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95 % interval."""
        return wilson(self.same, self.asked)


@dataclass(frozen=True)
class Estimate:
    """A figure between its ends. `value` None: something it needs was never asked about."""

    value: float | None
    low: float
    high: float


def true_pairs(parts: Iterable[Part]) -> Estimate:
    """How many pairs of these kinds are one thing. Each kind at its own end: wider than 95 %, never narrower."""
    listed = [part for part in parts if part.population]
    seen = [part.share for part in listed]
    value = (
        None if None in seen else sum(p.population * (s or 0.0) for p, s in zip(listed, seen, strict=True))
    )
    return Estimate(
        value,
        sum(p.population * p.interval[0] for p in listed),
        sum(p.population * p.interval[1] for p in listed),
    )


def share_of(part: Estimate, rest: Estimate) -> Estimate:
    """How large `part` is in `part` and `rest` together (recall, or precision over several kinds)."""
    value = None
    if part.value is not None and rest.value is not None and part.value + rest.value > 0:
        value = part.value / (part.value + rest.value)
    low = part.low / (part.low + rest.high) if part.low + rest.high > 0 else 0.0
    high = part.high / (part.high + rest.low) if part.high + rest.low > 0 else 1.0
    return Estimate(value, low, high)


@dataclass(frozen=True)
class Cut:
    """A score at which to cut. `right` of `asked` answers on the machine's side bear it out; `low`: the lower end of
    their share; `other`: the wrong ones (one thing below a floor, two things above a threshold)."""

    score: float
    right: int
    asked: int
    low: float

    @property
    def other(self) -> int:
        """How many answers on the machine's side speak against it."""
        return self.asked - self.right


def floor_for(answers: Sequence[Answer], wanted: float) -> Cut | None:
    """The highest score under which what is left out is two things at least in the share `wanted`; None: no score yet."""
    cuts = _cuts([(score, not same) for score, same in answers], wanted)
    return cuts[-1] if cuts else None


def threshold_for(answers: Sequence[Answer], wanted: float) -> Cut | None:
    """The lowest score from which what is joined is one thing at least in the share `wanted`; None: no score yet."""
    cuts = _cuts([(-score, same) for score, same in answers], wanted, inclusive=True)
    return Cut(-cuts[-1].score, cuts[-1].right, cuts[-1].asked, cuts[-1].low) if cuts else None


def _cuts(told: Sequence[tuple[float, bool]], wanted: float, *, inclusive: bool = False) -> list[Cut]:
    """Cuts that hold, outermost first. `told`: (place, right), places growing from the machine's side inwards; a cut takes what
    lies before it, `inclusive`: and at it."""
    found: list[Cut] = []
    ordered = sorted(
        told, key=lambda each: (each[0], not each[1])
    )  # of equal places the wrong ones next to the cut
    right = [0]
    for _, is_right in ordered:
        right.append(right[-1] + is_right)
    places = sorted({place for place, _ in ordered})
    scores = [place for place, _ in ordered]
    for place in places:
        n = (
            bisect_right(scores, place)
            if inclusive
            else bisect_right(scores, math.nextafter(place, -math.inf))
        )
        low = wilson(right[n], n)[0]
        near = min(NEAREST, n)
        if n and low >= wanted and right[n] - right[n - near] >= wanted * near:
            found.append(Cut(place, right[n], n, low))
    return found


def band_of(score: float, bands: Sequence[float]) -> int:
    """The band of a score: 0 below the first limit, then one a limit."""
    return bisect_right(bands, score)
