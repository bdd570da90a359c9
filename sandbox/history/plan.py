"""What really happened: the facts of dispute number i, before any agency tells of it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from random import Random
from typing import Any

from sandbox.history.people import DATA, Party, People

# Before 2026, the year of the contracts' examples and stories and of what people enter: no number is given twice.
LAST_DAY = date(2025, 12, 31)
YEARLY = 40_000  # disputes a year that the numbers of the office (four digits a committee and year) can carry
MAX_DISPUTES = 400_000  # ten years: case numbers before 2016 had another grammar
Rates = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Dispute:
    """`way`: the agencies in the order in which they took it. Amounts in fen, `agreed_fen` 0 = no agreement."""

    number: int
    kind: str
    cause: str
    arbitration_cause: str
    town: tuple[str, str]
    applicants: tuple[Party, ...]
    respondents: tuple[Party, ...]
    occurred_on: date
    opened_on: date
    claimed_fen: int
    agreed_fen: int
    narrative: str
    mediator: str
    way: tuple[str, ...]
    repeats: int | None  # an earlier dispute of the same people

    @property
    def key(self) -> str:
        return f"T{self.number:06d}"


class Plan:
    def __init__(self, disputes: int, seed: int) -> None:
        """Raises ValueError when the numbers of the office cannot carry so many."""
        if not 0 <= disputes <= MAX_DISPUTES:
            raise ValueError(f"from 0 to {MAX_DISPUTES} disputes")
        self.disputes, self.seed = disputes, seed
        self.people = People(seed)
        self.rates: Rates = tomllib.loads((DATA / "error_rates.toml").read_text("utf-8"))
        self._kinds: dict[str, dict[str, Any]] = tomllib.loads((DATA / "disputes.toml").read_text("utf-8"))
        self._names = list(self._kinds)
        self._heights = list(accumulate(kind["weight"] for kind in self._kinds.values()))
        years = max(2, -(-disputes // YEARLY))
        self._span = (LAST_DAY - date(LAST_DAY.year - years, LAST_DAY.month, LAST_DAY.day)).days

    def chance(self, *parts: object) -> Random:
        """A random source that depends on the seed and these parts only."""
        return Random("|".join(map(str, (self.seed, *parts))))

    def dispute(self, number: int) -> Dispute:
        """Dispute `number`, the same whenever asked. Needs no other dispute but those it refers to."""
        chance = self.chance("dispute", number)
        kind_name = chance.choices(self._names, cum_weights=self._heights)[0]
        kind = self._kinds[kind_name]
        town = chance.choice(self.people.towns)
        opened = LAST_DAY - timedelta(days=chance.randrange(self._span))
        applicants, respondents = self._own_parties(number, kind_name, town[1])
        repeats = None
        if number and chance.random() < self.rates["people"]["repeated"]:
            repeats = chance.randrange(number)
            applicants, respondents = self._parties_of(repeats)
        low, high = kind["yuan"]
        claimed = int(low * (high / low) ** chance.random() * 100)
        claimed -= claimed % chance.choice((100, 100, 10_000, 1))
        agreed = claimed * chance.choice((55, 60, 70, 80, 90, 100)) // 100
        village = chance.choice(self.people.tables["villages"])
        told = kind["text"].format(town=town[1], village=village)
        ways = list(kind["ways"])
        return Dispute(
            number, kind_name, kind["cause"], kind.get("arbitration_cause", ""), town, applicants, respondents,
            opened - timedelta(days=chance.randint(1, 60)), opened, claimed,
            agreed if chance.random() < 0.72 else 0, told, chance.choice(self.people.tables["mediators"]),
            tuple(chance.choices(ways, weights=list(kind["ways"].values()))[0].split()), repeats,
        )  # fmt: skip

    def _parties_of(self, number: int) -> tuple[tuple[Party, ...], tuple[Party, ...]]:
        """The people dispute `number` would have of its own: one that repeats another is not followed further."""
        chance = self.chance("dispute", number)
        kind_name = chance.choices(self._names, cum_weights=self._heights)[0]
        return self._own_parties(number, kind_name, chance.choice(self.people.towns)[1])

    def _own_parties(
        self, number: int, kind_name: str, town: str
    ) -> tuple[tuple[Party, ...], tuple[Party, ...]]:
        chance = self.chance("parties", number)
        count = chance.choices((1, 2, 3), weights=(86, 11, 3))[0]
        first = number * 6  # six numbers a dispute: three applicants, three respondents
        name = ""
        if number and chance.random() < self.rates["people"]["namesake"]:
            other = chance.randrange(number)
            name = self.people.person(other * 6, town).name
        applicants = tuple(
            self.people.person(first + place, town, name if place == 0 else "") for place in range(count)
        )
        if chance.random() < self._kinds[kind_name]["organisation"]:
            hospital = kind_name == "MEDICAL"
            # A few bodies meet many people: the square makes low numbers frequent.
            pool = max(20, self.disputes // 12)
            body = int(pool * chance.random() ** 2) + (10_000_000 if hospital else 0)
            respondents: tuple[Party, ...] = (self.people.organisation(body, town, hospital=hospital),)
        else:
            others = chance.choices((1, 2, 3), weights=(88, 10, 2))[0]
            respondents = tuple(self.people.person(first + 3 + place, town) for place in range(others))
        return applicants, respondents
