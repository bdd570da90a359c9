"""What a configuration file of `./concord link` says, read and checked."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from case_registry.linkage.fields import Field, Several, single
from case_registry.linkage.kinds import KINDS
from case_registry.linkage.people import People, Side

TYPES = (*KINDS, "phone", "numbers", "people")
_KEYS = {
    "": {"id", "source", "link", "field", "fields", "apart", "weights"},
    "link": {"threshold", "propose", "within_source", "max_pairs"},
    "apart": {"same", "differ", "values"},
    "field": {"name", "type", "column", "columns", "sides", "strong", "conflict"},
}


class BadConfig(ValueError):
    """A configuration that cannot be used: `path` of the setting, what was found, what was expected."""

    def __init__(self, path: str, found: object, expected: str) -> None:
        super().__init__(f"{path}: found {found!r}, expected {expected}")
        self.path, self.found, self.expected = path, found, expected


@dataclass(frozen=True)
class Apart:
    """Two rows that agree in the columns `same` and differ in `differ` are not one thing, whatever else agrees.

    `values`: only rows whose columns have one of these values.
    """

    same: tuple[str, ...]
    differ: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]]


@dataclass
class Config:
    """`threshold`, `propose`: probabilities from which a pair is linked, or shown to a person.

    `within_source`: whether one source may hold a thing twice: True, False, or None = told by the data.
    `strong`: labels of fields, one of which must agree before anything is linked by itself (empty: no such rule).
    `conflict`: labels of fields whose last level keeps two rows apart.
    """

    fields: list[Field]
    id: str = ""
    source: str = ""
    threshold: float = 0.35
    propose: float = 0.05
    within_source: bool | None = None
    max_pairs: int | None = None
    apart: list[Apart] = field(default_factory=list)
    strong: frozenset[str] = frozenset()
    conflict: frozenset[str] = frozenset()
    weights: dict[str, Any] = field(default_factory=dict)


def load_config(path: Path) -> Config:
    """Read a TOML configuration. Raises BadConfig, OSError."""
    try:
        told = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(path.name, str(error), "a TOML file in UTF-8") from None
    return config_of(told)


def config_of(told: Mapping[str, Any]) -> Config:
    """A configuration from plain data. Raises BadConfig."""
    _known("", told)
    link = told.get("link", {})
    _known("link", link)
    rows = list(told.get("field", []))
    rows += [{"name": name, **(row if isinstance(row, dict) else {"type": row})}
             for name, row in told.get("fields", {}).items()]  # fmt: skip
    if not rows:
        raise BadConfig("field", None, "at least one [[field]] with name and type")
    within = link.get("within_source", "auto")
    return Config(
        fields=[_field(k, row) for k, row in enumerate(rows)],
        id=str(told.get("id", "")),
        source=str(told.get("source", "")),
        threshold=_share("link.threshold", link.get("threshold", 0.35)),
        propose=_share("link.propose", link.get("propose", 0.05)),
        within_source=None if within == "auto" else bool(within),
        max_pairs=link.get("max_pairs"),
        apart=[_apart(row) for row in told.get("apart", [])],
        strong=frozenset(row["name"] for row in rows if row.get("strong")),
        conflict=frozenset(row["name"] for row in rows if row.get("conflict")),
        weights=dict(told.get("weights", {})),
    )


def _known(where: str, told: Mapping[str, Any]) -> None:
    for key in told:
        if key not in _KEYS[where]:
            near = difflib.get_close_matches(key, _KEYS[where], 1)
            hint = f"{near[0]}?" if near else "one of " + ", ".join(sorted(_KEYS[where]))
            raise BadConfig(f"{where}.{key}".strip("."), key, hint)


def _share(path: str, told: object) -> float:
    if not isinstance(told, int | float) or not 0 < told < 1:
        raise BadConfig(path, told, "a probability between 0 and 1")
    return float(told)


def _apart(row: Mapping[str, Any]) -> Apart:
    _known("apart", row)
    values = {name: tuple(map(str, given)) for name, given in row.get("values", {}).items()}
    return Apart(tuple(row.get("same", ())), tuple(row.get("differ", ())), values)


def _field(place: int, row: Mapping[str, Any]) -> Field:
    where = f"field[{place}]"
    _known("field", row)
    name, kind = row.get("name"), row.get("type")
    if not isinstance(name, str) or not name:
        raise BadConfig(f"{where}.name", name, "a name")
    if kind not in TYPES:
        raise BadConfig(f"{where}.type", kind, "one of " + ", ".join(TYPES))
    if kind == "people":
        return People(name, _sides(where, row))
    columns: Sequence[str] = row.get("columns") or [row.get("column", name)]
    if kind in ("phone", "numbers"):
        return Several(name, tuple(columns), kind == "phone")
    return single(name, kind, columns)


def _sides(where: str, row: Mapping[str, Any]) -> tuple[Side, ...]:
    sides = row.get("sides") or [{"names": row.get("column", row["name"])}]
    found = []
    for side in sides:
        if not isinstance(side, dict) or "names" not in side or set(side) - {"names", "ids", "phones"}:
            raise BadConfig(f"{where}.sides", side, "{ names = COLUMN, ids = COLUMN, phones = COLUMN }")
        found.append(Side(**side))
    return tuple(found)
