"""The database alone keeps the ledger right: whatever the application's role tries in SQL, nothing of it changes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from escrow.ledger import (
    Account,
    Transfer,
    commit_transfers,
    create_accounts,
    create_transfers,
    freeze_account,
    lookup_accounts,
    prove_ledger,
)

pytestmark = pytest.mark.slow

TABLES = (
    "ledger_account",
    "ledger_transfer",
    "ledger_failed",
    "ledger_due",
    "ledger_freeze",
    "ledger_proved",
)
PENDING, POST = 2, 4
ID = "'00000000-0000-0000-0000-00000000000%d'"

# What a script of the application might write to make money, or to hide where it went.
WRITES = (
    "UPDATE escrow.ledger_account SET credits_posted = credits_posted + 1",
    "UPDATE escrow.ledger_account SET debits_posted = 0, credits_posted = 0",
    "UPDATE escrow.ledger_account SET flags = flags & ~6",
    "UPDATE escrow.ledger_account SET flags = flags & ~65536",
    "UPDATE escrow.ledger_account SET head = sha256('x'), last_seq = last_seq + 1",
    "UPDATE escrow.ledger_transfer SET amount = amount * 2",
    "UPDATE escrow.ledger_transfer SET kind = 'VOID'",
    "UPDATE escrow.ledger_transfer SET credit_account = " + ID % 3,
    "UPDATE escrow.ledger_due SET expires_at = 0",
    "UPDATE escrow.ledger_proved SET seq = 1000",
    "INSERT INTO escrow.ledger_transfer SELECT * FROM escrow.ledger_transfer",
    "INSERT INTO escrow.ledger_due SELECT id, 0 FROM escrow.ledger_transfer WHERE kind = 'HOLD'",
    "INSERT INTO escrow.ledger_failed SELECT gen_random_uuid(), 54, 1",
    "INSERT INTO escrow.ledger_account SELECT * FROM escrow.ledger_account",
    "INSERT INTO escrow.ledger_freeze SELECT id, 9, false, 'mine', 'me', now() FROM escrow.ledger_account",
    "MERGE INTO escrow.ledger_account a USING (SELECT 1) s ON true WHEN MATCHED THEN UPDATE SET credits_posted = 10^9",
    "WITH x AS (DELETE FROM escrow.ledger_transfer RETURNING *) SELECT count(*) FROM x",
    "COPY escrow.ledger_failed FROM PROGRAM 'echo'",
    "SELECT * FROM escrow.ledger_account FOR UPDATE",
    "UPDATE escrow.v_ledger_posting SET amount = 1",
    "UPDATE exchange.clock SET movable = true, mode = 'virtual', anchor_virtual = '2100-01-01'",
    "SELECT setval('escrow.ledger_account_no_seq', 1)",
)
# What it might do first, to be let through.
BEFORE = (
    "SELECT 1",
    "SET session_replication_role = replica",
    "ALTER TABLE escrow.{table} DISABLE TRIGGER ALL",
    "ALTER TABLE escrow.{table} OWNER TO concord_app",
    "DROP TRIGGER append_only ON escrow.{table}",
    "ALTER TABLE escrow.{table} DROP CONSTRAINT ledger_transfer_pkey",
    "CREATE OR REPLACE FUNCTION exchange.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE OR REPLACE FUNCTION escrow.guard_ledger_account() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "GRANT ALL ON escrow.{table} TO concord_app",
    "SET ROLE concord",
    "RESET ROLE",
    "RESET SESSION AUTHORIZATION",
    "ALTER ROLE concord_app SUPERUSER",
    "CREATE RULE r AS ON SELECT TO escrow.{table} DO INSTEAD NOTHING",
    "CREATE TRIGGER t BEFORE UPDATE ON escrow.{table} FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change()",
)


@pytest.fixture
def books(database_url: str) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
    """The owner's connection, and one of a login that is nothing but a member of the application's role."""
    owner = psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True)
    login = f"app_{owner.info.backend_pid}"
    owner.execute(
        sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'x' IN ROLE concord_app").format(sql.Identifier(login))
    )
    app = psycopg.connect(owner.info.dsn, user=login, password="x", autocommit=True)
    create_accounts(app, [Account(1, 1, 1), Account(2, 1, 1, 2), Account(3, 1, 1), Account(4, 1, 1, 65536)])
    create_transfers(
        app,
        [
            Transfer(1, 1, 2, 100, ledger=1, code=1),
            Transfer(2, 2, 3, 60, ledger=1, code=1, flags=PENDING, timeout=10**6),
            Transfer(3, pending_id=2, amount=60, flags=POST),
            Transfer(4, 2, 3, 40, ledger=1, code=1, flags=PENDING, timeout=10**6),
            Transfer(5, 2, 3, 41, ledger=1, code=1),
        ],
    )
    yield owner, app
    app.close()
    owner.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(login)))
    owner.close()


def whole(owner: psycopg.Connection) -> list[object]:
    """Everything that the ledger's tables hold."""
    return [owner.execute(f"SELECT t::text FROM escrow.{table} t ORDER BY 1").fetchall() for table in TABLES]


def tried(app: psycopg.Connection, statement: str) -> str:
    """Run the statement in a transaction of its own; what the database said."""
    try:
        app.execute(statement)
    except psycopg.Error as error:
        return str(error).splitlines()[0]
    return "done"


def test_no_sql_of_the_application_changes_the_ledger(
    books: tuple[psycopg.Connection, psycopg.Connection],
) -> None:
    owner, app = books
    before = whole(owner)
    deletes = [f"DELETE FROM escrow.{table}" for table in TABLES] + [
        f"TRUNCATE escrow.{table} CASCADE" for table in TABLES
    ]
    for first, write in itertools.product(BEFORE, (*WRITES, *deletes)):
        table = next((name for name in TABLES if f"escrow.{name}" in write), "ledger_account")
        tried(app, first.format(table=table))
        said = tried(app, write)
        assert "permission denied" in said or "must be" in said or "cannot" in said, (first, write, said)
    assert whole(owner) == before
    assert prove_ledger(owner, full=True) == []


def test_policy_of_the_triggers_is_not_the_applications_to_write(
    books: tuple[psycopg.Connection, psycopg.Connection],
) -> None:
    _, app = books
    for write in (
        "INSERT INTO escrow.entry_rule VALUES ('FEE', 'frozen', 1)",
        "INSERT INTO exchange.state_move VALUES ('payment_order', 'DRAFTED', 'x', 'PAID')",
        "UPDATE escrow.tier SET persons = 2",
        "DELETE FROM escrow.act_role",
    ):
        assert "permission denied" in tried(app, write), write


ASK = (
    "SELECT escrow.ledger_create_transfers({ids}, {debits}, {credits}, {amounts}, {pendings}, NULL, NULL, NULL, NULL,"
    " {books}, {marks}, {asks}, {refused})"
)
GOOD = {
    "ids": f"ARRAY[{ID % 8}]::uuid[]", "debits": f"ARRAY[{ID % 1}]::uuid[]", "credits": f"ARRAY[{ID % 3}]::uuid[]",
    "amounts": "ARRAY[1]::bigint[]", "pendings": "NULL", "books": "ARRAY[1]::bigint[]", "marks": "ARRAY[1]", "asks": "ARRAY[0]",
    "refused": "NULL",
}  # fmt: skip
BAD = (
    {"amounts": "ARRAY[NULL]::bigint[]"}, {"amounts": "ARRAY[-1]::bigint[]"}, {"amounts": "ARRAY[-9223372036854775808]"},
    {"ids": "ARRAY[NULL]::uuid[]"}, {"asks": "ARRAY[NULL]::int[]"}, {"books": "ARRAY[NULL]::bigint[]"},
    {"marks": "ARRAY[NULL]::int[]"}, {"marks": "ARRAY[70000]"},
    {"asks": "ARRAY[1048576]"}, {"asks": "ARRAY[-1]"}, {"asks": "ARRAY[256]"}, {"asks": "ARRAY[0, 0]"}, {"debits": "NULL"},
    {"debits": f"ARRAY[{ID % 1}, {ID % 2}]::uuid[]"}, {"ids": f"'[0:0]={{{(ID % 8)[1:-1]}}}'::uuid[]"},
    {"debits": f"'[0:0]={{{(ID % 1)[1:-1]}}}'::uuid[]"}, {"debits": f"ARRAY[ARRAY[{ID % 1}]]::uuid[]"},
    {"asks": "ARRAY[4]", "pendings": f"'[2:2]={{{(ID % 4)[1:-1]}}}'::uuid[]"}, {"refused": "ARRAY[-5]"},
    {"ids": f"ARRAY[{ID % 2}]::uuid[]"}, {"debits": f"ARRAY[{ID % 2}]::uuid[]", "amounts": "ARRAY[1]::bigint[]"},
    {"debits": f"ARRAY[{ID % 4}]::uuid[]"},
)  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_the_engine_called_with_nonsense_moves_nothing(
    books: tuple[psycopg.Connection, psycopg.Connection], bad: dict[str, str]
) -> None:
    owner, app = books
    stands = lookup_accounts(owner, [1, 2, 3, 4])
    tried(app, ASK.format(**GOOD | bad))
    assert lookup_accounts(owner, [1, 2, 3, 4]) == stands
    assert prove_ledger(owner, full=True) == []
    assert tried(app, ASK.format(**GOOD | {"ids": f"ARRAY[{ID % 9}]::uuid[]"})) == "done"
    assert lookup_accounts(owner, [1])[0].debits_posted == 101


def test_names_of_the_callers_own_do_not_reach_the_engine(
    books: tuple[psycopg.Connection, psycopg.Connection],
) -> None:
    """A function or operator of the caller's in his search path is not what the engine calls."""
    owner, app = books
    app.execute("CREATE FUNCTION pg_temp.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT $1'")
    app.execute("CREATE FUNCTION pg_temp.gt(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT false'")
    tried(app, "CREATE OPERATOR pg_temp.> (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = pg_temp.gt)")
    tried(app, "CREATE TEMP TABLE ledger_account (LIKE escrow.ledger_account)")
    app.execute("SET search_path = pg_temp, pg_catalog")
    assert create_transfers(app, [Transfer(6, 2, 3, 1000, ledger=1, code=1)])[0].code == "exceeds_credits"
    assert commit_transfers(app, [Transfer(7, 1, 3, 5, ledger=1, code=1)])[0].code == "created"
    assert prove_ledger(owner, full=True) == []


def test_even_the_owner_meets_the_triggers(books: tuple[psycopg.Connection, psycopg.Connection]) -> None:
    owner, _ = books
    assert freeze_account(owner, 3, "court document", "clerk")
    for write in (
        "UPDATE escrow.ledger_account SET credits_posted = credits_posted + 1 WHERE id = " + ID % 3,
        "UPDATE escrow.ledger_account SET last_seq = last_seq + 1 WHERE id = " + ID % 3,
        "UPDATE escrow.ledger_account SET head = sha256('x') WHERE id = " + ID % 3,
        "UPDATE escrow.ledger_account SET code = 9 WHERE id = " + ID % 3,
        "UPDATE escrow.ledger_transfer SET amount = amount + 1",
        "DELETE FROM escrow.ledger_transfer",
        "TRUNCATE escrow.ledger_transfer",
        "DELETE FROM escrow.ledger_account",
        "INSERT INTO escrow.ledger_account (id, user_data_128, credits_posted, user_data_64, user_data_32, ledger, timestamp,"
        " code, flags, head) SELECT gen_random_uuid(), user_data_128, 5, 0, 0, 1, 1, 1, 0, head FROM escrow.ledger_account",
    ):
        said = tried(owner, write)
        assert "FOLLOWS_POSTINGS" in said or "APPEND_ONLY" in said or "STARTS_EMPTY" in said, (write, said)
    assert prove_ledger(owner, full=True) == []


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        ("UPDATE escrow.ledger_transfer SET amount = amount + 1 WHERE debit_seq = 1", "chain"),
        ("UPDATE escrow.ledger_transfer SET dr_debits_posted = dr_debits_posted + 1", "chain"),
        ("UPDATE escrow.ledger_transfer SET debit_hash = sha256('x')", "chain"),
        ("UPDATE escrow.ledger_transfer SET user_data_64 = 9", "chain"),
        ("UPDATE escrow.ledger_transfer SET debit_seq = debit_seq + 10", "chain"),
        ("UPDATE escrow.ledger_transfer SET rest = 1 WHERE kind = 'POST'", "hold"),
        ("UPDATE escrow.ledger_account SET credits_posted = credits_posted + 1 WHERE flags = 0", "sum"),
        ("UPDATE escrow.ledger_account SET head = sha256('x') WHERE last_seq > 0", "balance"),
        ("DELETE FROM escrow.ledger_transfer WHERE kind = 'POST'", "chain"),
    ],
)
def test_damage_below_the_database_is_found(
    books: tuple[psycopg.Connection, psycopg.Connection], damage: str, check: str
) -> None:
    """As if a page of a file had been changed: triggers off, by the superuser."""
    owner, _ = books
    owner.execute("SET session_replication_role = replica")
    owner.execute(damage)
    assert check in {fault.check for fault in prove_ledger(owner, full=True)}


def test_a_proof_by_increments_finds_what_came_since(
    books: tuple[psycopg.Connection, psycopg.Connection],
) -> None:
    owner, app = books
    assert prove_ledger(app) == []
    made = [
        Transfer(20, 1, 2, 7, ledger=1, code=1, flags=PENDING),
        Transfer(21, pending_id=20, amount=5, flags=POST),
        Transfer(22, pending_id=4, amount=5, flags=POST),
    ]
    assert {each.code for each in create_transfers(app, made)} == {"created"}
    owner.execute("SET session_replication_role = replica")
    owner.execute(
        "UPDATE escrow.ledger_transfer SET amount = 4 WHERE id = '00000000-0000-0000-0000-000000000015'"
    )
    owner.execute(
        "UPDATE escrow.ledger_transfer SET rest = 1 WHERE id = '00000000-0000-0000-0000-000000000016'"
    )
    found = prove_ledger(owner)
    assert {fault.check for fault in found} == {"chain", "hold"} and prove_ledger(owner) == found
