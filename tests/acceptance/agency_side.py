"""The made-up agency itself: a small server with its own cases and its own record of what the hub told it."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.connectors.answering_server import Answer, Call, answering


@dataclass
class Desk:
    """``told``: each progress message once, by its id; ``repeats``: how many came a second time."""

    secret: str
    url: str = ""
    cases: list[dict[str, Any]] = field(default_factory=list)
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    repeats: int = 0

    def push(self, door: str, message_id: str, case: dict[str, Any], seal: str = "") -> httpx.Response:
        """Send one case to the hub, sealed."""
        body = json.dumps({"messageId": message_id, "case": case}, ensure_ascii=False).encode()
        own = hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Desk-Seal": seal or own, "Content-Type": "application/json"}
        return httpx.post(door, content=body, headers=headers, timeout=20, trust_env=False)

    def heard(self, what: str) -> list[dict[str, Any]]:
        return [each for each in self.told.values() if each["what"] == what]

    def answer(self, call: Call) -> Answer:
        if call.method == "GET":
            since = int(call.path.partition("since=")[2] or 0)
            page = {
                "messageId": f"page-{since}",
                "cases": self.cases[since:],
                "last": len(self.cases),
                "more": False,
            }
            return 200, {"Content-Type": "application/json"}, json.dumps(page, ensure_ascii=False).encode()
        told = json.loads(call.body)
        self.repeats += told["messageId"] in self.told
        self.told.setdefault(told["messageId"], told)
        return 200, {}, b"{}"


@contextmanager
def accident_desk(secret: str) -> Iterator[Desk]:
    """The desk on a loopback port."""
    desk = Desk(secret)
    with answering(desk.answer) as url:
        desk.url = url
        yield desk
