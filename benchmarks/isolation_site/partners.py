"""The partners' side in a process of its own: notes when each message arrives; one of them may be slow or flap."""

from __future__ import annotations

import asyncio
import sys
import time

import orjson
import uvicorn
from starlette.types import Receive, Scope, Send

SLOW_S = 30.0
FLAP_S = 2.0  # so long up, so long down


class Site:
    """All partners; ``mode`` is the faulty one's."""

    def __init__(self) -> None:
        self.arrived: dict[str, float] = {}
        self.mode = "ok"
        self.changed = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = b""
        more = True
        while more:
            piece = await receive()
            body += piece.get("body", b"")
            more = piece.get("more_body", False)
        status, told = await self.answer(scope["path"], body)
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-type", b"application/json")],
            }
        )
        await send({"type": "http.response.body", "body": told})

    async def answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        """What a call gets: the log, another mode, or an acknowledgement in the partner's manner."""
        if path == "/arrived":
            told, self.arrived = self.arrived, {}
            return 200, orjson.dumps(told)
        if path.startswith("/mode/"):
            self.mode = path.rpartition("/")[2]
            self.changed.set()
            self.changed = asyncio.Event()
            return 200, b"{}"
        if path == "/p/faulty":
            return await self._faulty()
        self.arrived.setdefault(orjson.loads(body)["id"], time.time())
        return 200, b"{}"

    async def _faulty(self) -> tuple[int, bytes]:
        if self.mode == "slow":
            try:
                await asyncio.wait_for(self.changed.wait(), SLOW_S)
            except TimeoutError:
                pass
            return 200, b"{}"
        if self.mode == "flapping" and int(time.monotonic() / FLAP_S) % 2:
            return 503, b"{}"
        return 200, b"{}"


def main() -> None:
    """Argument: the port."""
    asyncio.run(_serve(int(sys.argv[1])))


async def _serve(port: int) -> None:
    config = uvicorn.Config(
        Site(), host="127.0.0.1", port=port, log_level="error", lifespan="off", access_log=False
    )
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    main()
