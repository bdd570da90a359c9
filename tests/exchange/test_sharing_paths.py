"""Each path by which data goes to a partner: with an agreement cut to it and written down, without one nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from case_registry import Source
from connectors import all_connectors
from foundation.unit_of_work import unit_of_work
from foundation.wire import Wire
from hub import feedback, operations, payee_checks, sending, sharing_register, subscribing
from hub.known import known_for
from hub.pipeline import Hub
from hub.teller import Teller
from schemas.findings import Refused
from tests.connectors.answering_server import answering
from tests.console.world import PAYEE, PAYEE_ID, County
from tests.exchange.open_side import OpenSide, at_story_start, served, told
from tests.exchange.partner_side import enter, enter_with_keys
from tests.exchange.sharing_world import SECRET, SharedCase

Clock = Callable[[datetime | str], None]
STREET = Source("ouqi_street", "330399T", "street")


@pytest.fixture
def hub(bare_hub: Hub) -> Hub:
    return bare_hub


def stop_all(hub: Hub) -> None:
    with unit_of_work(hub.engine) as uow:
        for each in sharing_register.listed(uow):
            sharing_register.stop(uow, each.agreement.id, "a test", stopped=True)


def disclosures(hub: Hub) -> int:
    with unit_of_work(hub.engine) as uow:
        return int(uow.scalar("SELECT count(*) FROM exchange.disclosure WHERE agreement <> ''"))


def test_with_agreements_each_path_tells_and_writes_it_down_and_no_secret_leaves(hub: Hub) -> None:
    with unit_of_work(hub.engine) as uow:
        enter_with_keys(uow)
    case = SharedCase.make(hub, STREET)
    before = disclosures(hub)
    sent = case.tell_everything()
    assert sent >= 8 and disclosures(hub) == before + sent
    built = case.wire_bytes()
    assert {partner for partner, _ in built} == {row["partner"] for row in case.outbox()}
    for row in case.outbox():
        assert SECRET not in json.dumps(dict(row["body"]), ensure_ascii=False)
    for partner, content in built:
        assert not _holds_secret(content), partner
    for body in _told_by_every_question(hub, case):
        assert not _holds_secret(body) and body != b""


def test_without_agreements_each_path_tells_nothing(hub: Hub) -> None:
    with unit_of_work(hub.engine) as uow:
        enter_with_keys(uow)
    case = SharedCase.make(hub, STREET)
    stop_all(hub)
    before = disclosures(hub)
    assert case.tell_everything() == 0 and case.outbox() == []
    assert _told_by_every_question(hub, case) == []
    assert disclosures(hub) == before
    with unit_of_work(hub.engine) as uow:
        alarms = uow.scalar("SELECT count(*) FROM exchange.alarm WHERE kind = 'not_shared'")
    assert alarms >= 5


def test_a_court_is_never_told_more_than_its_agreement(hub: Hub) -> None:
    """Judicial interpretation on CPL 107: what was conceded may not be used, so it is not there to be used."""
    case = SharedCase.make(hub)
    case.tell_everything()
    (court,) = [each.id for each in all_connectors().values() if each.agency == "court"]
    allowed = {"event", "message_id", "native_id", "mediation_number"}
    with unit_of_work(hub.engine) as uow:
        for each in sharing_register.listed(uow):
            if each.agreement.partner == court:
                allowed |= set(each.agreement.fields)
    rows = case.outbox(court)
    assert len(rows) >= 4
    for row in rows:
        assert set(row["body"]) <= allowed
        named = "parties" in row["body"]
        assert named == (row["body"]["event"] == "confirmation_application")


def _holds_secret(content: bytes) -> bool:
    """In the bytes, in a base64 part of them, or written with JSON's escapes."""
    needles = [
        SECRET.encode(),
        json.dumps(SECRET).strip('"').encode(),
        json.dumps(json.dumps(SECRET)).strip('"').encode(),
    ]
    parts = [content]
    for word in content.replace(b"<", b" ").replace(b">", b" ").replace(b'"', b" ").split():
        try:
            parts.append(base64.b64decode(word, validate=True))
        except ValueError:
            continue
    return any(needle in part for needle in needles for part in parts)


def _told_by_every_question(hub: Hub, case: SharedCase) -> list[bytes]:
    """What partners get who ask or subscribe: query over REST and SOAP, progress, feedback, events."""
    found: list[bytes] = []
    with served(hub) as url:
        side = OpenSide(url, at_story_start(hub.engine))
        rest = side.get(f"/open/v1/disputes/{case.dispute}")
        by_soap = side.soap("query", f"<number>{case.dispute}</number>")
    if rest.status_code == 200:
        found += [rest.content, by_soap.content]
        assert told(by_soap)["case_key"] == case.native[STREET.partner]
    else:
        assert rest.json()["code"] == "NOT_SHARED" and rest.status_code == 403, rest.text
        assert b"NOT_SHARED" in by_soap.content and case.dispute.encode() not in by_soap.content
    for adapter in all_connectors().values():
        if adapter.has("answers_progress_query"):
            with unit_of_work(hub.engine) as uow:
                known = (
                    known_for(uow, adapter, hub.keys, hub.settings)
                    if (hub.keys.make_pair(adapter.id, "t") or True)
                    else None
                )
                assert known is not None
                fact = known.fact("whereabouts", case.native[adapter.id])
            found += [json.dumps(fact, ensure_ascii=False).encode()] if fact else []
        if adapter.notice("feedback"):
            try:
                with unit_of_work(hub.engine) as uow:
                    feedback.tell_whereabouts(uow, case.native[adapter.id])
            except Refused as refused:
                assert refused.findings[0].code == "NOT_SHARED"
            rows = [row for row in case.outbox(adapter.id) if row["body"]["event"] == "feedback"]
            found += [json.dumps(dict(row["body"]), ensure_ascii=False).encode() for row in rows]
    return found + _events(hub, case)


def _events(hub: Hub, case: SharedCase) -> list[bytes]:
    with unit_of_work(hub.engine) as uow:
        dispute = uow.scalar("SELECT id FROM registry.dispute WHERE number = :n", n=case.dispute)
        for partner in (STREET.partner, *all_connectors()):
            subscribing.subscribe(uow, hub, partner, "amqp", ["stage_changed"], approved=True)
        uow.publish(
            "stage_changed",
            dispute=case.dispute,
            dispute_id=dispute,
            stage="AGREED",
            holder="court",
            offers=SECRET,
        )
    while subscribing.fan_out(hub) == subscribing.FAN_OUT:
        pass
    with unit_of_work(hub.engine) as uow:
        return [bytes(row["body"]) for row in uow.all("SELECT body FROM exchange.subscription_delivery")]


def test_the_register_is_asked_only_under_an_agreement(hub: Hub, tmp_path: Path) -> None:
    calls: list[Any] = []

    def gateway(call: Any) -> tuple[int, dict[str, str], bytes]:
        calls.append(call)
        return 503, {}, b""

    (register,) = [each for each in all_connectors().values() if each.has("checks_persons")]
    payee = {"name": PAYEE, "number": PAYEE_ID, "matter": "M-1", "operator": "o", "purpose": "p"}
    with answering(gateway) as url:
        (tmp_path / "partners.json").write_text(json.dumps({register.id: url}))
        for name, value in register.manifest["sandbox"]["secrets"].items():
            hub.keys.put_secret(register.manifest["keys"]["secrets"][name], value)
        County(hub).funded(1_000_000)
        assert payee_checks.check_payees(hub)["payees"] == 1
        asked = len(calls)
        assert asked > 0 and disclosures(hub) == 1
        stop_all(hub)
        wire = Wire()
        assert payee_checks._ask(hub, wire, register, payee) is False
        wire.close()
    assert len(calls) == asked and disclosures(hub) == 1
    with unit_of_work(hub.engine) as uow:
        subjects = [row["subject"] for row in uow.all("SELECT subject FROM exchange.disclosure")]
    assert PAYEE_ID not in subjects


def test_a_partner_without_any_agreement_is_told_nothing(hub: Hub) -> None:
    with unit_of_work(hub.engine) as uow:
        enter(uow)
    case = SharedCase.make(hub, STREET)
    with unit_of_work(hub.engine) as uow:
        from foundation.directory import load

        caller = load(uow.conn).partners[STREET.partner]
        with pytest.raises(Refused) as refused:
            operations.query(uow, caller, {"number": case.dispute})
    assert refused.value.findings[0].code == "NOT_SHARED"


def test_what_still_waits_when_its_agreement_ends_does_not_leave(hub: Hub, tmp_path: Path) -> None:
    """A notice and an event, both made under an agreement in force, and then it is stopped before they go."""
    calls: list[Any] = []

    def outside(call: Any) -> tuple[int, dict[str, str], bytes]:
        calls.append(call)
        return 200, {}, b""

    case = SharedCase.make(hub)
    adapter = next(each for each in all_connectors().values() if each.notice("feedback"))
    with answering(outside) as url:
        (tmp_path / "partners.json").write_text(json.dumps({adapter.id: url}))
        with unit_of_work(hub.engine) as uow:
            feedback.tell_whereabouts(uow, case.native[adapter.id])
            made, _ = subscribing.subscribe(
                uow, hub, adapter.id, "webhook", ["stage_changed"], f"{url}/hook", approved=True
            )
            dispute = uow.scalar("SELECT id FROM registry.dispute WHERE number = :n", n=case.dispute)
            uow.publish(
                "stage_changed", dispute=case.dispute, dispute_id=dispute, stage="AGREED", holder="court"
            )
        while subscribing.fan_out(hub) == subscribing.FAN_OUT:
            pass
        stop_all(hub)
        wire, teller = Wire(), Teller(hub, Wire())
        (row,) = sending.lease(hub, 10)
        assert sending.send_one(hub, wire, row) == "DEAD"
        teller.turn()
        assert calls == [] and case.outbox(adapter.id)[0]["last_error"].startswith("NOT_SHARED")
        # Taken back, the event that waited goes; the notice waits for a person.
        with unit_of_work(hub.engine) as uow:
            for each in sharing_register.listed(uow):
                sharing_register.stop(uow, each.agreement.id, "settled", stopped=False)
        teller.turn()
        teller.close()
        wire.close()
    assert [call.path for call in calls] == ["/hook"] and made
