"""Messages as a made-up partner has them and as the hub holds them, for tests of the comparison."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import orjson

from connectors.open_contract.checking import checked
from foundation.receipts import receipt_key
from foundation.unit_of_work import unit_of_work
from hub.applying import apply_due
from hub.pipeline import Hub
from hub.submitting import Given, take
from sandbox.holdings import HoldingsStandIn, server
from tests.exchange.open_side import message

PARTNER = "ouqi_street"


def bytes_of(number: int, **more: Any) -> bytes:
    return orjson.dumps(message(number, **more))


def withdrawal_of(number: int) -> bytes:
    """The message that takes message ``number`` back."""
    told = message(number, kind="withdrawal", message_id=f"W-{number}", corrects=f"M-{number}", reason="误报")
    del told["records"]
    return orjson.dumps(told)


def give(hub: Hub, *contents: bytes) -> None:
    """The hub takes and applies these messages, as if they came by the door."""
    given = []
    for content in contents:
        told = checked(content, "street", 10**6)
        assert told.message is not None and not told.findings, told.findings
        operation = {"record": "submit", "withdrawal": "withdrawal"}[told.message.kind]
        given.append(
            Given(PARTNER, operation, content, {}, told.message.message_id, told.message.kind, told.message.case_key,
                  None, told.digest)
        )  # fmt: skip
    with unit_of_work(hub.engine) as uow:
        take(uow, receipt_key(hub.settings.key_dir), given)
    while apply_due(hub):
        pass


def line(content: bytes, day: str, *, back: bytes = b"") -> dict[str, Any]:
    """A message as the partner's own book has it."""
    told = checked(content, "street", 10**6)
    found = {
        "way": "to_hub", "day": day, "id": told.message_id, "digest": told.digest, "withdrawn": bool(back),
        "content_base64": base64.b64encode(content).decode(),
    }  # fmt: skip
    return {**found, "withdrawn_by_base64": base64.b64encode(back).decode()} if back else found


@contextmanager
def standing_in(standin: HoldingsStandIn) -> Iterator[str]:
    """The stand-in on a port of loopback; gives its base URL."""
    serving = server(standin)
    thread = Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{serving.server_address[1]}"
    finally:
        serving.shutdown()
        serving.server_close()
        thread.join(5)
