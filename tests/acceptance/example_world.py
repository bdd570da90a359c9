"""A hub set up as its operator does, the office's own records in it, and every example taken into it once.

What each file's side file expects is looked at right after the file was taken, before the next one comes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import case_registry
import escrow
from foundation.database import make_engine
from foundation.keys import KeyStore
from foundation.settings import ROOT, Settings
from foundation.unit_of_work import unit_of_work
from hub.filing import ingest_file
from hub.office_import import import_records
from hub.pipeline import Hub
from tests.acceptance.example_files import OFFICE_RECORDS, Example
from tests.acceptance.row_counts import counts, more

# After the last of the messages.
PLAYED_AT = datetime(2026, 6, 1, 1, 0, tzinfo=UTC)


def environment(database_url: str, var_dir: Path) -> dict[str, str]:
    """The environment of a process of this hub."""
    return {
        **os.environ,
        "CONCORD_DATABASE_URL": database_url,
        "CONCORD_VAR_DIR": str(var_dir),
        "CONCORD_ENVIRONMENT": "sandbox",
        "CONCORD_AMQP_URL": "",
    }


def set_up(database_url: str, var_dir: Path) -> Hub:
    """Keys and shared secrets as the set-up makes them; this process as the hub over them."""
    done = subprocess.run(
        [sys.executable, "-m", "hub.setup_keys"],
        env=environment(database_url, var_dir), cwd=ROOT, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    settings = Settings(database_url, "", var_dir, 8600, "sandbox")
    return Hub(make_engine(database_url), KeyStore(settings.key_dir), settings)


def load_office(hub: Hub) -> dict[str, Any]:
    """Load the office's own records."""
    return import_records(hub, OFFICE_RECORDS.read_text("utf-8-sig"))


@dataclass
class Played:
    """One example, taken. `line`: the JSON line of `concord ingest`; `changed`: tables whose row count changed
    (without the quarantine's); `alarms`: those that were raised."""

    example: Example
    line: dict[str, Any]
    inbox: Any
    changed: dict[str, int]
    alarms: list[dict[str, Any]]
    differences: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)


@dataclass
class World:
    """The hub and what was played into it."""

    hub: Hub
    played: dict[str, Played] = field(default_factory=dict)
    renamed: Callable[[str], str] = (
        str  # what a text of the published examples reads in those that are played
    )

    def take(self, example: Example) -> Played:
        """Ingest one file, side file absent, and note what changed."""
        before, known = counts(self.hub.engine), self._alarms()
        with unit_of_work(self.hub.engine) as uow:
            now = uow.now
        line = ingest_file(self.hub, example.partner, example.name, example.path.read_bytes(), None, now)
        with unit_of_work(self.hub.engine) as uow:
            row = uow.one("SELECT id FROM exchange.inbox ORDER BY seq DESC LIMIT 1")
        assert row is not None
        played = Played(
            example, line, row["id"], more(before, counts(self.hub.engine)), self._new_alarms(known)
        )
        self.played[example.name] = played
        return played

    def _alarms(self) -> set[Any]:
        return {row["id"] for row in self.rows("SELECT id FROM exchange.alarm")}

    def _new_alarms(self, known: set[Any]) -> list[dict[str, Any]]:
        return [row for row in self.rows("SELECT * FROM exchange.alarm") if row["id"] not in known]

    def rows(self, sql: str, **params: Any) -> list[dict[str, Any]]:
        """Rows of a query, for a look behind the front doors."""
        with unit_of_work(self.hub.engine) as uow:
            return [dict(row) for row in uow.all(sql, **params)]

    def look(self, act: Any) -> Any:
        """What `act(uow)` gives."""
        with unit_of_work(self.hub.engine) as uow:
            return act(uow)

    def dispute(self, number: str) -> dict[str, Any]:
        """The record of the dispute that bears a number, full id numbers shown."""
        found = self.look(lambda uow: case_registry.dispute(uow, number, unmasked=True))
        assert found is not None, f"no dispute bears {number}"
        return dict(found)

    def episode(self, native_id: str, sub_id: str | None = None) -> dict[str, Any]:
        """An agency's episode of that key, the last one by number where it has several."""
        found = [each for each in self.dispute(native_id)["episodes"] if each["native_id"] == native_id]
        found = [each for each in found if sub_id is None or each["sub_id"] == sub_id]
        assert found, f"no episode {native_id} {sub_id or ''}"
        return dict(found[-1])

    def case(self, number: str) -> dict[str, Any]:
        """The escrow case of a mediation number."""
        return dict(self.look(lambda uow: escrow.escrow_case(uow, number)))

    def case_of_account(self, account: str) -> str:
        """The mediation number of the case whose sub-account that is."""
        (row,) = self.rows(
            "SELECT c.mediation_number FROM escrow.bank_account b JOIN escrow.escrow_case c ON c.id = b.case_id"
            " WHERE b.number = :account",
            account=account,
        )
        return str(row["mediation_number"])

    def claims(self, played: Played) -> list[dict[str, Any]]:
        """The claims that a message made: native_id, sub_id, kind, field, value, raw."""
        return self.rows(
            "SELECT s.id AS statement, c.native_id, s.sub_id, s.kind, s.data, s.parked, m.field, m.value, m.raw"
            " FROM registry.statement s JOIN registry.source_case c ON c.id = s.source_case"
            " LEFT JOIN registry.claim m ON m.statement = s.id WHERE s.message = :message ORDER BY s.id, m.id",
            message=played.inbox,
        )


def play(world: World, examples: Iterable[Example], check: Any = None) -> None:
    """Take examples in their order; `check(world, played)` looks after each."""
    for example in examples:
        if any("send this file twice" in str(row["expected"]) for row in example.expected.get("report", ())):
            world.take(example)
        played = world.take(example)
        if check is not None:
            check(world, played)
