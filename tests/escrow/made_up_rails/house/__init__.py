"""A way to pay that nobody has: plain JSON, unsigned. It shows what a rail must have and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from escrow.rail_types import (
    Advice,
    Incoming,
    Instruction,
    OrderOutcome,
    OutgoingRequest,
    RailContext,
    Reply,
    SubaccountRequest,
)


def order(instruction: Instruction, ctx: RailContext) -> OutgoingRequest:
    told = {
        "number": instruction.number,
        "fen": int(instruction.amount),
        "from": instruction.debit_account,
        "to": instruction.payee_account,
        "name": instruction.payee_name,
        "at": instruction.created_at.isoformat(),
        "for": instruction.remark,
    }
    document = json.dumps(told, ensure_ascii=False, sort_keys=True).encode()
    return replace(wrap(document, ctx), number=instruction.number)


def wrap(document: bytes, ctx: RailContext) -> OutgoingRequest:
    body = json.dumps({"id": ctx.request_id, "seq": ctx.sequence, "order": document.decode()}).encode()
    return OutgoingRequest(
        "POST", "pay", "order", "", body, {"x-id": ctx.request_id}, document, ctx.request_id
    )


def ask(instruction: Instruction, ctx: RailContext) -> OutgoingRequest:
    return OutgoingRequest("GET", f"pay/{instruction.number}", "ask", instruction.number)


def open_subaccount(request: SubaccountRequest, ctx: RailContext) -> OutgoingRequest:
    body = json.dumps({"id": request.request_id, "case": request.case_ref}).encode()
    return OutgoingRequest("POST", "accounts", "open_subaccount", "", body, request_id=request.request_id)


def verify(incoming: Incoming, ctx: RailContext) -> Advice:
    told: dict[str, Any] = json.loads(incoming.content)
    if incoming.operation == "open_subaccount":
        return Advice("subaccount", subaccount=told["account"])
    said = OrderOutcome(told["number"], told["outcome"], told.get("status", ""), told.get("code", ""))
    return Advice("outcome", outcomes=(said,))


def statement(content: bytes, ctx: RailContext) -> Advice:
    return Advice("nothing")


def answer(advice: Advice, result: str, ctx: RailContext) -> Reply:
    return Reply(result.encode())
