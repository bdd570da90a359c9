"""What a quarrel is about, so that two records of the same people can be told apart or seen as one matter.

The same people quarrel more than once: people alone never make one dispute. Here two records' causes,
sums and days are compared.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal, TypeAlias

Agreement: TypeAlias = Literal["equal", "near", "different", "unknown"]

SAME_EVENT_DAYS = 1
OTHER_EVENT_DAYS = 31
CLOSE_SUM_PER_CENT = 5
_DAY = re.compile(r"(20\d{2})\s*[年.\-/]\s*(\d{1,2})\s*[月.\-/]\s*(\d{1,2})")
_PLATE = re.compile(
    r"[京津冀晋内辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川黔云藏陕甘青宁新蒙][A-HJ-NP-Z][·•\s]?[A-HJ-NP-Z0-9]{5,6}"
)


@cache
def _table() -> tuple[dict[str, list[str]], dict[str, str], frozenset[frozenset[str]]]:
    raw = tomllib.loads(files("case_registry").joinpath("data/cause_families.toml").read_text("utf-8"))
    words = {name: row["words"] for name, row in raw["family"].items()}
    codes = {code: name for name, row in raw["family"].items() for code in row["codes"]}
    return words, codes, frozenset(frozenset(row["pair"]) for row in raw["related"])


@lru_cache(maxsize=65536)
def families(text: str) -> frozenset[str]:
    """The families of quarrel that a cause, a charge or a narrative names."""
    words, codes, _ = _table()
    if text in codes:
        return frozenset({codes[text]})
    return frozenset(name for name, signs in words.items() if any(sign in text for sign in signs))


def compare_families(one: Iterable[str], other: Iterable[str]) -> Agreement:
    """Whether two sets of families name one kind of quarrel; "near" = one event may be filed under both."""
    a, b = set(one), set(other)
    if not a or not b:
        return "unknown"
    if a & b:
        return "equal"
    related = _table()[2]
    return "near" if any(frozenset({x, y}) in related for x in a for y in b) else "different"


def days_in_text(text: str) -> tuple[date, ...]:
    """The days that a free text names, in order."""
    found = []
    for year, month, day in _DAY.findall(text):
        try:
            found.append(date(int(year), int(month), int(day)))
        except ValueError:
            continue
    return tuple(found)


def plates_in_text(text: str) -> tuple[str, ...]:
    """Vehicle plates that a free text names, folded."""
    return tuple(dict.fromkeys(re.sub(r"[·•\s]", "", plate) for plate in _PLATE.findall(text)))


def compare_sums(one: Sequence[int], other: Sequence[int]) -> Agreement:
    """Whether two sets of sums (fen) hold an equal one, or one within 5 per cent."""
    if not one or not other:
        return "unknown"
    if set(one) & set(other):
        return "equal"
    near = any(abs(a - b) * 100 <= CLOSE_SUM_PER_CENT * max(a, b) for a in one for b in other)
    return "near" if near else "different"


def compare_days(one: Sequence[date], other: Sequence[date]) -> Agreement:
    """Whether two sets of days of the event agree: within a day, within a month, or neither."""
    if not one or not other:
        return "unknown"
    apart = min(abs((a - b).days) for a in one for b in other)
    if apart <= SAME_EVENT_DAYS:
        return "equal"
    return "near" if apart <= OTHER_EVENT_DAYS else "different"


def days_apart(one: Sequence[date], other: Sequence[date]) -> int | None:
    """The least distance in days, None when one side tells none."""
    return min((abs((a - b).days) for a in one for b in other), default=None)


@dataclass(frozen=True)
class MatterEvidence:
    """How two records' matters agree. `apart`: days between their beginnings."""

    family: Agreement
    sums: Agreement
    event: Agreement
    agreed: Agreement
    apart: int | None
    same_plate: bool = False
    same_body: bool = False
    same_mediator: bool = False

    @property
    def same(self) -> bool:
        """One matter: an equal sum, day of event, day of agreement or plate, and nothing against it."""
        told = self.sums == "equal" or self.event == "equal" or self.agreed == "equal" or self.same_plate
        return told and not self.other

    @property
    def other(self) -> bool:
        """Another matter: another kind of quarrel, or an event more than a month away."""
        return self.family == "different" or self.event == "different"
