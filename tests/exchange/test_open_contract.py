"""The open contract over both protocols: the same call has the same effect and the same receipt."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest

import case_registry
from foundation.receipts import check_receipt, receipt_key
from foundation.unit_of_work import unit_of_work
from hub.applying import apply_due
from hub.pipeline import Hub
from schemas.soap import SOAP11, SOAP12
from tests.exchange.open_side import OpenSide, at_story_start, message, served, told


@pytest.fixture
def side(hub: Hub) -> Iterator[OpenSide]:
    with served(hub) as url:
        yield OpenSide(url, at_story_start(hub.engine))


def count(hub: Hub, sql: str = "SELECT count(*) FROM exchange.inbox") -> int:
    with unit_of_work(hub.engine) as uow:
        return int(uow.scalar(sql))


def test_a_message_is_receipted_applied_and_its_status_told_over_both(hub: Hub, side: OpenSide) -> None:
    given = side.post(message())
    assert given.status_code == 202, given.text
    receipt = check_receipt(given.content, receipt_key(hub.settings.key_dir).public)
    assert (receipt["message_id"], receipt["partner"]) == ("M-1", "ouqi_street")
    assert side.get("/open/v1/messages/M-1").json()["state"] == "RECEIVED"
    assert apply_due(hub) == 1
    status = side.get("/open/v1/messages/M-1").json()
    assert status["state"] == "APPLIED" and len(status["disputes"]) == 1
    by_soap = told(side.soap("status", "<message_id>M-1</message_id>"))
    assert (by_soap["state"], by_soap["dispute"]) == ("APPLIED", status["disputes"][0])
    asked = side.get(f"/open/v1/disputes/{status['disputes'][0]}")
    assert asked.json()["own"][0]["case_key"] == "JD-2026-1"
    assert (
        told(side.soap("query", f"<number>{status['disputes'][0]}</number>", SOAP12))["case_key"]
        == "JD-2026-1"
    )


@pytest.mark.parametrize("soap", [SOAP11, SOAP12])
def test_the_same_message_over_both_protocols_has_one_effect_and_one_receipt(
    hub: Hub, side: OpenSide, soap: str
) -> None:
    by_rest = side.post(message())
    by_soap = side.soap_message(message(), soap=soap)
    assert by_soap.status_code == 200, by_soap.text
    assert told(by_soap) == orjson.loads(by_rest.content)
    again = side.get("/open/v1/messages/M-1/receipt")
    assert again.content == by_rest.content
    apply_due(hub)
    assert count(hub) == 1
    with unit_of_work(hub.engine) as uow:
        told_by_rest = case_registry.state_hash(uow)
    side.soap_message(message(), soap=soap)
    apply_due(hub)
    with unit_of_work(hub.engine) as uow:
        assert case_registry.state_hash(uow) == told_by_rest


def test_the_same_id_with_other_content_is_quarantined_over_both(hub: Hub, side: OpenSide) -> None:
    first = side.post(message())
    other = message(case_key="JD-2026-9")
    refused = side.post(other)
    assert (refused.status_code, refused.json()["code"]) == (409, "SAME_ID_OTHER_BYTES")
    assert refused.json()["errors"][0]["path"] == "/message_id"
    by_soap = side.soap_message(other)
    assert (by_soap.status_code, told(by_soap)["code"]) == (500, "SAME_ID_OTHER_BYTES")
    assert told(by_soap)["path"] == "/Envelope/Body/submit/message/message_id"
    apply_due(hub)
    assert count(hub, "SELECT count(*) FROM exchange.inbox WHERE state = 'QUARANTINED'") == 2
    assert count(hub, "SELECT count(*) FROM exchange.alarm WHERE kind = 'same_id_other_bytes'") == 1
    assert side.post(message()).content == first.content


@pytest.mark.parametrize("protocol", ["rest", "soap"])
def test_fifty_at_once_have_one_effect_and_the_same_receipt(hub: Hub, side: OpenSide, protocol: str) -> None:
    envelopes = [side.envelope(_submit(), SOAP11) for _ in range(50)]
    with ThreadPoolExecutor(50) as pool:
        if protocol == "rest":
            answers = list(pool.map(lambda _: side.post(message()), range(50)))
        else:
            answers = list(pool.map(lambda each: side.call(each), dict.fromkeys(envelopes)))
    assert {each.status_code for each in answers} <= {200, 202}, answers[0].text
    assert len({each.content for each in answers}) == 1
    apply_due(hub)
    assert count(hub) == 1 and count(hub, "SELECT count(*) FROM registry.statement") == 1


def _submit() -> str:
    from connectors.open_contract.shape import write_xml

    return f'<submit xmlns="urn:concord:exchange:1">{write_xml(message())}</submit>'


def test_correction_and_withdrawal_take_back_what_was_said(hub: Hub, side: OpenSide) -> None:
    side.post(message())
    changed = message(message_id="M-2", kind="correction", corrects="M-1", reason="金额有误")
    changed["records"][0]["fields"]["claimed_fen"] = 99_00
    assert side.post(changed, "/open/v1/corrections").status_code == 202
    apply_due(hub)
    live = "SELECT count(*) FROM registry.statement WHERE retracted_at IS NULL"
    assert count(hub, live) == 1 and count(hub, "SELECT count(*) FROM registry.statement") == 2
    back = {name: changed[name] for name in ("case_key", "event_time")}
    back |= {"message_id": "M-3", "kind": "withdrawal", "corrects": "M-2", "reason": "登记错误"}
    assert side.soap_message(back, "withdrawal").status_code == 200
    apply_due(hub)
    assert count(hub, live) == 0
    assert side.get("/open/v1/messages/M-3").json()["state"] == "APPLIED"
