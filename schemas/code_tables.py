"""Code tables and the maps between code systems, read from schemas/data/codes/.

A table is a CSV with the header `code,name_zh,name_en,parent,valid_from,valid_to,source,note`. Codes are
text: leading zeros count. A value that ended stays in its table. No row in a map means no map: keep the
partner's own code, never guess.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Code:
    """One value of a code table. `valid_from`, `valid_to`: ISO date or month text, "" = open."""

    code: str
    name_zh: str
    name_en: str
    parent: str
    valid_from: str
    valid_to: str
    source: str
    note: str

    def valid_on(self, day: date) -> bool:
        """Whether the value was in use on `day`; ends are inclusive, a month means all its days."""
        text = day.isoformat()
        if self.valid_from and text < self.valid_from:
            return False
        return not self.valid_to or text[: len(self.valid_to)] <= self.valid_to


class CodeTable(Mapping[str, Code]):
    """A code table by code, in the order of its file."""

    def __init__(self, name: str, rows: Mapping[str, Code]) -> None:
        self.name = name
        self._rows = dict(rows)

    def __getitem__(self, code: str) -> Code:
        return self._rows[code]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def children(self, code: str) -> list[Code]:
        """The values directly below `code`."""
        return [row for row in self._rows.values() if row.parent == code]

    def by_name(self, name_zh: str, on: date | None = None) -> list[Code]:
        """The values whose Chinese name is exactly `name_zh`, in use on `on` where given."""
        return [
            row for row in self._rows.values() if row.name_zh == name_zh and (on is None or row.valid_on(on))
        ]


@dataclass(frozen=True)
class MappedCode:
    """A target of a map. `relation`: exact, narrower (the source is narrower), broader, related (a hint)."""

    code: str
    relation: str
    note: str


def _rows(name: str) -> list[dict[str, str]]:
    path = files("schemas").joinpath("data", "codes", f"{name}.csv")
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


@cache
def code_table_names() -> tuple[str, ...]:
    """The names of all tables, without the maps."""
    names = (entry.name for entry in files("schemas").joinpath("data", "codes").iterdir())
    return tuple(sorted(n[:-4] for n in names if n.endswith(".csv") and not n.startswith("code_map")))


@cache
def code_table(name: str) -> CodeTable:
    """The code table `name`, such as "payment_outcome". Raises KeyError when there is none."""
    if name not in code_table_names():
        raise KeyError(f"no code table {name!r}")
    return CodeTable(name, {row["code"]: Code(**row) for row in _rows(name)})


@cache
def _maps() -> dict[tuple[str, str, str], tuple[MappedCode, ...]]:
    found: dict[tuple[str, str, str], list[MappedCode]] = {}
    for file in ("code_map", "code_map_wire"):
        for row in _rows(file):
            key = (row["from_system"], row["from_code"], row["to_system"])
            found.setdefault(key, []).append(MappedCode(row["to_code"], row["relation"], row["note"]))
    return {key: tuple(targets) for key, targets in found.items()}


def code_map(from_system: str, code: str, to_system: str) -> tuple[MappedCode, ...]:
    """All targets of `code` in `to_system`; empty where the map says nothing (never guess)."""
    return _maps().get((from_system, code, to_system), ())
