"""Requests that carry no document: ask, open a sub-account, look at a balance, fetch missed messages."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

from escrow.rail_types import Instruction, OutgoingRequest, RailContext, SubaccountRequest
from escrow.rails.bank_direct.iso import refuse
from schemas.wide import BEIJING

_JSON = {"Content-Type": "application/json; charset=utf-8"}
PAGE = 50


def ask(instruction: Instruction, ctx: RailContext) -> OutgoingRequest:
    """Query one payment by our number and the Beijing day on which it was sent."""
    known = ctx.known_order(instruction.number) if ctx.known_order else None
    sent = known.sent_at.astimezone(BEIJING).date() if known and known.sent_at else instruction.execute_on
    query = urlencode({"bizDate": sent.strftime("%Y%m%d")})
    path = f"/escrow/v1/payments/{quote(instruction.number, safe='')}?{query}"
    return OutgoingRequest("GET", path, "ask", number=instruction.number)


def open_subaccount(request: SubaccountRequest, ctx: RailContext) -> OutgoingRequest:
    """Open one sub-account for a case. Raises Refused where a text is longer than the contract allows."""
    if not 1 <= len(request.case_ref) <= 32:
        refuse("SCHEMA_VIOLATION", "/caseRef", request.case_ref[:40], "1 to 32 characters")
    if not 1 <= len(request.case_name) <= 60:
        refuse("SCHEMA_VIOLATION", "/caseName", request.case_name[:70], "1 to 60 characters")
    told: dict[str, Any] = {
        "requestId": request.request_id,
        "parentAccount": ctx.account("parent"),
        "caseRef": request.case_ref,
        "caseName": request.case_name,
    }
    if request.payers:
        told["payers"] = [dict(payer) for payer in request.payers]
    told["expectedFen"] = int(request.expected)
    if request.expires_on:
        told["expiresOn"] = request.expires_on.isoformat()
    body = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    return OutgoingRequest(
        "POST",
        "/escrow/v1/subaccounts",
        "open_subaccount",
        body=body,
        headers=_JSON,
        document=body,
        request_id=request.request_id,
    )


def balance(account: str, ctx: RailContext) -> OutgoingRequest:
    """Look at a balance; it lags the statement by up to two minutes (habit 9)."""
    return OutgoingRequest("GET", f"/escrow/v1/balances/{quote(account, safe='')}", "balance", number=account)


def missed(after: int, ctx: RailContext) -> OutgoingRequest:
    """Fetch the bank's messages whose number is above `after`."""
    return OutgoingRequest(
        "GET", f"/escrow/v1/messages?{urlencode({'afterSeq': after, 'max': PAGE})}", "missed"
    )
