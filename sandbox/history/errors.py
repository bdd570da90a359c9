"""The errors of agencies' clerks, at the rates of error_rates.toml, each noted for the truth file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from sandbox.history.people import Party, People


@dataclass
class Clerk:
    """Writes one record of one agency; `made` collects what went wrong (with the party's place where there is one)."""

    agency: str
    rates: Mapping[str, float]
    chance: Random
    people: People
    made: list[str] = field(default_factory=list)

    def slips(self, error: str, where: str = "") -> bool:
        """Whether this error happens now."""
        if self.chance.random() >= self.rates.get(error, 0.0):
            return False
        self.made.append(f"{error}:{where}" if where else error)
        return True

    def name(self, party: Party, where: str) -> str:
        name = party.name
        if party.is_organisation:
            return name.replace("有限公司", "公司") if self.slips("org_shortened", where) else name
        if self.slips("typo_name", where):
            name = self._mistyped(name)
        if self.slips("blank_in_name", where):
            name = name[:1] + self.chance.choice((" ", "\u3000")) + name[1:]
        return name

    def _mistyped(self, name: str) -> str:
        for pair in self.people.tables["lookalikes"]:
            for right, wrong in (pair, pair[::-1]):
                if right in name[1:]:
                    return name[:1] + name[1:].replace(right, wrong, 1)
        given = self.people.tables["male"] + self.people.tables["female"]
        return name[:-1] + self.chance.choice([char for char in given if char != name[-1]])

    def number(self, party: Party, where: str) -> tuple[str | None, str | None]:
        """(full number, masked number) as written; both None = not written."""
        if party.is_organisation:
            return (None, None) if self.slips("missing_credit_code", where) else (party.number, None)
        if self.slips("missing_id", where):
            return None, None
        if self.slips("other_persons_id", where):
            return self.people.person(self.chance.randrange(5_000_000, 9_000_000), "云渡镇").number, None
        if self.slips("masked_id", where):
            return None, f"{party.number[:6]}********{party.number[-4:]}"
        if self.slips("wrong_id", where):
            return _one_digit_wrong(party.number, self.chance), None
        return party.number, None

    def phone(self, party: Party, where: str) -> str | None:
        if self.slips("missing_phone", where):
            return None
        if self.slips("namesake_phone", where):
            return self.people.phone(self.chance.randrange(5_000_000, 9_000_000))
        if self.chance.random() < self.people_rate("shared_phone"):
            self.made.append(f"shared_phone:{where}")
            return self.people.phone(89_000_000 + self.chance.randrange(8))
        return party.phone

    def people_rate(self, name: str) -> float:
        return self.rates.get(f"people.{name}", 0.0)

    def day(self, day: date) -> date:
        return (
            day + timedelta(days=self.chance.choice((-10, -1, 1, 3, 30))) if self.slips("date_shift") else day
        )


def clerk_rates(rates: Mapping[str, Mapping[str, float]], agency: str) -> dict[str, float]:
    """The agency's own rates and, under `people.`, those that are nobody's in particular."""
    return {**rates[agency], **{f"people.{name}": rate for name, rate in rates["people"].items()}}


def _one_digit_wrong(number: str, chance: Random) -> str:
    place = chance.randrange(6, 17)
    digit = chance.choice([d for d in "0123456789" if d != number[place]])
    return number[:place] + digit + number[place + 1 :]
