"""The calls by which a partner compares its holdings with ours, over REST: signed, JSON in and out (exchange rule 10)."""

from __future__ import annotations

import orjson
from anyio import to_thread

from exchange_api.open_contract.taking import Desk
from exchange_api.open_contract.wire import Answer, Request, json_object
from foundation.directory import Partner
from foundation.unit_of_work import unit_of_work
from hub.comparison_calls import CALLS, Plain
from hub.pipeline import Hub

MOST_BYTES = 128 * 1024
# Path → call.
CALLED = {f"/open/v1/compare/{name}": name for name in CALLS}


async def answer(desk: Desk, request: Request) -> Answer:
    """Answer one call. Raises Refused."""
    identity = desk.identify(request, "rest")
    desk.once(identity.proof)
    asked = json_object(request, MOST_BYTES)
    told = await to_thread.run_sync(_perform, desk.hub, CALLED[request.path], identity.partner, asked)
    return Answer(200, orjson.dumps(told), b"application/json")


def _perform(hub: Hub, name: str, partner: Partner, asked: Plain) -> Plain:
    with unit_of_work(hub.engine) as uow:
        return CALLS[name](uow, partner, asked)
