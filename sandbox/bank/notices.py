"""camt.054 at once, camt.052 on request, pacs.004 and its credit, camt.053 at night."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from sandbox.bank import iso_accounts, profile, settings
from sandbox.bank.iso_accounts import Balance, xml_bytes
from sandbox.bank.ledger import Account, Ledger, Line
from sandbox.bank.post_office import PostOffice
from sandbox.books import Books
from sandbox.clock import BEIJING, VirtualClock
from sandbox.control import BadOrder

P = profile.PARTNER
NIGHT = time(23, 30)
MAX_NIGHTS = 400  # a clock that jumps further than this is caught up with only so far


@dataclass(frozen=True)
class Slip:
    """Mistakes asked for in a night's statements: references left out or told twice, numbers skipped.

    `cut`: references booked after the cut-off: not in this day's statement nor its balance, but in the next one's,
    under that one's day. `account`: the slip is in this account's statement only.
    """

    omit: tuple[str, ...] = ()
    double: tuple[str, ...] = ()
    skip_numbers: int = 0
    cut: tuple[str, ...] = ()
    account: str = ""


class Notices:
    def __init__(self, books: Books, clock: VirtualClock, ledger: Ledger, post: PostOffice) -> None:
        self._books, self._clock, self._ledger, self._post = books, clock, ledger, post

    def tell(self, entry: int) -> list[int]:
        """camt.054 for each account of an entry. Returns the messages' numbers."""
        on_parent = settings.read(self._books).notify_on == "parent"
        told = []
        for line in self._ledger.lines(entry=entry):
            # Only credits are told on the parent: an entry there has no field that would name the debited sub-account.
            parent = on_parent and line.fen > 0
            account = (profile.PARENT, "ESC") if parent else (line.account, line.scheme)
            number = self._count(account[0], "notice_no")
            msg_id = f"OQN{self._books.next_number(P, 'camt.054'):07d}"
            document = iso_accounts.notice(msg_id, number, self._clock.beijing(), account, [line])
            told.append(self._post.put(profile.CAMT_054, xml_bytes(document)))
        return told

    def tell_together(self, entries: list[int]) -> int:
        """One camt.054 of many entries, a notification an account. Returns the message's number."""
        told: dict[tuple[str, str], list[Line]] = {}
        for entry in entries:
            for line in self._ledger.lines(entry=entry):
                told.setdefault((line.account, line.scheme), []).append(line)
        msg_id = f"OQN{self._books.next_number(P, 'camt.054'):07d}"
        groups = [(self._count(account[0], "notice_no"), account, lines) for account, lines in told.items()]
        document = iso_accounts.notice_of_many(msg_id, self._clock.beijing(), groups)
        return self._post.put(profile.CAMT_054, xml_bytes(document))

    def report(self, number: str, pending: list[Line]) -> int:
        """camt.052 of an account as it stands: ITBD, ITAV after holds, and entries that are only expected."""
        account = self._ledger.need(number)
        at = self._clock.beijing()
        day = at.date().isoformat()
        balances = [
            Balance("ITBD", account.balance_fen, day),
            Balance("ITAV", account.balance_fen - self._ledger.held(number), day),
        ]
        msg_id = f"OQR{self._books.next_number(P, 'camt.052'):05d}"
        document = iso_accounts.report(
            msg_id, self._count(number, "report_no"), at, (number, account.kind), balances, pending
        )
        return self._post.put(profile.CAMT_052, xml_bytes(document))

    def _count(self, number: str, column: str) -> int:
        with self._books.transaction() as db:
            db.execute(f"UPDATE bank_account SET {column}={column}+1 WHERE number=?", (number,))
            return int(
                db.execute(f"SELECT {column} FROM bank_account WHERE number=?", (number,)).fetchone()[0]
            )

    def nights(self) -> int:
        """Close the days whose 23:30 has passed since the last look. The first look closes nothing."""
        beijing = self._clock.beijing()
        last = beijing.date() if beijing.time() >= NIGHT else beijing.date() - timedelta(days=1)
        kept = self._books.get(P, "night", "closed_to")
        done = date.fromisoformat(kept) if kept else last
        if kept == last.isoformat():
            return 0
        closed = 0
        if settings.read(self._books).night == "auto" and done < last:
            first = max(done + timedelta(days=1), last - timedelta(days=MAX_NIGHTS))
            for step in range((last - first).days + 1):
                closed += len(self.close_day(first + timedelta(days=step)))
        self._books.put(P, "night", "closed_to", last.isoformat())
        return closed

    def close_day(self, day: date, encoding: str = "", slip: Slip | None = None) -> list[dict[str, Any]]:
        """camt.053 of every account that moved, and of the parent in any case; a second time says nothing new."""
        encoding = encoding or settings.read(self._books).night_encoding
        made = []
        with self._books.transaction():
            for account in self._ledger.accounts():
                slipped = (slip or Slip()) if not slip or slip.account in ("", account.number) else Slip()
                lines = self._ledger.lines(account=account.number, unstated_to=day.isoformat())
                lines = self._after_the_cut(lines, day, slipped)
                idle = account.kind != "ESC" or account.stated_to >= day.isoformat()
                if lines or not idle:
                    made.append(self._state(account, day, lines, encoding, slipped))
        return made

    def _after_the_cut(self, lines: list[Line], day: date, slip: Slip) -> list[Line]:
        """The day's lines without those cut off; those that the day before cut off stand under this day."""
        cut = [line for line in lines if line.ref in slip.cut and line.biz_date == day.isoformat()]
        for line in cut:
            self._books.put(P, "cut", f"{line.account}/{line.entry}", True)
        return [
            replace(line, biz_date=day.isoformat())
            if self._books.get(P, "cut", f"{line.account}/{line.entry}")
            else line
            for line in lines
            if line not in cut
        ]

    def restate(self, number: str) -> dict[str, Any]:
        """The last statement of an account once more, put right: same number and balances, a new id."""
        account = self._ledger.need(number)
        with self._books.transaction() as db:
            kept = db.execute(
                "SELECT * FROM bank_statement WHERE account=? AND number=?", (number, account.statement_no)
            ).fetchone()
            if kept is None:
                raise BadOrder(f"no statement of {number} yet")
            lines = self._ledger.lines(account=number, statement_no=account.statement_no)
            msg_id = f"OQS{self._books.next_number(P, 'camt.053'):06d}"
            at = datetime.combine(date.fromisoformat(kept["biz_date"]), NIGHT, BEIJING)
            balances = [
                Balance("OPBD", kept["opening_fen"], kept["biz_date"]),
                Balance("CLBD", kept["closing_fen"], kept["biz_date"]),
            ]
            document = iso_accounts.statement(
                msg_id, account.statement_no, at, (number, account.kind), balances, lines
            )
            seq = self._post.put(profile.CAMT_053, xml_bytes(document), at=at)
        return {"account": number, "number": account.statement_no, "seq": seq, "message_id": msg_id}

    def _state(
        self, account: Account, day: date, lines: list[Line], encoding: str, slip: Slip
    ) -> dict[str, Any]:
        at = datetime.combine(day, NIGHT, BEIJING)
        number = account.statement_no + 1 + slip.skip_numbers
        closing = account.closing_fen + sum(line.fen for line in lines)
        msg_id = f"OQS{self._books.next_number(P, 'camt.053'):06d}"
        shown = [line for line in lines if line.ref not in slip.omit]
        shown += [line for line in lines if line.ref in slip.double]
        balances = [
            Balance("OPBD", account.closing_fen, day.isoformat()),
            Balance("CLBD", closing, day.isoformat()),
        ]
        document = iso_accounts.statement(
            msg_id, number, at, (account.number, account.kind), balances, shown, totals=lines
        )
        seq = self._post.put(profile.CAMT_053, xml_bytes(document, encoding), encoding=encoding, at=at)
        self.keep_statement(
            account.number, number, day.isoformat(), (account.closing_fen, closing), lines, msg_id
        )
        return {
            "account": account.number, "number": number, "date": day.isoformat(), "opening_fen": account.closing_fen,
            "closing_fen": closing, "entries": len(lines), "seq": seq, "message_id": msg_id,
        }  # fmt: skip

    def keep_statement(
        self, account: str, number: int, day: str, balances: tuple[int, int], lines: list[Line], msg_id: str
    ) -> None:
        """Note in the book that these lines are on a statement, and where the next one begins.

        `balances`: opening and closing as told. Raises BadOrder when the account has a statement of this number.
        """
        opening, closing = balances
        with self._books.transaction() as db:
            if db.execute(
                "SELECT 1 FROM bank_statement WHERE account=? AND number=?", (account, number)
            ).fetchone():
                raise BadOrder(f"statement {number} of {account} has been told already")
            db.execute(
                "INSERT INTO bank_statement (account, number, biz_date, opening_fen, closing_fen, entries, message_id)"
                " VALUES (?,?,?,?,?,?,?)",
                (account, number, day, opening, closing, len(lines), msg_id),
            )
            db.executemany(
                "UPDATE bank_posting SET statement_no=? WHERE entry=? AND account=?",
                [(number, line.entry, account) for line in lines],
            )
            db.execute(
                "UPDATE bank_account SET statement_no=max(statement_no, ?), closing_fen=?, stated_to=max(stated_to, ?)"
                " WHERE number=?",
                (number, closing, day, account),
            )
