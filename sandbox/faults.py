"""Faults on request: a plan of faults kept in the books, and the gate that breaks connections on the wire."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any

from fastapi import Response

from sandbox.books import Books

KINDS = (
    "hold",
    "delay",
    "reset",
    "duplicate",
    "wrong_order",
    "wrong_signature",
    "fault",
    "half_answer",
    "http_500",
)
DIRECTIONS = ("serve", "push")
POINTS = ("before", "after", "late")
MAX_DELAY_S = 60.0
BREAK_HEADER = "x-sandbox-break"


@dataclass(frozen=True)
class Fault:
    """`direction` serve = in our answers to the hub, push = in our calls of the hub.

    `point` says whether a call's effect has happened when it breaks ("after", the default of reset and half_answer)
    or not ("before"). A `delay` waits before the call is worked, with "late" before its answer only.
    """

    kind: str
    operation: str
    direction: str
    point: str
    seconds: float


class FaultPlan:
    """Which faults are still to be made, per partner; survives restarts."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def order(
        self, partner: str, kind: str, *, times: int = 1, operation: str = "", direction: str = "serve",
        point: str = "after", seconds: float = 2.0,
    ) -> None:  # fmt: skip
        """Ask for a fault `times` times (1..1000) at `operation` ("" = any). Raises ValueError on an unknown word."""
        if kind not in KINDS or direction not in DIRECTIONS or point not in POINTS:
            raise ValueError(f"kind is one of {KINDS}, direction of {DIRECTIONS}, point of {POINTS}")
        if not 1 <= times <= 1000 or not 0 <= seconds <= MAX_DELAY_S:
            raise ValueError(f"times is 1..1000, seconds 0..{MAX_DELAY_S:.0f}")
        with self._books.transaction() as db:
            db.execute(
                "INSERT INTO fault (partner,kind,operation,direction,point,seconds,times) VALUES (?,?,?,?,?,?,?)",
                (partner, kind, operation, direction, point, seconds, times),
            )

    def take(
        self, partner: str, direction: str, operation: str, kinds: tuple[str, ...] = KINDS
    ) -> Fault | None:
        """The next fault meant for this call, counted down; None = behave.

        A call that meets a `hold` waits here (in its worker thread) until the hold is taken back, at most
        MAX_DELAY_S; the hold itself is not counted down.
        """
        self._wait_for_release(partner, direction, operation)
        with self._books.transaction() as db:
            marks = ",".join("?" * len(kinds))
            row = db.execute(
                "SELECT * FROM fault WHERE partner=? AND direction=? AND operation IN ('',?) AND times>0"
                " AND kind<>'hold'"
                f" AND kind IN ({marks}) ORDER BY seq LIMIT 1",
                (partner, direction, operation, *kinds),
            ).fetchone()
            if row is None:
                return None
            db.execute("UPDATE fault SET times=times-1 WHERE seq=?", (row["seq"],))
        return Fault(row["kind"], operation, direction, row["point"], row["seconds"])

    def _wait_for_release(self, partner: str, direction: str, operation: str) -> None:
        deadline = time.monotonic() + MAX_DELAY_S
        while time.monotonic() < deadline:
            with self._books.transaction() as db:
                held = db.execute(
                    "SELECT 1 FROM fault WHERE partner=? AND direction=? AND operation IN ('',?) AND kind='hold'"
                    " AND times>0 LIMIT 1",
                    (partner, direction, operation),
                ).fetchone()
            if held is None:
                return
            time.sleep(0.03)

    def release(self, partner: str, operation: str = "") -> None:
        """Take back the holds on a partner's operation ("" = on all of them)."""
        with self._books.transaction() as db:
            db.execute(
                "DELETE FROM fault WHERE partner=? AND kind='hold' AND ? IN ('', operation)",
                (partner, operation),
            )

    def pending(self, partner: str) -> list[dict[str, Any]]:
        with self._books.transaction() as db:
            rows = db.execute(
                "SELECT * FROM fault WHERE partner=? AND times>0 ORDER BY seq", (partner,)
            ).fetchall()
        return [dict(row) for row in rows]

    def clear(self, partner: str) -> None:
        with self._books.transaction() as db:
            db.execute("DELETE FROM fault WHERE partner=?", (partner,))


def wait_out(fault: Fault | None) -> None:
    """Sleep a `delay` fault away (in the handler's worker thread)."""
    if fault is not None and fault.kind == "delay":
        time.sleep(min(fault.seconds, MAX_DELAY_S))


def break_answer(response: Response, fault: Fault | None) -> Response:
    """Mark an answer for the gate when the fault is one of the wire (reset, half_answer)."""
    if fault is not None and fault.kind in ("reset", "half_answer"):
        response.headers[BREAK_HEADER] = fault.kind
    return response


class FaultGate:
    """Outermost ASGI layer: sends marked answers as a TCP reset or cut in the middle."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        how = ""

        async def gated(message: dict[str, Any]) -> None:
            nonlocal how
            if message["type"] == "http.response.start":
                headers = [(k, v) for k, v in message["headers"] if k.lower() != BREAK_HEADER.encode()]
                marks = [v.decode() for k, v in message["headers"] if k.lower() == BREAK_HEADER.encode()]
                how = marks[0] if marks and transport is not None else ""
                if how != "reset":
                    await send({**message, "headers": headers})
            elif how == "half_answer":
                body = message.get("body", b"")
                await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
                await _hang_up(transport, reset=False)
            elif how == "reset":
                await _hang_up(transport, reset=True)
            else:
                await send(message)

        await self._app(scope, receive, gated)


async def _hang_up(transport: Any, *, reset: bool) -> None:
    raw = transport.get_extra_info("socket")
    if reset and raw is not None:
        # SO_LINGER with 0 seconds makes the kernel send RST, as a crashed partner's host does
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()
    for _ in range(50):  # let the loop run connection_lost before the server looks at the unfinished answer
        await asyncio.sleep(0.01)
        if transport.is_closing():
            await asyncio.sleep(0.02)
            return
