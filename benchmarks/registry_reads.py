"""Reads of the registry as people make them: over HTTP, kept-alive connections, each answer read whole."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from urllib.parse import quote

import orjson


async def _one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, token: str) -> bytes:
    writer.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    body = await reader.readexactly(length)
    if b" 200 " not in head[:20]:
        raise RuntimeError(f"{path}: {head[:40]!r} {body[:200]!r}")
    return body


async def _load(
    port: int, token: str, paths: Sequence[str], connections: int
) -> tuple[list[float], list[int]]:
    waiting = list(reversed(paths))
    times: list[float] = []
    sizes: list[int] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
        while waiting:
            path = waiting.pop()
            begun = time.perf_counter()
            body = await _one(reader, writer, path, token)
            times.append((time.perf_counter() - begun) * 1000)
            sizes.append(len(body))
        writer.close()

    await asyncio.gather(*(client() for _ in range(connections)))
    return times, sizes


def load(port: int, token: str, paths: Sequence[str], connections: int) -> tuple[list[float], list[int]]:
    """Milliseconds and bytes of each answer. Raises RuntimeError for an answer that is not 200."""
    return asyncio.run(_load(port, token, paths, connections))


async def _changes(port: int, token: str, change: Sequence[object], act: object) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    writer.write(
        f"GET /v1/board/changes HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    )

    async def board() -> int:
        while True:
            line = await asyncio.wait_for(reader.readline(), 30)
            if line.startswith(b"data: "):
                return int(orjson.loads(line[6:])["all"])

    await board()
    await asyncio.sleep(1.5)  # it listens by now
    took = []
    for each in change:
        await asyncio.to_thread(act, each)  # type: ignore[arg-type]
        committed = time.perf_counter()
        await board()
        took.append((time.perf_counter() - committed) * 1000)
        await asyncio.sleep(0.3)
    writer.close()
    return took


def changes(port: int, token: str, change: Sequence[object], act: object) -> list[float]:
    """Milliseconds from the commit of each change (`act` of it) to the board that shows it."""
    return asyncio.run(_changes(port, token, change, act))


def list_path(stage: str, holder: str, town: str) -> str:
    """A list page with three filters."""
    return f"/v1/disputes?stage={quote(stage)}&holder={quote(holder)}&town={quote(town)}"
