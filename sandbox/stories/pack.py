"""Reads a story: its steps, its disputes, its messages."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

BEIJING = ZoneInfo("Asia/Shanghai")
HERE = Path(__file__).resolve().parent
PACKS = (HERE / "own", HERE.parent / "story_pack" / "contract" / "scenarios")


class UnknownStory(Exception):
    """No pack has a story of that name."""


@dataclass(frozen=True)
class Step:
    """One step as the pack states it; ``content`` is the message file's bytes, empty when it names none.

    ``judged``: False where only what comes after the next step is stated. ``late``: it comes after a later one.
    """

    no: int
    at: datetime
    sender: str
    receiver: str
    file: str
    content: bytes
    action: str
    says: str
    stages: dict[str, str]
    holder: str
    flags: frozenset[str]
    escrow: dict[str, dict[str, Any]]
    judged: bool = True
    late: bool = False


@dataclass(frozen=True)
class StoryDispute:
    """A row of ``disputes.csv``; parties as (name, identifier)."""

    id: str
    row: dict[str, str]
    applicants: tuple[tuple[str, str], ...]
    respondents: tuple[tuple[str, str], ...]

    @property
    def mediation_number(self) -> str:
        return self.row["mediation_no"]

    @property
    def references(self) -> list[str]:
        """``agency:number`` of every agency that may know this dispute."""
        columns = {
            "mediation": "mediation_no",
            "petition": "petition_no",
            "court": "court_mark",
            "arbitration": "arbitration_id",
            "procuratorate": "procuratorate_no",
        }
        return [f"{agency}:{self.row[name]}" for agency, name in columns.items() if self.row.get(name)]

    @property
    def agency_numbers(self) -> list[str]:
        """The numbers under which the agencies know this dispute, the office's first."""
        names = ("mediation_no", "petition_no", "court_mark", "arbitration_id", "procuratorate_no")
        return [self.row[name] for name in names if self.row.get(name)]


@dataclass(frozen=True)
class Story:
    id: str
    title: str
    steps: tuple[Step, ...]
    disputes: dict[str, StoryDispute]
    folder: Path = field(default_factory=Path)
    # dispute → party's key (or N1 depositary, T1 third person, A12 the second account of A1) → account
    accounts: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)


def story_names() -> list[str]:
    """All stories of the packs, ours first."""
    return [folder.parent.name for pack in PACKS for folder in sorted(pack.glob("*/expected.json"))]


def story_folder(name: str) -> Path:
    """The folder of a story. Raises UnknownStory."""
    for pack in PACKS:
        if (pack / name / "expected.json").exists():
            return pack / name
    raise UnknownStory(f"no story {name!r}; known: {', '.join(story_names())}")


def load(folder: Path, disputes_csv: Path) -> Story:
    """Read a story from its folder."""
    told = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    with disputes_csv.open(encoding="utf-8-sig", newline="") as file:
        rows = {row["dispute"]: row for row in csv.DictReader(file)}
    disputes = {
        key: StoryDispute(key, rows[key], _people(rows[key]["applicants"]), _people(rows[key]["respondents"]))
        for key in told["disputes"]
    }
    steps = tuple(_step(folder, each) for each in told["steps"])
    return Story(told["id"], told["title"], steps, disputes, folder, told.get("accounts", {}))


def _people(cell: str) -> tuple[tuple[str, str], ...]:
    pairs = (part.partition(":") for part in cell.split("|") if part)
    return tuple((name, identifier) for name, _, identifier in pairs)


def _step(folder: Path, told: dict[str, Any]) -> Step:
    name = told["file"] or ""
    return Step(
        no=told["step"],
        at=datetime.fromisoformat(told["at"]).replace(tzinfo=BEIJING),
        sender=told["sender"],
        receiver=told["receiver"],
        file=name,
        content=(folder / name).read_bytes() if name else b"",
        action=told["action"] or "",
        says=told["expect"],
        stages={key: value["stage"] for key, value in told["registry"].items()},
        holder=told["holder"],
        flags=frozenset(told["flags"]),
        escrow=told["escrow"],
    )
