"""Who lives, who has died, which company is there: the made-up register behind the gateway."""

from __future__ import annotations

from typing import Any

from sandbox.desk import Desk

PARTNER = "gateway"


class Register:
    """Persons by id number and companies by credit code; keys are kept in lower case."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def person(self, row: dict[str, Any]) -> str:
        """Keep a person's row (xm, gmsfhm, swbs, hjdz…); returns the id number."""
        kept = {key.lower(): value for key, value in row.items()}
        self._desk.books.put(PARTNER, "person", str(kept["gmsfhm"]), kept)
        return str(kept["gmsfhm"])

    def company(self, row: dict[str, Any]) -> str:
        kept = {key.lower(): value for key, value in row.items()}
        number = str(kept.get("tyshxydm") or kept["zjhm"])
        self._desk.books.put(PARTNER, "company", number, kept)
        return number

    def find(self, name: str, number: str) -> list[dict[str, Any]]:
        """Rows for an id number or credit code, or for a name alone; a name beside a number must fit."""
        shelves = ("person", "company")
        if number:
            found = [self._desk.books.get(PARTNER, shelf, number) for shelf in shelves]
            rows = [row for row in found if row]
            if not rows and self._desk.rules(PARTNER).get("unknown") == "alive" and name:
                rows = [{"xm": name, "gmsfhm": number, "swbs": "0"}]
        else:
            rows = [row for shelf in shelves for _, _, row in self._desk.books.items(PARTNER, shelf)]
            rows = [row for row in rows if name]
        return [
            row for row in rows if not name or _plain(row.get("xm") or row.get("qymc") or "") == _plain(name)
        ]


def _plain(name: str) -> str:
    """Habit 10: names come without rare characters, so the register compares without them."""
    return "".join("?" if ord(char) > 0x9FFF or 0x3400 <= ord(char) < 0x4E00 else char for char in str(name))
