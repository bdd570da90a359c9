"""The dance of the two secrets over the wire, with a gateway that keeps its contract to the letter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.provincial_gateway import client, mapping
from connectors.provincial_gateway.tokens import NotNow, Stopped
from foundation.keys import KeyStore
from foundation.wire import Wire
from schemas.exchange import Known
from schemas.findings import Refused
from tests.connectors.answering_server import answering
from tests.connectors.gateway_side import APP_KEY, APP_SECRET, HTML, QUESTION, ROW, Desk, Gateway, code


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    for name, value in (("app_key", APP_KEY), ("app_secret", APP_SECRET)):
        (tmp_path / f"provincial_gateway.{name}.secret").write_text(value)
    gateway, wire = Gateway(), Wire()
    with answering(gateway) as url:
        yield Desk(url, KeyStore(tmp_path), gateway, wire)
    wire.close()


def test_first_by_key_then_the_secret_is_kept(desk: Desk) -> None:
    desk.ask()
    assert desk.gateway.calls == ["refreshTokenByKey", "rkxxcx", "rkxxcx"]
    desk.later(minutes=10)
    desk.ask()
    assert desk.gateway.calls == ["rkxxcx", "rkxxcx"]


def test_after_a_quarter_of_an_hour_by_the_refresh_secret_which_is_kept(desk: Desk) -> None:
    desk.ask()
    kept = desk.state["refresh"]["secret"]
    desk.later(minutes=15)
    desk.ask()
    assert desk.gateway.calls[0] == "refreshTokenBySec"
    assert desk.state["refresh"]["secret"] == kept
    desk.later(hours=48)
    desk.ask()
    assert desk.gateway.calls[0] == "refreshTokenByKey"


def test_code_14_goes_by_key_once(desk: Desk) -> None:
    desk.ask()
    desk.later(minutes=16)
    desk.gateway.refresh = None
    desk.ask()
    assert desk.gateway.calls[:2] == ["refreshTokenBySec", "refreshTokenByKey"]


def test_code_14_and_a_refused_key_stop_and_never_loop(desk: Desk) -> None:
    desk.ask()
    desk.later(minutes=16)
    desk.gateway.forced = [code("14"), code("05")]
    with pytest.raises(Stopped) as stopped:
        desk.ask()
    assert stopped.value.kind == "refused"
    assert desk.gateway.calls == ["refreshTokenBySec", "refreshTokenByKey"]
    with pytest.raises(Stopped):
        desk.ask()
    assert len(desk.gateway.calls) == 2
    result = client.send(
        desk.wire, desk.context(), "person", client.build("person", QUESTION, desk.context())
    )
    assert result.outcome == "PERMANENT"
    desk.later(minutes=16)
    desk.ask()


class Shared(dict[str, Any]):
    """A state that can be read again: what another worker wrote meanwhile."""

    def __init__(self, written: dict[str, Any]) -> None:
        super().__init__(written)
        self.written = written

    def reload(self) -> None:
        self.clear()
        self.update(self.written)


def test_code_05_reads_the_shared_secret_again_and_repeats_once(desk: Desk) -> None:
    desk.ask()
    stale = Shared(json.loads(json.dumps(desk.state)))
    desk.gateway.rotate()
    desk.later(seconds=61)
    newest, until = desk.gateway.request[-1]
    stale.written["request"] = {"secret": newest, "ends": int(until.timestamp() * 1000)}
    asked = client.ask(desk.wire, desk.context(stale), "person", QUESTION)
    assert desk.gateway.calls == ["rkxxcx", "rkxxcx", "rkxxcx"]  # refused, repeated, and the empty page
    assert len(asked.messages) == 1


def test_code_05_with_nobody_else_refreshes_and_repeats_once(desk: Desk) -> None:
    desk.ask()
    desk.gateway.rotate()
    desk.later(seconds=61)
    desk.ask()
    assert desk.gateway.calls == ["rkxxcx", "refreshTokenBySec", "rkxxcx", "rkxxcx"]
    desk.later(seconds=1)
    desk.gateway.forced = [code("05")] * 9
    with pytest.raises((NotNow, Stopped)):
        desk.ask()
    # One repeat of the call and one of each refresh at most: a wrong sign counts against the quota.
    assert len(desk.gateway.calls) <= 4


def test_pages_end_with_an_empty_one(desk: Desk) -> None:
    desk.gateway.pages = [[ROW], json.dumps([ROW]), []]
    asked = desk.ask()
    assert len(asked.messages) == 2
    readings = [mapping.read(message, Known()) for message in asked.messages]
    assert [len(reading.records) for reading in readings] == [1, 1]
    pulled = client.pull(desk.wire, desk.context(), "person", json.dumps({**QUESTION, "page": 3}))
    assert pulled.more is False


def test_a_question_needs_matter_operator_and_purpose_and_is_disclosed(desk: Desk) -> None:
    asked = desk.ask()
    assert desk.gateway.additional[0] == {key: QUESTION[key] for key in ("matter", "operator", "purpose")}
    assert asked.disclosure == {
        "recipient": "ZJGATE01",
        "purpose": "放款前核对收款人",
        "subject": "330399198805160222",
        "fields": ["xm", "gmsfhm"],
        "basis": "瓯栖调〔2026〕石坦0721号",
        "actor": "cashier1",
    }
    for key in ("matter", "operator", "purpose", "name", "number"):
        with pytest.raises(Refused) as refused:
            desk.ask(**{key: " "})
        assert refused.value.findings[0].path == f"/{key}"


def test_nobody_known_is_an_answer(desk: Desk) -> None:
    desk.gateway.pages = [None]
    (message,) = desk.ask().messages
    (record,) = mapping.read(message, Known()).records
    assert record.data["found"] is False


def test_html_while_upgrading_is_tried_again_later(desk: Desk) -> None:
    desk.ask()
    desk.gateway.forced = [HTML]
    with pytest.raises(NotNow) as trouble:
        desk.ask()
    assert trouble.value.kind == "unreachable"
    desk.gateway.forced = [HTML]
    content = client.build("person", QUESTION, desk.context())
    assert client.send(desk.wire, desk.context(), "person", content).outcome == "RETRY"
    assert client.send(desk.wire, desk.context(), "person", content).outcome == "DELIVERED"


@pytest.mark.parametrize(
    ("number", "outcome"), [("01", "PERMANENT"), ("06", "RETRY"), ("08", "PERMANENT"), ("99", "RETRY")]
)
def test_codes_of_a_data_call(desk: Desk, number: str, outcome: str) -> None:
    desk.ask()
    desk.gateway.forced = [code(number)]
    content = client.build("person", QUESTION, desk.context())
    result = client.send(desk.wire, desk.context(), "person", content)
    assert (result.outcome, result.code) == (outcome, number)


def test_the_days_quota_stops_until_midnight_in_beijing(desk: Desk) -> None:
    desk.ask()
    desk.gateway.forced = [code("12")]
    with pytest.raises(NotNow) as used:
        desk.ask()
    assert used.value.kind == "busy"
    desk.later(hours=1)
    with pytest.raises(NotNow):
        desk.ask()
    assert desk.gateway.calls == []
    desk.later(hours=15)
    desk.ask()


def test_our_own_count_of_the_day_stops_before_theirs(desk: Desk) -> None:
    desk.ask()
    desk.state["day"] = {"date": "2026-04-01", "calls": 50_000}
    desk.gateway.calls.clear()
    with pytest.raises(NotNow):
        desk.ask()
    assert desk.gateway.calls == []


def test_state_is_json(desk: Desk) -> None:
    desk.ask()
    assert json.loads(json.dumps(desk.state)) == desk.state
