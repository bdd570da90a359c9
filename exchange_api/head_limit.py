"""uvicorn's fast parser with a limit for a request's head: the C parser itself knows none, and would gather without end."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Below this the application answers with a problem that says the limit; above it the connection just ends.
MOST_HEAD_BYTES = 512 * 1024
_REFUSED = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class HeadLimited(HttpToolsProtocol):
    """The httptools protocol, which ends a connection whose head does not end within MOST_HEAD_BYTES."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._head = 0

    def on_message_begin(self) -> None:
        self._head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head = -1  # a body has its own limit
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._head = 0
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        if self._head >= 0:
            self._head += len(data)
            if self._head > MOST_HEAD_BYTES:
                self.transport.write(_REFUSED)
                self.transport.close()
                return
        super().data_received(data)
