"""The two sides of a comparison: our database, a partner that asks us, a partner with an adapter of its own."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors import all_connectors
from foundation import outbox
from foundation.unit_of_work import unit_of_work
from foundation.wire import Wire
from hub import jobs, sending, sharing_register
from hub.comparing import compare
from hub.comparison_client import TheirHoldings
from hub.holdings import OurHoldings
from hub.pipeline import Hub, receive
from sandbox.holdings import HoldingsStandIn
from schemas.canonical import digest
from schemas.exchange import RawMessage
from schemas.holdings import Held, Holdings
from tests.acceptance.made_up_folders import write_folder
from tests.exchange.agreements import share
from tests.exchange.holding_side import PARTNER, bytes_of, give, line, standing_in, withdrawal_of
from tests.exchange.open_side import OpenSide, at_story_start, served
from tests.exchange.partner_side import enter_with_keys

Clock = Callable[[datetime | str], None]
DAY, UNTIL = "2026-04-01", date(2026, 4, 2)


def test_our_side_from_the_database_equals_the_arithmetic(hub: Hub) -> None:
    give(hub, *(bytes_of(n) for n in range(120)), withdrawal_of(7))
    with unit_of_work(hub.engine) as uow:
        ours = OurHoldings(uow, PARTNER, "to_hub")
        rows = uow.all("SELECT message_id AS id, compare_digest AS digest FROM exchange.inbox")
        plain = Holdings(Held(DAY, row["id"], row["digest"], row["id"] == "M-7") for row in rows)
        assert len(rows) == 121 and ours.days("2026-01-01", "2026-12-31") == plain.days(
            "2026-01-01", "2026-12-31"
        )
        told = compare(ours, plain, date(2026, 3, 1), UNTIL)
        assert told.differences == [] and told.calls == 1
        # Every range on the way down answers the same, too.
        from schemas.holdings import DIGITS, Range

        asked = [
            Range(DAY),
            *(Range(DAY, each) for each in DIGITS),
            Range(DAY, "0" * 16),
            Range("2026-03-30", "a"),
        ]
        for one, two in zip(ours.ranges(asked), plain.ranges(asked), strict=True):
            assert one.parts == two.parts and set(one.entries) == set(two.entries)
        assert ours.here(["M-3", "none"]) == {"M-3": next(each for each in plain.ranges([Range(DAY, "")])[0].entries or
                                              [Held(DAY, "M-3", next(r["digest"] for r in rows if r["id"] == "M-3"))])}  # fmt: skip


def test_a_partner_asks_us_and_sees_its_own_only(hub: Hub) -> None:
    with unit_of_work(hub.engine) as uow:
        enter_with_keys(uow, "other_street", "rsa2")
        share(uow, "p9")
    give(hub, *(bytes_of(n) for n in range(30)))
    with served(hub) as url:
        side = OpenSide(url, at_story_start(hub.engine))
        other = OpenSide(url, at_story_start(hub.engine), "other_street", "rsa2")

        def asker(who: OpenSide) -> Any:
            def ask(name: str, body: dict[str, Any]) -> dict[str, Any]:
                answer = who.post(orjson.dumps(body), f"/open/v1/compare/{name}")
                assert answer.status_code == 200, answer.text
                return dict(answer.json())

            return ask

        # The partner runs the very comparison from its side: two messages of its book never came.
        mine = Holdings(
            Held(DAY, each["id"], each["digest"]) for each in (line(bytes_of(n), DAY) for n in range(32))
        )
        told = compare(mine, TheirHoldings(asker(side), "to_hub"), date(2026, 3, 1), UNTIL)
        assert {each.id: each.kind for each in told.differences} == {
            "M-30": "MISSING_THERE",
            "M-31": "MISSING_THERE",
        }
        assert asker(other)("days", {"way": "to_hub", "since": "2026-03-01", "until": "2026-04-02"}) == {
            "days": []
        }
        assert asker(side)("messages", {"ids": ["M-1"]}) == {"messages": []}
        unsigned = side.http.post("/open/v1/compare/days", json={"way": "to_hub", "since": DAY, "until": DAY})
        assert unsigned.status_code == 401
        for name, body in (
            ("days", {"way": "sideways", "since": DAY, "until": DAY}), ("days", {"way": "to_hub", "since": DAY, "until": "2030-01-01"}),
            ("days", {"way": "to_hub", "since": "yesterday", "until": DAY}), ("days", {"way": "to_hub", "since": 5, "until": DAY}),
            ("ranges", {"way": "to_hub", "ranges": []}), ("ranges", {"way": "to_hub", "ranges": [{"day": DAY}] * 501}),
            ("ranges", {"way": "to_hub", "ranges": ["x"]}), ("ranges", {"way": "to_hub", "ranges": [{"day": DAY, "prefix": "%"}]}),
            ("messages", {"ids": [1]}), ("messages", {}),
        ):  # fmt: skip
            refused = side.post(orjson.dumps(body), f"/open/v1/compare/{name}")
            assert refused.status_code == 422, (name, body, refused.text)
            assert refused.json()["errors"]


def test_what_was_made_under_an_ended_agreement_is_not_handed_out(hub: Hub) -> None:
    with unit_of_work(hub.engine) as uow:
        made = outbox.enqueue(
            uow,
            partner=PARTNER,
            operation="tell",
            message_id="O-1",
            case_key="",
            body={},
            agreement=f"T-{PARTNER}",
        )
        outbox.keep_bytes(uow, made, b"told")
    with served(hub) as url:
        side = OpenSide(url, at_story_start(hub.engine))
        ask = orjson.dumps({"ids": ["O-1"]})
        assert len(side.post(ask, "/open/v1/compare/messages").json()["messages"]) == 1
        assert side.get("/open/v1/messages/O-1/evidence?way=out").json()["code"] == "EVIDENCE_NOT_READY"
        with unit_of_work(hub.engine) as uow:
            sharing_register.stop(uow, f"T-{PARTNER}", "a breach", stopped=True)
        assert side.post(ask, "/open/v1/compare/messages").json()["messages"] == []
        assert side.get("/open/v1/messages/O-1/evidence?way=out").json()["code"] == "NOT_FOUND"


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An agency with an adapter of its own that offers the comparison, found at run time."""
    name = f"accident_desk_{secrets.token_hex(3)}"
    folder = write_folder("agency", tmp_path / "more agencies", id=name, institution="OQJJ001")
    monkeypatch.setenv("CONCORD_CONNECTOR_PATH", str(folder))
    all_connectors.cache_clear()
    yield name
    monkeypatch.undo()
    all_connectors.cache_clear()


def test_an_adapters_partner_is_compared_with_by_its_own_client(
    hub: Hub, made_up: str, tmp_path: Path, set_clock: Clock
) -> None:
    """Its messages come in by its own mapping; what it lacks of ours is sent by its own client, and nothing else is."""

    def content(number: int) -> bytes:
        case = {"number": f"瓯公交认〔2026〕{number:05d}号", "version": 1, "updatedAt": "2026-04-01T08:30:00+08:00",
                "state": "HANDED_OVER", "cause": "机动车交通事故责任纠纷",
                "people": [{"role": "applicant", "kind": "person", "name": "池安", "phone": f"100{number:08d}"}]}  # fmt: skip
        return json.dumps({"messageId": f"A-{number}", "case": case}, ensure_ascii=False).encode()

    def held(number: int) -> dict[str, Any]:
        return {"way": "to_hub", "day": DAY, "id": f"A-{number}", "digest": digest(json.loads(content(number))),
                "content_base64": base64.b64encode(content(number)).decode()}  # fmt: skip

    hub.keys.put_secret(f"{made_up}.seal", "test-only")
    hub.keys.make_pair(made_up, made_up)
    for number in range(20):
        raw = RawMessage(made_up, "pull", "", content(number), datetime(2026, 4, 1, 1, 0, tzinfo=UTC))
        assert receive(hub, raw).outcome.result == "ACCEPTED"
    with unit_of_work(hub.engine) as uow:
        for name in ("O-1", "O-2"):
            outbox.keep_bytes(
                uow, outbox.enqueue(uow, partner=made_up, operation="progress", message_id=name, case_key="", body={}),
                name.encode(),
            )  # fmt: skip
        uow.execute("UPDATE exchange.outbox SET state = 'DELIVERED', attempts = 1")
    standin = HoldingsStandIn()
    ours = {"way": "from_hub", "day": DAY, "id": "O-1", "digest": hashlib.sha256(b"O-1").hexdigest()}
    standin.hold([*(held(n) for n in range(23)), ours])
    plain, delivered = standin.answer, []

    def answer(path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if path.endswith("/progress"):
            delivered.append(body)
            return 200, {}
        return plain(path, body)

    standin.answer = answer  # type: ignore[method-assign]
    with standing_in(standin) as url:
        (tmp_path / "partners.json").write_text(json.dumps({made_up: url}), encoding="utf-8")
        set_clock("2026-04-03T02:00")
        told = jobs.compare_holdings(hub)
        assert told == {
            "partners": 1,
            "away": 0,
            "found": {"MISSING_HERE": 3, "MISSING_THERE": 1},
            "repaired": 4,
        }
        assert sorted(standin.asked) == ["A-20", "A-21", "A-22"]
        wire = Wire()
        for row in sending.lease(hub, 10):
            assert sending.send_one(hub, wire, row) == "DELIVERED"
        wire.close()
        assert delivered == [b"O-2"]
        # They have it now; ours that came tonight counts on their book's day. Nothing differs any more.
        standin.hold(
            [
                *(held(n) for n in range(23)),
                ours,
                {**ours, "id": "O-2", "digest": hashlib.sha256(b"O-2").hexdigest()},
            ]
        )
        standin.asked.clear()
        set_clock("2026-04-04T02:00")
        assert jobs.compare_holdings(hub)["found"] == {} and standin.asked == []
    set_clock("2026-04-05T02:00")
    assert jobs.compare_holdings(hub)["away"] == 1
