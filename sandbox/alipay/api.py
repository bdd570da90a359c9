"""The wallet on the wire: the gateway and the bill's link."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from sandbox.alipay.gateway import AtTheDoor
from sandbox.alipay.nodes import refused
from sandbox.alipay.profile import METHODS, PARTNER, TRANSFER
from sandbox.alipay.service import Alipay
from sandbox.alipay.signing import reply
from sandbox.desk import Answer, Desk, Inbound
from sandbox.faults import Fault

MAX_BODY = 1_000_000


def alipay_router(wallet: Alipay, desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/alipay")

    @router.post("/gateway.do")
    async def gateway(request: Request) -> Response:
        body = await request.body()
        if len(body) > MAX_BODY:
            return Response("too large", 413)
        call = Inbound("POST", "gateway.do", {}, dict(request.headers), body, str(request.url))
        return await run_in_threadpool(_serve, wallet, desk, call, str(request.base_url).rstrip("/"))

    @router.get("/bill/{token}")
    async def bill(token: str, request: Request) -> Response:
        call = Inbound("GET", f"bill/{token}", {}, dict(request.headers), b"", str(request.url))

        def work(_: Fault | None) -> Answer:
            found = wallet.bills.fetch(token)
            if found is None:
                return Answer(404, "链接已失效".encode(), "text/plain; charset=utf-8", verdict="REFUSED")
            return Answer(200, found, "application/zip")

        def failed() -> Answer:
            return Answer(500, b"", "text/plain")

        return await run_in_threadpool(desk.receive, PARTNER, "download", call, work, failed)

    return router


def _serve(wallet: Alipay, desk: Desk, call: Inbound, base_url: str) -> Response:
    operation, charset, biz = "gateway", "utf-8", {}
    method = TRANSFER
    try:
        read = wallet.gateway.read(call.body)
        operation, charset, biz, method = read.operation, read.charset, read.biz, read.method
    except AtTheDoor:
        pass

    def work(fault: Fault | None) -> Answer:
        broken = fault is not None and fault.kind == "wrong_signature"
        replied = wallet.call(call.body, base_url, broken=broken)
        number = biz.get("out_biz_no")
        request_id = str(number) if number and method == METHODS["transfer"] else None
        return Answer(
            200, replied.body, f"application/json;charset={charset}", verdict=replied.verdict, request_id=request_id
        )  # fmt: skip

    def failed() -> Answer:
        serial, key = wallet.authority.gateway()
        node = refused("isp.unknow-error", biz)
        return Answer(200, reply(method, node, serial, key, charset), f"application/json;charset={charset}")

    response = desk.receive(PARTNER, operation, call, work, failed)
    wallet.wake()
    return response
