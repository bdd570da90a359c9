"""Files the court offers to be pulled: cursor, re-offering until acknowledged, drop after seven days."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from sqlite3 import Row

from sandbox.clock import BEIJING
from sandbox.court.batch import Batch, case_marks, unzip
from sandbox.desk import Desk

PARTNER = "court"
DDL = """
CREATE TABLE IF NOT EXISTS court_file (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, file_name TEXT NOT NULL UNIQUE, md5 TEXT NOT NULL,
  content BLOB NOT NULL, offered_at TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'OPEN', refusals INTEGER NOT NULL DEFAULT 0,
  refused_at TEXT, detail TEXT);
"""
KEPT_DAYS = 7
MAX_FILES = 5
_CURSOR = re.compile(r"^([A-Z]{4})(\d{14}):(\d+)$")


class CourtFiles:
    """The shelf of files waiting to be pulled, kept in the books."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        desk.books.add_tables(DDL)

    def add(self, batch: Batch, kind: str) -> str:
        """Offer a batch; the same name with other bytes gets a new name, as the exporter numbers on."""
        name = batch.file_name
        with self._desk.books.transaction() as db:
            kept = db.execute("SELECT md5 FROM court_file WHERE file_name=?", (name,)).fetchone()
            if kept is not None and kept["md5"] == batch.md5:
                return name
            if kept is not None:
                name = name.replace(".zip", f"{self._desk.books.next_number(PARTNER, 'file')}.zip")
            db.execute(
                "INSERT INTO court_file (kind,file_name,md5,content,offered_at) VALUES (?,?,?,?,?)",
                (kind, name, batch.md5, batch.content, self._desk.clock.now().isoformat()),
            )
        self.learn(batch.content)
        return name

    def learn(self, content: bytes) -> None:
        """Remember the cases of a sent or offered zip, for QueryCase."""
        for part in unzip(content):
            self.learn_document(part.content)

    def learn_document(self, content: bytes) -> None:
        for mark in case_marks(content):
            self._desk.books.put(PARTNER, "case", mark, content.decode("utf-8", "replace"))

    def pull(self, kind: str, cursor: str, limit: int) -> tuple[list[Row], str, bool]:
        """Files of a kind after a cursor, then earlier ones still un-acknowledged; next cursor; whether more wait."""
        now = self._desk.clock.now()
        after = _position(cursor, kind)
        with self._desk.books.transaction() as db:
            oldest = (now - timedelta(days=KEPT_DAYS)).isoformat()
            db.execute("UPDATE court_file SET state='DROPPED' WHERE state='OPEN' AND offered_at<?", (oldest,))
            rows = db.execute(
                "SELECT * FROM court_file WHERE kind=? AND state IN ('OPEN','REFUSED') ORDER BY seq", (kind,)
            ).fetchall()
        waiting = [row for row in rows if row["state"] == "OPEN" or _due_again(row, now)]
        fresh = [row for row in waiting if row["seq"] > after]
        again = [row for row in waiting if row["seq"] <= after]
        chosen = (fresh + again)[:limit]
        if not chosen:
            return [], cursor, False
        reached = max(after, *(row["seq"] for row in chosen))
        stamp = now.astimezone(BEIJING).strftime("%Y%m%d%H%M%S")
        return chosen, f"{kind}{stamp}:{reached}", len(fresh) > limit

    def acknowledge(self, name: str, result: str, detail: str) -> bool:
        """Write an acknowledgement down; False when no such file was offered."""
        with self._desk.books.transaction() as db:
            row = db.execute("SELECT * FROM court_file WHERE file_name=?", (name,)).fetchone()
            if row is None:
                return False
            refusals = row["refusals"] + (result == "1")
            state = {"0": "DONE", "2": "PARTLY"}.get(result, "REFUSED" if refusals < 2 else "DONE")
            db.execute(
                "UPDATE court_file SET state=?, refusals=?, refused_at=?, detail=? WHERE seq=?",
                (state, refusals, self._desk.clock.now().isoformat(), detail, row["seq"]),
            )
        return True

    def overview(self) -> list[dict[str, str]]:
        with self._desk.books.transaction() as db:
            rows = db.execute(
                "SELECT kind,file_name,md5,state,detail FROM court_file ORDER BY seq"
            ).fetchall()
        return [dict(row) for row in rows]


def _position(cursor: str, kind: str) -> int:
    found = _CURSOR.match(cursor)
    return int(found[3]) if found and found[1] == kind else 0


def _due_again(row: Row, now: datetime) -> bool:
    """A rejected file is offered once more the next day (Beijing time)."""
    refused = datetime.fromisoformat(row["refused_at"]).astimezone(BEIJING)
    return now.astimezone(BEIJING).date() > refused.date()
