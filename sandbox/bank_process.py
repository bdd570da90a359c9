"""Start the bank and the wallet: `python -m sandbox.bank_process --port P --hub URL --var DIR [--seed N]`."""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool

from sandbox.alipay import acts as alipay_acts
from sandbox.alipay.api import alipay_router
from sandbox.alipay.service import Alipay
from sandbox.bank import acts as bank_acts
from sandbox.bank.api import bank_router
from sandbox.bank.service import Bank
from sandbox.books import Books
from sandbox.clock import VirtualClock
from sandbox.control import BadOrder, control_app
from sandbox.desk import Desk
from sandbox.faults import FaultGate, FaultPlan
from sandbox.outbound import HubEndpoints

PORT_OFFSET = 3
POOL_FEN = 1_000_000_000


def open_desk(var: Path, hub: str, seed: int) -> Desk:
    """The process's tools; everything lies in `<var>/sandbox`."""
    here = var / "sandbox"
    books = Books(here / "bank.sqlite")
    endpoints = HubEndpoints(here / "hub_endpoints.json", hub)
    return Desk(books, VirtualClock(books), FaultPlan(books), endpoints, here, seed, {})


def make_app(var: Path, hub: str, seed: int = 0, pool_fen: int = POOL_FEN) -> FaultGate:
    """The control API at /control, the bank's link at /bank, the wallet's gateway at /alipay.

    `pool_fen`: what the wallet's payout account holds when its book is begun.
    """
    desk = open_desk(var, hub, seed)
    wallet = Alipay(desk, pool_fen)
    bank = Bank(desk.books, desk.clock, desk.faults, desk.endpoints, desk.var, wallet.pool.top_up)
    standins = {bank.partner: bank, wallet.partner: wallet}
    app = control_app("bank", desk.books, desk.clock, desk.faults, desk.endpoints, standins)
    app.include_router(_control(bank, wallet))
    app.include_router(bank_router(bank))
    app.include_router(alipay_router(wallet, desk))
    return FaultGate(app)


def _control(bank: Bank, wallet: Alipay) -> APIRouter:
    router = APIRouter(prefix="/control")

    @router.get("/bank/book")
    def bank_book(account: str = "", e2e: str = "") -> Any:
        return bank.book(account, e2e)

    @router.get("/alipay/book")
    def wallet_book(out_biz_no: str = "") -> Any:
        return wallet.book(out_biz_no)

    async def order_of(request: Request) -> dict[str, Any]:
        try:
            order = await request.json() if await request.body() else {}
        except ValueError as trouble:
            raise HTTPException(422, "the order is a JSON object") from trouble
        if not isinstance(order, dict):
            raise HTTPException(422, "the order is a JSON object")
        return order

    @router.post("/bank/{act}")
    async def bank_act(act: str, request: Request) -> Any:
        return await _done(bank_acts.carry_out, bank, act, await order_of(request))

    @router.post("/alipay/{act}")
    async def wallet_act(act: str, request: Request) -> Any:
        return await _done(alipay_acts.carry_out, wallet, act, await order_of(request))

    return router


async def _done(work: Any, standin: Any, act: str, order: dict[str, Any]) -> Any:
    try:
        return await run_in_threadpool(work, standin, act, order)
    except (BadOrder, LookupError, TypeError, ValueError) as trouble:
        raise HTTPException(422, str(trouble)) from trouble


def main() -> None:
    base = int(os.environ.get("CONCORD_PORT_BASE") or 8600)
    parser = argparse.ArgumentParser(description="Stand-ins of the escrow bank and of the wallet")
    parser.add_argument("--port", type=int, default=base + PORT_OFFSET)
    parser.add_argument("--hub", default=f"http://127.0.0.1:{base}", help="address of the hub's API")
    parser.add_argument("--var", type=Path, default=Path(os.environ.get("CONCORD_VAR_DIR") or "var"))
    parser.add_argument("--seed", type=int, default=0, help="makes identifiers repeatable")
    parser.add_argument(
        "--pool-fen", type=int, default=POOL_FEN, help="opening balance of the wallet's payout account"
    )
    told = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    # loopback only: the stand-ins take orders from anybody who can reach them
    uvicorn.run(
        make_app(told.var, told.hub, told.seed, told.pool_fen),
        host="127.0.0.1",
        port=told.port,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
