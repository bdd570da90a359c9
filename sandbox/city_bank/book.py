"""The stand-in's own book: accounts, transactions by serial and day, booked lines. It shares no code with the hub."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

ACCEPTED, WORKING, DONE, FAILED, RETURNED = "01", "02", "03", "04", "06"


@dataclass
class Booked:
    """One booked line of an account; `fen` above 0 came, below 0 went."""

    day: date
    fen: int
    reference: str
    serial: str = ""
    account: str = ""
    name: str = ""
    text: str = ""
    returned: bool = False


@dataclass
class Book:
    """What the bank holds. Every transaction is taken once by its (day, serial)."""

    parent: str = "9910339900000200000"
    taken: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    accounts: dict[str, list[Booked]] = field(default_factory=dict)
    opened: dict[tuple[str, str], str] = field(default_factory=dict)
    sequences: dict[tuple[str, str], int] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)  # lines that a running file told already

    def open(self, day: str, serial: str) -> str:
        """A sub-account, the same for the same request."""
        if (day, serial) not in self.opened:
            number = f"{self.parent[:14]}{len(self.opened) + 1:05d}"
            self.opened[day, serial] = number
            self.accounts.setdefault(number, [])
        return self.opened[day, serial]

    def balance(self, account: str, before: date | None = None) -> int:
        """Fen on an account, of the days before one where it is named."""
        rows = self.accounts.get(account, [])
        return sum(each.fen for each in rows if before is None or each.day < before)

    def credit(self, account: str, fen: int, name: str, other: str, text: str, day: date) -> None:
        """Money that came in."""
        self._add(account, Booked(day, fen, "", account=other, name=name, text=text))

    def _add(self, account: str, row: Booked) -> None:
        rows = self.accounts.setdefault(account, [])
        row.reference = f"CB{row.day:%Y%m%d}{account[-5:]}{len(rows) + 1:06d}"
        rows.append(row)

    def take(self, day: str, serial: str, order: dict[str, str]) -> dict[str, Any] | None:
        """Take a payment once; the same again is the same transaction, another under its key is None."""
        known = self.taken.get((day, serial))
        if known is None:
            known = self.taken[day, serial] = {"order": order, "state": ACCEPTED, "why": ""}
        return known if known["order"] == order else None

    def carry_out(self, today: date, fail: str = "") -> int:
        """Carry out what was taken; `fail`: payees of this name are refused. Returns how many were paid."""
        paid = 0
        for (_, serial), one in self.taken.items():
            if one["state"] not in (ACCEPTED, WORKING):
                continue
            order, fen = one["order"], fen_of(one["order"]["Amount"])
            if order["PayeeName"] == fail:
                one["state"], one["why"] = FAILED, "收款户名不符"
            elif self.balance(order["PayerAcct"]) < fen:
                one["state"], one["why"] = FAILED, "余额不足"
            else:
                one["state"] = DONE
                paid += 1
                self._add(
                    order["PayerAcct"],
                    Booked(today, -fen, "", serial, order["PayeeAcct"], order["PayeeName"], order["Remark"]),
                )
        return paid

    def come_back(self, day: str, serial: str, today: date) -> None:
        """A paid transaction comes back 退汇."""
        one = self.taken[day, serial]
        order, one["state"] = one["order"], RETURNED
        self._add(
            order["PayerAcct"],
            Booked(
                today,
                fen_of(order["Amount"]),
                "",
                serial,
                order["PayeeAcct"],
                order["PayeeName"],
                "退汇",
                returned=True,
            ),
        )

    def paid(self) -> dict[str, int]:
        """What really left, by serial: the judge's view."""
        found: dict[str, int] = {}
        for rows in self.accounts.values():
            for row in rows:
                if row.serial:
                    found[row.serial] = found.get(row.serial, 0) - row.fen
        return found


def fen_of(yuan: str) -> int:
    """Yuan with two decimals → fen."""
    whole, _, part = yuan.partition(".")
    return int(whole) * 100 + int((part + "00")[:2])
