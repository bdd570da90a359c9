"""The petition office's own store of letters: every version it sent or offers, found by time and number."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sandbox.clock import BEIJING
from sandbox.desk import Desk

PARTNER = "petition"
DDL = """
CREATE TABLE IF NOT EXISTS letter (
  number TEXT NOT NULL, version INTEGER NOT NULL, row TEXT NOT NULL, changed_at TEXT NOT NULL,
  PRIMARY KEY (number, version));
"""


def version_of(row: dict[str, Any]) -> int:
    """BBH as a number; it comes as number or text, and is 1 when absent."""
    try:
        return int(row.get("BBH") or 1)
    except (TypeError, ValueError):
        return 1


class Letters:
    """Rows by (XFJBH, BBH); the highest version is the letter as it stands."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        desk.books.add_tables(DDL)

    def keep(self, row: dict[str, Any], changed: datetime | None = None) -> None:
        at = (changed or self._desk.clock.now()).astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
        with self._desk.books.transaction() as db:
            db.execute(
                "INSERT INTO letter (number,version,row,changed_at) VALUES (?,?,?,?)"
                " ON CONFLICT (number,version) DO UPDATE SET row=excluded.row, changed_at=excluded.changed_at",
                (str(row.get("XFJBH")), version_of(row), json.dumps(row, ensure_ascii=False), at),
            )

    def changed_between(self, begin: str, end: str) -> list[dict[str, Any]]:
        """Letters changed between two times (`yyyy-MM-dd HH:mm:ss`), both included, in their newest version."""
        return self._rows(
            "SELECT row FROM letter a WHERE changed_at BETWEEN ? AND ? AND version="
            "(SELECT max(version) FROM letter b WHERE b.number=a.number) ORDER BY changed_at, number",
            (begin, end),
        )

    def newest(self, number: str) -> dict[str, Any] | None:
        found = self._rows("SELECT row FROM letter WHERE number=? ORDER BY version DESC LIMIT 1", (number,))
        return found[0] if found else None

    def close(self, number: str) -> None:
        """Write a withdrawal into the newest version (BLZT 09)."""
        row = self.newest(number)
        if row is not None:
            self.keep({**row, "BLZT": "09"})

    def _rows(self, query: str, values: tuple[str, ...]) -> list[dict[str, Any]]:
        with self._desk.books.transaction() as db:
            return [json.loads(row["row"]) for row in db.execute(query, values).fetchall()]
