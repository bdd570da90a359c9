"""What tests of several rails share: a wire of their own, and a raw server that the SDK's client is led to."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from alipay.aop.api.util import WebUtils

from foundation.wire import Wire
from tests.rails.sdk_side import PLAIN, Act, Server


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Act], Server]]:
    made: list[Server] = []

    def start(act: Act) -> Server:
        server = Server(act)
        made.append(server)

        class ToPort(PLAIN):
            def __init__(self, host: str, port: int, timeout: float) -> None:
                super().__init__(host, server.port, timeout=timeout)

        monkeypatch.setattr(WebUtils.httplib, "HTTPConnection", ToPort)
        return server

    yield start
    for server in made:
        server.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()
