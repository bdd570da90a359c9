"""The general ledger by tables: every code in its order of precedence, and what stands after."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import Engine

from escrow.ledger import (
    ACCOUNT_CODES,
    TRANSFER_CODES,
    Account,
    AccountFlags,
    Transfer,
    account_balances,
    account_transfers,
    commit_transfers,
    create_accounts,
    create_transfers,
    freeze_account,
    lift_account,
    lookup_accounts,
    prove_ledger,
    query_accounts,
    query_transfers,
)
from foundation.clock import clock_now, move_clock
from foundation.unit_of_work import UnitOfWork
from tests.escrow.ledger_cases import TABLES
from tests.escrow.ledger_tables import play


@pytest.fixture
def wait(engine: Engine) -> Callable[[int], None]:
    def later(seconds: int) -> None:
        with engine.begin() as conn:
            move_clock(conn, clock_now(conn) + timedelta(seconds=seconds))

    return later


@pytest.mark.parametrize("name", TABLES)
def test_table(database_url: str, wait: Callable[[int], None], name: str) -> None:
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as conn:
        play(conn, wait, TABLES[name])
        assert prove_ledger(conn, full=True) == []


def test_every_code_stands_in_a_table() -> None:
    said = {code for table in TABLES.values() for code in re.findall(r"-> (\w+)", table)}
    elsewhere = {"debit_account_frozen", "credit_account_frozen", "overflows_timeout"}  # tests below
    assert {*ACCOUNT_CODES.values(), *TRANSFER_CODES.values()} == said | elsewhere


def test_a_frozen_account_gives_nothing_away(uow: UnitOfWork) -> None:
    create_accounts(
        uow,
        [Account(1, 1, 1), Account(2, 1, 1, AccountFlags.CREDITS_MUST_NOT_EXCEED_DEBITS), Account(3, 1, 1)],
    )
    move = Transfer(1, 2, 1, 50, ledger=1, code=1)
    hold = Transfer(2, 1, 3, 5, ledger=1, code=1, flags=2)
    assert [each.code for each in create_transfers(uow, [move, hold])] == ["created"] * 2
    for account in (1, 2):
        assert freeze_account(uow, account, "(2026) 浙 0399 执保 1 号", uow.actor.id)
    assert not freeze_account(uow, 99, "no such account", uow.actor.id)
    asked = [
        Transfer(3, 1, 3, 1, ledger=1, code=1), Transfer(4, 3, 2, 1, ledger=1, code=1), Transfer(5, 2, 1, 1, ledger=1, code=1),
        Transfer(6, pending_id=2, flags=4, amount=5), Transfer(7, pending_id=2, flags=8),
    ]  # fmt: skip
    assert [each.code for each in create_transfers(uow, asked)] == [
        "debit_account_frozen", "credit_account_frozen", "created", "debit_account_frozen", "created",
    ]  # fmt: skip
    assert lift_account(uow, 1, "lifted", uow.actor.id)
    assert create_transfers(uow, [Transfer(8, 1, 3, 1, ledger=1, code=1)])[0].code == "created"
    assert prove_ledger(uow, full=True) == []


def test_a_time_beyond_what_is_counted(database_url: str) -> None:
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as conn:
        conn.execute(
            "UPDATE exchange.clock SET anchor_virtual = '2262-04-11 23:47:13+00'"
        )  # 2^63 ns, less three seconds
        create_accounts(conn, [Account(1, 1, 1), Account(2, 1, 1)])
        outcome = create_transfers(conn, [Transfer(1, 1, 2, 1, ledger=1, code=1, flags=2, timeout=999)])[0]
        assert outcome.code == "overflows_timeout"


def test_looking(uow: UnitOfWork) -> None:
    create_accounts(
        uow, [Account(1, 1, 1, AccountFlags.HISTORY, 7, 8, 9), Account(2, 1, 2), Account(3, 2, 2)]
    )
    made = create_transfers(
        uow,
        [
            Transfer(1, 1, 2, 10, 0, 1000, 10, 1, ledger=1, code=1),
            Transfer(2, 2, 1, 11, 0, 1001, 10, 2, ledger=1, code=2),
            Transfer(3, 1, 2, 12, 0, 1000, 2**64 - 1, 2, 0, 1, 1, 2),
            Transfer(4, 2, 1, 13, 0, 1001, 20, 1, ledger=1, code=2),
        ],
    )
    at = [each.timestamp for each in made]
    assert at == sorted(set(at))

    def ids(**narrow: int | bool) -> list[int]:
        return [int(t.id) for t in account_transfers(uow, 1, **narrow)]  # type: ignore[arg-type]

    assert ids() == [1, 2, 3, 4] and ids(reversed=True) == [4, 3, 2, 1] and ids(limit=2) == [1, 2]
    assert (
        ids(debits=False) == [2, 4]
        and ids(credits=False) == [1, 3]
        and ids(debits=False, credits=False) == []
    )
    assert ids(timestamp_min=at[2]) == [3, 4] and ids(timestamp_max=at[1]) == [1, 2]
    assert (
        ids(timestamp_min=at[1], timestamp_max=at[2]) == [2, 3]
        and ids(timestamp_min=at[2], timestamp_max=at[1]) == []
    )
    assert (
        ids(user_data_128=1000) == [1, 3]
        and ids(user_data_64=2**64 - 1) == [3]
        and ids(user_data_32=2, code=2) == [2]
    )
    assert ids(limit=0) == [] and account_transfers(uow, 0) == [] and account_transfers(uow, 99) == []
    stood = [
        (b.debits_pending, b.debits_posted, b.credits_posted, b.timestamp) for b in account_balances(uow, 1)
    ]
    assert stood == [(0, 10, 0, at[0]), (0, 10, 11, at[1]), (12, 10, 11, at[2]), (12, 10, 24, at[3])]
    assert account_balances(uow, 2) == []
    assert [int(t.id) for t in query_transfers(uow, code=2, reversed=True)] == [4, 2]
    assert [int(a.id) for a in query_accounts(uow, code=2)] == [2, 3]
    assert [int(a.id) for a in query_accounts(uow, user_data_64=8, ledger=1)] == [1] and query_accounts(
        uow, ledger=5
    ) == []
    assert lookup_accounts(uow, [3, 99, 1])[1].user_data_32 == 9
    with pytest.raises(TypeError, match="no such filter: cod"):
        query_accounts(uow, cod=2)


@pytest.mark.parametrize(
    "wrong",
    [{"id": 2**128}, {"id": -1}, {"amount": -1}, {"user_data_64": 2**64}, {"timeout": 2**32}, {"code": 2**16}, {"ledger": -1}],
)  # fmt: skip
def test_a_field_out_of_its_range_is_refused_by_name(uow: UnitOfWork, wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"amount|id has|" + next(iter(wrong))):
        create_transfers(uow, [Transfer(**({"id": 1} | wrong))])


def test_a_call_has_a_limit(uow: UnitOfWork) -> None:
    with pytest.raises(ValueError, match="at most 8192"):
        create_transfers(uow, [Transfer(1)] * 8193)


def test_commit_at_once_needs_no_transaction(database_url: str) -> None:
    url = database_url.replace("+psycopg", "")
    with psycopg.connect(url) as conn, pytest.raises(ValueError, match="autocommit"):
        commit_transfers(conn, [])
    with psycopg.connect(url, autocommit=True) as conn:
        create_accounts(conn, [Account(1, 1, 1), Account(2, 1, 1)])
        assert commit_transfers(conn, [Transfer(1, 1, 2, 5, ledger=1, code=1)])[0].code == "created"
        assert commit_transfers(conn, [Transfer(1, 1, 2, 5, ledger=1, code=1)])[0].code == "exists"
