"""The people of one run and what they know: the agreement, who approved what, which papers came. The judge reads it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.exc import DBAPIError

import escrow
from benchmarks.money_sim.site import Site
from benchmarks.money_sim.stepping import Crash, Stepper
from benchmarks.money_sim.tally import Trace
from foundation.actors import SYSTEM, Actor
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub import choreography
from schemas.findings import Refused
from schemas.money import Fen

BANK, WALLET = "bank_direct", "alipay"
PAYER, STRANGER = ("6217000000000000981", "付款人甲"), ("6217000000000000999", "路人丁")
CRASH_SHARE, CALL_CRASH_SHARE = 0.08, 0.12  # of acts; of the worker's turns, between call and note
THIRD = ("6217000000000000982", "代付人乙")


def person(name: str, *roles: str) -> Actor:
    """One who works here."""
    return Actor(name, name, frozenset(roles), "瓯栖县")


CASHIERS = (person("ka", "cashier"), person("kb", "cashier"))
CHECKERS = (person("fu", "checker"), person("fv", "checker"))
RELEASER = person("sh", "releaser")
ALL_ROLES = person("all", "cashier", "checker", "releaser")


@dataclass
class Seat:
    """A payee: rail, the accounts that were right in turn (the last is in force), the share of each instalment."""

    key: str
    rail: str
    accounts: list[tuple[str, str]]
    shares: dict[int, int]


@dataclass
class Order:
    """An order as the people know it; `persons` signed it."""

    id: UUID
    number: str
    purpose: str
    payee: str
    instalment: int
    fen: int
    account: str
    name: str
    rail: str
    maker: str
    persons: set[str] = field(default_factory=set)


@dataclass
class Freeze:
    """A court's paper. `left`: instructions that were under way when it was entered."""

    fen: int
    left: set[str]
    lifted: bool = False


@dataclass
class Office:
    """Acts of people and of the court in one run; each act may be refused, die, or meet another."""

    site: Site
    dice: random.Random
    trace: Trace
    stepper: Stepper
    seed: int
    storm: bool = True
    case: UUID = field(default_factory=lambda: UUID(int=0))
    seats: dict[str, Seat] = field(default_factory=dict)
    orders: dict[UUID, Order] = field(default_factory=dict)
    freezes: dict[str, Freeze] = field(default_factory=dict)
    changed: dict[str, set[str]] = field(
        default_factory=dict
    )  # old account → numbers under way when it was replaced
    void: bool = False
    void_left: set[str] = field(
        default_factory=set
    )  # numbers that had an intent when the agreement became void
    wrong: list[str] = field(default_factory=list)  # what an act did that it must never do
    errors: list[str] = field(default_factory=list)
    seen: list[Any] | None = None  # the case's orders, as long as no act has ended since

    @property
    def agreed(self) -> int:
        """Fen of the agreement."""
        return sum(fen for seat in self.seats.values() for fen in seat.shares.values())

    # -- doing --------------------------------------------------------------------------------------------

    def do(
        self, name: str, work: Callable[[], Any], *, may_crash: bool = True, crash: tuple[int, str] = (0, "")
    ) -> Any:
        """One act of one process; returns its result, or None when it was refused or died. `crash`: where it dies for
        certain (the how-manieth boundary, of which kind)."""
        crash_at, only = crash
        if self.storm and may_crash:
            where = self.dice.random()
            if where < CRASH_SHARE:
                crash_at = self.dice.randint(1, 45)
            elif name == "worker" and where < CRASH_SHARE + CALL_CRASH_SHARE:
                crash_at, only = self.dice.randint(1, 3), "call"
        self.stepper.arm(crash_at, only)
        result, trouble = None, None
        try:
            result = work()
        except (Crash, Refused, DBAPIError, Exception) as found:
            trouble = found
        finally:
            self.stepper.crash_at = 0
        self.settle(name, trouble)
        return result

    def settle(self, name: str, trouble: BaseException | None, *, two: bool = False) -> None:
        """Write down how an act ended."""
        self.seen = None
        if isinstance(trouble, Crash):
            kinds = {"statement": "crash at a statement", "commit": "crash before a commit"}
            self.trace.fault(kinds.get(str(trouble), "crash between call and note"), name)
        elif isinstance(trouble, Refused):
            self.trace.note(f"{name}: refused {trouble.findings[0].code}")
        elif isinstance(trouble, DBAPIError) and two:
            self.trace.note(f"{name}: lost against the other")
        elif trouble is not None:
            self.trace.note(f"{name}: {type(trouble).__name__}")
            self.errors.append(f"{name}: {type(trouble).__name__}: {str(trouble)[:300]}")
        else:
            self.trace.note(name)

    def act(self, actor: Actor, work: Callable[[UnitOfWork], Any]) -> Any:
        """A unit of work as the edges open it: the act, and what follows from it."""
        with unit_of_work(self.site.hub.engine, actor) as uow:
            found = work(uow)
            if isinstance(found, escrow.Result):
                choreography.follow(uow, found.events)
        return found

    def rows(self, sql: str, **values: Any) -> list[Any]:
        """A look of a person at a page; nothing dies here."""
        return self.site.admin.execute(sql, values, prepare=True).fetchall()

    # -- the agreement ------------------------------------------------------------------------------------

    def sign(self) -> None:
        """A signed agreement of this run: one or two payees, one or two instalments."""
        dice = self.dice
        key = f"{self.seed % 100000:05d}"
        seats = [Seat("A1", BANK, [(f"62280000000{key}101", f"收款人{key}")], {})]
        if dice.random() < 0.4:
            seats.append(Seat("A2", WALLET, [(f"a{key}@example.com", f"收款人二{key}")], {}))
        count = dice.choice((1, 1, 2))
        for number in range(1, count + 1):
            for seat in seats:
                seat.shares[number] = dice.choice((10_000, 12_345, 40_001, 6_000_000))
        self.seats = {seat.key: seat for seat in seats}
        terms = self.terms(key, count)
        self.do("open escrow", lambda: self._open(terms), may_crash=False)

    def _open(self, terms: escrow.AgreementTerms) -> None:
        self.case = self.act(SYSTEM, lambda uow: escrow.open_escrow(uow, terms)).id
        self.act(SYSTEM, lambda uow: escrow.request_subaccount(uow, self.case, BANK))

    def terms(self, key: str, count: int) -> escrow.AgreementTerms:
        """The agreement's terms as the office of mediation hands them over."""
        payer = escrow.PartyTerms(
            "R1", "PAYER", PAYER[1], id_number="330399198401108161", accounts=(bank_account(*PAYER),)
        )
        instalments = tuple(
            escrow.InstalmentTerms(
                number, date(2026, 4 + number, 20), Fen(sum(seat.shares[number] for seat in self.seats.values())), "R1",
                tuple((seat.key, Fen(seat.shares[number])) for seat in self.seats.values()),
            )
            for number in range(1, count + 1)
        )  # fmt: skip
        parties = tuple(self.payee(seat) for seat in self.seats.values())
        return escrow.AgreementTerms(
            dispute=f"D{key}", mediation_number=f"瓯栖调〔2026〕{key}号", agreement_no=f"XY{key}", title="买卖合同纠纷",
            signed_on=date(2026, 3, 30), parties=(*parties, payer), instalments=instalments,
            prefixes={BANK: f"B{key}I", WALLET: f"W{key}I"},
        )  # fmt: skip

    def payee(self, seat: Seat) -> escrow.PartyTerms:
        """A payee with the account in force."""
        number, name = seat.accounts[-1]
        account = bank_account(number, name) if seat.rail == BANK else escrow.PayAccount(
            WALLET, number, name, kind="ALIPAY_LOGON_ID"
        )  # fmt: skip
        return escrow.PartyTerms(seat.key, "PAYEE", name, id_number="330399198401108161", accounts=(account,))

    # -- orders -------------------------------------------------------------------------------------------

    def draft(
        self, seat: Seat, instalment: int, fen: int, by: Actor, key: str | None = None
    ) -> Callable[[], Any]:
        """A draft of a payout."""
        return lambda: self.act(by, lambda uow: escrow.draft_order(
            uow, self.site.desk, self.case, instalment=instalment, payee=seat.key, fen=fen, rail=seat.rail,
            decision="经负责人批准", request_key=key,
        ))  # fmt: skip

    def refund(self, account: str, fen: int, by: Actor) -> Callable[[], Any]:
        """A draft of a refund to an account."""
        return lambda: self.act(by, lambda uow: escrow.draft_refund(
            uow, self.site.desk, self.case, account=account, fen=fen, rail=BANK, decision="退还多付款项",
            bank=("402339900017", "瓯栖农村合作银行"), payer_id="330399198401108161",
        ))  # fmt: skip

    def learn(self) -> list[Any]:
        """Read the case's orders as a person does, and remember those that are new."""
        if self.seen is not None:
            return self.seen
        rows = self.seen = self.rows(
            "SELECT o.id, o.number, o.purpose, o.payee, o.instalment, o.amount_fen, o.payee_account, o.payee_name, o.rail, o.state,"
            " o.outcome, m.person AS maker, o.digest FROM escrow.payment_order o JOIN escrow.approval m ON m.order_id = o.id"
            " AND m.role = 'MAKER' WHERE o.case_id = %(case)s ORDER BY o.drafted_at, o.id",
            case=self.case,
        )
        for row in rows:
            if row["id"] not in self.orders:
                self.orders[row["id"]] = Order(
                    row["id"], row["number"], row["purpose"], row["payee"], row["instalment"], int(row["amount_fen"]),
                    row["payee_account"], row["payee_name"], row["rail"], row["maker"], {row["maker"]},
                )  # fmt: skip
        return rows

    def check(self, order: UUID, by: Actor, digest: str | None = None) -> Callable[[], Any]:
        """A second person checks what he sees."""

        def work() -> None:
            self.act(by, lambda uow: escrow.check_order(uow, order, digest))

        return work

    def release(self, order: UUID, by: Actor, digest: str | None = None) -> Callable[[], Any]:
        """Released by another person."""

        def work() -> None:
            self.act(by, lambda uow: escrow.release_order(uow, order, digest))

        return work

    def under_way(self) -> set[str]:
        """Numbers that a worker has taken or that have left."""
        rows = self.rows(
            "SELECT number FROM escrow.rail_attempt WHERE case_id = %(case)s AND state IN ('SENDING', 'SENT')",
            case=self.case,
        )
        return {row["number"] for row in rows}


def bank_account(number: str, name: str) -> escrow.PayAccount:
    """An account at a bank."""
    return escrow.PayAccount(BANK, number, name, "402339900017", "瓯栖农村合作银行", "card")
