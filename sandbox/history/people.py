"""Made-up people and organisations: person number k is the same whenever asked, and no two share an id or phone."""

from __future__ import annotations

import tomllib
from bisect import bisect
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from pathlib import Path
from random import Random

from schemas.code_tables import code_table

DATA = Path(__file__).parent / "data"
COUNTY = "330399"
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"
_CODE_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CODE_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_INNER_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_FIRST_BIRTH, _BIRTH_DAYS, _SEQUENCES = date(1946, 1, 1), 21_900, 999  # born 1946 to 2005: grown up in 2026


@dataclass(frozen=True)
class Party:
    """`key`: P… for a person, O… for an organisation; never on a wire. `gender`: 1 male, 2 female, "" for bodies."""

    key: str
    name: str
    number: str
    phone: str
    address: str
    gender: str = ""

    @property
    def is_organisation(self) -> bool:
        return self.key.startswith("O")


class People:
    """Draws parties by number. `seed` moves the numbers to other people."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.tables = tomllib.loads((DATA / "people.toml").read_text("utf-8"))
        self.towns = [
            (code, row.name_zh) for code, row in code_table("division_synthetic").items() if len(code) == 9
        ]
        self._surnames = [name for name, _ in self.tables["surnames"]]
        self._heights = list(accumulate(weight for _, weight in self.tables["surnames"]))

    def person(self, number: int, town: str, name: str = "") -> Party:
        """Person `number` (0 ≤ number < 10,000,000), living in `town`; `name` for a namesake of somebody else."""
        chance = Random(f"{self._seed}|person|{number}")
        place = (number * 7_368_787 + self._seed * 104_729) % (_BIRTH_DAYS * _SEQUENCES)
        born, sequence = _FIRST_BIRTH + timedelta(days=place // _SEQUENCES), place % _SEQUENCES + 1
        male = sequence % 2 == 1
        village = chance.choice(self.tables["villages"])
        return Party(
            f"P{number}",
            name or self._name(chance, male),
            resident_id(born, sequence),
            self.phone(number),
            f"浙江省温州市瓯栖县{town}{village}{chance.randint(1, 300)}号",
            "1" if male else "2",
        )

    def phone(self, number: int) -> str:
        """100 and 8 digits, one for each number below 100,000,000."""
        return f"100{(number * 27_644_437 + self._seed * 7_919 + 13) % 10**8:08d}"

    def organisation(self, number: int, town: str, *, hospital: bool) -> Party:
        """Organisation `number` (0 ≤ number < 30,000,000)."""
        chance = Random(f"{self._seed}|organisation|{number}")
        words = self.tables["org_words"]
        stem = f"温州{chance.choice(self.tables['org_places'])}{chance.choice(words)}{chance.choice(words)}"
        tail = chance.choice(self.tables["hospitals" if hospital else "org_trades"])
        return Party(
            f"O{number}",
            f"{stem}{tail}{'' if hospital else '有限公司'}",
            credit_code((number * 21_013 + self._seed * 31) % 31**5),
            self.phone(90_000_000 + number % 9_999_999),
            f"浙江省温州市瓯栖县{town}工业路{chance.randint(1, 200)}号",
        )

    def _name(self, chance: Random, male: bool) -> str:
        surname = self._surnames[bisect(self._heights, chance.random() * self._heights[-1])]
        if len(surname) == 2 and surname in self.tables["uyghur"]:
            return f"{surname}{chance.choice(self.tables['uyghur'][surname])}·{chance.choice(self.tables['fathers'])}"
        given = self.tables["male" if male else "female"]
        return surname + "".join(chance.choice(given) for _ in range(1 if chance.random() < 0.35 else 2))


def resident_id(born: date, sequence: int) -> str:
    """18 places of the made-up county, GB 11643 check included."""
    body = f"{COUNTY}{born:%Y%m%d}{sequence:03d}"
    total = sum(int(digit) * weight for digit, weight in zip(body, _ID_WEIGHTS, strict=True))
    return body + _ID_CHECKS[total % 11]


def credit_code(number: int) -> str:
    """A company's unified social credit code of the made-up county, both checks right (GB 32100, GB 11714)."""
    tail = ""
    for _ in range(6):
        number, place = divmod(number, 31)
        tail = _CODE_ALPHABET[place] + tail
    organisation = "MA" + tail
    values = [int(char, 36) for char in organisation]
    inner = 11 - sum(v * w for v, w in zip(values, _INNER_WEIGHTS, strict=True)) % 11
    body = f"91{COUNTY}{organisation}{'X' if inner == 10 else 0 if inner == 11 else inner}"
    total = sum(_CODE_ALPHABET.index(char) * w for char, w in zip(body, _CODE_WEIGHTS, strict=True))
    return body + _CODE_ALPHABET[(31 - total % 31) % 31]
