"""The contracts' examples, as the project keeps them: beside the adapter or rail that reads them.

Order of play: each partner's files in the order of their names, a file after the one that its side file says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from connectors import all_connectors
from escrow import all_rails

ROOT = Path(__file__).resolve().parents[2]
OFFICE_RECORDS = ROOT / "tests" / "data" / "linkage" / "mediation_records.csv"
# Alphabet of a realistic day: who writes first does not matter to the result (see test_shuffled).
PARTNERS = ("court", "procuratorate", "petition", "arbitration", "bank", "alipay", "gateway")


@dataclass(frozen=True)
class Example:
    """One message of a contract with what its side file says. `partner`: the word that people ingest it with."""

    partner: str
    path: Path
    told: dict[str, Any]

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def kind(self) -> str:
        return str(self.told["kind"])

    @property
    def expected(self) -> dict[str, Any]:
        found: dict[str, Any] = self.told["expected"]
        return found


@lru_cache(maxsize=1)
def all_examples() -> tuple[Example, ...]:
    """Every example in its order of play."""
    found: list[Example] = []
    for word, folder in _folders():
        for side in folder.glob("*.expect.json"):
            path = side.with_name(side.name.removesuffix(".expect.json"))
            found.append(Example(word, path, json.loads(side.read_text("utf-8"))))
    return tuple(sorted(found, key=lambda each: (PARTNERS.index(each.partner), each.name)))


def _folders() -> list[tuple[str, Path]]:
    words = [
        (next(word for word in PARTNERS if word in (each.agency, *each.aliases)), each.folder)
        for each in all_connectors().values()
    ]
    words += [(str(rail.manifest["sandbox"]), rail.folder) for rail in all_rails().values()]
    return [(word, folder / "examples") for word, folder in words]


def in_order(examples: tuple[Example, ...]) -> list[Example]:
    """The same examples, each after the one that its side file names."""
    done: list[Example] = []
    waiting = list(examples)
    while waiting:
        names = {each.name for each in done}
        ready = [each for each in waiting if _after(each) in names | {None}]
        if not ready:
            raise ValueError(f"{waiting[0].name} waits for {_after(waiting[0])}, which is not there")
        done.append(ready[0])
        waiting.remove(ready[0])
    return done


def _after(example: Example) -> str | None:
    found: str | None = example.expected.get("apply_after")
    return found
