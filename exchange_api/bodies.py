"""Reads request bodies within a stated limit, and hears out a sender who is over it, so that it gets its answer."""

from __future__ import annotations

import time

from fastapi import Request

# A sender that is cut off in the middle never reads the answer: so much more is read, and forgotten, before it.
HEARD_OUT_BYTES = 64 * 1024 * 1024
HEARD_OUT_S = 5.0


class TooLarge(Exception):
    """The body is over the limit."""


async def read_body(request: Request, most: int) -> bytes:
    """The body, at most ``most`` bytes; what is over is read and dropped, within bounds. Raises TooLarge."""
    body = bytearray()
    size = 0
    until = time.monotonic() + HEARD_OUT_S
    async for piece in request.stream():
        size += len(piece)
        if size <= most:
            body += piece
            continue
        body.clear()
        if size > most + HEARD_OUT_BYTES or time.monotonic() > until:
            break
    if size > most:
        raise TooLarge
    return bytes(body)
