"""The load of the exchange benchmark, a process of its own: signs and sends at a rate that it is told, keeps what was answered.

``python -m benchmarks.exchange_client FOLDER HOST PORT WHAT SECONDS CONNECTIONS SEED PREFIX RATE`` with WHAT submit-rest,
submit-soap or status. Each line on its standard input is a new rate in messages a second. At the end it writes
WHAT-PREFIX.json into the folder: answered ids, latencies, refusals.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import uvloop

from benchmarks.exchange_messages import Messages, Sender


class Connection(asyncio.Protocol):
    """One kept-alive connection with one request under way."""

    def __init__(self) -> None:
        self._gathered = b""
        self._done: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def ask(self, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """Send a request; the future gives status and body."""
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._done

    def data_received(self, data: bytes) -> None:
        self._gathered += data
        end = self._gathered.find(b"\r\n\r\n")
        if end < 0 or self._done is None:
            return
        head = self._gathered[:end].lower()
        length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        if len(self._gathered) < end + 4 + length:
            return
        status, body = int(head[9:12]), self._gathered[end + 4 :]
        self._gathered = b""
        self._done.set_result((status, body))

    @property
    def closed(self) -> bool:
        """Whether the other side has closed it."""
        return bool(self._transport.is_closing())

    def connection_lost(self, error: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(ConnectionError("closed while a request was under way"))


class Load:
    """Sends at ``rate`` over its connections until its time is over."""

    def __init__(self, make: Callable[[], tuple[str, bytes]], seconds: float, rate: float) -> None:
        self.make = make
        self.seconds = seconds
        self.rate = rate
        self.latencies: list[float] = []
        self.answered: list[str] = []
        self.refused: dict[str, int] = {}
        self._next = 0.0
        self._ends = 0.0
        self._open: Any = None

    async def run(self, host: str, port: int, connections: int) -> None:
        """Connect and send."""
        loop = asyncio.get_running_loop()
        self._open = lambda: loop.create_connection(Connection, host, port)
        made = [await self._open() for _ in range(connections)]
        await loop.connect_read_pipe(lambda: _Rates(self), sys.stdin)
        self._next = time.perf_counter()
        self._ends = self._next + self.seconds
        await asyncio.gather(*(self._keep(protocol) for _, protocol in made))

    async def _keep(self, connection: Connection) -> None:
        while True:
            now = time.perf_counter()
            due = max(self._next, now - 0.05)  # what could not be sent in time is not made up for in a burst
            if due >= self._ends or now >= self._ends:
                return
            self._next = due + 1.0 / self.rate
            if due > now:
                await asyncio.sleep(due - now)
            if connection.closed:  # the hub closes what is idle
                _, connection = await self._open()
            name, request = self.make()
            began = time.perf_counter()
            status, body = await connection.ask(request)
            self.latencies.append(time.perf_counter() - began)
            if status in (200, 202):
                self.answered.append(name)
            else:
                shown = f"{status} {body[:300].decode(errors='replace')}"
                self.refused[shown] = self.refused.get(shown, 0) + 1


class _Rates(asyncio.Protocol):
    def __init__(self, load: Load) -> None:
        self._load = load

    def data_received(self, data: bytes) -> None:
        self._load.rate = float(data.split()[-1])


def main() -> None:
    """Run one load."""
    folder, host, port, what, seconds, connections, seed, prefix, rate = sys.argv[1:10]
    sender = Sender.load(folder, f"{host}:{port}")
    messages = Messages(int(seed), prefix)
    if what == "status":
        make = _statuses(sender, prefix, int(float(seconds) * float(rate)))
    else:
        write = sender.submit if what == "submit-rest" else sender.soap

        def make() -> tuple[str, bytes]:
            message = messages.next()
            return str(message["message_id"]), write(message)

    load = Load(make, float(seconds), float(rate))
    print("ready", flush=True)
    uvloop.run(load.run(host, int(port), int(connections)))
    told = {"answered": load.answered, "latencies": load.latencies, "refused": load.refused}
    Path(folder, f"{what}-{prefix}.json").write_bytes(orjson.dumps(told))


def _statuses(sender: Sender, prefix: str, most: int) -> Callable[[], tuple[str, bytes]]:
    """Status queries signed beforehand: what is measured is the hub's answer, not the client's signing."""
    made = [
        (f"{prefix}-{number}", sender.rest("GET", f"/open/v1/messages/{prefix}-{number % 1000 + 1}"))
        for number in range(most)
    ]
    left: Iterator[tuple[str, bytes]] = iter(made)
    return lambda: next(left)


if __name__ == "__main__":
    main()
