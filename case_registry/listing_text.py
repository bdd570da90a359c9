"""Texts of a dispute for lists and search. Two-character Chinese names need pairs of characters as index."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from case_registry.projection import Person
from schemas.code_tables import code_table
from schemas.identifiers import normalise_name

MAX_GRAMS = 400
_LONGEST = 20  # characters of a division's name
_SIDE = {"applicant": 0, "respondent": 1}


def title(cause: str, persons: Sequence[Person]) -> str:
    """One line for lists: who against whom, about what."""
    sides: list[list[str]] = [[], []]
    for person in persons:
        roles = [_SIDE[role] for *_, role in person.roles if role in _SIDE]
        if roles:
            sides[roles[0]].append(person.name)
    names = " 与 ".join(_several(side) for side in sides if side)
    return " ".join(part for part in (names, cause) if part)


def _several(names: Sequence[str]) -> str:
    return "、".join(names[:3]) + (f" 等{len(names)}人" if len(names) > 3 else "")


def search_text(cause: str, persons: Sequence[Person], numbers: Sequence[str]) -> str:
    """What search looks through: names, cause, numbers."""
    return " ".join([*(normalise_name(p.name) for p in persons), cause, *numbers])


def bigrams(text: str) -> list[str]:
    """All pairs of neighbouring characters inside the words of a text."""
    found = {word[i : i + 2] for word in text.split() for i in range(len(word) - 1)}
    return sorted(found)[:MAX_GRAMS]


def place_code(code: str, text: str) -> str:
    """The division code of a place: as told, else of the one division that bears exactly this name; "" if none."""
    return code or _codes_by_name().get(text, "")


def county_of(organisation: str) -> str:
    """The county of an organisation by the division that its name begins with (瓯栖县石坦乡人民调解委员会); "" if none."""
    for end in range(min(len(organisation), _LONGEST), 1, -1):
        code = _codes_by_name().get(organisation[:end], "")
        if len(code) >= 6 and not code.endswith("00"):
            return code[:6]
    return ""


@cache
def _codes_by_name() -> dict[str, str]:
    found: dict[str, str] = {}
    doubles: set[str] = set()
    for table in ("division", "division_synthetic"):
        for code, row in code_table(table).items():
            if row.name_zh in found:
                doubles.add(row.name_zh)
            found[row.name_zh] = code
    return {name: code for name, code in found.items() if name not in doubles}
