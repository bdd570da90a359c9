"""The stand-in as one object: its parts, its rounds, and what the control API asks of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from sandbox.bank import acts, envelope, profile, xsd
from sandbox.bank.binding import Binding
from sandbox.bank.emit import Emitter
from sandbox.bank.judgement import judgement
from sandbox.bank.keys import Keys
from sandbox.bank.ledger import Ledger
from sandbox.bank.notices import Notices
from sandbox.bank.orders import Orders
from sandbox.bank.post_office import PostOffice
from sandbox.bank.teller import Teller
from sandbox.books import Books
from sandbox.clock import VirtualClock
from sandbox.control import BadOrder, content_bytes
from sandbox.faults import FaultPlan
from sandbox.outbound import HubEndpoints
from sandbox.told import named_act

log = logging.getLogger("sandbox.bank")
TABLES = (Path(__file__).parent / "tables.sql").read_text("utf-8")


class Bank:
    """`folder`: `<var>/sandbox`. `to_wallet`: see Orders."""

    partner = profile.PARTNER

    def __init__(
        self, books: Books, clock: VirtualClock, faults: FaultPlan, endpoints: HubEndpoints, folder: Path,
        to_wallet: Callable[[int, str, datetime], None],
    ) -> None:  # fmt: skip
        books.add_tables(TABLES)
        self.books, self.clock, self.faults = books, clock, faults
        self.keys = Keys(folder, books)
        self.ledger = Ledger(books)
        self.post = PostOffice(books, clock, faults, endpoints, self.keys.own)
        self.notices = Notices(books, clock, self.ledger, self.post)
        self.orders = Orders(books, clock, self.ledger, self.post, self.notices, to_wallet)
        self.teller = Teller(books, clock, self.ledger, self.orders, self.notices, self.post)
        self.emitter = Emitter(books, clock, self.ledger, self.orders, self.teller, self.notices)
        self.binding = Binding(books)
        self._wake = threading.Event()
        self._turn = threading.Lock()
        threading.Thread(target=self._keep_going, name="bank", daemon=True).start()

    def wake(self) -> None:
        """Something may be due: look now rather than at the next tick."""
        self._wake.set()

    def _keep_going(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            try:
                with self._turn:
                    again = self._round()
            except Exception:  # the next wake or tick tries again; nothing is lost, all is in the book
                log.exception("round of the bank")
            else:
                if again:
                    self._wake.set()  # a round is bounded, so there may be more

    def tick(self) -> int:
        """Execute payments, close nights, push messages that are due. Returns how many."""
        if not self._turn.acquire(blocking=False):
            return 0
        try:
            return self._round()
        finally:
            self._turn.release()

    def _round(self) -> int:
        return self.orders.run_due() + self.notices.nights() + self.post.push_due()

    def emit(self, order: dict[str, Any]) -> dict[str, Any]:
        """Send a ready-made message as the bank's own, and bring the book to agree with it."""
        return self._send(order, shelved=False)

    def offer(self, order: dict[str, Any]) -> dict[str, Any]:
        """The same without a push, so that the hub has to fetch it by number; or an act: {"deposit": {…}}."""
        named = named_act(order, acts.ACTS)
        if named is not None:
            done: dict[str, Any] = acts.carry_out(self, *named)
            return done
        return self._send(order, shelved=True)

    def _send(self, order: dict[str, Any], *, shelved: bool) -> dict[str, Any]:
        payload = content_bytes(order)
        for old, new in dict(order.get("replace") or {}).items():
            payload = payload.replace(str(old).encode(), str(new).encode())
        checked = bool(order.get("checked", True))
        try:
            root = xsd.parse(payload)
            msg_type = str(order.get("msg_type") or order.get("operation") or xsd.message_type(root))
            if checked:
                xsd.validate(root, msg_type)
        except xsd.BadMessage as trouble:
            if checked or not (order.get("msg_type") or order.get("operation")):
                raise BadOrder(str(trouble)) from trouble
            root, msg_type = None, str(order.get("msg_type") or order.get("operation"))
        encoding = "GB18030" if b"GB18030" in payload[:60].upper() else "UTF-8"
        bound: dict[str, str] = {}
        applied: list[dict[str, Any]] = []
        with self.books.transaction():
            if root is not None and order.get("bind_orders", True):
                payload, bound = self.binding.put(payload, root)
                root = xsd.parse(payload)
            if root is not None and order.get("apply", True):
                applied = self.emitter.apply(msg_type, root)
            seq = self.post.put(msg_type, payload, encoding=encoding, shelved=shelved, checked=checked)
        answer = {"seq": seq, "requestId": f"OQB{seq:011d}", "bound": bound, "applied": applied}
        if shelved:
            return answer
        done, code = self.post.push_now(seq)
        return answer | {
            "status": done.status, "reply": done.body.decode("utf-8", "replace"), "verdict": code or done.error,
        }  # fmt: skip

    def book(self, account: str = "", e2e: str = "") -> dict[str, Any]:
        """The bank's book as a judge reads it."""
        return judgement(self, account, e2e)

    def balance(self, number: str, lag_s: int) -> dict[str, Any] | None:
        """What the balance call answers (without its code); None for an account that is not here."""
        account = self.ledger.account(number)
        if account is None:
            return None
        booked = account.balance_fen
        if lag_s:
            until = self.clock.now().timestamp() - lag_s
            booked = self.ledger.balance_at(number, datetime.fromtimestamp(until, self.clock.now().tzinfo))
        held = min(self.ledger.held(number), booked)
        return {
            "account": number, "ledgerFen": booked, "availableFen": booked - held, "heldFen": held,
            "asOf": envelope.stamp(self.clock.beijing()),
        }  # fmt: skip
