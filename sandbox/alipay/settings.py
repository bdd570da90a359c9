"""What can be set about the wallet's behaviour, kept in its book over restarts."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from sandbox.alipay.profile import CALLS_PER_S, PARTNER
from sandbox.books import Books
from sandbox.control import BadOrder


@dataclass(frozen=True)
class Settings:
    """`notify`: auto = a paid, failed or returned order is told by itself; manual = by order only.
    `notify_charset`: utf-8 or GBK. `hurry`: how many times faster than the contract a notify is repeated (0 = by the
    contract on a real clock, 100 on a virtual one). `rate_per_s`: calls a second before 20000 (0 = no limit).
    `limit_fen`: the most one transfer may be. `query_lag_s`: orders younger than this are not found (habit 2).
    """

    notify: str = "auto"
    notify_charset: str = "utf-8"
    hurry: int = 0
    rate_per_s: int = CALLS_PER_S
    limit_fen: int = 99_999_999_999
    query_lag_s: int = 0


_WORDS = {"notify": ("auto", "manual"), "notify_charset": ("utf-8", "GBK")}


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
