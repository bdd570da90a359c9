"""The database defends itself: plain SQL with the application role's rights cannot make the books wrong."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import escrow
from foundation.actors import SYSTEM
from schemas.findings import Refused
from tests.escrow.world import CASHIER, HOUSE, PARENT, World, terms

APP_ROLE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'concord_app_test') THEN CREATE ROLE concord_app_test; END IF;
END $$;
GRANT USAGE ON SCHEMA escrow, exchange TO concord_app_test;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA escrow, exchange TO concord_app_test;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA escrow, exchange TO concord_app_test;
"""


class Books(World):
    """Books with one payment proved, one released, one sent, a frozen sum, a suspense credit and a split proposed."""

    def fill(self) -> None:
        self.case_id = self.open(terms(fens=(10000, 20000)))
        self.notice(self.line("SD1", 30000, party_name="付款人1", party_account="981"))
        self.done = self.approve(self.draft(self.case_id, 10000))
        self.send(self.done)
        self.paid(self.done)
        self.sent = self.approve(self.draft(self.case_id, 3000, instalment=2))
        self.send(self.sent, "UNKNOWN")
        self.released = self.approve(self.draft(self.case_id, 2000, instalment=2, part=2))
        self.drafted = self.draft(self.case_id, 1000, instalment=2, part=3)
        paper = escrow.CourtDocument("(2026)浙0399执保1号", "FREEZE", "SD1", 4000)
        self.act(SYSTEM, lambda uow: escrow.take_court_document(uow, paper))
        self.notice(self.line(PARENT, 700), account=PARENT)
        self.line_id = self.look(lambda uow: escrow.open_suspense(uow))[0]["line"]
        proposal = self.act(
            CASHIER, lambda uow: escrow.propose_split(uow, self.line_id, [(self.case_id, 700)], "说明")
        )
        self.decision = proposal.id

    def attack(self, sql: str, **params: Any) -> str:
        """Run SQL as the application role; gives the error, fails the test when there is none."""
        with self.engine.connect() as conn, pytest.raises(DBAPIError) as caught, conn.begin():
            conn.execute(text("SET LOCAL ROLE concord_app_test"))
            for part in sql.split(";;"):
                conn.execute(text(part), {k: v for k, v in params.items() if f":{k}" in part})
        return str(caught.value.orig)

    def ledger(self, kind: str) -> UUID:
        found: UUID = self.look(
            lambda uow: uow.scalar(
                "SELECT id FROM escrow.account WHERE kind = :k ORDER BY last_seq DESC LIMIT 1", k=kind
            )
        )
        return found


@pytest.fixture
def books(world: World) -> Books:
    books = Books(world.engine, proves=False)
    with world.engine.begin() as conn:
        conn.execute(text(APP_ROLE))
    books.fill()
    books.prove()
    return books


POST = (
    "SELECT escrow.post_entry(gen_random_uuid(), :key, :kind, :case, NULL, :line, :order, NULL, NULL, :fen, now(), 'x',"
    " ARRAY[CAST(:a AS uuid), CAST(:b AS uuid)], ARRAY[CAST(:x AS bigint), CAST(:y AS bigint)])"
)


def test_books_are_only_added_to(books: Books) -> None:
    for table in (
        "entry",
        "posting",
        "statement",
        "statement_line",
        "approval",
        "funding",
        "outcome_note",
        "court_document",
        "state_log",
    ):
        assert "APPEND_ONLY" in books.attack(f"DELETE FROM escrow.{table}"), table
    assert "APPEND_ONLY" in books.attack("UPDATE escrow.entry SET amount_fen = amount_fen + 1")
    assert "APPEND_ONLY" in books.attack("UPDATE escrow.posting SET amount = amount + 1")
    assert "APPEND_ONLY" in books.attack("UPDATE escrow.statement_line SET fen = 1")
    assert "APPEND_ONLY" in books.attack("UPDATE escrow.approval SET person = 'x'")
    for table in (
        "account",
        "escrow_case",
        "payment_order",
        "rail_attempt",
        "freeze",
        "line_placing",
        "decision",
    ):
        assert "APPEND_ONLY" in books.attack(f"DELETE FROM escrow.{table}"), table
    with books.engine.connect() as conn, pytest.raises(DBAPIError, match="APPEND_ONLY"):
        conn.execute(text("TRUNCATE escrow.posting"))
    books.prove()


def test_sums_and_balances_hold(books: Books) -> None:
    free, payable = books.ledger("case_escrow"), books.ledger("payable")
    hold = {"case": books.case_id, "line": None, "order": books.drafted, "a": free, "b": payable}
    one_side = books.attack(POST, key="k1", kind="HOLD", fen=1000, x=1000, y=-999, **hold)
    assert "SUM_NOT_ZERO" in one_side
    assert "NEGATIVE_BALANCE" in books.attack(
        POST, key="k2", kind="HOLD", fen=1000, **hold | {"x": 10**9, "y": -(10**9)}
    )
    assert "ENTRY_NOT_OF_ORDER" in books.attack(POST, key="k3", kind="HOLD", fen=999, x=999, y=-999, **hold)
    assert "POSTING_NOT_IN_RULES" in books.attack(
        POST, key="k4", kind="SEND", fen=1000, x=1000, y=-1000, **hold
    )
    assert "ENTRY_WITHOUT_PROOF" in books.attack(
        POST, key="k5", kind="PAYOUT", fen=1000, x=1000, y=-1000, **hold
    )
    assert "ENTRY_WITHOUT_ORDER" in books.attack(
        POST, key="k6", kind="HOLD", fen=1000, x=1000, y=-1000, **hold | {"order": None}
    )
    assert "FROZEN_NEEDS_DOCUMENT" in books.attack(
        POST, key="k7", kind="LIFT", fen=100, x=100, y=-100, **hold | {"a": books.ledger("frozen"), "b": free}
    )
    assert "ENTRY_WITHOUT_DECISION" in books.attack(
        POST,
        key="k8",
        kind="ASSIGN",
        fen=700,
        x=700,
        y=-700,
        **hold | {"a": books.ledger("suspense"), "b": free},
    )
    assert "ACCOUNT_FOLLOWS_POSTINGS" in books.attack(
        "UPDATE escrow.account SET balance = balance + 1 WHERE id = :a", a=free
    )
    assert "ACCOUNT_STARTS_EMPTY" in books.attack(
        "INSERT INTO escrow.account (id, kind, key, balance) VALUES (gen_random_uuid(), 'suspense', 'x', 5)"
    )
    assert "ENTRY_IS_COMPLETE" in books.attack(
        "INSERT INTO escrow.posting SELECT :a, 99, id, 5, 5, '', '' FROM escrow.entry LIMIT 1", a=free
    )
    books.prove()


def test_a_business_key_lives_for_ever(books: Books) -> None:
    key = f"hold/{books.released}"
    free, payable = books.ledger("case_escrow"), books.ledger("payable")
    same = {
        "key": key,
        "kind": "HOLD",
        "case": books.case_id,
        "line": None,
        "order": books.released,
        "a": free,
        "b": payable,
    }
    first = books.look(lambda uow: uow.scalar("SELECT id FROM escrow.entry WHERE business_key = :k", k=key))
    assert books.look(lambda uow: uow.scalar(POST, fen=2000, x=2000, y=-2000, **same)) == first
    assert "with another amount_fen" in books.attack(POST, fen=1999, x=1999, y=-1999, **same)
    assert "with another order_id" in books.attack(
        POST, fen=2000, x=2000, y=-2000, **same | {"order": books.drafted}
    )
    assert "with another kind" in books.attack(POST, fen=2000, x=2000, y=-2000, **same | {"kind": "SEND"})
    assert "with another postings" in books.attack(POST, fen=2000, x=-2000, y=2000, **same)


def test_one_person_cannot_act_for_two(books: Books) -> None:
    sign = "INSERT INTO escrow.approval SELECT gen_random_uuid(), id, :role, :who, {} , now() FROM escrow.payment_order WHERE id = :o"
    own = sign.format("digest")
    assert "SAME_PERSON" in books.attack(own, role="CHECKER", who="ka", o=books.drafted)
    assert "APPROVAL_OUT_OF_TURN" in books.attack(own, role="RELEASER", who="sh", o=books.drafted)
    assert "APPROVAL_OF_OTHER_BYTES" in books.attack(
        sign.format("'00'"), role="CHECKER", who="fu", o=books.drafted
    )
    move = "UPDATE escrow.payment_order SET state = :s WHERE id = :o"
    assert "NOT_APPROVED" in books.attack(move, s="CHECKED", o=books.drafted)
    assert "SAME_PERSON" in books.attack(
        "UPDATE escrow.decision SET state = 'CONFIRMED', decided_by = proposed_by WHERE id = :d",
        d=books.decision,
    )
    assert "DECISION_IS_FIXED" in books.attack(
        "UPDATE escrow.decision SET body = '{}' WHERE id = :d", d=books.decision
    )


def test_what_is_sent_is_what_was_approved(books: Books) -> None:
    for column, value in (
        ("payee_account", "other"),
        ("amount_fen", 1),
        ("payload", b"x"),
        ("digest", "x"),
        ("number", "X1"),
    ):
        assert "ORDER_IS_FIXED" in books.attack(
            f"UPDATE escrow.payment_order SET {column} = :v WHERE id = :o", v=value, o=books.released
        )
    attempt = (
        "INSERT INTO escrow.rail_attempt (id, order_id, case_id, attempt, rail, number, source, fen, payload, intended_at)"
        " SELECT gen_random_uuid(), id, case_id, {attempt}, rail, {number}, 'HUB', {fen}, {payload}, now()"
        " FROM escrow.payment_order WHERE id = :o"
    )
    right = {"attempt": "1", "number": "number", "fen": "amount_fen", "payload": "payload"}
    for change in ({"payload": "'\\x00'::bytea"}, {"number": "'H9'"}, {"fen": "1"}, {"attempt": "2"}):
        assert "ATTEMPT_NOT_AS_APPROVED" in books.attack(
            attempt.format(**{**right, **change}), o=books.released
        ), change
    assert "ATTEMPT_NOT_AS_APPROVED" in books.attack(attempt.format(**right), o=books.sent)
    assert "INTENT_FIRST" in books.attack(
        "UPDATE escrow.payment_order SET state = 'DISPATCHING' WHERE id = :o", o=books.released
    )
    assert "NOT_PROVED" in books.attack(
        "UPDATE escrow.payment_order SET state = 'PAID' WHERE id = :o", o=books.sent
    )
    assert "ATTEMPT_IS_FIXED" in books.attack(
        "UPDATE escrow.rail_attempt SET payload = '\\x00' WHERE order_id = :o", o=books.sent
    )
    assert "rail_attempt_rail_number_key" in books.attack(
        "INSERT INTO escrow.rail_attempt (id, rail, number, source, fen, intended_at)"
        " SELECT gen_random_uuid(), rail, number, 'HISTORY', 1, now() FROM escrow.payment_order WHERE id = :o", o=books.done
    )  # fmt: skip


def test_unknown_does_not_become_anything_by_itself(books: Books) -> None:
    for outcome in ("REFUSED", "NOT_SENT", "ACCEPTED", "IN_PROCESS", "DONE"):
        told = books.attack(
            "UPDATE escrow.rail_attempt SET outcome = :v WHERE order_id = :o", v=outcome, o=books.sent
        )
        assert "UNKNOWN_STAYS" in told
        note = (
            "INSERT INTO escrow.outcome_note (attempt, at, source, outcome, applied, actor) SELECT id, now(), 'NOTICE', :v, true, 'x'"
            " FROM escrow.rail_attempt WHERE order_id = :o;;UPDATE escrow.rail_attempt SET outcome = :v WHERE order_id = :o"
        )
        assert "UNKNOWN_STAYS" in books.attack(note, v=outcome, o=books.sent)


ORDER = (
    "INSERT INTO escrow.payment_order (id, case_id, purpose, version, instalment, payee, part, ordinal, rail, number, business_key,"
    " amount_fen, debit_account, payee_party, payee_name, payee_account, content, payload, digest, drafted_at, moved_at)"
    " SELECT gen_random_uuid(), case_id, {purpose}, version, {instalment}, {payee}, 9, 9, rail, 'H1I9', 'k', {fen}, debit_account,"
    " payee_party, payee_name, {account}, content, payload, {digest}, now(), now() FROM escrow.payment_order WHERE id = :o"
)


def test_an_order_is_within_the_agreement(books: Books) -> None:
    right = {
        "purpose": "purpose",
        "instalment": "instalment",
        "payee": "payee",
        "fen": "1",
        "account": "payee_account",
        "digest": "digest",
    }

    def order(**change: str) -> str:
        return books.attack(ORDER.format(**{**right, **change}), o=books.drafted)

    assert "OVER_AUTHORISED" in order(fen="14001")
    assert "OVER_AUTHORISED" in order(instalment="1")
    assert "PAYEE_NOT_AGREED" in order(account="'other'")
    assert "DIGEST_NOT_OF_PAYLOAD" in order(digest="'x'")
    assert "REFUND_NOT_TO_SOURCE" in order(purpose="'REFUND'", instalment="0", payee="'980'", account="'980'")
    assert "OVER_AUTHORISED" in order(
        purpose="'REFUND'", instalment="0", payee="'981'", account="'981'", fen="30001"
    )


def test_freezes_and_breaks_end_only_on_paper(books: Books) -> None:
    assert "FROZEN_NEEDS_DOCUMENT" in books.attack("UPDATE escrow.freeze SET state = 'LIFTED'")
    own = "UPDATE escrow.freeze SET state = 'LIFTED', ended_by = document"
    assert "FROZEN_NEEDS_DOCUMENT" in books.attack(own)
    assert "FREEZE_IS_FIXED" in books.attack("UPDATE escrow.freeze SET amount_fen = 0")
    books.notice(books.line("SD1", 3, "DBIT"))
    assert "recon_break_check" in books.attack("UPDATE escrow.recon_break SET state = 'CLOSED'")
    assert "PLACED_ONCE" in books.attack(
        "UPDATE escrow.line_placing SET placed = 'UNPOSTED' WHERE placed = 'POSTED'"
    )


def test_python_names_the_field_that_differs(books: Books) -> None:
    """The front door says the same in the reader's words (409 with the field)."""
    with pytest.raises(Refused) as caught:
        books.draft(books.case_id, 999, instalment=2, part=3)
    assert [(f.code, f.path, f.found, f.expected) for f in caught.value.findings] == [
        ("BUSINESS_KEY_CONFLICT", "amount_fen", "999", "1000")
    ]
    assert books.draft(books.case_id, 1000, instalment=2, part=3) == books.drafted
    known = books.look(lambda uow: escrow.sent_instruction(uow, books.number(books.done), HOUSE))
    assert known["fen"] == 10000
