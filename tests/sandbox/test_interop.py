"""The hub's own clients against the stand-ins: two readings of the same contracts must meet."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from connectors import all_connectors
from foundation.keys import KeyStore
from foundation.wire import Wire
from schemas.exchange import ConnectorContext, HttpRequest, Known, Outcome, Reading
from tests.sandbox.conftest import Listener, Reply, Sandbox, Seen
from tests.sandbox.test_arbitration import case as arbitration_case
from tests.sandbox.test_arbitration import event
from tests.sandbox.test_court import prelitigation
from tests.sandbox.test_petition import ROW
from tests.sandbox.test_procuratorate import case as jcy_case

pytestmark = pytest.mark.slow

SECRETS = {
    "court_feed.user": "oqhub", "court_feed.password": "test-only", "court_feed.list_token": "test-only",
    "petition_asmx.token": "test-only", "arbitration_rest.client_id": "oqhub", "arbitration_rest.client_secret": "test-only",
    "procuratorate_wss.password": "test-only", "procuratorate_wss.hub_password": "test-only",
    "provincial_gateway.app_key": "OQHUB01", "provincial_gateway.app_secret": "test-only-secret",
}  # fmt: skip
STAND_INS = {
    "court_feed": "court", "petition_asmx": "petition", "arbitration_rest": "arbitration",
    "procuratorate_wss": "procuratorate", "provincial_gateway": "gateway",
}  # fmt: skip


class Side:
    """One connector's client with its context, pointed at the sandbox."""

    def __init__(self, sandbox: Sandbox, partner: str) -> None:
        self.sandbox, self.connector, self.wire, self.state = sandbox, all_connectors()[partner], Wire(), {}
        self.client: Any = self.connector.client
        self.keys = KeyStore(sandbox.var / "keys")
        for name, value in SECRETS.items():
            self.keys.put_secret(name, value)
        self.keys.make_pair(partner, partner)
        self.url = f"{sandbox.url}/{STAND_INS[partner]}"

    @property
    def ctx(self) -> ConnectorContext:
        now = datetime.fromisoformat(self.sandbox.http.get("/control/clock").json()["at"])
        return ConnectorContext(self.url, self.connector.manifest, self.keys, now, uuid.uuid4, self.state)

    def pull(self, kind: str, cursor: str = "") -> Any:
        return self.client.pull(self.wire, self.ctx, kind, cursor)


def test_court(sandbox: Sandbox) -> None:
    side = Side(sandbox, "court_feed")
    sandbox.order("offer", "court", content=prelitigation())
    sandbox.order(
        "offer",
        "court",
        list_rows=[
            {"rnum": 1, "ajbs": "339920269901000001", "ah": "(2026)浙0399民诉前调1号", "ajlb": "9901"}
        ],
    )
    pulled = side.pull("SQTJ")
    assert len(pulled.messages) == 1
    side.client.acknowledge(side.wire, side.ctx, pulled.messages[0], Outcome("x", "ACCEPTED"))
    assert sandbox.order("offer", "court", waiting=True)["files"][0]["state"] == "DONE"
    assert side.pull("SQTJ", pulled.next_cursor).messages == ()
    assert "339920269901000001" in side.pull("CDFB").messages[0].content.decode()


def test_petition(sandbox: Sandbox) -> None:
    side = Side(sandbox, "petition_asmx")
    sandbox.order("offer", "petition", rows=[ROW])
    sandbox.clock("2026-04-01T09:05:00+08:00")
    pulled = side.pull("petitions")
    assert ROW["XFJBH"] in pulled.messages[0].content.decode()
    assert side.client.get_petition(side.wire, side.ctx, ROW["XFJBH"])
    assert side.client.get_attachment(side.wire, side.ctx, ROW["XFJBH"], "a.txt")["WJNR"] == "YWJj"


def test_arbitration(sandbox: Sandbox) -> None:
    side = Side(sandbox, "arbitration_rest")
    sandbox.order("offer", "arbitration", cases=[arbitration_case(1), arbitration_case(2)])
    pulled = side.pull("cases")
    assert len(json.loads(pulled.messages[0].content)["items"]) == 2 and not pulled.more
    assert side.pull("case", "ARB-2026-000001").messages and not side.pull("case", "ARB-2026-000009").messages


def test_procuratorate(sandbox: Sandbox) -> None:
    side = Side(sandbox, "procuratorate_wss")
    pem = side.keys.certificate("procuratorate_wss").public_bytes(Encoding.PEM).decode()
    sandbox.order("offer", "procuratorate", trust_certificate=pem)
    ours = sandbox.order("offer", "procuratorate", certificate=True)["pem"]
    side.keys.trust("procuratorate_wss", "jcy.crt", ours.encode())
    sandbox.order("offer", "procuratorate", content=jcy_case(), gap=[9001])
    pulled = side.pull("messages")
    assert len(pulled.messages) == 1 and b"SCJ08" in pulled.messages[0].content
    assert not side.pull("messages", pulled.next_cursor).messages


@pytest.mark.parametrize("style", ["string", "array", "object"])
def test_gateway(sandbox: Sandbox, style: str) -> None:
    side = Side(sandbox, "provincial_gateway")
    sandbox.order("offer", "gateway", persons=[{"xm": "吴艳晓", "gmsfhm": "330399199312029976", "swbs": "1"}])
    sandbox.order("offer", "gateway", rules={"style": style})
    question = {
        "name": "吴艳晓",
        "number": "330399199312029976",
        "matter": "m",
        "operator": "o",
        "purpose": "p",
    }
    asked = side.client.ask(side.wire, side.ctx, "person", question)
    assert "1" in asked.messages[0].content.decode() and len(asked.messages) == 1


def hub_side(partner: str, known: Known, now: datetime, readings: list[Reading]) -> Callable[[Seen], Reply]:
    """The hub's own endpoint and mapping answer the stand-in's push; everything is taken."""
    connector = all_connectors()[partner]
    endpoint = connector.service.ENDPOINTS[0]  # type: ignore[union-attr]

    def answer(seen: Seen) -> Reply:
        request = HttpRequest("POST", endpoint.path, seen.headers, seen.body, now, client_address="127.0.0.1")
        messages = endpoint.unpack(request, known)
        found = [connector.mapping.read(each, known) for each in messages]
        readings.extend(found)
        outcomes = [Outcome(each.message_id, "ACCEPTED", (), "R1", now, each.reply_hint) for each in found]
        made = endpoint.answer(outcomes, request)
        return made.status, made.headers.get("Content-Type", "text/plain"), made.body

    return answer


NOW = datetime(2026, 4, 1, 1, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("partner", "order"),
    [
        ("court_feed", {"kind": "SQTJ", "content": prelitigation()}),
        ("petition_asmx", {"operation": "AddXfj", "json": {**ROW, "FJ": []}}),
        ("arbitration_rest", {"json": event(case=arbitration_case())}),
    ],
)
def test_pushes_are_taken_by_the_hubs_side(
    sandbox: Sandbox, hub: Listener, partner: str, order: dict[str, Any]
) -> None:
    known = Known(secrets={"webhook": "test-only-arbitration-webhook", "token": "test-only"})
    readings: list[Reading] = []
    hub.answer = hub_side(partner, known, NOW, readings)
    sent = sandbox.order("emit", STAND_INS[partner], **order)
    assert sent["state"] == "DONE" and sent["findings"] == [], sent
    assert [each for reading in readings for each in reading.findings] == []
    assert readings[0].records


def test_procuratorates_signature_is_taken_by_the_hubs_side(sandbox: Sandbox, hub: Listener) -> None:
    sandbox.order("emit", "procuratorate", content=jcy_case())
    ours = sandbox.order("offer", "procuratorate", certificate=True)["pem"]
    certificate = x509.load_pem_x509_certificate(ours.encode())
    known = Known(
        secrets={"password": "test-only"},
        certificates={"procuratorate_wss": (certificate,)},
        profile="production",
    )
    connector = all_connectors()["procuratorate_wss"]
    endpoint = connector.service.ENDPOINTS[0]  # type: ignore[union-attr]
    request = HttpRequest("POST", endpoint.path, hub.seen[0].headers, hub.seen[0].body, NOW)
    (message,) = endpoint.unpack(request, known)
    reading = connector.mapping.read(message, known)
    assert reading.findings == () and reading.records[0].native_id == "瓯栖检刑和〔2026〕5008号"
