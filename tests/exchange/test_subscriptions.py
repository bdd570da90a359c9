"""Subscriptions over the real wire: who is told what, in order, until it is taken."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from standardwebhooks.webhooks import Webhook

from foundation import subscriptions
from foundation.unit_of_work import UnitOfWork, unit_of_work
from foundation.wire import Wire
from hub import subscribing
from hub.pipeline import Hub
from hub.teller import Teller
from schemas.findings import Refused
from tests.connectors.answering_server import Answer, Call, answering
from tests.exchange.agreements import share

CASES = (
    "INSERT INTO registry.source_case (partner, institution, agency, native_id, first_seen, dispute) VALUES"
)


@dataclass
class Subscriber:
    """A webhook of a made-up partner. ``answers``: status by call, 200 when they are used up."""

    calls: list[Call] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    url: str = ""

    def __call__(self, call: Call) -> Answer:
        self.calls.append(call)
        return self.answers.pop(0) if self.answers else (200, {}, b"")

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(call.body) for call in self.calls]


@pytest.fixture
def hub(bare_hub: Hub) -> Hub:
    with unit_of_work(bare_hub.engine) as uow:
        for partner in ("p1", "p2"):
            share(uow, partner)
    return bare_hub


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    made = Subscriber()
    with answering(made) as url:
        made.url = f"{url}/hook"
        yield made


def a_dispute(uow: UnitOfWork, number: str, partners: list[str], *, sealed: bool = False) -> UUID:
    dispute = uow.new_id()
    uow.execute(
        "INSERT INTO registry.dispute (id, number, stage, holder, opened_at, sealed, moved_at, stage_since,"
        " holder_since) VALUES (:id, :number, 'MEDIATING', 'mediation', :now, :sealed,"
        " :now, :now, :now)",
        id=dispute, number=number, now=uow.now, sealed=sealed,
    )  # fmt: skip
    for partner in partners:
        uow.execute(
            f"{CASES} (:p, 'I', 'court', :n, :now, :d)",
            p=partner,
            n=f"{partner}-{number}",
            now=uow.now,
            d=dispute,
        )
    return dispute


def happen(uow: UnitOfWork, dispute: UUID, number: str, stage: str, topic: str = "stage_changed") -> None:
    uow.publish(
        topic, dispute=number, dispute_id=dispute, stage=stage, holder="court", secret="conceded 5,000"
    )


def work(hub: Hub) -> None:
    teller = Teller(hub, Wire())
    teller.turn()
    teller.close()


def webhook(hub: Hub, partner: str, url: str, *topics: str) -> tuple[UUID, str]:
    with unit_of_work(hub.engine) as uow:
        return subscribing.subscribe(
            uow, hub, partner, "webhook", list(topics or ("stage_changed",)), url, approved=True
        )


def test_a_partner_is_told_of_its_own_disputes_only(hub: Hub, subscriber: Subscriber) -> None:
    subscription, secret = webhook(hub, "p1", subscriber.url)
    with unit_of_work(hub.engine) as uow:
        mine, others, sealed = (
            a_dispute(uow, "JF-1", ["p1", "p2"]),
            a_dispute(uow, "JF-2", ["p2"]),
            a_dispute(uow, "JF-3", ["p1"], sealed=True),
        )
        for dispute, number in ((mine, "JF-1"), (others, "JF-2"), (sealed, "JF-3")):
            happen(uow, dispute, number, "AGREED")
        happen(uow, mine, "JF-1", "AGREED", topic="flag_raised")  # not a topic that can be subscribed to
    work(hub)
    (told,) = subscriber.told()
    assert told["data"] == {
        "dispute": "JF-1",
        "stage": "AGREED",
        "holder": "court",
        "your_cases": ["p1-JF-1"],
    }
    assert (told["specversion"], told["type"], told["subject"]) == ("1.0", "concord.stage_changed", "JF-1")
    (call,) = subscriber.calls
    assert call.headers["webhook-id"].endswith(subscription.hex[-8:])
    assert Webhook(secret).verify(call.body, dict(call.headers))["id"] == told["id"]
    work(hub)
    assert len(subscriber.calls) == 1


def test_order_holds_within_a_dispute_and_others_go_on(
    hub: Hub, subscriber: Subscriber, set_clock: Callable[[Any], None]
) -> None:
    webhook(hub, "p1", subscriber.url)
    with unit_of_work(hub.engine) as uow:
        first, second = a_dispute(uow, "JF-1", ["p1"]), a_dispute(uow, "JF-2", ["p1"])
        for stage in ("AGREED", "CONFIRMED"):
            happen(uow, first, "JF-1", stage)
        happen(uow, second, "JF-2", "CLOSED")
        later = uow.now + timedelta(minutes=5)
    subscriber.answers = [(500, {}, b""), (503, {"Retry-After": "120"}, b"")]
    work(hub)
    assert [told["data"]["stage"] for told in subscriber.told()] == ["AGREED"]
    work(hub)
    assert [told["data"]["stage"] for told in subscriber.told()] == [
        "AGREED",
        "CLOSED",
    ]  # another dispute goes on
    set_clock(later - timedelta(minutes=4))
    work(hub)
    assert len(subscriber.calls) == 2  # it asked to be left alone
    set_clock(later)
    work(hub)
    assert [told["data"]["stage"] for told in subscriber.told()[2:]] == ["AGREED", "CLOSED", "CONFIRMED"]
    assert subscriber.calls[0].body == subscriber.calls[2].body
    assert subscriber.calls[0].headers["webhook-id"] == subscriber.calls[2].headers["webhook-id"]


def test_refused_for_good_is_dead_and_told_again_by_a_person(hub: Hub, subscriber: Subscriber) -> None:
    subscription, _ = webhook(hub, "p1", subscriber.url)
    subscriber.answers = [(422, {}, b"")]
    with unit_of_work(hub.engine) as uow:
        happen(uow, a_dispute(uow, "JF-1", ["p1"]), "JF-1", "AGREED")
    work(hub)
    with unit_of_work(hub.engine) as uow:
        (row,) = subscriptions.listed(uow)
        assert (row["dead"], row["waiting"]) == (1, 0)
        assert uow.scalar("SELECT count(*) FROM exchange.alarm WHERE kind = 'subscriber_not_told'") == 1
        assert subscribing.again(uow, subscription, None, "mended there") == 1
    work(hub)
    assert len(subscriber.calls) == 2
    with unit_of_work(hub.engine) as uow:
        assert subscriptions.listed(uow)[0]["dead"] == 0


def test_gone_ends_it(hub: Hub, subscriber: Subscriber) -> None:
    subscription, _ = webhook(hub, "p1", subscriber.url)
    subscriber.answers = [(410, {}, b"")]
    with unit_of_work(hub.engine) as uow:
        happen(uow, a_dispute(uow, "JF-1", ["p1"]), "JF-1", "AGREED")
    work(hub)
    with unit_of_work(hub.engine) as uow:
        found = subscriptions.one(uow, subscription)
        assert found is not None and found["state"] == "ENDED"
        assert not subscriptions.move(uow, subscription, "ACTIVE", "no")


def test_a_new_secret_overlaps_with_the_former(hub: Hub, subscriber: Subscriber) -> None:
    subscription, former = webhook(hub, "p1", subscriber.url)
    with unit_of_work(hub.engine) as uow:
        fresh = subscribing.rotate(uow, hub, subscription)
        happen(uow, a_dispute(uow, "JF-1", ["p1"]), "JF-1", "AGREED")
    work(hub)
    (call,) = subscriber.calls
    for secret in (former, fresh):
        Webhook(secret).verify(call.body, dict(call.headers))


def test_what_is_asked_waits_for_an_operator_and_what_is_wrong_is_refused(hub: Hub) -> None:
    with unit_of_work(hub.engine) as uow:
        made, secret = subscribing.subscribe(
            uow, hub, "p1", "webhook", ["linked"], "https://partner.example/hook", approved=False
        )
        found = subscriptions.one(uow, made)
        assert found is not None and found["state"] == "ASKED" and secret.startswith("whsec_")
        for kind, topics, address in (
            ("webhook", ["linked"], "http://partner.example/hook"),
            ("webhook", ["linked"], "https://user:pw@partner.example/"),
            ("webhook", ["linked"], "ftp://partner.example/"),
            ("webhook", ["made_up"], "https://partner.example/"),
            ("webhook", [], "https://partner.example/"),
            ("amqp", ["linked"], "a.queue.of.mine"),
            ("carrier", ["linked"], ""),
        ):
            with pytest.raises(Refused):
                subscribing.subscribe(uow, hub, "p1", kind, topics, address, approved=True)
        for _ in range(subscriptions.MOST_PER_PARTNER - 1):
            subscribing.subscribe(uow, hub, "p1", "amqp", ["linked"], approved=True)
        with pytest.raises(Refused):
            subscribing.subscribe(uow, hub, "p1", "amqp", ["linked"], approved=True)


def test_where_nobody_subscribes_events_are_born_told(hub: Hub) -> None:
    with unit_of_work(hub.engine) as uow:
        uow.publish("stage_changed", dispute="JF-1")
        assert uow.scalar("SELECT told FROM exchange.event")
        subscribing.subscribe(uow, hub, "p1", "amqp", ["linked"], approved=True)
        uow.publish("stage_changed", dispute="JF-1")
        assert uow.scalar("SELECT count(*) FROM exchange.event WHERE NOT told") == 1
    assert subscribing.fan_out(hub) == 1
