"""Mounts every partner's endpoints as its adapter describes them; knows no partner by name.

For each request: read the body within the stated limit, let the adapter take it apart, store and process
each message, let the adapter answer in the partner's own manner. A WSDL is served at ``?wsdl``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from fastapi import APIRouter, Request, Response

from connectors import Connector, all_connectors
from exchange_api.bodies import TooLarge, read_body
from exchange_api.lanes import WAITING, Full, Lane
from exchange_api.problem import problem
from exchange_api.quiet_log import shown
from foundation.clock import clock_now
from foundation.unit_of_work import unit_of_work
from hub.known import known_for
from hub.pipeline import Hub, receive
from schemas.exchange import Endpoint, HttpAnswer, HttpRequest, Known, Outcome
from schemas.findings import Finding, Refused

log = logging.getLogger("concord.exchange")


def partner_routes(hub: Hub) -> APIRouter:
    """All partners' endpoints under ``/partners/<id>``."""
    router = APIRouter(prefix="/partners", include_in_schema=False)
    for adapter in all_connectors().values():
        if adapter.service is None:
            continue
        lane = Lane()
        by_path: dict[tuple[str, str], list[Endpoint]] = {}
        for endpoint in adapter.service.ENDPOINTS:
            by_path.setdefault((endpoint.method, endpoint.path), []).append(endpoint)
            if endpoint.wsdl is not None:
                _serve_wsdl(router, adapter, endpoint)
        for (method, path), endpoints in by_path.items():
            router.add_api_route(
                f"/{adapter.id}{path}",
                _handler(hub, adapter, endpoints[0], lane),
                methods=[method],
                name=endpoints[0].operation,
            )
    return router


def _serve_wsdl(router: APIRouter, adapter: Connector, endpoint: Endpoint) -> None:
    async def wsdl(request: Request) -> Response:
        if "wsdl" not in {key.lower() for key in request.query_params}:
            answer = problem(405, "HTTP_405", "GET ?wsdl gives the contract; calls are POST")
            answer.headers["Allow"] = "POST"
            return answer
        assert endpoint.wsdl is not None
        here = escape(str(request.url.replace(query="")), {'"': "&quot;"}).encode()
        return Response(endpoint.wsdl.replace(b"{{ADDRESS}}", here), media_type="text/xml; charset=utf-8")

    router.add_api_route(f"/{adapter.id}{endpoint.path}", wsdl, methods=["GET"], name="wsdl")


def _handler(hub: Hub, adapter: Connector, endpoint: Endpoint, lane: Lane) -> Callable[[Request], Any]:
    async def handle(request: Request) -> Response:
        plain = _plain_request(request, adapter)
        try:
            body = await read_body(request, endpoint.max_bytes)
        except TooLarge:
            return _response(endpoint.refuse((_too_large(endpoint.max_bytes),), plain))
        try:
            return _response(await lane.run(_work, hub, adapter, endpoint, plain, body))
        except Full:
            log.warning("more than %s calls of %s at once", WAITING, adapter.id)
        except Exception as error:
            # Stored or not, it was not taken: the partner sends it again, and finds what became of it.
            log.error("a call of %s could not be taken: %s", adapter.id, shown(error))
        return _response(endpoint.refuse((_busy(),), plain))

    return handle


def _too_large(most: int) -> Finding:
    return Finding("TOO_LARGE", "/", f"over {most} bytes", f"at most {most} bytes")


def _busy() -> Finding:
    """Our own trouble, in words that the adapter turns into its partner's code for "come back later"."""
    return Finding("UNAVAILABLE", "service", "busy", "send the same again later")


def _work(hub: Hub, adapter: Connector, endpoint: Endpoint, plain: HttpRequest, body: bytes) -> HttpAnswer:
    with unit_of_work(hub.engine) as uow:
        now = clock_now(uow.conn)
        if uow.scalar("SELECT suspended FROM exchange.partner_state WHERE partner = :p", p=adapter.id):
            # In its own words: come back later. Nothing is stored, so nothing is lost when it does.
            return endpoint.refuse((_busy(),), HttpRequest(**{**vars(plain), "received_at": now}))
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


def _plain_request(request: Request, adapter: Connector) -> HttpRequest:
    prefix = f"/partners/{adapter.id}"
    return HttpRequest(
        method=request.method,
        path=request.url.path.removeprefix(prefix),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=b"",
        received_at=datetime.now(UTC),
        query=dict(request.query_params),
        path_params=dict(request.path_params),
        client_address=request.client.host if request.client else "",
        client_certificate=request.scope.get("extensions", {}).get("tls", {}).get("client_certificate_der"),
    )


def _response(answer: HttpAnswer) -> Response:
    return Response(answer.body, status_code=answer.status, headers=dict(answer.headers))
