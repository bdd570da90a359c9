"""Staging: a message's lines by COPY into tables of this transaction's own, so that what follows is done in sets.

Nothing is held in memory but one line at a time and one row a statement; the tables are empty again at the commit.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from escrow.rails import StatementInfo, StatementLine
from escrow.results import beijing_day
from foundation.unit_of_work import UnitOfWork

KINDS = {"statement": "DAY", "bill": "DAY", "report": "INTRADAY", "notice": "NOTICE"}
DIRECTION = {"CRDT": "CREDIT", "DBIT": "DEBIT"}
_BLOCK = 2_000  # lines a write to COPY
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_SPECIAL = re.compile(r"[\\\t\n\r]").search
_TABLES = """
CREATE TEMPORARY TABLE IF NOT EXISTS stage_statement (
    place int PRIMARY KEY, id uuid NOT NULL, account text NOT NULL, native_id text NOT NULL, kind text NOT NULL,
    seq int, day date NOT NULL, day_told date, opening bigint, closing bigint, interim bigint, available bigint,
    lines int NOT NULL, complete boolean NOT NULL, digest text NOT NULL, fresh boolean) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS stage_line (
    no bigint NOT NULL, statement int NOT NULL, account text NOT NULL, bank_ref text NOT NULL, booked_on date NOT NULL,
    valued_on date, fen bigint NOT NULL, direction text NOT NULL, our_number text NOT NULL, other_name text NOT NULL,
    other_account text NOT NULL, text text NOT NULL, document_no text NOT NULL, is_return boolean NOT NULL,
    is_reversal boolean NOT NULL, return_code text NOT NULL, booked boolean NOT NULL) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS stage_found (
    no bigint NOT NULL, statement int NOT NULL, line uuid, known uuid) ON COMMIT DELETE ROWS;
TRUNCATE stage_statement, stage_line, stage_found
"""


@dataclass
class Staged:
    """What a message held. `infos`: its statements in order, each at its place from 1."""

    infos: list[StatementInfo] = field(default_factory=list)
    lines: int = 0


def line_text(line: StatementLine) -> str:
    """A line as COPY's text form: what is stored, and what a statement's digest is made of."""
    return "\t".join(
        (
            _text(line.account), _text(line.bank_ref), line.booking_date.isoformat(), line.value_date.isoformat(),
            str(int(line.amount)), DIRECTION[line.direction], _text(line.our_number or ""), _text(line.party_name),
            _text(line.party_account), _text(line.text), _text(line.document_no), "t" if line.returned else "f",
            "t" if line.reversal else "f", _text(line.returned), "t" if line.booked else "f",
        )
    )  # fmt: skip


def _text(value: str) -> str:
    return value.translate(_ESCAPES) if _SPECIAL(value) else value


class BodyDigest:
    """The digest of one statement: its lines in order, then what it says of itself. The same however it came."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, text: str) -> None:
        """One line's `line_text`."""
        self._hash.update(text.encode() + b"\n")

    def of(self, info: StatementInfo) -> str:
        """The digest, once all lines were added."""
        told = (info.account, info.statement_id, info.kind, info.sequence, info.opening, info.closing, info.interim,
                info.available, info.day and info.day.isoformat(), info.complete)  # fmt: skip
        self._hash.update("\t".join("" if each is None else str(each) for each in told).encode())
        return self._hash.hexdigest()


def body_digest(info: StatementInfo, lines: Iterable[StatementLine]) -> str:
    """The digest of a statement that is held whole."""
    made = BodyDigest()
    for line in lines:
        made.add(line_text(line))
    return made.of(info)


def stage(uow: UnitOfWork, items: Iterable[StatementInfo | StatementLine]) -> Staged:
    """Write a message's statements, each followed by its lines, into the staging tables. Raises what `items` raises."""
    uow.conn.exec_driver_sql(_TABLES)
    found = Staged()
    digests: list[BodyDigest] = []
    counts: list[int] = []
    connection: Any = uow.conn.connection.driver_connection
    with connection.cursor() as cursor, cursor.copy("COPY stage_line FROM STDIN") as out:
        block: list[str] = []
        for item in items:
            if isinstance(item, StatementInfo):
                found.infos.append(item)
                digests.append(BodyDigest())
                counts.append(0)
                continue
            text = line_text(item)
            digests[-1].add(text)
            counts[-1] += 1
            found.lines += 1
            block.append(f"{found.lines}\t{len(counts)}\t{text}\n")
            if len(block) >= _BLOCK:
                out.write("".join(block))
                block.clear()
        out.write("".join(block))
    rows = [
        _row(uow, place, info, count, made.of(info))
        for place, (info, count, made) in enumerate(zip(found.infos, counts, digests, strict=True), 1)
    ]
    uow.execute_many(
        "INSERT INTO stage_statement (place, id, account, native_id, kind, seq, day, day_told, opening, closing, interim,"
        " available, lines, complete, digest) VALUES (:place, :id, :account, :native_id, :kind, :seq, :day, :day_told,"
        " :opening, :closing, :interim, :available, :lines, :complete, :digest)",
        rows,
    )
    uow.conn.exec_driver_sql("ANALYZE stage_line")
    uow.conn.exec_driver_sql("ANALYZE stage_statement")
    return found


def _row(uow: UnitOfWork, place: int, info: StatementInfo, lines: int, digest: str) -> dict[str, Any]:
    return {
        "place": place, "id": uow.new_id(), "account": info.account, "native_id": info.statement_id,
        "kind": KINDS[info.kind], "seq": info.sequence, "day": info.day or beijing_day(uow.now), "day_told": info.day,
        "opening": info.opening, "closing": info.closing, "interim": info.interim, "available": info.available,
        "lines": lines, "complete": info.complete, "digest": digest,
    }  # fmt: skip
