"""Which owed messages go out next: every partner its own share, whatever the others do."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta

from sqlalchemy import Engine

from foundation import outbox
from foundation.dispatch import lease_due
from foundation.partner_limits import Limits
from foundation.unit_of_work import UnitOfWork, unit_of_work
from schemas.exchange import SendResult


def owe(uow: UnitOfWork, partner: str, count: int, first: int = 0, case: str = "") -> None:
    for number in range(first, first + count):
        outbox.enqueue(
            uow, partner=partner, operation="Tell", message_id=f"{partner}-{number}", case_key=case or f"case-{number}",
            body={"n": number},
        )  # fmt: skip


def limits(**told: float):  # type: ignore[no-untyped-def]
    return lambda _partner: Limits(**told)  # type: ignore[arg-type]


def test_a_backlog_of_one_leaves_the_others_their_place(uow: UnitOfWork) -> None:
    owe(uow, "bad", 100)
    for name in ("a", "b", "c"):
        owe(uow, name, 3)
    taken = lease_due(uow, 64)
    assert Counter(row["partner"] for row in taken) == {"bad": 2, "a": 2, "b": 2, "c": 2}


def test_what_is_under_way_counts(uow: UnitOfWork) -> None:
    owe(uow, "a", 5)
    assert len(lease_due(uow, 64, limits(send_at_once=3), {"a": 1})) == 2
    assert lease_due(uow, 64, limits(send_at_once=3), {"a": 3}) == []
    assert lease_due(uow, 0) == []


def test_rate_is_kept_and_comes_back_with_time(engine: Engine, set_clock) -> None:  # type: ignore[no-untyped-def]
    told = limits(send_per_s=0.5, send_burst=4, send_at_once=16)
    with unit_of_work(engine) as uow:
        owe(uow, "a", 20)
        assert len(lease_due(uow, 64, told)) == 4
    with unit_of_work(engine) as uow:
        assert lease_due(uow, 64, told) == []
        begin = uow.now
    set_clock(begin + timedelta(seconds=6))
    with unit_of_work(engine) as uow:
        assert len(lease_due(uow, 64, told)) == 3
    set_clock(begin - timedelta(days=1))  # a story's clock may go back: nothing is owed for that
    with unit_of_work(engine) as uow:
        assert lease_due(uow, 64, told) == []


def test_second_tries_have_a_budget_and_first_ones_go_on(engine: Engine, set_clock) -> None:  # type: ignore[no-untyped-def]
    told = limits(retries_per_min=2, send_at_once=16)
    with unit_of_work(engine) as uow:
        owe(uow, "a", 4)
        for row in lease_due(uow, 64, told):
            outbox.record_attempt(uow, row, SendResult("RETRY", "E"))
        owe(uow, "a", 3, first=10)
        begin = uow.now
    set_clock(begin + timedelta(seconds=5))
    with unit_of_work(engine) as uow:
        again = lease_due(uow, 64, told)
        assert Counter(row["attempts"] for row in again) == {2: 2, 1: 3}
    with unit_of_work(engine) as uow:
        assert lease_due(uow, 64, told) == []


def test_after_an_open_breaker_one_probe_goes_first(engine: Engine, set_clock) -> None:  # type: ignore[no-untyped-def]
    told = limits(send_at_once=8)
    with unit_of_work(engine) as uow:
        for _ in range(outbox.BREAKER_AFTER):
            outbox.note_partner(uow, "a", ok=False, error="away")
        owe(uow, "a", 8)
        assert lease_due(uow, 64, told) == []
        begin = uow.now
    set_clock(begin + timedelta(seconds=23))
    with unit_of_work(engine) as uow:
        (probe,) = lease_due(uow, 64, told)
        assert lease_due(uow, 64, told, {"a": 1}) == []
        outbox.record_attempt(uow, probe, SendResult("DELIVERED"))
        assert len(lease_due(uow, 64, told)) == 7


def test_each_failed_probe_doubles_the_time_the_breaker_stays_open(engine: Engine) -> None:
    waits = []
    for _ in range(outbox.BREAKER_AFTER + 7):
        with unit_of_work(engine) as uow:
            outbox.note_partner(uow, "a", ok=False, error="away")
            until = uow.scalar("SELECT open_until FROM exchange.partner_state")
            waits.append((until - uow.now).total_seconds() if until else 0.0)
    assert waits[: outbox.BREAKER_AFTER - 1] == [0.0] * (outbox.BREAKER_AFTER - 1)
    for place, wait in enumerate(waits[outbox.BREAKER_AFTER - 1 :]):
        plain = min(outbox.LONGEST_OPEN_S, 20 * 2**place)
        assert 0.9 * plain <= wait <= 1.1 * plain


def test_a_paused_partner_is_sent_nothing(uow: UnitOfWork) -> None:
    owe(uow, "a", 1)
    uow.execute("INSERT INTO exchange.partner_state (partner, paused) VALUES ('a', true)")
    assert lease_due(uow) == []


def test_order_within_a_case_under_retries(engine: Engine, set_clock) -> None:  # type: ignore[no-untyped-def]
    with unit_of_work(engine) as uow:
        owe(uow, "a", 3, case="one")
        (first,) = lease_due(uow)
        outbox.record_attempt(uow, first, SendResult("RETRY", "E"))
        assert lease_due(uow) == []
        begin = uow.now
    set_clock(begin + timedelta(seconds=5))
    with unit_of_work(engine) as uow:
        (again,) = lease_due(uow)
        assert again["id"] == first["id"]
        outbox.record_attempt(uow, again, SendResult("DELIVERED"))
        assert [row["message_id"] for row in lease_due(uow)] == ["a-1"]


def test_many_workers_lease_each_row_once_and_keep_one_rate(engine: Engine) -> None:
    told = limits(send_at_once=16, send_per_s=0.01, send_burst=30)
    with unit_of_work(engine) as uow:
        owe(uow, "a", 60)
        owe(uow, "b", 20)
    taken: list[str] = []

    def worker() -> None:
        for _ in range(20):
            with unit_of_work(engine) as uow:
                taken.extend(row["message_id"] for row in lease_due(uow, 4, told))

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(taken) == len(set(taken))
    assert Counter(each[0] for each in taken) == {"a": 30, "b": 20}
