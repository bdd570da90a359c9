"""Messages from the bank to the hub: numbered, signed, kept, pushed and pushed again, or fetched by number."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.bank import envelope, profile, settings, xsd
from sandbox.books import Books, Entry
from sandbox.clock import VirtualClock
from sandbox.control import BadOrder
from sandbox.faults import Fault, FaultPlan, wait_out
from sandbox.outbound import Delivered, HubEndpoints, deliver, deliver_broken

P = profile.PARTNER
SWAP_WAIT = timedelta(seconds=3)  # how long a lone message waits for one to change places with
MAX_FETCH = 50
PUSH_FAULTS = ("delay", "wrong_signature", "duplicate", "reset", "half_answer")


class PostOffice:
    def __init__(
        self,
        books: Books,
        clock: VirtualClock,
        faults: FaultPlan,
        endpoints: HubEndpoints,
        key: Callable[[], tuple[str, rsa.RSAPrivateKey]],
    ) -> None:
        self._books, self._clock, self._faults, self._endpoints, self._key = (
            books,
            clock,
            faults,
            endpoints,
            key,
        )
        self._pushing = threading.Lock()

    def put(
        self, msg_type: str, payload: bytes, *, encoding: str = "UTF-8", at: datetime | None = None,
        shelved: bool = False, checked: bool = True,
    ) -> int:  # fmt: skip
        """Number, sign and keep a message; in the caller's transaction, so that message and reason stand together.

        `shelved`: never pushed, only fetched. Raises BadMessage when the message is not valid by its schema
        (unless `checked` is off: a broken message on request).
        """
        if checked:
            xsd.validate(xsd.parse(payload), msg_type)
        beijing = at or self._clock.beijing()
        digest = hashlib.sha256(payload).hexdigest().upper()
        with self._books.transaction() as db:
            seq = self._books.next_number(P, "seq")
            request_id, sent_at = f"OQB{seq:011d}", envelope.stamp(beijing)
            key_id, key = self._key()
            db.execute(
                "INSERT INTO bank_outbound (seq, request_id, msg_type, biz_date, sent_at, encoding, payload, sha256,"
                " key_id, signature, state, due_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    seq, request_id, msg_type, beijing.strftime("%Y%m%d"), sent_at, encoding, payload, digest,
                    key_id, envelope.signature_of(request_id, msg_type, sent_at, digest, key),
                    "SHELVED" if shelved else "DUE", self._clock.now().isoformat(),
                ),
            )  # fmt: skip
        return seq

    def push_due(self, limit: int = 100) -> int:
        """Push what is due, in order of numbers; one that fails waits its turn and holds up none of the others."""
        if not self._pushing.acquire(blocking=False):
            return 0
        try:
            due = self._due(limit)
            if due and self._swaps():
                if len(due) < 2:
                    return 0
                self._faults.take(P, "push", due[0]["msg_type"], ("wrong_order",))
                due[0], due[1] = due[1], due[0]
            for row in due:
                if self._push(row) is None:
                    return 0  # the hub has not said where it listens
            return len(due)
        finally:
            self._pushing.release()

    def push_now(self, seq: int) -> tuple[Delivered, str]:
        """Push one message at once, whatever is due. Returns the transport's outcome and the answer's code."""
        with self._pushing:
            with self._books.transaction() as db:
                row = db.execute("SELECT * FROM bank_outbound WHERE seq=?", (seq,)).fetchone()
            if row is None:
                raise BadOrder(f"no message {seq}")
            done = self._push(row)
        if done is None:
            raise BadOrder("the hub has not said where it listens for the bank")
        return done

    def _due(self, limit: int) -> list[Any]:
        now = self._clock.now()
        # A clock that was set back must not strand a message: no wait is longer than the longest of the schedule.
        horizon = (now + timedelta(minutes=max(profile.REPUSH_MINUTES))).isoformat()
        with self._books.transaction() as db:
            return db.execute(
                "SELECT * FROM bank_outbound WHERE state='DUE' AND (due_at<=? OR due_at>?) ORDER BY seq LIMIT ?",
                (now.isoformat(), horizon, limit),
            ).fetchall()

    def _swaps(self) -> bool:
        return any(
            fault["kind"] == "wrong_order" and fault["direction"] == "push"
            for fault in self._faults.pending(P)
        )

    def _push(self, row: Any) -> tuple[Delivered, str] | None:
        try:
            url = self._endpoints.url(P)
        except LookupError:
            return None
        with self._books.transaction() as db:  # before the call: after a crash the next push says poss_dup
            db.execute("UPDATE bank_outbound SET attempts=attempts+1 WHERE seq=?", (row["seq"],))
        fault = self._faults.take(P, "push", row["msg_type"], PUSH_FAULTS)
        wait_out(fault)
        told = self._envelope(row, again=row["attempts"] > 0)
        if fault is not None and fault.kind == "wrong_signature":
            told["signature"]["value"] = base64.b64encode(bytes(256)).decode()
        done = self._call(url, row, told, fault)
        if fault is not None and fault.kind == "duplicate":
            done = self._call(url, row, self._envelope(row, again=True), None)
        code = _code(done)
        self._settle(row, code)
        return done, code

    def _call(self, url: str, row: Any, told: dict[str, Any], fault: Fault | None) -> Delivered:
        body = json.dumps(told, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if fault is not None and fault.kind in ("reset", "half_answer"):
            done = deliver_broken(url, headers, body, fault.kind, fault.point)
        else:
            done = deliver("POST", url, headers, body)
        self._books.record(
            Entry(
                P, "out", row["msg_type"], self._clock.now(), body, request_id=row["request_id"], digest=row["sha256"],
                url=url, headers=headers, status=done.status, reply=done.body, reply_headers=done.headers,
                verdict=_code(done) or done.error, fault=fault.kind if fault else None,
            )
        )  # fmt: skip
        return done

    def _settle(self, row: Any, code: str) -> None:
        tries = row["attempts"] + 1
        hurry = settings.read(self._books).hurry or (100 if self._clock.is_virtual else 1)
        taken, over = code == "A00000", tries > len(profile.REPUSH_MINUTES)
        wait = timedelta(minutes=profile.REPUSH_MINUTES[min(tries, len(profile.REPUSH_MINUTES)) - 1]) / hurry
        with self._books.transaction() as db:
            db.execute(
                "UPDATE bank_outbound SET state=CASE WHEN state='TAKEN' THEN state ELSE ? END, due_at=?, last_code=?"
                " WHERE seq=?",
                (
                    "TAKEN" if taken else "GIVEN_UP" if over else "DUE", (self._clock.now() + wait).isoformat(), code,
                    row["seq"],
                ),
            )  # fmt: skip

    def _envelope(self, row: Any, *, again: bool) -> dict[str, Any]:
        told = {
            "requestId": row["request_id"],
            "msgType": row["msg_type"],
            "bizDate": row["biz_date"],
            "sentAt": row["sent_at"],
            "institution": profile.INSTITUTION,
            "seq": row["seq"],
            "sha256": row["sha256"],
            "payload": base64.b64encode(row["payload"]).decode(),
            "signature": {"alg": envelope.ALGORITHM, "keyId": row["key_id"], "value": row["signature"]},
        }
        if row["encoding"] != "UTF-8":
            told["encoding"] = row["encoding"]
        if again:
            told["poss_dup"] = True
        return told

    def after(self, seq: int, msg_type: str, limit: int) -> list[dict[str, Any]]:
        """Envelopes numbered above `seq`, as the hub fetches them (at most 50)."""
        with self._books.transaction() as db:
            rows = db.execute(
                "SELECT * FROM bank_outbound WHERE seq>? AND (?='' OR msg_type=?) ORDER BY seq LIMIT ?",
                (seq, msg_type, msg_type, min(max(limit, 1), MAX_FETCH)),
            ).fetchall()
        return [self._envelope(row, again=row["attempts"] > 0) for row in rows]

    def resend(self, seq: int | None) -> int:
        """Make undelivered messages (one, or all) due at once. Returns how many."""
        with self._books.transaction() as db:
            return db.execute(
                "UPDATE bank_outbound SET state='DUE', due_at=? WHERE state IN ('DUE','GIVEN_UP') AND (? IS NULL OR seq=?)",
                (self._clock.now().isoformat(), seq, seq),
            ).rowcount

    def overview(self) -> list[dict[str, Any]]:
        with self._books.transaction() as db:
            rows = db.execute(
                "SELECT seq, request_id, msg_type, sent_at, state, attempts, last_code FROM bank_outbound ORDER BY seq DESC"
                " LIMIT 1000"
            ).fetchall()
        return [dict(row) for row in reversed(rows)]


def _code(done: Delivered) -> str:
    """The answer's code; "" when there is no readable answer, which counts as not taken."""
    try:
        told = json.loads(done.body) if done.status == 200 else {}
        return str(told.get("code", ""))
    except (ValueError, AttributeError):
        return ""
