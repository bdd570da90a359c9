"""Order within a partner's case: numbers wait for each other within bounds, and one stuck case holds up no other."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from connectors.open_contract import shape
from connectors.open_contract.checking import checked_plain
from foundation.clock import move_clock
from foundation.receipts import receipt_key
from foundation.unit_of_work import unit_of_work
from hub import operations
from hub.applying import Applier, apply_due, take_up
from hub.case_order import GAP_WAIT
from hub.pipeline import Hub
from hub.submitting import Given, take
from tests.exchange.open_side import message
from tests.exchange.partner_side import enter


@pytest.fixture
def hub(bare_hub: Hub) -> Hub:
    with unit_of_work(bare_hub.engine) as uow:
        enter(uow)
    return bare_hub


def given(number: int, case: str = "JD-1", sequence: int | None = None, **more: Any) -> Given:
    plain = message(number, case_key=case, **more)
    if sequence is not None:
        plain["sequence"] = sequence
    form = shape.canonical(plain)
    return Given("ouqi_street", "submit", orjson.dumps(plain), {}, plain["message_id"], plain["kind"], case, sequence,
                 hashlib.sha256(form).hexdigest())  # fmt: skip


def store(hub: Hub, *messages: Given) -> None:
    with unit_of_work(hub.engine) as uow:
        take(uow, receipt_key(hub.settings.key_dir), messages)


def applied(hub: Hub) -> list[str]:
    """Ids in the order in which they were decided."""
    with unit_of_work(hub.engine) as uow:
        rows = uow.all(
            "SELECT substr(ref, length(partner) + 2) AS id FROM exchange.journal j JOIN exchange.inbox i"
            " ON j.ref = i.partner || '/' || i.message_id WHERE j.kind = 'applied' ORDER BY j.id LIMIT 1000"
        )
        return [row["id"] for row in rows]


def later(hub: Hub, by: timedelta) -> None:
    with hub.engine.begin() as conn:
        now: datetime = conn.execute(text("SELECT exchange.now()")).scalar_one()
        move_clock(conn, now + by)


def status(hub: Hub, message_id: str) -> str:
    with unit_of_work(hub.engine) as uow:
        found = operations.statuses(uow, [("ouqi_street", {"message_id": message_id})])[0]
        assert found is not None
        return str(found["state"])


def test_messages_of_a_case_are_applied_by_their_numbers(hub: Hub) -> None:
    store(hub, given(3, sequence=3), given(1, sequence=1), given(2, sequence=2), given(9, "JD-9", 1))
    apply_due(hub)
    assert applied(hub) == ["M-1", "M-2", "M-3", "M-9"] or applied(hub) == ["M-9", "M-1", "M-2", "M-3"]


def test_a_number_that_is_missing_is_waited_for_and_others_go_on(hub: Hub) -> None:
    store(hub, given(1, sequence=1), given(3, sequence=3), given(9, "JD-9"))
    apply_due(hub)
    assert sorted(applied(hub)) == ["M-1", "M-9"] and status(hub, "M-3") == "WAITING"
    store(hub, given(2, sequence=2))
    while apply_due(hub):
        pass
    assert applied(hub)[-2:] == ["M-2", "M-3"]


def test_after_its_time_the_gap_is_told_and_the_late_one_still_taken(hub: Hub) -> None:
    store(hub, given(1, sequence=1), given(4, sequence=4))
    apply_due(hub)
    later(hub, GAP_WAIT + timedelta(seconds=1))
    apply_due(hub)
    assert status(hub, "M-4") == "APPLIED"
    with unit_of_work(hub.engine) as uow:
        caller: Any = type("Caller", (), {"id": "ouqi_street"})()
        assert [gap["sequence"] for gap in operations.missing(uow, caller, {})["gaps"]] == [2, 3]
        assert uow.scalar("SELECT count(*) FROM exchange.alarm WHERE kind = 'sequence_missing'") == 1
    store(hub, given(3, sequence=3))
    apply_due(hub)
    assert status(hub, "M-3") == "APPLIED"
    with unit_of_work(hub.engine) as uow:
        assert [gap["sequence"] for gap in operations.missing(uow, caller, {})["gaps"]] == [2]


def test_a_correction_waits_for_what_it_corrects_and_is_refused_after_its_time(hub: Hub) -> None:
    store(
        hub, given(2, kind="correction", corrects="M-1"), given(7, "JD-7", kind="correction", corrects="M-6")
    )
    apply_due(hub)
    assert status(hub, "M-2") == "WAITING"
    later(hub, GAP_WAIT / 2)
    store(hub, given(1))
    apply_due(hub)
    later(hub, GAP_WAIT)
    apply_due(hub)
    assert status(hub, "M-2") == "APPLIED"
    assert status(hub, "M-7") == "REFUSED"


def test_a_message_that_fails_holds_up_its_case_only_until_it_is_mended(hub: Hub) -> None:
    with hub.engine.begin() as conn:  # a fault of ours, as a trigger that says no
        conn.execute(text(
            "CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.native_id = 'JD-1' THEN"
            " RAISE EXCEPTION 'broken'; END IF; RETURN NEW; END $$"
        ))  # fmt: skip
        conn.execute(text(
            "CREATE TRIGGER fails BEFORE INSERT ON registry.source_case FOR EACH ROW EXECUTE FUNCTION fails()"
        ))  # fmt: skip
    store(hub, given(1), given(2), given(3, "JD-3"), given(4, "JD-4"))
    applier = Applier(hub)
    for _ in range(6):
        applier.turn()
    assert sorted(applied(hub)) == ["M-3", "M-4"]
    with unit_of_work(hub.engine) as uow:
        assert uow.scalar("SELECT count(*) FROM exchange.alarm WHERE kind = 'message_not_applied'") == 1
        failing = uow.scalar("SELECT id FROM exchange.inbox WHERE message_id = 'M-1'")
    with hub.engine.begin() as conn:
        conn.execute(text("DROP TRIGGER fails ON registry.source_case"))
    store(hub, given(5))
    take_up(hub, failing)
    while apply_due(hub):
        pass
    assert sorted(applied(hub)) == ["M-1", "M-2", "M-3", "M-4", "M-5"]
    assert applied(hub)[2:] == ["M-1", "M-2", "M-5"]


def test_processes_that_store_the_same_at_once_give_one_receipt(hub: Hub) -> None:
    """Two API processes (the open port and the TLS one) have no lock in common but the database's index."""
    same = [given(number, f"JD-{number}") for number in range(1, 21)]

    def one(turn: int) -> list[Any]:
        with unit_of_work(hub.engine) as uow:
            return take(uow, receipt_key(hub.settings.key_dir), same if turn % 2 else same[::-1])

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(24)))
    receipts: dict[str, set[bytes]] = {}
    accepted = 0
    for turn, taken in enumerate(answers):
        order = same if turn % 2 else same[::-1]
        for each, outcome in zip(order, taken, strict=True):
            receipts.setdefault(each.message_id, set()).add(outcome.receipt)
            accepted += outcome.result == "ACCEPTED"
    assert accepted == 20 and all(len(each) == 1 for each in receipts.values())
    apply_due(hub)
    assert len(applied(hub)) == 20


EXTREMES: list[dict[str, Any]] = [
    {
        "opened_on": "1900-01-01",
        "closed_on": "2199-12-31",
        "limit_date": "2199-12-31",
        "occurred_on": "1900-01-01",
    },
    {"claimed_fen": 10**15, "people_count": 1_000_000},
    {"claimed_fen": 0, "people_count": 0, "sealed": True, "group_flag": True, "repeat_flag": False},
    {"narrative": "长" * 20_000, "cause": "由" * 200, "place_text": "\u2028\U0001f600" * 50},
    {
        "state": "AWARDED",
        "outcome": "x",
        "case_number": "（2026）浙0399民初1号",
        "court": "c",
        "holder": "h",
        "mediator": "m",
    },
    dict.fromkeys(("state", "cause", "claimed_fen", "opened_on", "cause_code", "narrative", "case_number")),
]


@pytest.mark.parametrize(
    "moment", ["2026-04-01T09:00:00+08:00", "2199-12-31T23:59:59.999999Z", "1900-01-01T00:00:00Z"]
)
def test_what_the_contract_takes_at_its_edges_the_registry_takes(hub: Hub, moment: str) -> None:
    messages = []
    for number, fields in enumerate(EXTREMES, start=1):
        plain = message(number, event_time=moment)
        plain["records"][0]["fields"] = {"proceeding_kind": "OTHER", **fields}
        told = checked_plain(plain, "street")
        assert told.findings == (), told.findings
        content = orjson.dumps(plain)
        messages.append(
            Given(
                "ouqi_street",
                "submit",
                content,
                {},
                f"M-{number}",
                "record",
                plain["case_key"],
                None,
                told.digest,
            )
        )
    store(hub, *messages)
    apply_due(hub)
    with unit_of_work(hub.engine) as uow:
        rows = uow.all(
            "SELECT message_id, state, last_error, result FROM exchange.inbox ORDER BY seq LIMIT 100"
        )
        assert [row["state"] for row in rows] == ["APPLIED"] * len(EXTREMES), rows
