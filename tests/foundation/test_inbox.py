"""The inbox: raw messages are kept as they came; one effect a sender's id; nothing acknowledged is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from foundation import inbox
from foundation.unit_of_work import UnitOfWork, unit_of_work
from schemas.exchange import Outcome, RawMessage
from schemas.findings import Finding


def raw(uow: UnitOfWork, content: bytes = b"x") -> RawMessage:
    return RawMessage("p1", "push", "Submit", content, uow.now, {"a": "b"})


def test_stored_as_it_came_and_never_changed(uow: UnitOfWork) -> None:
    stored = inbox.store_in(uow, raw(uow, b"\x00\xff<x>"))
    row = uow.one("SELECT * FROM exchange.inbox WHERE id = :id", id=stored.id)
    assert inbox.raw_of(uow, row) == stored.raw
    for attack in (
        "UPDATE exchange.inbox SET content = 'y' WHERE id = :id",
        "UPDATE exchange.inbox SET received_at = received_at - interval '1 day' WHERE id = :id",
        "DELETE FROM exchange.inbox WHERE id = :id",
    ):
        with pytest.raises(DBAPIError, match="APPEND_ONLY"), uow.conn.begin_nested():
            uow.execute(attack, id=stored.id)


def test_one_effect_for_a_sender_s_id_also_in_the_database(uow: UnitOfWork) -> None:
    first, second = inbox.store_in(uow, raw(uow)), inbox.store_in(uow, raw(uow))
    inbox.decide(uow, first.id, "APPLIED", Outcome("m1", "ACCEPTED", receipt_no="R1"), compare_digest="d")
    with pytest.raises(IntegrityError), uow.conn.begin_nested():
        inbox.decide(uow, second.id, "APPLIED", Outcome("m1", "ACCEPTED"), compare_digest="d")
    inbox.decide(uow, second.id, "DUPLICATE", Outcome("m1", "DUPLICATE"), compare_digest="d")
    assert inbox.in_force(uow, "p1", "m1")["id"] == first.id


def test_a_message_left_behind_is_taken_up_later(engine: Engine, set_clock) -> None:  # type: ignore[no-untyped-def]
    with unit_of_work(engine) as uow:
        stored = inbox.store_in(uow, raw(uow))
        assert inbox.waiting(uow) == []
        later = uow.now + inbox.TAKE_UP_AFTER + timedelta(seconds=1)
    set_clock(later)
    with unit_of_work(engine) as uow:
        assert inbox.waiting(uow) == [stored.id]
        inbox.failed(uow, stored.id, "our fault")
        assert inbox.waiting(uow) == []
        kept = uow.one("SELECT attempts, last_error FROM exchange.inbox WHERE id = :id", id=stored.id)
        assert dict(kept) == {"attempts": 1, "last_error": "our fault"}


def test_outcomes_survive_the_database(uow: UnitOfWork) -> None:
    outcome = Outcome("m1", "REFUSED", (Finding("SCHEMA_VIOLATION", "/a", "b", "c"),), "", uow.now, {"k": 1})
    assert inbox.outcome_from_dict(inbox.outcome_as_dict(outcome)) == outcome
