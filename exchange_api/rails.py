"""Mounts every rail's callback as its manifest says; knows no rail by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

import escrow
from exchange_api.partners import TooLarge, read_body
from foundation.unit_of_work import unit_of_work
from hub import payments
from hub.pipeline import Hub
from schemas.exchange import RawMessage


def rail_routes(hub: Hub) -> APIRouter:
    """All rails' callbacks under ``/rails/<id>/<path of the manifest>``."""
    router = APIRouter(prefix="/rails", include_in_schema=False)
    for rail in escrow.all_rails().values():
        if rail.has("callback"):
            path = f"/{rail.id}/{rail.manifest['callback']['path']}"
            router.add_api_route(path, _handler(hub, rail), methods=["POST"], name=f"{rail.id} callback")
    return router


def _handler(hub: Hub, rail: escrow.Rail) -> Callable[[Request], Any]:
    most = (
        int(rail.manifest["limits"]["body_bytes"]) * 2
    )  # an envelope's base64 is a third longer than its payload

    async def handle(request: Request) -> Response:
        try:
            body = await read_body(request, most)
        except TooLarge:
            return Response("too large", status_code=413)
        headers = {name.lower(): value for name, value in request.headers.items()}
        headers["x-query"] = request.url.query
        return await run_in_threadpool(_work, hub, rail, body, headers)

    return handle


def _work(hub: Hub, rail: escrow.Rail, body: bytes, headers: dict[str, str]) -> Response:
    with unit_of_work(hub.engine) as uow:
        now = uow.now
    reply = payments.receive(hub, RawMessage(rail.id, "hook", "", body, now, headers)).reply
    if reply is None:
        return Response(status_code=204)
    return Response(reply.body, status_code=reply.status, media_type=reply.content_type)
