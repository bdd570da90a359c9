"""A made-up partner that calls the open contract's doors over the real wire, by REST and by SOAP."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import uvicorn
from lxml import etree

from connectors.open_contract import shape
from exchange_api.app import make_app
from exchange_api.head_limit import HeadLimited
from foundation import http_signature
from foundation.http_signature import Parts
from foundation.wss_sign import signed_envelope
from hub.pipeline import Hub
from schemas.open_contract import NAMESPACE
from schemas.soap import SOAP11, SOAP12
from tests.exchange.partner_side import certificate, key

MEDIA = {SOAP11: "text/xml; charset=utf-8", SOAP12: "application/soap+xml; charset=utf-8"}


@contextmanager
def served(hub: Hub) -> Iterator[str]:
    """The hub's API on a port of loopback; gives its base URL."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        config = uvicorn.Config(make_app(hub), log_level="warning", http=HeadLimited, server_header=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(timeout=10)


class OpenSide:
    """One partner with its keys. ``now``: what its clock says."""

    def __init__(self, url: str, now: Any, partner: str = "ouqi_street", name: str = "rsa") -> None:
        self.url = url
        self.now = now
        self.partner = partner
        self.name = name
        self.http = httpx.Client(base_url=url, trust_env=False, timeout=30)

    def signed(self, method: str, target: str, body: bytes = b"", **more: str) -> dict[str, str]:
        """Headers of a signed REST request."""
        at = urlsplit(self.url + target)
        headers = {"host": at.netloc, **more}
        if body:
            headers.setdefault("content-type", "application/json")
        parts = Parts(method, "http", at.netloc, at.path, at.query, tuple(headers.items()), body)
        made = http_signature.sign(
            parts,
            key=key(self.name),
            key_id=f"{self.partner}-1",
            now=self.now(),
            nonce=secrets.token_urlsafe(12),
        )
        return {**headers, **made}

    def post(
        self, message: dict[str, Any] | bytes, target: str = "/open/v1/messages", **more: str
    ) -> httpx.Response:
        body = message if isinstance(message, bytes) else orjson.dumps(message)
        return self.http.post(target, content=body, headers=self.signed("POST", target, body, **more))

    def get(self, target: str, **more: str) -> httpx.Response:
        return self.http.get(target, headers=self.signed("GET", target, **more))

    def envelope(self, payload: str | etree._Element, soap: str = SOAP11) -> bytes:
        """A signed envelope round an element, or round its text."""
        element = etree.fromstring(payload) if isinstance(payload, str) else payload
        return signed_envelope(
            element,
            key=key(self.name),
            certificate=certificate(self.name),
            now=self.now(),
            soap=soap,
            fraction=True,
        )

    def call(self, content: bytes, soap: str = SOAP11, **more: str) -> httpx.Response:
        """Post an envelope as it is."""
        return self.http.post("/open/soap", content=content, headers={"content-type": MEDIA[soap], **more})

    def soap(self, operation: str, inner: str, soap: str = SOAP11, **more: str) -> httpx.Response:
        time.sleep(0.002)  # two envelopes of one millisecond would bear the same signature
        payload = f'<{operation} xmlns="{NAMESPACE}">{inner}</{operation}>'
        return self.call(self.envelope(payload, soap), soap, **more)

    def soap_message(
        self, message: dict[str, Any], operation: str = "submit", soap: str = SOAP11
    ) -> httpx.Response:
        return self.soap(operation, shape.write_xml(message), soap)


def told(response: httpx.Response) -> dict[str, str]:
    """The leaf elements of a SOAP answer by name."""
    root = etree.fromstring(response.content)
    return {etree.QName(each).localname: each.text or "" for each in root.iter() if len(each) == 0}


def message(number: int = 1, **more: Any) -> dict[str, Any]:
    """A right message about a case of its own."""
    return {
        "message_id": f"M-{number}",
        "case_key": f"JD-2026-{number}",
        "event_time": "2026-04-01T09:00:00+08:00",
        "kind": "record",
        "records": [
            {
                "kind": "episode",
                "fields": {
                    "proceeding_kind": "OTHER", "state": "OPEN", "cause": "相邻关系纠纷", "claimed_fen": 1_234_500,
                    "opened_on": "2026-03-30",
                },
                "parties": [
                    {"key": "A1", "role": "applicant", "kind": "person", "name": f"甲{number}"},
                    {"key": "R1", "role": "respondent", "kind": "person", "name": f"乙{number}"},
                ],
            }
        ],
        **more,
    }  # fmt: skip


def at_story_start(engine: Any) -> Any:
    """The hub's virtual clock, as the partner reads it too."""
    from foundation.clock import clock_now

    def now() -> datetime:
        with engine.connect() as conn:
            return clock_now(conn)

    return now
