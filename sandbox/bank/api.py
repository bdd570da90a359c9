"""The direct link on the wire: what the hub may call. HTTP is always 200 (faults on request aside); read the code."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from sandbox.bank import envelope, profile, settings
from sandbox.bank.envelope import Refused
from sandbox.bank.service import Bank
from sandbox.books import Entry
from sandbox.faults import break_answer, wait_out

P = profile.PARTNER
_SUBACCOUNT = {
    "requestId": str, "parentAccount": str, "caseRef": str, "caseName": str, "payers": list, "expectedFen": int,
    "expiresOn": str,
}  # fmt: skip
_OPTIONAL = {"payers", "expiresOn"}


class Door:
    """Counts calls, makes the faults asked for, keeps each call and its answer in the books."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._calls: deque[float] = deque(maxlen=1000)
        self._counting = threading.Lock()

    def serve(
        self, operation: str, request: Request, body: bytes, work: Callable[[], dict[str, Any]]
    ) -> Response:
        """Answer a call. `work` commits its effect itself; a fault "before" keeps it from happening."""
        bank, failing = self._bank, None
        fault = bank.faults.take(P, "serve", operation)
        wait_out(fault if fault and fault.point == "before" else None)
        answer: dict[str, Any] = {"code": "U00999", "message": "结果未知，请查询"}
        if fault is None or fault.kind == "delay" or fault.point == "after":
            answer = self._shut(body) or work()
            bank.wake()
        wait_out(fault if fault and fault.point == "after" else None)
        if fault is not None and fault.kind in ("fault", "http_500"):
            failing = fault.kind
            answer |= {"code": "U00999", "message": "结果未知，请查询"}
        status = 500 if failing == "http_500" else 200
        content = json.dumps(answer, ensure_ascii=False).encode()
        bank.books.record(
            Entry(
                P, "in", operation, bank.clock.now(), body, request_id=_request_id(body), method=request.method,
                url=str(request.url.path) + (f"?{request.url.query}" if request.url.query else ""), status=status,
                reply=content, verdict=str(answer.get("code", "")), fault=fault.kind if fault else None,
            )
        )  # fmt: skip
        response = Response(content, status, media_type="application/json; charset=utf-8")
        return break_answer(response, fault)

    def _shut(self, body: bytes) -> dict[str, Any] | None:
        told = settings.read(self._bank.books)
        if told.closed:
            return _ack(self._bank, _request_id(body) or "", "E00503", "系统维护")
        with self._counting:
            now = time.monotonic()
            recent = sum(1 for moment in self._calls if now - moment < 1.0)
            if told.rate_per_s and recent >= told.rate_per_s:
                return _ack(self._bank, _request_id(body) or "", "E00429", f"每秒最多 {told.rate_per_s} 次")
            self._calls.append(now)
        return None


def _request_id(body: bytes) -> str | None:
    try:
        told = json.loads(body)
        return told.get("requestId") if isinstance(told.get("requestId"), str) else None
    except (ValueError, AttributeError, RecursionError):
        return None


def _ack(bank: Bank, request_id: str, code: str, message: str, ref: str | None = None) -> dict[str, Any]:
    return {
        "requestId": request_id, "code": code, "message": message, "bankRef": ref,
        "serverTime": envelope.stamp(bank.clock.beijing()),
    }  # fmt: skip


def receive(bank: Bank, body: bytes) -> dict[str, Any]:
    """POST /escrow/v1/messages. The same request again gets the same answer; other bytes under its id E00208."""
    try:
        told = envelope.read(body, bank.keys.hub())
        if told.msg_type not in profile.FROM_HUB:
            raise Refused("E00201", f"msgType: {told.msg_type} is not taken from the hub", told.request_id)
        with bank.books.transaction() as db:
            digest = f"{told.msg_type} {told.digest}"
            kept = db.execute("SELECT * FROM bank_received WHERE request_id=?", (told.request_id,)).fetchone()
            if kept is not None:
                if kept["digest"] != digest:
                    raise Refused("E00208", "同一请求号，内容不同", told.request_id)
                return dict(json.loads(kept["answer"]))
            root = envelope.check_payload(told)
            code = "A00000"
            if told.msg_type == profile.PAIN_001:
                code = bank.orders.take_file(told.request_id, root)
            else:
                bank.orders.cancel(root)
            ref = f"OQR{bank.books.next_number(P, 'receipt'):09d}"
            message = "已受理" if code == "A00000" else "结果未知，请查询"
            answer = _ack(bank, told.request_id, code, message, ref)
            db.execute(
                "INSERT INTO bank_received VALUES (?,?,?,?)",
                (
                    told.request_id,
                    digest,
                    json.dumps(answer, ensure_ascii=False),
                    bank.clock.now().isoformat(),
                ),
            )
        return answer
    except Refused as no:
        return _ack(bank, no.request_id, no.code, no.message)


def open_subaccount(bank: Bank, body: bytes) -> dict[str, Any]:
    """POST /escrow/v1/subaccounts: one a case; the same case again gets the account it has."""

    def answer(code: str, message: str, number: str | None = None, day: str | None = None) -> dict[str, Any]:
        return {
            "requestId": _request_id(body) or "", "code": code, "message": message, "subaccount": number, "openedOn": day,
        }  # fmt: skip

    wrong = _subaccount_faults(body)
    if wrong:
        return answer("E00201", f"body: {', '.join(wrong)}")
    told = json.loads(body)
    content = json.dumps(told, sort_keys=True, ensure_ascii=False)
    with bank.books.transaction() as db:
        kept = db.execute(
            "SELECT * FROM bank_received WHERE request_id=?", (f"sub {told['requestId']}",)
        ).fetchone()
        if kept is not None:
            return dict(json.loads(kept["answer"])) if kept["digest"] == content else answer(
                "E00208", "同一请求号，内容不同"
            )  # fmt: skip
        today = bank.clock.beijing().date()
        number = bank.ledger.open_subaccount(told["caseRef"], told["caseName"], today)
        opened = db.execute("SELECT opened_on FROM bank_account WHERE number=?", (number,)).fetchone()[0]
        done = answer("A00000", "已开立", number, opened)
        db.execute(
            "INSERT INTO bank_received VALUES (?,?,?,?)",
            (
                f"sub {told['requestId']}",
                content,
                json.dumps(done, ensure_ascii=False),
                bank.clock.now().isoformat(),
            ),
        )
    return done


def _subaccount_faults(body: bytes) -> list[str]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return ["not JSON"]
    if not isinstance(told, dict):
        return ["not an object"]
    wrong = sorted(told.keys() - _SUBACCOUNT.keys())
    for key, kind in _SUBACCOUNT.items():
        if (key in told and type(told[key]) is not kind) or (key not in told and key not in _OPTIONAL):
            wrong.append(key)
    if wrong:
        return wrong
    checks = {
        "parentAccount": told["parentAccount"] == profile.PARENT,
        "caseRef": 0 < len(told["caseRef"]) <= 32,
        "caseName": len(told["caseName"]) <= 60,
        "expectedFen": told["expectedFen"] >= 0,
    }
    return [key for key, right in checks.items() if not right]


def query(bank: Bank, e2e: str) -> dict[str, Any]:
    """GET /escrow/v1/payments/{endToEndId}. E00404 soon after sending means nothing (habit 8)."""
    lag = settings.read(bank.books).query_lag_s
    before = (bank.clock.now() - timedelta(seconds=lag)).astimezone(UTC).isoformat()
    with bank.books.transaction() as db:
        row = db.execute("SELECT * FROM bank_payment WHERE e2e=?", (e2e,)).fetchone()
    if row is None or (lag and row["received_at"] > before):
        return {
            "code": "E00404", "message": "无此交易", "endToEndId": e2e, "status": None, "reason": None, "bankRef": None,
            "bookedAt": None,
        }  # fmt: skip
    status = "RJCT" if row["state"] == "CANC" else row["state"]
    return {
        "code": "A00000", "message": row["reason_text"] or ("已撤销" if row["state"] == "CANC" else "成功"),
        "endToEndId": e2e, "status": status, "reason": row["reason"] or None, "bankRef": row["bank_ref"],
        "bookedAt": row["booked_at"],
    }  # fmt: skip


def balance(bank: Bank, number: str) -> dict[str, Any]:
    """GET /escrow/v1/balances/{account}."""
    found = bank.balance(number, settings.read(bank.books).balance_lag_s)
    if found is None:
        return {
            "code": "E00404", "account": number, "ledgerFen": 0, "availableFen": 0, "heldFen": 0,
            "asOf": envelope.stamp(bank.clock.beijing()),
        }  # fmt: skip
    return {"code": "A00000", **found}


def fetch(bank: Bank, after: str, msg_type: str, limit: str) -> dict[str, Any]:
    """GET /escrow/v1/messages?afterSeq: `lastSeq` is the number of the last one given, or afterSeq itself."""
    if not after.isdigit() or (limit and not limit.isdigit()):
        return {"code": "E00201", "message": "afterSeq, max: whole numbers", "messages": [], "lastSeq": 0}
    found = bank.post.after(int(after), msg_type, int(limit or 50))
    return {
        "code": "A00000", "message": "", "messages": found, "lastSeq": found[-1]["seq"] if found else int(after),
    }  # fmt: skip


def bank_router(bank: Bank) -> APIRouter:
    router, door = APIRouter(prefix="/bank/escrow/v1"), Door(bank)

    async def served(operation: str, request: Request, work: Callable[[bytes], dict[str, Any]]) -> Response:
        body = await request.body()
        return await run_in_threadpool(door.serve, operation, request, body, lambda: work(body))

    @router.post("/messages")
    async def send_message(request: Request) -> Response:
        return await served("messages", request, lambda body: receive(bank, body))

    @router.get("/messages")
    async def fetch_messages(request: Request) -> Response:
        q = request.query_params
        return await served(
            "fetch",
            request,
            lambda _: fetch(bank, q.get("afterSeq", ""), q.get("msgType", ""), q.get("max", "")),
        )

    @router.post("/subaccounts")
    async def open_one(request: Request) -> Response:
        return await served("subaccounts", request, lambda body: open_subaccount(bank, body))

    @router.get("/payments/{e2e}")
    async def query_payment(e2e: str, request: Request) -> Response:
        return await served("payments", request, lambda _: query(bank, e2e))

    @router.get("/balances/{account}")
    async def read_balance(account: str, request: Request) -> Response:
        return await served("balances", request, lambda _: balance(bank, account))

    return router
