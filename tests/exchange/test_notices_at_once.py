"""Notices that are acknowledged at the same moment: each sees what the others have done, so that the last one is the last."""

from __future__ import annotations

import threading

from sqlalchemy import Engine

from foundation import outbox
from foundation.dispatch import lease_due
from foundation.unit_of_work import unit_of_work
from hub import choreography, notices
from schemas.exchange import SendResult

NUMBER = "（2026）瓯民调1号"


def test_the_last_of_two_that_are_acknowledged_at_once_counts_none(
    engine: Engine,
    monkeypatch,  # type: ignore[no-untyped-def]
) -> None:
    with unit_of_work(engine) as uow:
        for partner in ("a", "b"):
            body = {"mediation_number": NUMBER}
            outbox.enqueue(uow, partner=partner, operation="Tell", message_id="m", case_key="", body=body)
        rows = lease_due(uow)
    assert len(rows) == 2
    counted: list[int] = []
    real = notices.count_owed

    def count(uow, number):  # type: ignore[no-untyped-def]
        counted.append(int(uow.scalar("SELECT count(*) FROM exchange.outbox WHERE state <> 'DELIVERED'")))
        return real(uow, number)

    monkeypatch.setattr(notices, "count_owed", count)
    first_is_done, go_on = threading.Event(), threading.Event()

    def deliver(row, hold: bool) -> None:  # type: ignore[no-untyped-def]
        with unit_of_work(engine) as uow:
            outbox.record_attempt(uow, row, SendResult("DELIVERED"))
            choreography.notice_delivered(uow, row)
            if hold:
                first_is_done.set()
                assert go_on.wait(20)

    first = threading.Thread(target=deliver, args=(rows[0], True))
    first.start()
    assert first_is_done.wait(20)
    second = threading.Thread(target=deliver, args=(rows[1], False))
    second.start()
    second.join(0.5)
    assert second.is_alive()  # it waits for the first to be committed
    go_on.set()
    for each in (first, second):
        each.join(20)
    assert counted == [1, 0]
