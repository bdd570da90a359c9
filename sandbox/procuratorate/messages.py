"""The procuratorate's own messages by Seq: what it pushed or offers, listed for ListMessages with its gaps."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from sandbox.desk import Desk
from sandbox.procuratorate.wss import canonical
from sandbox.soap import find_local

PARTNER = "procuratorate"
NS = "urn:ouqi-jcy:collab:v2"
DDL = """
CREATE TABLE IF NOT EXISTS jcy_message (
  seq INTEGER PRIMARY KEY, msg_id TEXT NOT NULL, kind TEXT NOT NULL, payload TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS jcy_gap (seq INTEGER PRIMARY KEY);
"""


@dataclass(frozen=True)
class Message:
    seq: int
    msg_id: str
    kind: str
    payload: etree._Element


def local_text(root: etree._Element, name: str) -> str:
    """Text of the first element with this local name, or ""."""
    found = find_local(root, name)
    return (found.text or "").strip() if found is not None else ""


def fold(case_no: str) -> str:
    """CaseNo uses 〔〕; their own screen prints []: both name the same case."""
    return case_no.replace("[", "〔").replace("]", "〕").replace("(", "〔").replace(")", "〕").strip()


class Messages:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        desk.books.add_tables(DDL)

    def keep(self, payload: etree._Element) -> Message:
        """Remember a message under the Seq in its Head; without a readable one it gets the next number."""
        told = local_text(payload, "Seq")
        with self._desk.books.transaction() as db:
            last = db.execute("SELECT coalesce(max(seq),0) AS last FROM jcy_message").fetchone()["last"]
            seq = int(told) if told.isdigit() else int(last) + 1
            message = Message(seq, local_text(payload, "MsgId"), etree.QName(payload).localname, payload)
            db.execute(
                "INSERT INTO jcy_message (seq,msg_id,kind,payload) VALUES (?,?,?,?)"
                " ON CONFLICT (seq) DO UPDATE SET msg_id=excluded.msg_id, kind=excluded.kind, payload=excluded.payload",
                (seq, message.msg_id, message.kind, canonical(payload).decode()),
            )
        if local_text(payload, "CaseNo"):
            self._desk.books.put(PARTNER, "case", fold(local_text(payload, "CaseNo")), message.msg_id)
        return message

    def withhold(self, numbers: list[int]) -> None:
        """Seq numbers that are sealed: listed as Gap, never shown."""
        with self._desk.books.transaction() as db:
            db.executemany(
                "INSERT OR IGNORE INTO jcy_gap (seq) VALUES (?)", [(int(each),) for each in numbers]
            )

    def after(self, seq: int, limit: int) -> tuple[list[Message], list[int], int]:
        """Messages above `seq` in order, the gaps among or behind them, and the last Seq covered."""
        with self._desk.books.transaction() as db:
            rows = db.execute(
                "SELECT * FROM jcy_message WHERE seq>? AND seq NOT IN (SELECT seq FROM jcy_gap) ORDER BY seq LIMIT ?",
                (seq, limit),
            ).fetchall()
            full = len(rows) == limit
            end = rows[-1]["seq"] if full else 2**62
            gaps = db.execute(
                "SELECT seq FROM jcy_gap WHERE seq>? AND seq<? ORDER BY seq LIMIT 50", (seq, end)
            ).fetchall()
        found = [Message(r["seq"], r["msg_id"], r["kind"], etree.fromstring(r["payload"])) for r in rows]
        numbers = [row["seq"] for row in gaps]
        last = max([seq, *numbers, *(each.seq for each in found)])
        return found, numbers, last

    def knows_case(self, case_no: str) -> bool:
        return self._desk.books.get(PARTNER, "case", fold(case_no)) is not None
