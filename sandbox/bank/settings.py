"""What can be set about the bank's behaviour, kept in its book over restarts."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from sandbox.bank.profile import CALLS_PER_S, PARTNER
from sandbox.books import Books
from sandbox.control import BadOrder


@dataclass(frozen=True)
class Settings:
    """`night`: auto = camt.053 by itself at 23:30, manual = by order only. `night_encoding`: UTF-8 or GB18030.
    `hurry`: how many times faster than the contract an unanswered push is repeated (0 = by the contract on a real
    clock, 100 on a virtual one). `rate_per_s`: calls a second before E00429 (0 = no limit). `notify_on`: sub or
    parent, the account under which camt.054 reports a credit of a sub-account. `windows`: keep cut-off, night pause
    and the hours of large sums. `query_lag_s`: payments younger than this are not found (habit 8). `balance_lag_s`:
    how far the balance call is behind (habit 9). `closed`: answer E00503. `by_file`: payments of one file are booked in
    one go and told of together, one pain.002 a file and one camt.054 for all its debits.
    """

    night: str = "auto"
    night_encoding: str = "UTF-8"
    hurry: int = 0
    rate_per_s: int = CALLS_PER_S
    notify_on: str = "sub"
    debit_notice: bool = True
    windows: bool = True
    query_lag_s: int = 0
    balance_lag_s: int = 0
    closed: bool = False
    by_file: bool = False


_WORDS = {
    "night": ("auto", "manual"),
    "night_encoding": ("UTF-8", "GB18030"),
    "notify_on": ("sub", "parent"),
}


def read(books: Books) -> Settings:
    return replace(Settings(), **(books.get(PARTNER, "settings", "all") or {}))


def change(books: Books, told: dict[str, Any]) -> Settings:
    """Change some settings. Raises BadOrder on an unknown name, word or type."""
    kinds = {field.name: type(getattr(Settings(), field.name)) for field in fields(Settings)}
    for name, value in told.items():
        if name not in kinds or type(value) is not kinds[name]:
            raise BadOrder(f"{name}: one of {', '.join(kinds)}, of its type")
        if value not in _WORDS.get(name, (value,)) or (isinstance(value, int) and value < 0):
            raise BadOrder(f"{name}: {value!r} is not possible")
    changed = replace(read(books), **told)
    books.put(PARTNER, "settings", "all", asdict(changed))
    return changed
