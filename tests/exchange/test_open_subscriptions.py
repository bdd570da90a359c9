"""Subscriptions by the open contract: the same over REST and SOAP, each partner its own only."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from foundation.unit_of_work import unit_of_work
from hub import subscribing
from hub.pipeline import Hub
from hub.subscribing import secret_name
from tests.exchange import partner_side
from tests.exchange.open_side import OpenSide, at_story_start, served, told

HOOK = "https://street.example/hook"


@pytest.fixture
def hub(bare_hub: Hub) -> Hub:
    return bare_hub


@pytest.fixture
def sides(hub: Hub) -> Iterator[tuple[OpenSide, OpenSide]]:
    with unit_of_work(hub.engine) as uow:
        partner_side.enter_with_keys(uow)
        partner_side.enter_with_keys(uow, "other_street", "rsa2")
    with served(hub) as url:
        now = at_story_start(hub.engine)
        yield OpenSide(url, now), OpenSide(url, now, "other_street", "rsa2")


def delete(side: OpenSide, target: str) -> int:
    return side.http.delete(target, headers=side.signed("DELETE", target)).status_code


def test_the_same_over_both_protocols(hub: Hub, sides: tuple[OpenSide, OpenSide]) -> None:
    side, other = sides
    path = "/open/v1/subscriptions"
    by_rest = side.post({"kind": "webhook", "topics": ["linked"], "address": HOOK}, path)
    assert by_rest.status_code == 201, by_rest.text
    made = by_rest.json()
    assert made["state"] == "ASKED" and made["secret"].startswith("whsec_") and made["topics"] == ["linked"]
    inner = f"<kind>webhook</kind><topic>linked</topic><topic>stage_changed</topic><address>{HOOK}</address>"
    answer = side.soap("subscribe", inner)
    assert answer.status_code == 200, answer.text
    by_soap = told(answer)
    assert (by_soap["state"], by_soap["address"]) == ("ASKED", HOOK) and by_soap["secret"].startswith(
        "whsec_"
    )
    listed = side.get(path).json()["subscriptions"]
    assert [each["subscription_id"] for each in listed] == [
        by_soap["subscription_id"],
        made["subscription_id"],
    ]
    assert all("secret" not in each for each in listed)
    assert side.soap("subscriptions", "").text.count("<subscription>") == 2
    assert other.get(path).json() == {"subscriptions": []}
    assert delete(other, f"{path}/{made['subscription_id']}") == 404
    assert delete(side, f"{path}/{made['subscription_id']}") == 200
    ended = told(side.soap("unsubscribe", f"<subscription_id>{by_soap['subscription_id']}</subscription_id>"))
    assert ended["state"] == "ENDED"
    assert hub.keys.secret(secret_name_of(made["subscription_id"])) == made["secret"]


def secret_name_of(subscription: str) -> str:
    from uuid import UUID

    return secret_name(UUID(subscription))


def test_what_is_wrong_is_refused_at_its_place(sides: tuple[OpenSide, OpenSide]) -> None:
    side, _ = sides
    path = "/open/v1/subscriptions"
    for wrong, where in (
        ({"kind": "webhook", "topics": ["made_up"], "address": HOOK}, "topics"),
        ({"kind": "webhook", "topics": ["linked"], "address": "http://street.example/"}, "address"),
        ({"kind": "webhook", "topics": "linked", "address": HOOK}, "topics"),
        ({"kind": "fax", "topics": ["linked"]}, "kind"),
        ({"kind": 7, "topics": ["linked"]}, "kind"),
        ({"kind": "amqp", "topics": ["linked"], "partner": "other_street"}, "partner"),
    ):
        answer = side.post(wrong, path)
        assert answer.status_code == 422, answer.text
        assert where in answer.json()["errors"][0]["path"]
    assert side.soap("subscribe", "<kind>fax</kind><topic>linked</topic>").status_code == 500
    assert side.http.put(path).headers["allow"] == "GET, POST"
    assert subscribing.topics()
