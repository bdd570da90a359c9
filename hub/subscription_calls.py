"""What a partner asks about its own subscriptions, the same over REST and SOAP: make one, list them, end one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from foundation import subscriptions
from foundation.actors import Actor
from foundation.directory import Partner
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub import subscribing
from hub.pipeline import Hub
from schemas.findings import Finding, Refused

Plain = dict[str, Any]


def subscribe(uow: UnitOfWork, hub: Hub, caller: Partner, asked: Plain) -> Plain:
    """Ask for a subscription: ``kind``, ``topics``, ``address`` (a webhook's). It is told from when an operator has approved
    its address; a webhook's ``secret`` is in this answer only. Raises Refused."""
    topics = asked.get("topics", [])
    if not isinstance(topics, list) or not all(isinstance(each, str) for each in topics):
        raise Refused(Finding("SCHEMA_VIOLATION", "/topics", str(topics)[:60], "a list of topics"))
    made, secret = subscribing.subscribe(
        uow, hub, caller.id, str(asked.get("kind", "")), topics, str(asked.get("address", "")), approved=False
    )
    return {"subscription": {**_shown(uow, caller, made), **({"secret": secret} if secret else {})}}


def listed(uow: UnitOfWork, _hub: Hub, caller: Partner, _asked: Plain) -> Plain:
    """The caller's subscriptions, newest first, with what waits and what was given up."""
    return {"subscriptions": [_plain(row) for row in subscriptions.listed(uow, caller.id, 100)]}


def unsubscribe(uow: UnitOfWork, _hub: Hub, caller: Partner, asked: Plain) -> Plain:
    """End one. What has ended stays ended. Raises Refused NOT_FOUND."""
    try:
        wanted = UUID(str(asked.get("subscription_id", "")))
    except ValueError:
        raise _unknown(asked) from None
    row = subscriptions.one(uow, wanted)
    if row is None or row["partner"] != caller.id:
        raise _unknown(asked)
    subscribing.move(uow, wanted, "ENDED", "by the subscriber")
    return {"subscription": _shown(uow, caller, wanted)}


def perform(hub: Hub, name: str, caller: Partner, asked: Plain) -> Plain:
    """One call in a unit of work of its own, in the partner's name. Raises Refused."""
    actor = Actor(caller.id, caller.id, frozenset(), caller.id)
    with unit_of_work(hub.engine, actor) as uow:
        return CALLS[name](uow, hub, caller, asked)


def _shown(uow: UnitOfWork, caller: Partner, wanted: UUID) -> Plain:
    (row,) = subscriptions.listed(uow, caller.id, only=wanted)
    return _plain(row)


def _plain(row: Any) -> Plain:
    return {
        "subscription_id": str(row["id"]),
        "kind": row["kind"],
        "state": row["state"],
        "address": row["address"],
        "topics": list(row["topics"]),
        "created_at": row["created_at"].isoformat(),
        "waiting": int(row["waiting"]),
        "given_up": int(row["dead"]),
    }


def _unknown(asked: Plain) -> Refused:
    told = str(asked.get("subscription_id", ""))[:60]
    return Refused(Finding("NOT_FOUND", "/subscription_id", told, "a subscription of yours"))


CALLS: dict[str, Callable[[UnitOfWork, Hub, Partner, Plain], Plain]] = {
    "subscribe": subscribe,
    "subscriptions": listed,
    "unsubscribe": unsubscribe,
}
