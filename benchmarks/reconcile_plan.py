"""The plan of one day: which payment is on which account, and which difference is planted where."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

DAY = date(2026, 5, 12)
PARENT = "9900339900000100000"
# What is planted `each` times; some show as two breaks (a sum that differs also leaves the closing balance off).
UNITS = (
    ("AMOUNT",), ("AMOUNT", "EXCESS"), ("AMOUNT", "SHORT"), ("CUTOFF",), ("DUPLICATE",), ("STATUS",), ("UNKNOWN_PAYER",),
    ("UNKNOWN_PAYEE",), ("MISSING_LINE",), ("UNEXPECTED_DEBIT",), ("RETURN", "UNKNOWN_PAYER"), ("REVERSAL",), ("FEE",),
    ("SEQUENCE",), ("EXCESS",), ("SHORT",),
)  # fmt: skip
BREAKS_A_UNIT = sum(len(unit) for unit in UNITS)
SPOILED = 5  # small statements whose balances do not add up: BALANCE


@dataclass
class Payment:
    """One order that was sent. `shown`: as the statement shows it, None = not at all."""

    i: int
    a: int
    k: int
    account: str
    fen: int
    proved: bool = True
    outcome: str = "DONE"  # the bank's word so far
    booked_on: date = DAY
    shown: Line | None = None

    @property
    def number(self) -> str:
        """Its instruction number."""
        return f"Q{self.a:06d}I{self.k}"

    @property
    def payee_account(self) -> str:
        """The payee's card."""
        return f"6228{self.i:015d}"

    @property
    def ref(self) -> str:
        """The holder's reference."""
        return f"SVC{self.i:08d}"


@dataclass
class Line:
    """One entry of the statement."""

    ref: str
    fen: int
    credit: bool = False
    number: str = ""
    name: str = ""
    other: str = ""
    text: str = "调解款"
    reversal: bool = False
    returned: str = ""


@dataclass
class Account:
    """One sub-account with its payments. `stated`: it has a statement of the day before; `off`: fen by which its first
    opening balance is not what our lines say; `silent`: the night brings no statement for it."""

    a: int
    number: str
    payments: list[Payment] = field(default_factory=list)
    stated: bool = True
    silent: bool = False
    off: int = 0
    extra: list[Line] = field(default_factory=list)


@dataclass
class Plan:
    """`expected`: (kind, what): a reference of the statement "account/ref", or a subject of the books."""

    accounts: list[Account]
    parent: list[Line]
    expected: set[tuple[str, str]]

    @property
    def payments(self) -> int:
        """How many there are."""
        return sum(len(account.payments) for account in self.accounts)


def make(seed: int, payments: int, per_account: int, each: int, rail: str) -> Plan:
    """Payments over accounts of `per_account`, and each kind of difference planted `each` times."""
    dice = random.Random(seed)
    accounts: list[Account] = []
    i = 0
    for a in range((payments - each) // per_account + each):
        alone = a < each  # accounts of one payment, for which no statement comes
        account = Account(a, f"99003399000002{a:05d}", silent=alone)
        for k in range(1, 2 if alone else per_account + 1):
            fen = dice.randint(10_000, 4_000_000)
            one = Payment(i, a, k, account.number, fen)
            one.shown = Line(one.ref, fen, False, one.number, f"收款人{i}", one.payee_account)
            account.payments.append(one)
            i += 1
        accounts.append(account)
    plan = Plan(accounts, [], set())
    _plant(plan, dice, each, rail)
    return plan


def _plant(plan: Plan, dice: random.Random, each: int, rail: str) -> None:
    busy = [account for account in plan.accounts if not account.silent]
    dice.shuffle(busy)
    apart = iter(busy[: 4 * each])  # accounts whose balances are off: one difference of that kind each
    rest = busy[4 * each :]
    pool = [one for account in rest for one in account.payments]
    payments = iter(dice.sample(pool, 12 * each))
    told = plan.expected
    for account in plan.accounts[:each]:
        told.add(("SEQUENCE", f"day/{rail}/{account.number}/{DAY}"))
        account.payments[0].shown = None
    for n in range(each):
        for kind, off in (("EXCESS", 1700), ("SHORT", -1300)):
            account = next(apart)
            account.stated, account.off = False, off
            told.add((kind, f"opening/{rail}/{account.number}"))
            account = next(apart)
            one = dice.choice(account.payments)
            assert one.shown is not None
            one.shown.fen += -250 if kind == "EXCESS" else 250
            told.add(("AMOUNT", f"{account.number}/{one.ref}"))
            told.add((kind, f"closing/{rail}/{account.number}/{DAY}"))
        _plant_lines(plan, payments, n)


def _plant_lines(plan: Plan, take: Iterator[Payment], n: int) -> None:
    told = plan.expected

    def unproved() -> Payment:
        one = next(take)
        one.proved, one.outcome = False, "ACCEPTED"
        return one

    one = unproved()
    assert one.shown is not None
    one.shown.fen += 100
    told.add(("AMOUNT", f"{one.account}/{one.ref}"))
    one = next(take)
    one.booked_on = DAY - timedelta(days=1)
    told.add(("CUTOFF", f"{one.account}/{one.ref}"))
    one = next(take)
    _extra(plan, one.a, Line(f"DUP{n}", one.fen, False, one.number, "", one.payee_account))
    told.add(("DUPLICATE", f"{one.account}/DUP{n}"))
    one = unproved()
    one.shown, one.outcome = None, "DONE"
    told.add(("STATUS", f"order/{one.number}"))
    one = unproved()
    assert one.shown is not None
    one.shown.other = f"6666{n:015d}"
    told.add(("UNKNOWN_PAYEE", f"{one.account}/{one.ref}"))
    one = next(take)
    one.shown = None
    told.add(("MISSING_LINE", f"{one.account}/{one.ref}"))
    for kind, line in (
        ("UNEXPECTED_DEBIT", Line(f"OUT{n}", 4321 + n, name="无名", text="转账")),
        ("FEE", Line(f"FEE{n}", 500, text="账户管理费")),
        ("REVERSAL", Line(f"REV{n}", 77 + n, reversal=True, text="冲正")),
    ):
        one = next(take)
        _extra(plan, one.a, line)
        told.add((kind, f"{one.account}/{line.ref}"))
    plan.parent.append(Line(f"PAY{n}", 100_000 + n, True, "", "路人", f"6217{n:015d}", "转账"))
    told.add(("UNKNOWN_PAYER", f"{PARENT}/PAY{n}"))
    plan.parent.append(
        Line(f"RTN{n}", 200_000 + n, True, f"Z{n:06d}", "旧收款人", "", "退汇", returned="AC04")
    )
    told.add(("RETURN", f"{PARENT}/RTN{n}"))
    told.add(("UNKNOWN_PAYER", f"{PARENT}/RTN{n}"))


def _extra(plan: Plan, a: int, line: Line) -> None:
    plan.accounts[a].extra.append(line)
