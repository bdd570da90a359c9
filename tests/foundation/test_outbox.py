"""The outbox: order per case, leases, back-off, the same bytes, breaker."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from foundation import outbox
from foundation.dispatch import lease_due
from foundation.unit_of_work import UnitOfWork, unit_of_work
from schemas.exchange import SendResult


def owe(uow: UnitOfWork, message_id: str, case: str = "case-1", partner: str = "p1", body: str = "a"):  # type: ignore[no-untyped-def]
    return outbox.enqueue(
        uow, partner=partner, operation="Tell", message_id=message_id, case_key=case, body={"text": body}
    )


def test_same_id_same_body_is_one_row_and_other_body_is_refused(uow: UnitOfWork) -> None:
    assert owe(uow, "m1") == owe(uow, "m1")
    with pytest.raises(outbox.SameIdOtherBody):
        owe(uow, "m1", body="b")


def test_order_holds_within_a_case_and_not_across_cases(uow: UnitOfWork) -> None:
    owe(uow, "a1", "A")
    owe(uow, "a2", "A")
    owe(uow, "b1", "B")
    first = lease_due(uow)
    assert sorted(row["message_id"] for row in first) == ["a1", "b1"]
    assert lease_due(uow) == []
    for row in first:
        outbox.record_attempt(uow, row, SendResult("DELIVERED", "ok"))
    assert [row["message_id"] for row in lease_due(uow)] == ["a2"]


def test_a_dead_worker_s_row_comes_back_after_its_lease(engine: Engine, set_clock) -> None:  # type: ignore[no-untyped-def]
    with unit_of_work(engine) as uow:
        owe(uow, "m1")
    with unit_of_work(engine) as uow:
        assert len(lease_due(uow)) == 1
        later = uow.now + timedelta(hours=5)
    set_clock(later)  # a story's clock jumps; the worker is alive all the same
    with unit_of_work(engine) as uow:
        assert lease_due(uow) == []
        uow.execute("UPDATE exchange.outbox SET lease_until = clock_timestamp() - interval '1 second'")
        (row,) = lease_due(uow)
    assert row["attempts"] == 2


def test_a_late_result_of_an_earlier_try_settles_nothing_but_delivery(uow: UnitOfWork) -> None:
    owe(uow, "m1")
    (first,) = lease_due(uow)
    uow.execute("UPDATE exchange.outbox SET lease_until = clock_timestamp() - interval '1 second'")
    (second,) = lease_due(uow)
    outbox.record_attempt(uow, first, SendResult("PERMANENT", "E1"))
    assert uow.scalar("SELECT state FROM exchange.outbox") == "SENDING"
    outbox.record_attempt(uow, second, SendResult("DELIVERED", "ok"))
    outbox.record_attempt(uow, first, SendResult("RETRY", "E2"))
    assert uow.scalar("SELECT state FROM exchange.outbox") == "DELIVERED"


@pytest.mark.parametrize(
    ("outcome", "state"),
    [("DELIVERED", "DELIVERED"), ("PERMANENT", "DEAD"), ("RETRY", "WAITING"), ("UNKNOWN", "WAITING")],
)
def test_what_follows_from_an_attempt(uow: UnitOfWork, outcome: str, state: str) -> None:
    owe(uow, "m1")
    (row,) = lease_due(uow)
    assert outbox.record_attempt(uow, row, SendResult(outcome, "c", "t")) == state  # type: ignore[arg-type]
    kept = uow.one("SELECT outcome, code, text FROM exchange.outbox_attempt")
    assert dict(kept) == {"outcome": outcome, "code": "c", "text": "t"}


def test_back_off_doubles_within_jitter_and_has_an_end() -> None:
    for attempt in range(1, 40):
        plain = min(outbox.LONGEST_BACK_OFF_S, outbox.FIRST_BACK_OFF_S * 2 ** min(attempt - 1, 30))
        for _ in range(20):
            assert 0.75 * plain <= outbox.back_off_s(attempt) <= 1.25 * plain


def test_a_run_of_failures_opens_the_breaker_of_that_partner_only(engine: Engine, set_clock) -> None:  # type: ignore[no-untyped-def]
    with unit_of_work(engine) as uow:
        for _ in range(outbox.BREAKER_AFTER):
            outbox.note_partner(uow, "p1", ok=False, error="away")
        owe(uow, "m1", partner="p1")
        owe(uow, "m2", partner="p2")
        assert [row["partner"] for row in lease_due(uow)] == ["p2"]
        later = uow.now + 1.1 * outbox.BREAKER_OPEN
    set_clock(later)
    with unit_of_work(engine) as uow:
        assert [row["partner"] for row in lease_due(uow)] == ["p1"]
        outbox.note_partner(uow, "p1", ok=True)
        assert uow.scalar("SELECT failures FROM exchange.partner_state WHERE partner = 'p1'") == 0


def test_replay_only_of_dead_messages(uow: UnitOfWork) -> None:
    row_id = owe(uow, "m1")
    assert outbox.replay(uow, row_id, "why") is False
    (row,) = lease_due(uow)
    outbox.record_attempt(uow, row, SendResult("PERMANENT", "E1"))
    assert outbox.replay(uow, row_id, "repaired at the partner's") is True
    assert len(lease_due(uow)) == 1
