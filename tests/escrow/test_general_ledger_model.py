"""The engine in the database against a small model in Python: any sequence gives the same codes and balances."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from escrow.ledger import (
    AMOUNT_MAX,
    Account,
    GroupCommit,
    Transfer,
    commit_transfers,
    create_accounts,
    create_transfers,
    freeze_account,
    lift_account,
    lookup_accounts,
    lookup_transfers,
    prove_ledger,
)
from tests.escrow.ledger_model import FROZEN, KEEP, LINKED, PENDING, POST, VOID, Model

pytestmark = pytest.mark.slow

KINDS = (0, 0, 0, 2, 4, 2, 4, 0)  # limits of accounts 1 to 8; 7 is in another ledger
AMOUNTS = st.one_of(st.integers(0, 12), st.sampled_from([AMOUNT_MAX, AMOUNT_MAX - 3, 2**64, 2**128 - 1]))
FLAGS = st.one_of(
    st.sampled_from([0, 0, 0, PENDING, PENDING, POST, POST, POST | KEEP, POST | KEEP, VOID, LINKED, LINKED | PENDING, LINKED | POST]),
    st.integers(0, 255),
    st.sampled_from([KEEP, 1 << 9, 1 << 8, 16 | PENDING, 32, 48, 64 | PENDING, 128 | PENDING, 192 | PENDING]),
)  # fmt: skip


@st.composite
def transfers(draw: st.DrawFn) -> Transfer:
    flags = draw(FLAGS)
    ends = bool(flags & (POST | VOID))
    blank = ends and draw(st.booleans())
    return Transfer(
        draw(st.one_of(st.integers(1, 30), st.integers(1, 10**6), st.sampled_from([0, 2**128 - 1]))),
        0 if blank else draw(st.integers(0, 9)),
        0 if blank else draw(st.integers(0, 9)),
        draw(AMOUNTS),
        draw(st.one_of(st.integers(1, 30), st.just(2**128 - 1))) if ends else draw(st.sampled_from([0] * 9 + [1])),
        0 if blank else draw(st.sampled_from([0, 0, 0, 5])),
        0 if blank else draw(st.sampled_from([0, 0, 0, 2**64 - 1])),
        0 if blank else draw(st.sampled_from([0, 0, 0, 7])),
        draw(st.sampled_from([0, 0, 0, 0, 500, 5000])) if flags & PENDING else draw(st.sampled_from([0] * 9 + [1])),
        0 if blank else draw(st.sampled_from([1] * 9 + [0, 2])),
        0 if blank else draw(st.sampled_from([1] * 9 + [0, 2])),
        flags,
        draw(st.sampled_from([0] * 15 + [1])),
    )  # fmt: skip


STEPS = st.lists(
    st.one_of(
        st.lists(transfers(), min_size=1, max_size=9),
        st.lists(transfers(), min_size=1, max_size=1),
        st.sampled_from([400, 1000, 6000]),
        st.tuples(st.integers(1, 8), st.booleans()),
    ),
    min_size=1, max_size=12,
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_as_the_model(engine: Engine, steps: list[object]) -> None:
    with engine.connect() as raw:
        conn = raw.connection.driver_connection
        assert isinstance(conn, psycopg.Connection)
        model = Model()
        accounts = [Account(n, 2 if n == 7 else 1, 1, kind) for n, kind in enumerate(KINDS, 1)]
        assert {each.code for each in create_accounts(conn, accounts)} == {"created"}
        for each in accounts:
            model.add_account(each)
        for step in steps:
            take_step(conn, model, step)
            same_books(conn, model)
        assert prove_ledger(conn, full=True) == []
        conn.rollback()


def take_step(conn: psycopg.Connection, model: Model, step: object) -> None:
    if isinstance(step, int):
        conn.execute(
            "UPDATE exchange.clock SET anchor_virtual = anchor_virtual + %s * interval '1 second'", [step]
        )
        model.pass_time(step)
    elif isinstance(step, tuple):
        number, frozen = step
        (freeze_account if frozen else lift_account)(conn, number, "court document", "tester")
        flags = model.accounts[number]["flags"]
        model.accounts[number]["flags"] = flags | FROZEN if frozen else flags & ~FROZEN
    else:
        assert isinstance(step, list)
        events = [_amount(each) for each in step]
        assert [each.code for each in create_transfers(conn, step)] == model.batch(events), step


def _amount(t: Transfer) -> Transfer:
    """2^128-1 is "all there is" at the door."""
    return t._replace(amount=AMOUNT_MAX) if t.amount == 2**128 - 1 else t


def same_books(conn: psycopg.Connection, model: Model) -> None:
    stands = {
        each.id: (
            each.debits_pending,
            each.debits_posted,
            each.credits_pending,
            each.credits_posted,
            int(each.flags),
        )
        for each in lookup_accounts(conn, list(model.accounts))
    }
    assert stands == {n: (a["dp"], a["d"], a["cp"], a["c"], a["flags"]) for n, a in model.accounts.items()}
    found = lookup_transfers(conn, sorted(model.transfers))
    assert [(t.id, t.amount, t.debit_account_id, t.user_data_64) for t in found] == [
        (t.id, t.amount, t.debit_account_id, t.user_data_64) for _, t in sorted(model.transfers.items())
    ]


def test_many_at_once_on_few_accounts(database_url: str) -> None:
    """Six callers, five accounts with limits, shared ids and short holds: no ring of locks, no fen made or lost."""
    url = database_url.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as conn:
        create_accounts(conn, [Account(n, 1, 1, 2 if n < 5 else 0) for n in range(1, 6)])
        create_transfers(conn, [Transfer(n, 5, n, 100, ledger=1, code=1) for n in range(1, 5)])
        said: Counter[str] = Counter()
        with ThreadPoolExecutor(6) as pool:
            for codes in pool.map(lambda seed: _caller(url, seed), range(6)):
                said += codes
        assert prove_ledger(conn, full=True) == []
        stands = lookup_accounts(conn, [1, 2, 3, 4])
        assert all(a.debits_pending + a.debits_posted <= a.credits_posted for a in stands)
    assert said["created"] > 200 and said["exists"] > 5 and said["exceeds_credits"] > 5, said


def _caller(url: str, seed: int) -> Counter[str]:
    rng = random.Random(seed)
    shared = random.Random(7)  # every caller asks for these, with the same bodies
    codes: Counter[str] = Counter()
    with psycopg.connect(url, autocommit=True) as conn:
        for turn in range(60):
            dr, cr = shared.sample(range(1, 6), 2)
            events = [Transfer(10_000 + turn, dr, cr, shared.randint(1, 30), ledger=1, code=1)]
            for n in range(rng.choice([0, 1, 5])):
                hold = 10**6 * (seed + 1) + turn * 100 + n
                dr, cr = rng.sample(range(1, 6), 2)
                events.append(
                    Transfer(hold, dr, cr, rng.randint(1, 30), ledger=1, code=1, flags=PENDING, timeout=1)
                )
                if rng.random() < 0.7:
                    events.append(Transfer(hold + 50, pending_id=hold, amount=AMOUNT_MAX, flags=POST))
            act = commit_transfers if rng.random() < 0.5 else create_transfers
            codes.update(each.code for each in act(conn, events))
    return codes


def test_group_commit_gives_each_caller_his_own_answers(database_url: str) -> None:
    url = database_url.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as conn:
        create_accounts(conn, [Account(1, 1, 1), Account(2, 1, 1), Account(3, 1, 1, 2)])
        group = GroupCommit(lambda: psycopg.connect(url, autocommit=True))
        asked = []
        for n in range(1, 400):
            poor = n % 7 == 0
            events = [
                Transfer(n, 3 if poor else 1, 2, 1, ledger=1, code=1, flags=LINKED if n % 11 == 0 else 0)
            ]
            asked.append((events, group.submit(events)))
        for events, answer in asked:
            t = events[0]
            expected = (
                "linked_event_chain_open"
                if t.flags
                else "exceeds_credits"
                if t.debit_account_id == 3
                else "created"
            )
            assert [each.code for each in answer.result(20)] == [expected]
        group.stop()
        assert prove_ledger(conn) == []
