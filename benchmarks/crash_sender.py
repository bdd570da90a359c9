"""A partner that never gives up: sends each case's messages one after the other until each is acknowledged, and keeps a log.

``python -m benchmarks.crash_sender FOLDER HOST PORT CASES LANES SEED PREFIX``. It sends at least CASES cases and goes on,
for at most MOST_TIMES as many, until there is a file ``FOLDER/enough-PREFIX``. The log, ``FOLDER/sent-PREFIX``, has a line for
each acknowledged message: id, tries, SHA-256 of the receipt, and "differs" where a repeat got another receipt.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import orjson
import uvloop

from benchmarks.exchange_client import Connection
from benchmarks.exchange_messages import Messages, Sender

ANSWER_WITHIN_S = 30.0
PAUSE_S = 0.2
REPEATED = 0.02  # so many are sent again although they were acknowledged
BY_SOAP = 0.2
MOST_TRIES = 2000
MOST_TIMES = 5


class Cases(Messages):
    """Cases of one to four messages each, made from the seed."""

    def of(self, case: int) -> list[dict[str, Any]]:
        """The messages of a case, in order."""
        made = []
        for sequence in range(1, 2 + random.Random(f"{self._prefix}/{case}").randrange(4)):
            message = self._message(case, sequence)
            message["message_id"] = f"{self._prefix}-{case}-{sequence}"
            made.append(message)
        return made


class Lane:
    """One kept connection, opened again whenever it breaks."""

    def __init__(self, host: str, port: int) -> None:
        self._where = (host, port)
        self._connection: Connection | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """One request. Raises OSError or TimeoutError when no answer came."""
        if self._connection is None:
            loop = asyncio.get_running_loop()
            _, self._connection = await loop.create_connection(Connection, *self._where)
        try:
            return await asyncio.wait_for(self._connection.ask(request), ANSWER_WITHIN_S)
        except BaseException:
            self._connection = None
            raise


async def deliver(lane: Lane, write: Any, message: dict[str, Any]) -> tuple[int, bytes]:
    """Send until it is acknowledged; returns tries and the receipt."""
    for tries in range(1, MOST_TRIES):
        try:
            status, body = await lane.ask(write(message))
        except (OSError, TimeoutError):
            await asyncio.sleep(PAUSE_S)
            continue
        if status in (200, 202):
            return tries, body
        if status < 500 and status != 429:
            raise SystemExit(f"refused: {status} {body[:500]!r}")
        await asyncio.sleep(PAUSE_S)
    raise SystemExit(f"{message['message_id']} was not taken in {MOST_TRIES} tries")


def numbers(least: int, enough: Path) -> Iterator[int]:
    """Numbers of cases: at least so many, then on until there is ``enough``."""
    for case in range(1, MOST_TIMES * least + 1):
        if case > least and enough.exists():
            return
        yield case


async def work(lane: Lane, cases: Cases, left: Iterator[int], sender: Sender, log: TextIO, seed: str) -> None:
    """Take cases until none is left."""
    for case in left:
        chance = random.Random(f"{seed}/{case}")
        for message in cases.of(case):
            write = sender.soap if chance.random() < BY_SOAP else sender.submit
            tries, receipt = await deliver(lane, write, message)
            differs = ""
            if chance.random() < REPEATED:
                _, again = await deliver(lane, write, message)
                differs = "" if again == receipt else "differs"
            line = (message["message_id"], str(tries), hashlib.sha256(receipt).hexdigest(), differs)
            log.write("\t".join(map(str, line)) + "\n")


async def run(folder: Path, host: str, port: int, cases: int, lanes: int, seed: str, prefix: str) -> None:
    """All cases over ``lanes`` connections."""
    sender = Sender.load(str(folder), f"{host}:{port}")
    made = Cases(int(seed), prefix)
    left = numbers(cases, folder / f"enough-{prefix}")
    with (folder / f"sent-{prefix}").open("w", encoding="utf-8", buffering=1) as log:
        await asyncio.gather(*(work(Lane(host, port), made, left, sender, log, seed) for _ in range(lanes)))


def main() -> None:
    """Send everything; the last line says how many messages there were."""
    folder, host, port, cases, lanes, seed, prefix = sys.argv[1:8]
    uvloop.run(run(Path(folder), host, int(port), int(cases), int(lanes), seed, prefix))
    with (Path(folder) / f"sent-{prefix}").open("rb") as log:
        sys.stdout.buffer.write(orjson.dumps({"sent": sum(1 for _ in log)}) + b"\n")


if __name__ == "__main__":
    main()
