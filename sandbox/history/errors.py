"""The errors of agencies' clerks, at the rates of error_rates.toml, each noted for the truth file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from sandbox.history.people import Party, People

FORMER_PHONES = 40_000_000
"""Person k once had the phone of this number + k; persons are fewer than 10,000,000, so it is nobody else's."""


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
        if self.slips("former_name", where):
            former = self._former(party)
            name = former if self.chance.random() < 0.5 else f"{name}（曾用名：{former}）"
        elif self.slips("typo_name", where):
            name = self._mistyped(name)
        elif self.slips("homophone", where):
            name = self._by_sound(name)
        if self.slips("traditional", where):
            name = name.translate(_pairs(self.people.tables["traditional"]))
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

    def _by_sound(self, name: str) -> str:
        """One character of the name replaced by another of its sound; the name itself where the tables know none."""
        groups = self.people.tables["homophones"]
        known = [(place, group) for place, char in enumerate(name) for group in groups if char in group]
        if not known:
            return name
        place, group = self.chance.choice(known)
        return name[:place] + self.chance.choice(group.replace(name[place], "")) + name[place + 1 :]

    def _former(self, party: Party) -> str:
        """The name this person once bore, the same whoever tells it."""
        chance = Random(f"former|{party.key}|{party.number}")
        given = self.people.tables["male" if party.gender == "1" else "female"]
        return party.name[:1] + "".join(chance.choice(given) for _ in range(2))

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
        if not party.is_organisation and self.slips("phone_changed", where):
            return self.people.phone(FORMER_PHONES + int(party.key[1:]))
        return party.phone

    def people_rate(self, name: str) -> float:
        return self.rates.get(f"people.{name}", 0.0)

    def day(self, day: date) -> date:
        return (
            day + timedelta(days=self.chance.choice((-10, -1, 1, 3, 30))) if self.slips("date_shift") else day
        )


def _pairs(table: list[str]) -> dict[int, str]:
    return {ord(pair[0]): pair[1] for pair in table}


def clerk_rates(rates: Mapping[str, Mapping[str, float]], agency: str) -> dict[str, float]:
    """The agency's own rates and, under `people.`, those that are nobody's in particular."""
    return {**rates[agency], **{f"people.{name}": rate for name, rate in rates["people"].items()}}


def _one_digit_wrong(number: str, chance: Random) -> str:
    place = chance.randrange(6, 17)
    digit = chance.choice([d for d in "0123456789" if d != number[place]])
    return number[:place] + digit + number[place + 1 :]
