"""What one run plays on: its office, its outside, the case's account, and the few acts that everyone needs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from benchmarks.money_sim.office import BANK, PAYER, THIRD, WALLET, Office
from benchmarks.money_sim.outside import Letter, Outside
from hub import payments


class Scene:
    """`paid_in`: (account, fen) of every deposit; `bad_taken`: spoiled statements that reached the hub; `watch`: the
    judge's look after each act."""

    def __init__(self, office: Office, outside: Outside) -> None:
        self.office, self.outside = office, outside
        self.site, self.dice, self.trace = office.site, office.dice, office.trace
        self.keys = {BANK: 1, WALLET: 1}
        self.trusted = {BANK: 1, WALLET: 1}
        self.account = ""
        self.paid_in: list[tuple[str, int]] = []
        self.bad_taken = 0
        self.early: set[str] = set()
        self.watch: Callable[[], None] = _nothing

    def worker(self, *, may_crash: bool = True) -> None:
        """A turn of the worker that carries payments."""
        self.outside.step += 1
        self.office.do("worker", self.turn, may_crash=may_crash)

    def turn(self) -> Any:
        """What a worker's turn does."""
        return payments.work(self.site.hub, self.outside)  # type: ignore[arg-type]

    def know_account(self) -> None:
        """The sub-account as the hub has it."""
        rows = self.office.rows(
            "SELECT number FROM escrow.bank_account WHERE case_id = %(case)s AND kind = 'SUB'",
            case=self.office.case,
        )
        self.account = rows[0]["number"] if rows else ""

    def tick(self, by: timedelta) -> None:
        """Time passes; what was late arrives before much of it has."""
        if by > timedelta(minutes=5):
            self.late_calls()
        self.site.clock.advance(by)

    def late_calls(self) -> None:
        """Calls that the hub gave up arrive after all."""
        while self.outside.late:
            call = self.outside.late.pop(0)
            self.trace.note("a late call arrives")
            self.outside.arrive(call)

    def wallet_rows(self, status: str) -> list[str]:
        """Numbers of the wallet's orders in a status."""
        with self.site.books.transaction() as db:
            found = db.execute(
                "SELECT out_biz_no FROM alipay_order WHERE status=? ORDER BY rowid", (status,)
            ).fetchall()
        return [str(row[0]) for row in found]

    def bank_rows(self, *states: str) -> list[str]:
        """Numbers of the bank's payments in these states."""
        marks = ",".join("?" * len(states))
        with self.site.books.transaction() as db:
            found = db.execute(
                f"SELECT e2e FROM bank_payment WHERE state IN ({marks}) ORDER BY rowid", states
            ).fetchall()
        return [str(row[0]) for row in found]

    def take(self, letter: Letter) -> bool:
        """Hand a message over; False when the hub did not say that it has it."""
        before = letter.tries
        taken = self.office.do(f"take {letter.kind}", lambda: self.outside.hand_over(letter))
        # Signed with a key that the hub does not know yet, it was refused unread: no break is due then.
        read = self.keys[BANK] == self.trusted[BANK]
        if read and letter.kind == "spoiled statement" and taken is not None and letter.tries > before:
            self.bad_taken += 1
        return bool(taken)

    def trust(self, rail: str) -> None:
        """The hub registers the certificates up to the one in use."""
        while self.trusted[rail] < self.keys[rail]:
            self.trusted[rail] += 1
            self.site.trust(rail, self.trusted[rail])

    def deposit(self, fen: int | None = None, source: tuple[str, str] | None = None) -> None:
        """A payer pays into the case's sub-account."""
        if not self.account:
            return
        paid = sum(each for _, each in self.paid_in)
        missing = self.office.agreed - paid
        if fen is None:
            if missing <= 0:
                return
            kind = self.dice.choice(("whole", "whole", "part", "fen short", "too much"))
            fen = {
                "whole": missing,
                "part": max(1, missing // 2),
                "fen short": max(1, missing - 1),
                "too much": missing + 700,
            }[kind]
            if kind in ("part", "fen short"):
                self.trace.fault("payer pays short")
            if kind in ("too much", "twice"):
                self.trace.fault("payer pays too much")
        number, name = source or self.dice.choice((PAYER, PAYER, THIRD))
        self.site.bank.teller.deposit(self.account, fen, name, number, "调解款", masked=False, tell=True)
        self.paid_in.append((number, fen))
        self.trace.note(f"deposit {fen}")
        self.outside.collect()


def _nothing() -> None:
    """Nobody watches."""
