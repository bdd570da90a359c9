"""A stand-in process's own books: every message in and out with bytes and verdict, in one SQLite file.

WAL with synchronous=FULL: what was answered to the hub is on disk before the answer leaves, so kill -9 loses nothing.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, partner TEXT NOT NULL, direction TEXT NOT NULL CHECK (direction IN ('in','out')),
  operation TEXT NOT NULL, request_id TEXT, at TEXT NOT NULL, method TEXT NOT NULL, url TEXT NOT NULL,
  headers TEXT NOT NULL, body BLOB NOT NULL, digest TEXT NOT NULL, status INTEGER, reply_headers TEXT NOT NULL,
  reply BLOB NOT NULL, verdict TEXT NOT NULL, findings TEXT NOT NULL, fault TEXT, duplicate_of INTEGER,
  differs INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS entry_request ON entry (partner, direction, operation, request_id);
CREATE TABLE IF NOT EXISTS shelf (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, partner TEXT NOT NULL, name TEXT NOT NULL, key TEXT NOT NULL,
  value TEXT NOT NULL, UNIQUE (partner, name, key));
CREATE TABLE IF NOT EXISTS fault (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, partner TEXT NOT NULL, kind TEXT NOT NULL, operation TEXT NOT NULL,
  direction TEXT NOT NULL, point TEXT NOT NULL, seconds REAL NOT NULL, times INTEGER NOT NULL);
"""


@dataclass(frozen=True)
class Entry:
    """One message as the stand-in saw it.

    `direction` "in" = the hub called us, "out" = we called the hub. `request_id` is the sender's own id of the
    request (ticket-free); `digest` is over the business content that decides same or other (default: the bytes).
    """

    partner: str
    direction: str
    operation: str
    at: datetime
    body: bytes
    request_id: str | None = None
    digest: str = ""
    method: str = "POST"
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    status: int | None = None
    reply_headers: dict[str, str] = field(default_factory=dict)
    reply: bytes = b""
    verdict: str = ""
    findings: tuple[dict[str, Any], ...] = ()
    fault: str | None = None


class Books:
    """The SQLite file of one sandbox process; safe to use from many threads."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._depth = 0
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA busy_timeout=5000")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One commit for an effect and its entry; may be nested (the outermost commits)."""
        with self._lock:
            if self._depth == 0:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield self._db
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._db.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._db.execute("COMMIT")

    def add_tables(self, ddl: str) -> None:
        """Create a stand-in's own tables (`CREATE TABLE IF NOT EXISTS …`)."""
        with self._lock:
            self._db.executescript(ddl)

    def record(self, entry: Entry) -> int:
        """Write an entry; marks it as a duplicate when the same request id of the same operation came before."""
        digest = entry.digest or hashlib.sha256(entry.body).hexdigest()
        with self.transaction() as db:
            first = None
            if entry.request_id is not None:
                first = db.execute(
                    "SELECT seq, digest FROM entry WHERE partner=? AND direction=? AND operation=? AND request_id=?"
                    " ORDER BY seq LIMIT 1",
                    (entry.partner, entry.direction, entry.operation, entry.request_id),
                ).fetchone()
            cursor = db.execute(
                "INSERT INTO entry (partner,direction,operation,request_id,at,method,url,headers,body,digest,status,"
                "reply_headers,reply,verdict,findings,fault,duplicate_of,differs)"
                " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    entry.partner, entry.direction, entry.operation, entry.request_id, entry.at.isoformat(),
                    entry.method, entry.url, _json(entry.headers), entry.body, digest, entry.status,
                    _json(entry.reply_headers), entry.reply, entry.verdict, _json(list(entry.findings)), entry.fault,
                    first["seq"] if first is not None else None, int(first is not None and first["digest"] != digest),
                ),
            )  # fmt: skip
            return int(cursor.lastrowid or 0)

    def settle(
        self,
        seq: int,
        *,
        status: int | None,
        reply: bytes,
        reply_headers: dict[str, str],
        verdict: str,
        findings: tuple[dict[str, Any], ...] = (),
    ) -> None:
        """Complete an outgoing entry that was written before its call."""
        with self.transaction() as db:
            db.execute(
                "UPDATE entry SET status=?, reply=?, reply_headers=?, verdict=?, findings=? WHERE seq=?",
                (status, reply, _json(reply_headers), verdict, _json(list(findings)), seq),
            )

    def entries(
        self,
        partner: str,
        *,
        since: int = 0,
        limit: int = 200,
        direction: str | None = None,
        operation: str | None = None,
        duplicates_only: bool = False,
    ) -> list[sqlite3.Row]:
        """Entries with seq > since, oldest first (at most 1,000)."""
        clauses, values = ["partner=?", "seq>?"], [partner, since]
        for column, wanted in (("direction", direction), ("operation", operation)):
            if wanted:
                clauses.append(f"{column}=?")
                values.append(wanted)
        if duplicates_only:
            clauses.append("duplicate_of IS NOT NULL")
        values.append(min(max(limit, 1), 1000))
        with self._lock:
            return self._db.execute(
                f"SELECT * FROM entry WHERE {' AND '.join(clauses)} ORDER BY seq LIMIT ?", values
            ).fetchall()

    # Shelves: small named key → JSON stores in order of first placing (offered files, tickets, rows to be listed).

    def put(self, partner: str, shelf: str, key: str, value: Any) -> None:
        with self.transaction() as db:
            db.execute(
                "INSERT INTO shelf (partner,name,key,value) VALUES (?,?,?,?)"
                " ON CONFLICT (partner,name,key) DO UPDATE SET value=excluded.value",
                (partner, shelf, key, _json(value)),
            )

    def get(self, partner: str, shelf: str, key: str) -> Any:
        """The value, or None."""
        with self._lock:
            row = self._db.execute(
                "SELECT value FROM shelf WHERE partner=? AND name=? AND key=?", (partner, shelf, key)
            ).fetchone()
        return None if row is None else json.loads(row["value"])

    def items(self, partner: str, shelf: str) -> list[tuple[int, str, Any]]:
        """(seq, key, value) of a shelf in order of placing."""
        with self._lock:
            rows = self._db.execute(
                "SELECT seq,key,value FROM shelf WHERE partner=? AND name=? ORDER BY seq", (partner, shelf)
            ).fetchall()
        return [(row["seq"], row["key"], json.loads(row["value"])) for row in rows]

    def drop(self, partner: str, shelf: str, key: str) -> None:
        with self.transaction() as db:
            db.execute("DELETE FROM shelf WHERE partner=? AND name=? AND key=?", (partner, shelf, key))

    def next_number(self, partner: str, name: str) -> int:
        """1, 2, 3 … per partner and name, kept over restarts."""
        with self.transaction():
            number = int(self.get(partner, "counter", name) or 0) + 1
            self.put(partner, "counter", name, number)
            return number


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
