"""Pushes to the hub with re-delivery by the partner's own rules, on the virtual clock, kept over restarts."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from sqlite3 import Row
from typing import Any

from sandbox.books import Entry
from sandbox.desk import Desk, Finding, finding
from sandbox.faults import Fault, wait_out
from sandbox.outbound import TIMEOUT_S, Delivered, deliver, deliver_broken

DDL = """
CREATE TABLE IF NOT EXISTS delivery (
  id INTEGER PRIMARY KEY AUTOINCREMENT, partner TEXT NOT NULL, operation TEXT NOT NULL, message_id TEXT NOT NULL,
  payload TEXT NOT NULL, digest TEXT NOT NULL, state TEXT NOT NULL, attempt INTEGER NOT NULL DEFAULT 0,
  first_at REAL NOT NULL, last_at REAL, next_at REAL, code TEXT NOT NULL DEFAULT '', receipt TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (partner, state, next_at);
CREATE INDEX IF NOT EXISTS delivery_message ON delivery (partner, operation, message_id);
"""
PER_TICK = 20
PUSH_FAULTS = ("delay", "reset", "half_answer", "duplicate", "wrong_order", "wrong_signature")


@dataclass(frozen=True)
class Parcel:
    """One message on its way: `attempt` counts from 1, times are Unix seconds on the sandbox's clock."""

    id: int
    operation: str
    message_id: str
    payload: dict[str, Any]
    attempt: int
    first_at: float
    last_at: float
    code: str
    receipt: str


@dataclass(frozen=True)
class Shot:
    """The request of one attempt."""

    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Judgement:
    """What the hub's answer means: DONE, FINAL (never again) or AGAIN."""

    state: str
    code: str = ""
    receipt: str = ""
    findings: tuple[Finding, ...] = field(default_factory=tuple)


class Deliveries:
    """The outgoing side of one stand-in.

    `build(parcel, fault)` makes the request of an attempt (re-signing where the contract says so), `judge` reads the
    answer, `again_at(parcel)` gives the Unix time of the next attempt or None when the partner gives up.
    """

    def __init__(
        self,
        desk: Desk,
        partner: str,
        build: Callable[[Parcel, Fault | None], Shot],
        judge: Callable[[Parcel, Delivered], Judgement],
        again_at: Callable[[Parcel], float | None],
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._desk, self.partner = desk, partner
        self._build, self._judge, self._again_at, self._timeout = build, judge, again_at, timeout_s
        self._busy: set[int] = set()
        self._lock = threading.Lock()
        desk.books.add_tables(DDL)

    def place(self, operation: str, message_id: str, payload: dict[str, Any], digest: str) -> dict[str, Any]:
        """Write a message down and send it for the first time; the result of that attempt."""
        now = self._desk.clock.now().timestamp()
        held = self._desk.faults.take(self.partner, "push", operation, ("wrong_order",))
        with self._desk.books.transaction() as db:
            waiting = [
                int(row["id"])
                for row in db.execute(
                    "SELECT id FROM delivery WHERE partner=? AND state='HELD' ORDER BY id", (self.partner,)
                )
            ]
            number = db.execute(
                "INSERT INTO delivery (partner,operation,message_id,payload,digest,state,first_at,next_at)"
                " VALUES (?,?,?,?,?,?,?,?)",
                (
                    self.partner, operation, message_id, json.dumps(payload), digest,
                    "HELD" if held else "PENDING", now, now + 60 if held else now,
                ),
            ).lastrowid  # fmt: skip
        if held:  # the fault wrong_order: this one goes after the next, or after a minute
            return {"delivery": number, "message_id": message_id, "state": "HELD", "verdict": "HELD"}
        result = self._attempt(int(number or 0))
        for earlier in waiting[:PER_TICK]:
            self._attempt(earlier)
        return result

    def earlier(self, operation: str, message_id: str, digest: str) -> dict[str, Any] | None:
        """Payload of an earlier message with the same id and content, if there is one."""
        with self._desk.books.transaction() as db:
            row = db.execute(
                "SELECT payload FROM delivery WHERE partner=? AND operation=? AND message_id=? AND digest=? ORDER BY id",
                (self.partner, operation, message_id, digest),
            ).fetchone()
        return json.loads(row["payload"]) if row else None

    def tick(self) -> int:
        """Send what is due; at most PER_TICK."""
        now = self._desk.clock.now().timestamp()
        with self._desk.books.transaction() as db:
            due = db.execute(
                "SELECT id FROM delivery WHERE partner=? AND state IN ('PENDING','HELD') AND next_at<=?"
                " ORDER BY next_at, id LIMIT ?",
                (self.partner, now, PER_TICK),
            ).fetchall()
        return sum(1 for row in due if self._attempt(int(row["id"])))

    def waiting(self) -> list[dict[str, Any]]:
        """Messages that are still to be delivered."""
        with self._desk.books.transaction() as db:
            rows = db.execute(
                "SELECT id,operation,message_id,state,attempt,next_at,code FROM delivery"
                " WHERE partner=? AND state IN ('PENDING','HELD') ORDER BY id LIMIT 200",
                (self.partner,),
            ).fetchall()
        return [dict(row) for row in rows]

    def _attempt(self, number: int) -> dict[str, Any]:
        with self._lock:
            if number in self._busy:
                return {}
            self._busy.add(number)
        try:
            return self._send(number)
        finally:
            self._busy.discard(number)

    def _send(self, number: int) -> dict[str, Any]:
        desk = self._desk
        with desk.books.transaction() as db:
            row = db.execute("SELECT * FROM delivery WHERE id=?", (number,)).fetchone()
            if row["state"] not in ("PENDING", "HELD"):
                return {}
            now = desk.clock.now().timestamp()
            db.execute("UPDATE delivery SET attempt=attempt+1, last_at=? WHERE id=?", (now, number))
        parcel = _parcel(row, now)
        fault = desk.faults.take(
            self.partner, "push", parcel.operation, tuple(k for k in PUSH_FAULTS if k != "wrong_order")
        )
        shot = self._build(parcel, fault)
        seq, got, judged = self._shoot(parcel, shot, fault)
        if fault and fault.kind == "duplicate":
            seq, got, judged = self._shoot(parcel, shot, None)
        next_at = self._again_at(parcel) if judged.state == "AGAIN" else None
        state = {"DONE": "DONE", "FINAL": "FINAL"}.get(judged.state, "PENDING" if next_at else "GIVEN_UP")
        with desk.books.transaction() as db:
            db.execute(
                "UPDATE delivery SET state=?, next_at=?, code=?, receipt=? WHERE id=?",
                (state, next_at, judged.code, judged.receipt or parcel.receipt, number),
            )
        return {
            "delivery": number, "message_id": parcel.message_id, "seq": seq, "attempt": parcel.attempt,
            "status": got.status, "reply": got.body.decode("utf-8", "replace"),
            "reply_base64": base64.b64encode(got.body).decode(), "error": got.error, "state": state,
            "code": judged.code, "receipt": judged.receipt, "verdict": _verdict(judged, got),
            "findings": list(judged.findings), "next_at": next_at,
        }  # fmt: skip

    def _shoot(self, parcel: Parcel, shot: Shot, fault: Fault | None) -> tuple[int, Delivered, Judgement]:
        desk = self._desk
        seq = desk.books.record(
            Entry(
                self.partner, "out", parcel.operation, desk.clock.now(), shot.body, request_id=parcel.message_id,
                url=shot.url, headers=shot.headers, verdict="SENDING", fault=fault.kind if fault else None,
            )
        )  # fmt: skip
        wait_out(fault)
        if fault and fault.kind in ("reset", "half_answer"):
            got = deliver_broken(shot.url, shot.headers, shot.body, fault.kind, fault.point)
        else:
            got = deliver("POST", shot.url, shot.headers, shot.body, self._timeout)
        judged = self._judge(parcel, got)
        judged = self._compare_receipt(parcel, judged)
        desk.books.settle(
            seq, status=got.status, reply=got.body or got.error.encode(), reply_headers=got.headers,
            verdict=_verdict(judged, got), findings=judged.findings,
        )  # fmt: skip
        return seq, got, judged

    def _compare_receipt(self, parcel: Parcel, judged: Judgement) -> Judgement:
        """A message that was taken before gets the same receipt number again."""
        if not judged.receipt:
            return judged
        with self._desk.books.transaction() as db:
            row = db.execute(
                "SELECT receipt FROM delivery WHERE partner=? AND operation=? AND message_id=? AND receipt<>''"
                " AND digest=(SELECT digest FROM delivery WHERE id=?) ORDER BY id LIMIT 1",
                (self.partner, parcel.operation, parcel.message_id, parcel.id),
            ).fetchone()
        if row is None or row["receipt"] == judged.receipt:
            return judged
        note = finding("RECEIPT_CHANGED", "/", judged.receipt, row["receipt"])
        return Judgement(judged.state, judged.code, judged.receipt, (*judged.findings, note))


def shoot_raw(desk: Desk, partner: str, operation: str, shot: Shot, message_id: str | None) -> dict[str, Any]:
    """Send bytes as they are, once, with no judging and no re-delivery (tests of bad input)."""
    seq = desk.books.record(
        Entry(
            partner, "out", operation, desk.clock.now(), shot.body, request_id=message_id, url=shot.url,
            headers=shot.headers, verdict="SENDING",
        )
    )  # fmt: skip
    got = deliver("POST", shot.url, shot.headers, shot.body)
    verdict = "RAW" if got.status is not None else "NO_ANSWER"
    desk.books.settle(
        seq,
        status=got.status,
        reply=got.body or got.error.encode(),
        reply_headers=got.headers,
        verdict=verdict,
    )
    return {
        "seq": seq, "status": got.status, "reply": got.body.decode("utf-8", "replace"), "headers": got.headers,
        "reply_base64": base64.b64encode(got.body).decode(), "error": got.error, "verdict": verdict,
    }  # fmt: skip


def _parcel(row: Row, now: float) -> Parcel:
    return Parcel(
        row["id"], row["operation"], row["message_id"], json.loads(row["payload"]), row["attempt"] + 1,
        row["first_at"], now, row["code"], row["receipt"],
    )  # fmt: skip


def _verdict(judged: Judgement, got: Delivered) -> str:
    if got.status is None:
        return "NO_ANSWER"
    word = {"DONE": "ACCEPTED", "FINAL": "REFUSED"}.get(judged.state, "AGAIN")
    return f"{word} {judged.code}".strip()
