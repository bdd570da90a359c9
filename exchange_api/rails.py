"""Mounts every rail's callback as its manifest says; knows no rail by name."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response

import escrow
from exchange_api.bodies import TooLarge, read_body
from exchange_api.lanes import WAITING, Full, Lane
from exchange_api.quiet_log import shown
from foundation.unit_of_work import unit_of_work
from hub import rail_inbox
from hub.pipeline import Hub
from schemas.exchange import RawMessage
from schemas.findings import Finding

log = logging.getLogger("concord.exchange")
RETRY_AFTER_S = 60
BODY_BYTES = 1024 * 1024  # where the manifest states no limit


def rail_routes(hub: Hub) -> APIRouter:
    """All rails' callbacks under ``/rails/<id>/<path of the manifest>``."""
    router = APIRouter(prefix="/rails", include_in_schema=False)
    for rail in escrow.all_rails().values():
        if rail.has("callback"):
            path = f"/{rail.id}/{rail.manifest['callback']['path']}"
            router.add_api_route(path, _handler(hub, rail), methods=["POST"], name=f"{rail.id} callback")
    return router


def _handler(hub: Hub, rail: escrow.Rail) -> Callable[[Request], Any]:
    # an envelope's base64 is a third longer than its payload
    most = int(rail.manifest["limits"].get("body_bytes", BODY_BYTES)) * 2
    lane = Lane()

    async def handle(request: Request) -> Response:
        try:
            body = await read_body(request, most)
        except TooLarge:
            finding = Finding("TOO_LARGE", "/", f"over {most} bytes", f"at most {most} bytes")
            return _response(rail.answer_unread(hub.keys, datetime.now(UTC), finding))
        headers = {name.lower(): value for name, value in request.headers.items()}
        headers["x-query"] = request.url.query
        try:
            return _response(await lane.run(_work, hub, rail, body, headers))
        except Full:
            log.warning("more than %s calls of %s at once", WAITING, rail.id)
        except Exception as error:
            # Stored or not, it was not taken: they send it again, and find what became of it.
            log.error("a call of %s could not be taken: %s", rail.id, shown(error))
        return _response(rail.answer_unread(hub.keys, datetime.now(UTC)))

    return handle


def _work(hub: Hub, rail: escrow.Rail, body: bytes, headers: dict[str, str]) -> escrow.Reply | None:
    with unit_of_work(hub.engine) as uow:
        now = uow.now
    return rail_inbox.receive(hub, RawMessage(rail.id, "hook", "", body, now, headers)).reply


def _response(reply: escrow.Reply | None) -> Response:
    if reply is None:
        return Response(status_code=204)
    headers = {"Retry-After": str(RETRY_AFTER_S)} if reply.status == 503 else {}
    return Response(reply.body, status_code=reply.status, media_type=reply.content_type, headers=headers)
