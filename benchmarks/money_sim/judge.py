"""The judge: bank's and wallet's own books against what people authorised. Our ledger is not asked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from benchmarks.money_sim.office import BANK, Office
from benchmarks.money_sim.outside import Outside
from benchmarks.money_sim.scene import Scene
from sandbox.bank.profile import WALLET_ACCOUNT

INVARIANT = re.compile(r"I\d+ ")
PAID_STATES = ("PAID", "RETURNED", "REISSUED", "CLOSED")
ENDED_STATES = ("FAILED", "STOPPED", "CANCELLED")

# Each check of the judge, and the words by which its findings are known.
CHECKS = (
    ("paid twice", ("double: ",)), ("paid without approval", ("nobody ordered it", "persons")),
    ("other than approved", ("approved was", " paid, ", "which is no payee's", "moved money to")),
    ("old account", ("old account after",)), ("refund not to its source", ("from which nothing came",)),
    ("paid after the agreement was void", ("agreement was void",)), ("frozen money left", ("left frozen money",)),
    ("held for paid, not paid", ("the bank has not paid it",)), ("given up, and paid", ("the bank has paid it",)),
    ("a person did what he may not", ("own draft", "checked and released")), ("forged message taken", ("forged ",)),
    ("court's paper not taken", ("court's paper was refused", "was not taken", "the freeze ")),
    ("message never taken", ("messages that the hub never took",)), ("bank's book against ours", ("the bank's book of",)),
    ("spoiled statement unnoticed", ("no break was opened",)), ("an act failed", ("error ",)),
)  # fmt: skip


@dataclass
class Verdict:
    """What was wrong in a run. `double`, `lost`: payouts; `broken`: invariants, and all else that must never be."""

    double: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    executed: int = 0

    @property
    def wrong(self) -> bool:
        """Anything at all."""
        return bool(self.double or self.lost or self.broken)

    def text(self) -> str:
        """In words."""
        return "; ".join(
            [*(f"double: {x}" for x in self.double), *(f"lost: {x}" for x in self.lost), *self.broken]
        )


def check_of(text: str) -> str:
    """The check that says most of a verdict's text: the first of CHECKS, else an invariant by its number; what was not
    paid at the end may have any cause."""
    findings = text.split("; ")
    for check, words in CHECKS:
        if any(word in finding for finding in findings for word in words):
            return check
    broken = [finding.split()[0] for finding in findings if INVARIANT.match(finding)]
    return f"invariant {broken[0]}" if broken else "not paid"


@dataclass(frozen=True)
class Paid:
    """One instruction that bank or wallet carried out."""

    number: str
    account: str
    name: str
    fen: int
    back: int
    times: int


class Judge:
    """Watches one run. `look` after each act, `verdict` at the end."""

    def __init__(self, office: Office, outside: Outside, scene: Scene) -> None:
        self.office, self.outside, self.scene = office, outside, scene
        self.seen: set[str] = set()
        self.broken: list[str] = []

    def payments(self) -> list[Paid]:
        """What was carried out, by the books."""
        with self.office.site.books.transaction() as db:
            bank = db.execute(
                "SELECT p.e2e, p.payee_account, p.payee_name, p.fen, coalesce((SELECT sum(t.fen) FROM bank_entry e JOIN bank_posting t"
                " ON t.entry=e.id AND t.account=p.account WHERE e.kind='return' AND e.e2e=p.e2e), 0),"
                " (SELECT count(*) FROM bank_entry e WHERE e.kind='payout' AND e.e2e=p.e2e) FROM bank_payment p"
                " WHERE p.entry IS NOT NULL ORDER BY p.rowid"
            ).fetchall()
            wallet = db.execute(
                "SELECT o.out_biz_no, o.identity, o.name, o.fen, coalesce((SELECT sum(l.fen) FROM alipay_line l WHERE l.kind='refund'"
                " AND l.reference=o.out_biz_no), 0), (SELECT count(*) FROM alipay_line l WHERE l.kind='payout'"
                " AND l.reference=o.out_biz_no) FROM alipay_order o WHERE o.status IN ('SUCCESS', 'REFUND') ORDER BY o.rowid"
            ).fetchall()
        return [Paid(*row) for row in (*bank, *wallet)]

    def look(self) -> None:
        """After an act: new instructions at the bank leave frozen money alone; what the hub calls paid was paid, and what
        it has given up was not."""
        self._frozen()
        done = {paid.number for paid in self.payments()}
        # An order that ended before it left gives its number to the next: the last that bears it is meant, by id, since the
        # hub's clock may jump.
        for row in {row["number"]: row for row in sorted(self.office.learn(), key=_by_id)}.values():
            if row["state"] in PAID_STATES and row["number"] not in done:
                self._say(f"the hub holds {row['number']} for paid, the bank has not paid it")
            if row["state"] in ENDED_STATES and row["number"] in done:
                self._say(f"the hub holds {row['number']} for {row['state']}, the bank has paid it")

    def _say(self, what: str) -> None:
        if what not in self.broken:
            self.broken.append(what)

    def _frozen(self) -> None:
        """R >= F: what is left at the bank after all that has arrived covers the freezes in force."""
        with self.office.site.books.transaction() as db:
            rows = db.execute(
                "SELECT e2e, account, payee_account FROM bank_payment WHERE state IN ('ACSP','PDNG','ACSC','RTND') ORDER BY rowid"
            ).fetchall()
        fresh = [row for row in rows if row[0] not in self.seen]
        self.seen.update(row[0] for row in rows)
        live = {no: one for no, one in self.office.freezes.items() if not one.lifted}
        for e2e, account, _ in fresh:
            against = [one for one in live.values() if e2e not in one.left]
            if not against:
                continue
            with self.office.site.books.transaction() as db:
                balance = db.execute(
                    "SELECT balance_fen FROM bank_account WHERE number=?", (account,)
                ).fetchone()[0]
                waits = db.execute(
                    "SELECT coalesce(sum(fen), 0) FROM bank_payment WHERE account=? AND state IN ('ACSP','PDNG')",
                    (account,),
                ).fetchone()[0]
            if balance - waits < sum(one.fen for one in against):
                self._say(f"{e2e} left frozen money")

    # -- at the end ---------------------------------------------------------------------------------------

    def verdict(self, violations: list[Any]) -> Verdict:
        """The whole judgement of a run that has healed."""
        office, found = self.office, Verdict()
        self.look()
        paid = self.payments()
        found.executed = len(paid)
        found.broken = [*self.broken, *office.wrong, *(f"error {each}" for each in office.errors)]
        found.broken += [
            f"{each.invariant} {each.subject}: {each.found}" for each in violations if each.invariant != "I12"
        ]
        known = {order.number: order for order in office.orders.values()}
        for one in paid:
            self._authorised(one, known.get(one.number), found)
        self._seats(paid, known, found)
        self._refunds(paid, known, found)
        self._books(found)
        if self.outside.letters:
            kinds = sorted({letter.kind for letter in self.outside.letters})
            found.broken.append(f"messages that the hub never took: {', '.join(kinds)}")
        return found

    def _authorised(self, one: Paid, order: Any, found: Verdict) -> None:
        if order is None:
            found.broken.append(f"{one.number} was paid and nobody ordered it")
            return
        if one.times > 1:
            found.double.append(f"{one.number} {one.times} times")
        need = 3 if one.fen > 5_000_000 else 2
        if len(order.persons) < need:
            found.broken.append(f"{one.number} was paid with {len(order.persons)} of {need} persons")
        if one.fen != order.fen:
            found.broken.append(f"{one.number}: {one.fen} paid, {order.fen} approved")
        if one.account != order.account:
            found.broken.append(f"{one.number} went to {one.account}, approved was {order.account}")
        if order.purpose == "COMPENSATION" and self.office.void and one.number not in self.office.void_left:
            found.broken.append(f"{one.number} was paid after the agreement was void")
        if order.purpose == "COMPENSATION":
            seat = self.office.seats[order.payee]
            if (one.account, one.name) not in seat.accounts:
                found.broken.append(f"{one.number} went to {one.account}, which is no payee's")
            elif one.account != seat.accounts[-1][0] and one.number not in self.office.changed.get(
                one.account, set()
            ):
                found.broken.append(f"{one.number} went to the old account after the payee was changed")
        elif order.purpose == "REFUND":
            if one.account not in {account for account, _ in self.scene.paid_in}:
                found.broken.append(f"{one.number} refunded to {one.account}, from which nothing came")
        elif one.account != WALLET_ACCOUNT:
            found.broken.append(f"{one.number} moved money to {one.account}")

    def _seats(self, paid: list[Paid], known: dict[str, Any], found: Verdict) -> None:
        for seat in self.office.seats.values():
            for instalment, share in seat.shares.items():
                net = sum(
                    one.fen - one.back for one in paid
                    if (order := known.get(one.number)) and order.purpose == "COMPENSATION" and order.payee == seat.key
                    and order.instalment == instalment
                )  # fmt: skip
                if net > share:
                    found.double.append(f"{seat.key}/{instalment}: {net} paid of {share}")
                if net < share and not self.office.void:
                    found.lost.append(f"{seat.key}/{instalment}: {net} paid of {share}")

    def _refunds(self, paid: list[Paid], known: dict[str, Any], found: Verdict) -> None:
        came: dict[str, int] = {}
        for account, fen in self.scene.paid_in:
            came[account] = came.get(account, 0) + fen
        back: dict[str, int] = {}
        out = 0
        for one in paid:
            order = known.get(one.number)
            if order is not None and order.purpose == "REFUND":
                back[one.account] = back.get(one.account, 0) + one.fen - one.back
            elif order is not None and order.purpose == "COMPENSATION":
                out += one.fen - one.back
        for account, fen in back.items():
            if fen > came.get(account, 0):
                found.double.append(f"{fen} refunded to {account}, from which {came.get(account, 0)} came")
        rest = sum(came.values()) - out - sum(back.values())
        if rest > 0:
            found.lost.append(f"{rest} fen of the payers neither paid nor refunded")

    def _books(self, found: Verdict) -> None:
        """Every line of the bank's own book is in ours, once, with its sum; and what was wrong on paper was noticed."""
        account = self.scene.account
        with self.office.site.books.transaction() as db:
            theirs = db.execute(
                "SELECT fen FROM bank_posting WHERE account=? ORDER BY fen", (account,)
            ).fetchall()
        ours = self.office.rows(
            "SELECT CASE direction WHEN 'CREDIT' THEN fen ELSE -fen END AS fen FROM escrow.statement_line"
            " WHERE rail = %(rail)s AND account = %(account)s ORDER BY 1",
            rail=BANK, account=account,
        )  # fmt: skip
        if [row[0] for row in theirs] != [int(row["fen"]) for row in ours]:
            found.broken.append(
                f"the bank's book of {account} has {len(theirs)} lines, ours {len(ours)} or other sums"
            )
        if self.scene.bad_taken:
            breaks = self.office.rows(
                "SELECT kind FROM escrow.recon_break WHERE kind IN ('BALANCE', 'DUPLICATE', 'MISSING_LINE')"
            )
            if not breaks:
                found.broken.append("a statement that did not add up came, and no break was opened")


def _by_id(row: Any) -> str:
    return str(row["id"])
