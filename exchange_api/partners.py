"""Mounts every partner's endpoints as its adapter describes them; knows no partner by name.

For each request: read the body within the stated limit, let the adapter take it apart, store and process
each message, let the adapter answer in the partner's own manner. A WSDL is served at ``?wsdl``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from connectors import Connector, all_connectors
from foundation.clock import clock_now
from foundation.unit_of_work import unit_of_work
from hub.known import known_for
from hub.pipeline import Hub, receive
from schemas.exchange import Endpoint, HttpAnswer, HttpRequest, Known, Outcome
from schemas.findings import Finding, Refused

log = logging.getLogger("concord.exchange")


class TooLarge(Exception):
    """The body is over the endpoint's limit."""


async def read_body(request: Request, most: int) -> bytes:
    """The body, at most ``most`` bytes; stops reading as soon as it is over. Raises TooLarge."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most:
        raise TooLarge
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise TooLarge
    return bytes(body)


def partner_routes(hub: Hub) -> APIRouter:
    """All partners' endpoints under ``/partners/<id>``."""
    router = APIRouter(prefix="/partners", include_in_schema=False)
    for adapter in all_connectors().values():
        if adapter.service is None:
            continue
        by_path: dict[tuple[str, str], list[Endpoint]] = {}
        for endpoint in adapter.service.ENDPOINTS:
            by_path.setdefault((endpoint.method, endpoint.path), []).append(endpoint)
            if endpoint.wsdl is not None:
                _serve_wsdl(router, adapter, endpoint)
        for (method, path), endpoints in by_path.items():
            router.add_api_route(
                f"/{adapter.id}{path}",
                _handler(hub, adapter, endpoints[0]),
                methods=[method],
                name=endpoints[0].operation,
            )
    return router


def _serve_wsdl(router: APIRouter, adapter: Connector, endpoint: Endpoint) -> None:
    async def wsdl(request: Request) -> Response:
        if "wsdl" not in {key.lower() for key in request.query_params}:
            return Response("GET ?wsdl for the contract", status_code=405, headers={"Allow": "POST"})
        assert endpoint.wsdl is not None
        here = str(request.url.replace(query="")).encode()
        return Response(endpoint.wsdl.replace(b"{{ADDRESS}}", here), media_type="text/xml; charset=utf-8")

    router.add_api_route(f"/{adapter.id}{endpoint.path}", wsdl, methods=["GET"], name="wsdl")


def _handler(hub: Hub, adapter: Connector, endpoint: Endpoint) -> Callable[[Request], Any]:
    async def handle(request: Request) -> Response:
        plain = _plain_request(request, endpoint, b"", adapter)
        try:
            body = await read_body(request, endpoint.max_bytes)
        except TooLarge:
            finding = Finding(
                "TOO_LARGE",
                "/",
                f"over {endpoint.max_bytes} bytes",
                f"at most {endpoint.max_bytes} bytes",
            )
            return _response(endpoint.refuse((finding,), plain))
        answer = await run_in_threadpool(_work, hub, adapter, endpoint, plain, body)
        return _response(answer)

    return handle


def _work(hub: Hub, adapter: Connector, endpoint: Endpoint, plain: HttpRequest, body: bytes) -> HttpAnswer:
    with unit_of_work(hub.engine) as uow:
        now = clock_now(uow.conn)
        known: Known = known_for(uow, adapter, hub.keys, hub.settings)
    request = HttpRequest(**{**vars(plain), "body": body, "received_at": now})
    try:
        messages = endpoint.unpack(request, known)
    except Refused as refused:
        return endpoint.refuse(refused.findings, request)
    outcomes: list[Outcome] = []
    for message in messages:
        outcomes.append(receive(hub, message).outcome)
    return endpoint.answer(outcomes, request)


def _plain_request(request: Request, endpoint: Endpoint, body: bytes, adapter: Connector) -> HttpRequest:
    from datetime import UTC, datetime

    prefix = f"/partners/{adapter.id}"
    return HttpRequest(
        method=request.method,
        path=request.url.path.removeprefix(prefix),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
        received_at=datetime.now(UTC),
        query=dict(request.query_params),
        path_params=dict(request.path_params),
        client_address=request.client.host if request.client else "",
    )


def _response(answer: HttpAnswer) -> Response:
    return Response(answer.body, status_code=answer.status, headers=dict(answer.headers))
