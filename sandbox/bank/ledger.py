"""The bank's own double-entry book: parent account, one sub-account a case, and the world outside. Integer fen."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sandbox.bank.profile import OUTSIDE, PARENT, SUBACCOUNT_FIRST, SUBACCOUNT_STEM
from sandbox.books import Books
from sandbox.control import BadOrder


@dataclass(frozen=True)
class Account:
    """`kind`: ESC parent, VSA sub-account, OUT the world outside (never shown)."""

    number: str
    kind: str
    case_ref: str
    balance_fen: int
    closing_fen: int
    statement_no: int
    stated_to: str


@dataclass(frozen=True)
class Line:
    """One side of an entry as its account shows it; `fen` above zero is a credit."""

    entry: int
    kind: str
    account: str
    scheme: str
    fen: int
    ref: str
    biz_date: str
    e2e: str
    other_name: str
    other_account: str
    text: str
    reason: str
    reason_text: str
    reversal: bool


@dataclass(frozen=True)
class Side:
    """A posting to be made. `ref` and `biz_date` only where a message given from outside names them."""

    account: str
    fen: int
    ref: str = ""
    biz_date: str = ""


_LINES = (
    "SELECT e.id, e.kind, p.account, a.kind AS scheme, p.fen, p.ref, p.biz_date, e.e2e, e.other_name, e.other_account,"
    " e.text, e.reason, e.reason_text, e.reverses FROM bank_posting p JOIN bank_entry e ON e.id = p.entry"
    " JOIN bank_account a ON a.number = p.account WHERE a.kind <> 'OUT' AND "
)


class Ledger:
    """Every method may run inside an open `books.transaction()`; the outermost one commits."""

    def __init__(self, books: Books) -> None:
        self._books = books
        with books.transaction() as db:
            for number, kind in ((PARENT, "ESC"), (OUTSIDE, "OUT")):
                db.execute(
                    "INSERT OR IGNORE INTO bank_account (number, kind, opened_on) VALUES (?, ?, '')",
                    (number, kind),
                )

    def account(self, number: str) -> Account | None:
        with self._books.transaction() as db:
            row = db.execute(
                "SELECT * FROM bank_account WHERE number=? AND kind<>'OUT'", (number,)
            ).fetchone()
        return None if row is None else _account(row)

    def accounts(self) -> list[Account]:
        with self._books.transaction() as db:
            rows = db.execute("SELECT * FROM bank_account WHERE kind<>'OUT' ORDER BY number").fetchall()
        return [_account(row) for row in rows]

    def need(self, number: str) -> Account:
        """The account. Raises BadOrder when the bank has none of this number."""
        found = self.account(number)
        if found is None:
            raise BadOrder(f"no account {number} at this bank")
        return found

    def open_subaccount(self, case_ref: str, case_name: str, on: date) -> str:
        """The sub-account of a case: the one it has, one reserved for it, or the next free number."""
        with self._books.transaction() as db:
            kept = db.execute(
                "SELECT number FROM bank_account WHERE case_ref=? AND kind='VSA'", (case_ref,)
            ).fetchone()
            if kept:
                return str(kept["number"])
            number = self._reserved(case_ref) or self._next_number()
            self.put_account(number, case_ref, case_name, on)
        return number

    def put_account(self, number: str, case_ref: str | None, case_name: str, on: date) -> None:
        """Open a sub-account of a given number (kept as it is when it exists without a case)."""
        with self._books.transaction() as db:
            db.execute(
                "INSERT INTO bank_account (number, kind, case_ref, case_name, opened_on) VALUES (?,'VSA',?,?,?)"
                " ON CONFLICT (number) DO UPDATE SET case_ref=coalesce(case_ref, excluded.case_ref),"
                " case_name=excluded.case_name",
                (number, case_ref, case_name, on.isoformat()),
            )

    def reserve(self, number: str, case_ref: str) -> None:
        """The next opening (of `case_ref`, or of any case when empty) gets this number."""
        taken = self.account(number)
        if taken is not None and taken.case_ref:
            raise BadOrder(f"{number} belongs to {taken.case_ref} already")
        self._books.put("bank", "reserved", number, case_ref)

    def _reserved(self, case_ref: str) -> str | None:
        waiting = self._books.items("bank", "reserved")
        for wanted in (case_ref, ""):
            for _, number, for_case in waiting:
                if for_case == wanted:
                    self._books.drop("bank", "reserved", number)
                    return str(number)
        return None

    def _next_number(self) -> str:
        for _ in range(10_000):
            count = self._books.next_number("bank", "subaccount")
            number = f"{SUBACCOUNT_STEM}{SUBACCOUNT_FIRST + count:06d}"
            if self.account(number) is None:
                return number
        raise RuntimeError("no free sub-account number")

    def post(
        self,
        kind: str,
        at: datetime,
        today: date,
        sides: list[Side],
        *,
        e2e: str = "",
        other_name: str = "",
        other_account: str = "",
        text: str = "",
        reason: str = "",
        reason_text: str = "",
        reverses: int | None = None,
    ) -> int:
        """Book an entry; what the sides lack to zero goes to the world outside. Returns the entry's id.

        Raises BadOrder when an account would fall below zero or the entry stands already.
        """
        rest = -sum(side.fen for side in sides)
        with self._books.transaction() as db:
            db.execute("SAVEPOINT posting")  # a refusal leaves nothing, even where the caller goes on
            try:
                entry = db.execute(
                    "INSERT INTO bank_entry (kind, at, e2e, other_name, other_account, text, reason, reason_text,"
                    " reverses) VALUES (?,?,?,?,?,?,?,?,?)",
                    (kind, at.isoformat(), e2e or None, other_name, other_account, text, reason, reason_text, reverses),
                ).lastrowid  # fmt: skip
                for side in [*sides, *([Side(OUTSIDE, rest)] if rest else [])]:
                    day = side.biz_date or self.biz_date(side.account, today)
                    db.execute(
                        "INSERT INTO bank_posting (entry, account, fen, ref, biz_date) VALUES (?,?,?,?,?)",
                        (entry, side.account, side.fen, side.ref or self._next_ref(side.account, day), day),
                    )
                db.execute("UPDATE bank_entry SET sealed=1 WHERE id=?", (entry,))
            except sqlite3.IntegrityError as refused:
                db.execute("ROLLBACK TO posting")
                raise BadOrder(f"the book refuses this {kind}: {refused}") from refused
            finally:
                db.execute("RELEASE posting")
        return int(entry or 0)

    def biz_date(self, account: str, today: date) -> str:
        """The accounting day of a new posting: today, or the day after the last closed one."""
        found = self.account(account)
        if found is None or found.stated_to < today.isoformat():
            return today.isoformat()
        return (date.fromisoformat(found.stated_to) + timedelta(days=1)).isoformat()

    def _next_ref(self, account: str, day: str) -> str:
        # Habit 12: unique per day and account only, so the numbers begin anew on each.
        with self._books.transaction() as db:
            used = db.execute(
                "SELECT count(*) FROM bank_posting WHERE account=? AND biz_date=?", (account, day)
            ).fetchone()
        return f"SVC{used[0] + 1:07d}"

    def lines(
        self, *, entry: int | None = None, account: str | None = None, unstated_to: str = "",
        statement_no: int | None = None,
    ) -> list[Line]:  # fmt: skip
        """Lines of an entry, or of an account (only those that no statement has yet, up to a day, or those of one
        statement, when given)."""
        clauses, values = [], []
        for column, wanted in (
            ("p.entry=?", entry),
            ("p.account=?", account),
            ("p.statement_no=?", statement_no),
        ):
            if wanted is not None:
                clauses.append(column)
                values.append(wanted)
        if unstated_to:
            clauses.append("p.statement_no IS NULL AND p.biz_date<=?")
            values.append(unstated_to)
        with self._books.transaction() as db:
            rows = db.execute(_LINES + " AND ".join(clauses) + " ORDER BY e.id, p.account", values).fetchall()
        return [_line(row) for row in rows]

    def held(self, account: str) -> int:
        """Fen under a court's hold, never more than the balance (a queued hold may ask for more)."""
        with self._books.transaction() as db:
            row = db.execute(
                "SELECT min(a.balance_fen, coalesce((SELECT sum(fen) FROM bank_hold WHERE account=a.number"
                " AND lifted_at IS NULL), 0)) FROM bank_account a WHERE a.number=?",
                (account,),
            ).fetchone()
        return int(row[0]) if row else 0

    def hold(self, account: str, document_no: str, fen: int, at: datetime) -> None:
        """Put or change a hold under a court's document number."""
        self.need(account)
        with self._books.transaction() as db:
            db.execute(
                "INSERT INTO bank_hold (account, document_no, fen, made_at) VALUES (?,?,?,?)"
                " ON CONFLICT (account, document_no) DO UPDATE SET fen=excluded.fen, lifted_at=NULL",
                (account, document_no, fen, at.isoformat()),
            )

    def lift(self, account: str, document_no: str, at: datetime) -> None:
        """End a hold. Raises BadOrder when there is none under this number."""
        with self._books.transaction() as db:
            done = db.execute(
                "UPDATE bank_hold SET lifted_at=? WHERE account=? AND document_no=? AND lifted_at IS NULL",
                (at.isoformat(), account, document_no),
            )
            if done.rowcount == 0:
                raise BadOrder(f"no hold {document_no} on {account}")

    def balance_at(self, account: str, until: datetime) -> int:
        """Booked balance as it stood at an instant (the balance call may lag)."""
        with self._books.transaction() as db:
            row = db.execute(
                "SELECT coalesce(sum(p.fen), 0) FROM bank_posting p JOIN bank_entry e ON e.id=p.entry"
                " WHERE p.account=? AND e.at<=?",
                (account, until.isoformat()),
            ).fetchone()
        return int(row[0])


def _account(row: sqlite3.Row) -> Account:
    return Account(
        row["number"], row["kind"], row["case_ref"] or "", row["balance_fen"], row["closing_fen"], row["statement_no"],
        row["stated_to"],
    )  # fmt: skip


def _line(row: sqlite3.Row) -> Line:
    return Line(
        row["id"], row["kind"], row["account"], row["scheme"], row["fen"], row["ref"], row["biz_date"], row["e2e"] or "",
        row["other_name"], row["other_account"], row["text"], row["reason"], row["reason_text"],
        row["reverses"] is not None,
    )  # fmt: skip
