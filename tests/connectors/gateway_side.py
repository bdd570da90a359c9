"""The gateway's side for tests: its secrets, signs and lives by CONTRACT.md, and the hub's desk before it."""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connectors.provincial_gateway import client
from connectors.registry import connector
from foundation.keys import KeyStore
from foundation.wire import Wire
from schemas.exchange import ConnectorContext
from tests.connectors.answering_server import Answer, Call

NOW = datetime(2026, 4, 1, 1, 0, tzinfo=UTC)
APP_KEY, APP_SECRET = "key-in-a-test", "secret-in-a-test"
HTML = (200, {"Content-Type": "text/html"}, b"<html>upgrading</html>")
QUESTION = {
    "name": "周忠",
    "number": "330399198805160222",
    "matter": "瓯栖调〔2026〕石坦0721号",
    "operator": "cashier1",
    "purpose": "放款前核对收款人",
}
ROW = {"xm": "周忠", "gmsfhm": "330399198805160222", "swbs": "0"}


class Gateway:
    """Signs, secrets and their lives by CONTRACT.md; its clock is set by the test."""

    def __init__(self) -> None:
        self.now = NOW
        self.request: list[tuple[str, datetime]] = []
        self.refresh: tuple[str, datetime] | None = None
        self.calls: list[str] = []
        self.pages: list[Any] = [[ROW], None]
        self.forced: list[Answer] = []
        self.additional: list[dict[str, Any]] = []

    def __call__(self, call: Call) -> Answer:
        told = {
            key: v[0] for key, v in parse_qs(urlsplit(call.path).query + "&" + call.body.decode()).items()
        }
        name = urlsplit(call.path).path.rsplit("/", 1)[1].removesuffix(".htm")
        self.calls.append(name)
        if self.forced:
            return self.forced.pop(0)
        if name == "refreshTokenByKey":
            return self._token(told, APP_SECRET, new_refresh=True)
        if name == "refreshTokenBySec":
            if self.refresh is None or self.now >= self.refresh[1]:
                return code("14")
            return self._token(told, self.refresh[0], new_refresh=False)
        live = [secret for secret, until in self.request if self.now < until]
        if not any(self._signed(told, secret) for secret in live):
            return code("05")
        self.additional.append(json.loads(told["additional"]))
        data = self.pages[int(told["pageNum"]) - 1]
        return 200, {}, json.dumps({"code": "00", "msg": "", "data": data, "requestId": "RQ1"}).encode()

    def rotate(self) -> None:
        """Another worker refreshes: the old secret dies after 60 s."""
        old = [(secret, min(until, self.now + timedelta(seconds=60))) for secret, until in self.request]
        self.request = [*old, (f"rq{uuid.uuid4().hex}", self.now + timedelta(minutes=15))]

    def _token(self, told: dict[str, str], secret: str, *, new_refresh: bool) -> Answer:
        if not self._signed(told, secret):
            return code("05")
        self.rotate()
        newest, until = self.request[-1]
        datas: dict[str, Any] = {
            "requestSecret": newest,
            "requestSecretEndTime": str(int(until.timestamp() * 1000)),
        }
        if new_refresh:
            self.refresh = (f"rf{uuid.uuid4().hex}", self.now + timedelta(hours=48))
            datas |= {
                "refreshSecret": self.refresh[0],
                "refreshSecretEndTime": int(self.refresh[1].timestamp() * 1000),
            }
        return 200, {}, json.dumps({"code": "00", "msg": "成功", "datas": datas}).encode()

    def _signed(self, told: dict[str, str], secret: str) -> bool:
        wanted = hashlib.md5(f"{APP_KEY}{secret}{told['requestTime']}".encode()).hexdigest()
        fresh = abs(self.now.timestamp() - int(told["requestTime"]) / 1000) <= 300
        return told["appKey"] == APP_KEY and told["sign"] == wanted and fresh


def code(number: str) -> Answer:
    return (
        200,
        {"Content-Type": "application/json"},
        json.dumps({"code": number, "msg": None, "data": None}).encode(),
    )


class Desk:
    """The hub's side: one state for all workers, a clock that the test moves with the gateway's."""

    def __init__(self, url: str, keys: KeyStore, gateway: Gateway, wire: Wire) -> None:
        self.url, self.keys, self.gateway, self.wire = url, keys, gateway, wire
        self.state: dict[str, Any] = {}

    def context(self, state: dict[str, Any] | None = None) -> ConnectorContext:
        manifest = connector("provincial_gateway").manifest
        told = self.state if state is None else state
        return ConnectorContext(self.url, manifest, self.keys, self.gateway.now, uuid.uuid4, told)

    def ask(self, **changed: Any) -> client.Asked:
        return client.ask(self.wire, self.context(), "person", {**QUESTION, **changed})

    def later(self, **by: int) -> None:
        self.gateway.now += timedelta(**by)
        self.gateway.calls.clear()
