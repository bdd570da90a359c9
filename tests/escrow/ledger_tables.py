"""Tables of events and codes: one line an event, read into accounts and transfers (test_general_ledger.py).

`account ID FLAGS… -> CODE` and `transfer ID DR>CR AMOUNT FLAGS… field=value… -> CODE`; `commit` sends what stands above
as one batch; `stands ID dp d cp c [CLOSED]` and `moved ID AMOUNT` look; `wait N` lets N seconds pass. `max`: 2^128-1.
Ledger and code are 1 unless said otherwise, and 0 for a post or void.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from escrow.ledger import (
    Account,
    AccountFlags,
    Transfer,
    TransferFlags,
    create_accounts,
    create_transfers,
    lookup_accounts,
    lookup_transfers,
)

MAX = 2**128 - 1


def play(through: Any, wait: Callable[[int], None], table: str) -> None:
    """Play one table; AssertionError names the lines that came out otherwise."""
    accounts: list[tuple[Account, str]] = []
    transfers: list[tuple[Transfer, str]] = []
    for line in [*table.strip().splitlines(), "commit"]:
        text, _, code = (part.strip() for part in line.partition("#")[0].partition("->"))
        words = text.split()
        match words[:1]:
            case ["account"]:
                accounts.append((_account(words[1:]), code))
            case ["transfer"]:
                transfers.append((_transfer(words[1:]), code))
            case []:
                continue
            case _:
                _commit(through, accounts, transfers)
                _look(through, wait, words)


def _commit(through: Any, accounts: list[tuple[Account, str]], transfers: list[tuple[Transfer, str]]) -> None:
    if accounts:
        codes = [each.code for each in create_accounts(through, [event for event, _ in accounts])]
        assert codes == [code for _, code in accounts]
    if transfers:
        codes = [each.code for each in create_transfers(through, [event for event, _ in transfers])]
        expected = [code for _, code in transfers]
        assert codes == expected, [t for t, a, b in zip(transfers, codes, expected, strict=True) if a != b]
    accounts.clear()
    transfers.clear()


def _look(through: Any, wait: Callable[[int], None], words: list[str]) -> None:
    match words:
        case ["wait", seconds]:
            wait(int(seconds))
        case ["stands", name, *rest]:
            (a,) = lookup_accounts(through, [int(name)])
            stands = [
                str(n) for n in (a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted)
            ]
            assert [*stands, *(["CLOSED"] if a.flags & AccountFlags.CLOSED else [])] == rest, name
        case ["moved", name, "nothing"]:
            assert lookup_transfers(through, [int(name)]) == []
        case ["moved", name, amount]:
            assert [t.amount for t in lookup_transfers(through, [int(name)])] == [int(amount)]


def _number(word: str) -> int:
    sign, _, rest = word.partition("max")
    return (
        int(word) if not rest and "max" not in word else MAX - int(rest[1:] or 0) if not sign else int(sign)
    )


def _fields(words: list[str], flags: Any) -> dict[str, int]:
    given = {"flags": 0}
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            given[name] = _number(value)
        elif name.startswith("bit"):
            given["flags"] |= 1 << int(name[3:])
        else:
            given["flags"] |= flags[name]
    return given


def _account(words: list[str]) -> Account:
    return Account(**{"id": _number(words[0]), "ledger": 1, "code": 1, **_fields(words[1:], AccountFlags)})


def _transfer(words: list[str]) -> Transfer:
    name, sides, amount, *rest = words
    debit, _, credit = sides.partition(">")
    given = _fields(rest, TransferFlags)
    ends = given["flags"] & (TransferFlags.POST_PENDING_TRANSFER | TransferFlags.VOID_PENDING_TRANSFER)
    usual = {"ledger": 0 if ends else 1, "code": 0 if ends else 1}
    return Transfer(
        **{"id": _number(name), "debit_account_id": _number(debit or "0"), "credit_account_id": _number(credit or "0"),
           "amount": _number(amount), **usual, **given}
    )  # fmt: skip
