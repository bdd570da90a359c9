"""The process of the partners' stand-ins as an ASGI application."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from sandbox.arbitration.standin import ArbitrationStandIn
from sandbox.books import Books
from sandbox.clock import VirtualClock
from sandbox.control import StandIn, control_app
from sandbox.court.standin import CourtStandIn
from sandbox.credentials import load_credentials
from sandbox.desk import Desk, Inbound
from sandbox.faults import FaultGate, FaultPlan
from sandbox.gateway.standin import GatewayStandIn
from sandbox.outbound import HubEndpoints
from sandbox.petition.standin import PetitionStandIn
from sandbox.procuratorate.standin import ProcuratorateStandIn
from sandbox.timestamps.standin import TimeStampStandIn

MAX_BODY = 64_000_000


class ServingStandIn(StandIn, Protocol):
    """A stand-in that also answers calls of the hub."""

    def serve(self, call: Inbound) -> Response: ...


def open_desk(var: Path, hub: str, seed: int, file_name: str = "partners.sqlite") -> Desk:
    """The process's tools; `var` is the hub's var folder, the sandbox keeps everything in `var/sandbox`."""
    here = var / "sandbox"
    books = Books(here / file_name)
    endpoints = HubEndpoints(here / "hub_endpoints.json", hub)
    return Desk(books, VirtualClock(books), FaultPlan(books), endpoints, here, seed, load_credentials(here))


def make_standins(desk: Desk) -> dict[str, ServingStandIn]:
    standins: list[ServingStandIn] = [
        CourtStandIn(desk),
        PetitionStandIn(desk),
        ProcuratorateStandIn(desk),
        ArbitrationStandIn(desk),
        GatewayStandIn(desk),
        TimeStampStandIn(desk),
    ]
    return {standin.partner: standin for standin in standins}


def make_app(var: Path, hub: str, seed: int = 0) -> FaultGate:
    """The application: the control API at /control, each partner below its own name."""
    desk = open_desk(var, hub, seed)
    standins = make_standins(desk)
    app = control_app("partners", desk.books, desk.clock, desk.faults, desk.endpoints, standins)
    _mount(app, standins)
    return FaultGate(app)


def _mount(app: FastAPI, standins: dict[str, ServingStandIn]) -> None:
    async def receive(partner: str, request: Request, path: str = "") -> Response:
        if partner not in standins:
            return Response("no such partner", 404)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                return Response("too large", 413)
        call = Inbound(
            request.method,
            path,
            dict(request.query_params),
            {name.lower(): value for name, value in request.headers.items()},
            bytes(body),
            str(request.url),
        )
        return await run_in_threadpool(standins[partner].serve, call)

    methods: list[Any] = ["GET", "POST"]
    app.add_api_route("/{partner}", receive, methods=methods)
    app.add_api_route("/{partner}/{path:path}", receive, methods=methods)
