"""The second bank's side for tests: its stand-in with one account, and days of credits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random

from foundation.keys import KeyStore
from sandbox.city_bank.files import day_file
from sandbox.city_bank.service import Bank, serving
from tests.platform.tree import ROOT

MORE = ROOT / "escrow" / "more_rails"
RAIL = "city_bank"
DAY = date(2026, 4, 2)
NOW = datetime(2026, 4, 2, 2, 0, tzinfo=UTC)
SECRET = "s" * 32
ACCOUNT = "9910339900000200001"


def keys_in(folder: Path) -> KeyStore:
    """A key folder with the secret that both sides share."""
    store = KeyStore(folder)
    store.put_secret(f"{RAIL}.shared", SECRET)
    return store


@contextmanager
def running_bank() -> Iterator[Bank]:
    """The stand-in, with money on the account."""
    with serving(Bank(SECRET, silent_s=1.0)) as found:
        found.book.accounts[ACCOUNT] = []
        found.book.credit(ACCOUNT, 10_000_000, "戴超忠", "9955000000000010", "调解款", date(2026, 4, 1))
        yield found


def some_day(bank: Bank, random: Random, count: int) -> bytes:
    names = ("瓯栖县恒达工程有限公司", "𠮷野家", "A" * 70, "", "欧阳 敏海")
    for _ in range(count):
        bank.book.credit(
            ACCOUNT, random.randrange(1, 10**9), random.choice(names), "99550", random.choice(names), DAY
        )
    return day_file(bank.book, ACCOUNT, DAY)
