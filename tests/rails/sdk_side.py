"""The SDK's own client and ours against one raw server, for the faults of the SDK."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from alipay.aop.api.AlipayClientConfig import AlipayClientConfig
from alipay.aop.api.DefaultAlipayClient import DefaultAlipayClient
from alipay.aop.api.domain.AlipayFundTransUniTransferModel import AlipayFundTransUniTransferModel
from alipay.aop.api.request.AlipayFundTransUniTransferRequest import AlipayFundTransUniTransferRequest
from cryptography.hazmat.primitives import serialization

from escrow.rails import Advice, Incoming
from escrow.rails.alipay import signing
from foundation.wire import Wire, WireReply
from tests.rails.alipay_side import (
    ONE,
    TRANSFER,
    trusting,
)
from tests.rails.bench import ALIPAY, context, our_key
from tests.rails.test_alipay_sdk import sdk_key

Act = Callable[[socket.socket, int], None]
PATH = "/gateway.do"
PLAIN = http.client.HTTPConnection


@dataclass
class Server:
    """Takes connections, keeps each request's head and body, and lets `act` answer the n-th (from 1)."""

    act: Act
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while request := _request(connection):
                    self.requests.append(request)
                    self.act(connection, len(self.requests))
            except OSError:
                return

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _request(connection: socket.socket) -> bytes:
    told = b""
    while b"\r\n\r\n" not in told:
        piece = connection.recv(65536)
        if not piece:
            return b""
        told += piece
    head, _, body = told.partition(b"\r\n\r\n")
    length = next(
        (int(n.split(b":")[1]) for n in head.split(b"\r\n") if n.lower().startswith(b"content-length")), 0
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def answer(content: bytes, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(content)) + content


def says(content: bytes, status: int = 200) -> Act:
    return lambda connection, _: connection.sendall(answer(content, status))


def sdk(logger: logging.Logger | None = None, **more: Any) -> DefaultAlipayClient:
    config = AlipayClientConfig()
    public = our_key().public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    told = {
        "app_id": "2021009900330399", "app_private_key": sdk_key(), "server_url": f"http://127.0.0.1{PATH}",
        "alipay_public_key": "".join(pem.decode().splitlines()[1:-1]), "timeout": 5, **more,
    }  # fmt: skip
    for name, value in told.items():
        setattr(config, name, value)
    return DefaultAlipayClient(config, logger)


def sdk_request(**more: Any) -> AlipayFundTransUniTransferRequest:
    document = ALIPAY.order(ONE, context(ALIPAY)).document
    model = AlipayFundTransUniTransferModel.from_alipay_dict({**json.loads(document), **more})
    return AlipayFundTransUniTransferRequest(biz_model=model)


def plain_reply(value: dict[str, Any], name: str = TRANSFER) -> bytes:
    """A reply as the SDK knows it: nothing between the node and the signature."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f'{{"{name}":{text},"sign":"{signing.sign(text, our_key())}"}}'.encode()


def sdk_reads(raw: bytes) -> str:
    """What the SDK's client makes of a reply's bytes."""
    found: str = sdk()._DefaultAlipayClient__parse_response(raw)
    return found


def ours(wire: Wire, server: Server, timeout_s: float = 5.0) -> WireReply:
    request = ALIPAY.order(ONE, context(ALIPAY))
    return wire.request(
        "POST",
        f"http://127.0.0.1:{server.port}{PATH}",
        headers=request.headers,
        content=request.body,
        timeout_s=timeout_s,
    )


def read(raw: bytes, status: int = 200) -> Advice:
    return ALIPAY.verify(Incoming(raw, "reply", "order", ONE.number, status), trusting())


def form_of(request: bytes) -> dict[str, str]:
    head, _, body = request.partition(b"\r\n\r\n")
    query = head.split(b" ")[1].partition(b"?")[2]
    return dict(parse_qsl((query + b"&" + body).decode(), keep_blank_values=True))
