"""The court adapter on the wire: its client against the court's stand-in, its service against zeep."""

from __future__ import annotations

import base64
import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from connectors.court_feed import client, list_walk, mapping
from connectors.court_feed.session import CourtAway
from foundation.wire import Wire
from schemas.exchange import ConnectorContext, Known, Outcome
from schemas.findings import Finding, Refused
from tests.connectors.answering_server import Call, answering
from tests.connectors.court_side import EXAMPLES, FILES, content, read, text
from tests.connectors.stand_in import StandIn, stand_in

pytestmark = pytest.mark.slow
BEIJING_NINE = datetime.fromisoformat("2026-04-01T09:00:00+08:00")
MANIFEST = tomllib.loads((EXAMPLES.parent / "partner.toml").read_text("utf-8"))
SECRETS = {
    "court_feed.user": "oqhub",
    "court_feed.password": "test-only",
    "court_feed.list_token": "test-only",
}


@dataclass
class SecretsOnly:
    """The shared secrets of the sandbox, as the key store gives them."""

    told: dict[str, str] = field(default_factory=lambda: dict(SECRETS))

    def secret(self, name: str) -> str:
        return self.told[name]


def context(url: str, now: datetime = BEIJING_NINE, **state: Any) -> ConnectorContext:
    return ConnectorContext(url, MANIFEST, SecretsOnly(), now, lambda: UUID(int=7), state)  # type: ignore[arg-type]


@pytest.fixture
def court(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with stand_in(tmp_path, tmp_path_factory.getbasetemp() / "stand-in-keys") as made:
        yield made


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


def test_files_are_pulled_acknowledged_and_then_gone(court: StandIn, wire: Wire) -> None:
    archive = base64.b64encode(content("c07")).decode()
    court.order("offer", "court", kind="AJXX", content_base64=archive, file_name=FILES[6][4:])
    ctx = context(f"{court.url}/court")
    pulled = client.pull(wire, ctx, "AJXX", "")
    (message,) = pulled.messages
    assert message.content == content("c07") and message.filename == FILES[6][4:]
    reading = mapping.read(message, Known())
    assert reading.message_id == read(content("c07"), FILES[6]).message_id and len(reading.records) == 3
    # not acknowledged: offered again, and known by its id
    again = client.pull(wire, ctx, "AJXX", pulled.next_cursor)
    assert [m.content for m in again.messages] == [message.content]
    client.acknowledge(wire, ctx, message, Outcome(reading.message_id, "ACCEPTED"))
    assert client.pull(wire, ctx, "AJXX", pulled.next_cursor).messages == ()
    assert len(court.calls("court", "Login")) == 1
    assert client.pull(wire, ctx, "ZXLA", "").messages == ()


def test_a_file_whose_digest_is_wrong_is_refused_and_told_so(court: StandIn, wire: Wire) -> None:
    archive = base64.b64encode(content("c07")).decode()
    court.order("offer", "court", kind="AJXX", content_base64=archive, file_name=FILES[6][4:])
    court.order("faults", "court", kind="wrong_signature", times=1, operation="PullBatch")
    ctx = context(f"{court.url}/court")
    (message,) = client.pull(wire, ctx, "AJXX", "").messages
    reading = mapping.read(message, Known())
    assert [f.code for f in reading.findings] == ["DIGEST_MISMATCH"]
    client.acknowledge(wire, ctx, message, Outcome("x", "REFUSED", reading.findings))
    said = court.calls("court", "AckBatch")[-1]
    assert "<ns0:result>1</ns0:result>" in json.dumps(said) or ">1<" in json.dumps(said)


def test_more_without_a_file_ends_the_asking(court: StandIn, wire: Wire) -> None:
    court.order("offer", "court", rules={"empty_more": 1})
    pulled = client.pull(wire, context(f"{court.url}/court"), "AJXX", "AJXX20260401000000:0")
    assert pulled.messages == () and pulled.next_cursor == "AJXX20260401000000:0" and not pulled.more


def test_a_dead_ticket_is_renewed_once(court: StandIn, wire: Wire) -> None:
    dead = {"ticket": "T-old", "at": BEIJING_NINE.isoformat()}
    ctx = context(f"{court.url}/court", ticket=dead)
    assert client.pull(wire, ctx, "AJXX", "").messages == ()
    assert ctx.state["ticket"]["ticket"] != "T-old"
    assert len(court.calls("court", "Login")) == 1
    # after 30 minutes from issue a new one is asked for before anything else
    later = replace(ctx, now=BEIJING_NINE + timedelta(minutes=31))
    court.clock("2026-04-01T09:31:00+08:00")
    client.pull(wire, later, "AJXX", "")
    assert len(court.calls("court", "Login")) == 2


def test_outages_are_told_apart(court: StandIn, wire: Wire) -> None:
    with pytest.raises(CourtAway) as away:
        client.pull(wire, context("http://127.0.0.1:1/court"), "AJXX", "")
    assert away.value.kind == "unreachable"
    wrong = context(f"{court.url}/court")
    wrong.keys.told["court_feed.password"] = "other"  # type: ignore[attr-defined]
    with pytest.raises(CourtAway) as away:
        client.pull(wire, wrong, "AJXX", "")
    assert away.value.kind == "refused"
    court.order("offer", "court", rules={"maintenance": True})
    court.clock("2026-04-01T02:00:00+08:00")
    with pytest.raises(CourtAway) as away:
        client.pull(wire, context(f"{court.url}/court"), "AJXX", "")
    assert away.value.kind == "busy"


def test_the_result_goes_out_and_nothing_of_what_was_conceded(court: StandIn, wire: Wire) -> None:
    ctx = context(f"{court.url}/court")
    body = {
        "native_id": "339920269804007904",
        "case_number": "(2026)浙0399民诉前调1803号",
        "event": "failed",
        "on": "2026-04-10",
        "organisation": "瓯栖县江蓠镇人民调解委员会",
        "mediator": "王红强",
        "message_id": "SC02R",
        "amount_fen": 5986860,
        "agreement_number": "A-1",
        "offers": ["愿付三万"],
    }
    made = client.build("SubmitMediationResult", body, ctx)
    assert made == client.build("SubmitMediationResult", body, ctx)
    told = made.decode()
    assert "<ns0:resultCode>02<" in told and "<ns0:resultDate>2026-04-10<" in told
    for secret in ("59868.60", "A-1", "愿付", "amount", "document"):
        assert secret not in told
    result = client.send(wire, ctx, "SubmitMediationResult", made)
    assert (result.outcome, result.code) == ("DELIVERED", "C0000") and result.text.startswith("CR")
    assert client.send(wire, ctx, "SubmitMediationResult", made).text == result.text
    other = client.build("SubmitMediationResult", {**body, "on": "2026-04-11"}, ctx)
    assert client.send(wire, ctx, "SubmitMediationResult", other).outcome == "PERMANENT"
    notes = json.dumps(court.calls("court", "SubmitMediationResult"), ensure_ascii=False)
    assert "CONCESSION_DISCLOSED" not in notes and "SCHEMA_VIOLATION" not in notes


def test_an_application_and_late_money_carry_a_document(court: StandIn, wire: Wire) -> None:
    ctx = context(f"{court.url}/court")
    body = {
        "native_id": "339920269804007904",
        "agreement_number": "瓯栖调〔2026〕江蓠0112号",
        "amount_fen": 9201800,
        "parties": ["朱福", "某医院"],
    }
    for event in ("confirmation_application", "late_money"):
        told = {
            **body,
            "event": event,
            "message_id": event,
            "received_fen": 3067266,
            "received_on": "2026-05-25",
        }
        made = client.build("SubmitMediationResult", told, ctx)
        assert b"document>" in made and b"resultCode>01<" in made
        assert client.send(wire, ctx, "SubmitMediationResult", made).outcome == "DELIVERED"
    with pytest.raises(Refused):
        client.build("SubmitMediationResult", {**body, "event": "offer_made"}, ctx)
    with pytest.raises(Refused):
        client.build("QueryCase", body, ctx)


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [("reset", "UNKNOWN"), ("half_answer", "UNKNOWN"), ("http_500", "UNKNOWN"), ("fault", "RETRY")],
)
def test_sending_into_trouble(court: StandIn, wire: Wire, kind: str, outcome: str) -> None:
    ctx = context(f"{court.url}/court")
    made = client.build(
        "SubmitMediationResult", {"native_id": "1", "event": "failed", "message_id": "m"}, ctx
    )
    client.pull(wire, ctx, "AJXX", "")
    court.order("faults", "court", kind=kind, times=1, operation="SubmitMediationResult")
    assert client.send(wire, ctx, "SubmitMediationResult", made).outcome == outcome
    assert client.send(wire, ctx, "SubmitMediationResult", made).outcome == "DELIVERED"
    nowhere = context("http://127.0.0.1:1")
    assert client.send(wire, nowhere, "SubmitMediationResult", made).outcome == "RETRY"


def test_one_case_can_be_asked_for(court: StandIn, wire: Wire) -> None:
    ctx = context(f"{court.url}/court")
    assert client.query_case(wire, ctx, "nobody") is None
    archive = base64.b64encode(content("c07")).decode()
    court.order("offer", "court", kind="AJXX", content_base64=archive, file_name=FILES[6][4:])
    message = client.query_case(wire, ctx, "339920269902002566")
    assert message is not None
    assert mapping.read(message, Known()).records[0].native_id == "339920269902002566"


def test_the_list_is_walked_twice(court: StandIn, wire: Wire) -> None:
    rows = json.loads(text("c05"))["content"]["list"]
    court.order("offer", "court", list_rows=rows)
    ctx = context(f"{court.url}/court")
    pulled = client.pull(wire, ctx, "CDFB", "")
    assert len(pulled.messages) == 1 and pulled.next_cursor == "20260401085000"
    reading = mapping.read(pulled.messages[0], Known())
    assert len(reading.records) == 9 and not reading.findings
    assert {r.version[1] for r in reading.records} == {"2026-04-01T09:00:00+08:00"}
    assert len(court.calls("court", "cdfb")) == 2
    client.acknowledge(wire, ctx, pulled.messages[0], Outcome("x", "ACCEPTED"))
    wrong = context(f"{court.url}/court")
    wrong.keys.told["court_feed.list_token"] = "other"  # type: ignore[attr-defined]
    with pytest.raises(CourtAway) as away:
        client.pull(wire, wrong, "CDFB", "")
    assert away.value.kind == "refused"


def test_a_row_that_slips_between_two_pages_is_found_by_the_second_walk(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_walk, "PAGE_SIZE", 2)
    rows = [
        {"rnum": n, "ajbs": str(n), "ah": f"(2026)浙0399民诉前调{n}号", "ajlb": "9901"}
        for n in (1, 2, 3, 4, 5)
    ]
    asked: list[int] = []

    def answer(call: Call) -> tuple[int, dict[str, str], bytes]:
        page = int(call.path.split("pageNum=")[1].split("&")[0])
        asked.append(page)
        if len(asked) == 2:
            rows.remove(rows[0])  # row 3 slips onto page 1 while page 2 is asked for
        shown = rows[(page - 1) * 2 : page * 2]
        content = {"total": 5, "totalPages": 3, "pageSize": 2, "pageNum": page, "list": shown}
        body = json.dumps({"code": 200, "msg": "", "content": content}).encode()
        return 200, {"Content-Type": "application/json"}, body

    with answering(answer) as url:
        pulled = client.pull(wire, context(url), "CDFB", "20260401000000")
    seen = {r.native_id for m in pulled.messages for r in mapping.read(m, Known()).records}
    assert seen == {"1", "2", "3", "4", "5"} and asked.count(1) == 2
    assert "gxsj" not in str(pulled)


def test_acknowledgements() -> None:
    bad = Finding("ID_FORMAT", "/a/R[1]", "x", "y", scope="row", partner_code="C0305")
    assert client.acknowledgement(Outcome("m", "ACCEPTED")) == ("0", "")
    assert client.acknowledgement(Outcome("m", "DUPLICATE")) == ("0", "")
    assert client.acknowledgement(Outcome("m", "ACCEPTED", (bad, bad))) == (
        "2",
        "/a/R[1]=C0305;/a/R[1]=C0305",
    )
    assert client.acknowledgement(Outcome("m", "QUARANTINED", (bad,)))[0] == "1"
