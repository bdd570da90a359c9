"""The control API of a sandbox process (loopback only): clock, books, emit, offer, faults, endpoints, tick."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from sqlite3 import Row
from typing import Any, Protocol

from anyio import to_thread
from fastapi import APIRouter, FastAPI, HTTPException, Request
from starlette.concurrency import run_in_threadpool

from sandbox.books import Books
from sandbox.clock import VirtualClock
from sandbox.faults import FaultPlan
from sandbox.outbound import HubEndpoints

log = logging.getLogger("sandbox")
TICK_S = 0.5


class BadOrder(Exception):
    """An order to the control API that cannot be carried out; answered 422 with the text."""


class StandIn(Protocol):
    """What each partner's stand-in offers to the control API. All calls are synchronous, run in worker threads."""

    partner: str

    def emit(self, order: dict[str, Any]) -> dict[str, Any]: ...

    def offer(self, order: dict[str, Any]) -> dict[str, Any]: ...

    def tick(self) -> int:
        """Do what is due by the clock (re-deliveries), bounded; returns how many calls were made."""
        ...


def content_bytes(order: Mapping[str, Any], key: str = "content") -> bytes:
    """Bytes of `content_base64`, `content` (text) or `json` of an order. Raises BadOrder when none is there."""
    if isinstance(order.get(f"{key}_base64"), str):
        try:
            return base64.b64decode(order[f"{key}_base64"], validate=True)
        except ValueError as trouble:
            raise BadOrder(f"{key}_base64 is not base64") from trouble
    if isinstance(order.get(key), str):
        return str(order[key]).encode()
    if "json" in order:
        return json.dumps(order["json"], ensure_ascii=False).encode()
    raise BadOrder(f"give {key}_base64, {key} or json")


def show_entry(row: Row, *, bodies: bool = True) -> dict[str, Any]:
    """A books entry as JSON; bytes as text where they are UTF-8 and always as base64."""
    shown = {key: row[key] for key in row.keys() if key not in ("body", "reply")}  # noqa: SIM118 (sqlite3.Row)
    for key in ("headers", "reply_headers", "findings"):
        shown[key] = json.loads(shown[key])
    shown["differs"] = bool(shown["differs"])
    if bodies:
        for key in ("body", "reply"):
            shown[f"{key}_base64"] = base64.b64encode(row[key]).decode()
            try:
                shown[key] = row[key].decode("utf-8")
            except UnicodeDecodeError:
                shown[key] = None
    return shown


def control_router(
    books: Books,
    clock: VirtualClock,
    faults: FaultPlan,
    endpoints: HubEndpoints,
    standins: Mapping[str, StandIn],
) -> APIRouter:
    router = APIRouter(prefix="/control")

    def known(partner: str) -> StandIn:
        if partner not in standins:
            raise HTTPException(404, f"no stand-in {partner!r}; here: {', '.join(sorted(standins))}")
        return standins[partner]

    async def carry_out(order: Request, work: Callable[[dict[str, Any]], Any]) -> Any:
        try:
            told = await order.json()
            if not isinstance(told, dict):
                raise BadOrder("the order is a JSON object")
            return await run_in_threadpool(work, told)
        except (BadOrder, LookupError, TypeError, ValueError) as trouble:
            raise HTTPException(422, str(trouble)) from trouble

    @router.get("/health")
    def health() -> dict[str, Any]:
        return {
            "ok": True,
            "partners": sorted(standins),
            "now": clock.now().isoformat(),
            "virtual": clock.is_virtual,
        }

    @router.get("/clock")
    def read_clock() -> dict[str, Any]:
        return {"at": clock.now().isoformat(), "virtual": clock.is_virtual}

    @router.post("/clock")
    async def set_clock(order: Request) -> Any:
        def work(told: dict[str, Any]) -> dict[str, Any]:
            at = told.get("at")
            clock.set(None if at is None else datetime.fromisoformat(str(at)))
            return read_clock()

        return await carry_out(order, work)

    @router.get("/books/{partner}")
    def read_books(
        partner: str,
        since: int = 0,
        limit: int = 200,
        direction: str = "",
        operation: str = "",
        bodies: bool = True,
    ) -> dict[str, Any]:
        known(partner)
        rows = books.entries(
            partner, since=since, limit=limit, direction=direction or None, operation=operation or None
        )
        twice = books.entries(partner, limit=1000, direction="in", duplicates_only=True)
        # A stand-in that keeps a book of its own (money) shows it on the first page.
        judged = getattr(standins[partner], "book", None) if since == 0 else None
        return ({"book": judged()} if judged else {}) | {
            "partner": partner,
            "entries": [show_entry(row, bodies=bodies) for row in rows],
            "last": rows[-1]["seq"] if rows else since,
            "duplicates": [
                {key: row[key] for key in ("seq", "operation", "request_id", "duplicate_of", "verdict")}
                | {"differs": bool(row["differs"])}
                for row in twice
            ],
        }

    @router.post("/emit/{partner}")
    async def emit(partner: str, order: Request) -> Any:
        return await carry_out(order, known(partner).emit)

    @router.post("/offer/{partner}")
    async def offer(partner: str, order: Request) -> Any:
        return await carry_out(order, known(partner).offer)

    @router.post("/faults/{partner}")
    async def order_fault(partner: str, order: Request) -> Any:
        known(partner)
        allowed = {"times", "operation", "direction", "point", "seconds"}

        def work(told: dict[str, Any]) -> dict[str, Any]:
            kind = str(told.pop("kind", ""))
            if told.keys() - allowed:
                raise BadOrder(f"unknown key; a fault has kind, {', '.join(sorted(allowed))}")
            faults.order(partner, kind, **told)
            return {"pending": faults.pending(partner)}

        return await carry_out(order, work)

    @router.get("/faults/{partner}")
    def read_faults(partner: str) -> dict[str, Any]:
        known(partner)
        return {"pending": faults.pending(partner)}

    @router.post("/release/{partner}")
    def release(partner: str, operation: str = "") -> dict[str, Any]:
        known(partner)
        faults.release(partner, operation)
        return {"pending": faults.pending(partner)}

    @router.delete("/faults/{partner}")
    def clear_faults(partner: str) -> dict[str, Any]:
        known(partner)
        faults.clear(partner)
        return {"pending": []}

    @router.get("/endpoints")
    def read_endpoints() -> dict[str, str]:
        return endpoints.all()

    @router.put("/endpoints")
    async def put_endpoints(order: Request) -> Any:
        def work(told: dict[str, Any]) -> dict[str, str]:
            endpoints.put({str(key): str(url) for key, url in told.items()})
            return endpoints.all()

        return await carry_out(order, work)

    @router.post("/tick")
    def tick_now() -> dict[str, int]:
        return {partner: standin.tick() for partner, standin in standins.items()}

    return router


def control_app(
    title: str, books: Books, clock: VirtualClock, faults: FaultPlan, endpoints: HubEndpoints,
    standins: Mapping[str, StandIn],
) -> FastAPI:  # fmt: skip
    """A FastAPI application with the control API and the background tick; the caller adds the partners' own routes
    and wraps it in `faults.FaultGate` for uvicorn."""

    async def keep_ticking() -> None:
        while True:
            await asyncio.sleep(TICK_S)
            for partner, standin in standins.items():
                try:
                    # abandoned when the process ends: a delivery cut off there is made again after the restart
                    await to_thread.run_sync(standin.tick, abandon_on_cancel=True)
                except Exception:  # a stand-in's trouble must not stop the others' re-deliveries
                    log.exception("tick of %s", partner)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        ticking = asyncio.create_task(keep_ticking())
        yield
        ticking.cancel()
        books.close()

    app = FastAPI(title=title, docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.include_router(control_router(books, clock, faults, endpoints, standins))
    return app
