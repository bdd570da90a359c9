"""A made-up way to pay, copied into a folder of its own when a test runs: sealed JSON over HTTP."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import date
from typing import Any

from escrow.rails import (
    Advice,
    Incoming,
    Instruction,
    OrderOutcome,
    OutgoingRequest,
    RailContext,
    Reply,
    StatementInfo,
    StatementLine,
    SubaccountRequest,
)
from schemas.canonical import sha256_hex
from schemas.findings import Finding, Refused
from schemas.money import Fen
from schemas.xml_safe import parse_json_strict


def _seal(content: bytes, ctx: RailContext) -> str:
    secret = ctx.keys.secret(f"{ctx.manifest['id']}.shared")
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def _post(path: str, operation: Any, body: bytes, ctx: RailContext) -> OutgoingRequest:
    headers = {"X-Post-Seal": _seal(body, ctx), "Content-Type": "application/json"}
    return OutgoingRequest("POST", path, operation, body=body, headers=headers, document=body)


def open_subaccount(request: SubaccountRequest, ctx: RailContext) -> OutgoingRequest:
    told = {"request": request.request_id, "case": request.case_ref, "expectedFen": int(request.expected)}
    return _post("/accounts", "open_subaccount", json.dumps(told).encode(), ctx)


def order(instruction: Instruction, ctx: RailContext) -> OutgoingRequest:
    told = {
        "number": instruction.number,
        "fen": int(instruction.amount),
        "from": instruction.debit_account,
        "to": instruction.payee_account,
        "name": instruction.payee_name,
        "remark": instruction.remark,
    }
    return wrap(json.dumps(told, ensure_ascii=False, sort_keys=True).encode(), ctx)


def wrap(document: bytes, ctx: RailContext) -> OutgoingRequest:
    return _post("/payments", "order", document, ctx)


def ask(instruction: Instruction, ctx: RailContext) -> OutgoingRequest:
    path = f"/payments/{instruction.number}"
    return OutgoingRequest("GET", path, "ask", instruction.number, headers={"X-Post-Seal": _seal(b"", ctx)})


def verify(incoming: Incoming, ctx: RailContext) -> Advice:
    told = {name.lower(): value for name, value in incoming.headers.items()}.get("x-post-seal", "")
    if incoming.channel != "file" and not hmac.compare_digest(
        told.encode(), _seal(incoming.content, ctx).encode()
    ):
        finding = Finding("SIGNATURE_INVALID", "X-Post-Seal", told[:8], "the seal of this body")
        return Advice("nothing", findings=(finding,))
    return statement(incoming.content, ctx)


def statement(content: bytes, ctx: RailContext) -> Advice:
    try:
        told = parse_json_strict(content)
        if "account" in told:
            return Advice("subaccount", subaccount=told["account"])
        if "payment" in told:
            return Advice("outcome", outcomes=(_outcome(told["payment"], ctx),))
        return _lines(told, sha256_hex(content))
    except Refused as refused:
        return Advice("nothing", findings=refused.findings)
    except (KeyError, TypeError, ValueError) as error:
        finding = Finding("SCHEMA_VIOLATION", "/", str(error), "account, payment or a list")
        return Advice("nothing", findings=(finding,))


def _outcome(told: dict[str, Any], ctx: RailContext) -> OrderOutcome:
    word = told["state"]
    return OrderOutcome(told["number"], ctx.manifest["status"].get(word, "UNKNOWN"), word)


def _lines(told: dict[str, Any], compare: str) -> Advice:
    day = date.fromisoformat(told["day"])
    info = StatementInfo(
        account=told["of"],
        statement_id=told["id"],
        kind="statement" if "closingFen" in told else "notice",
        opening=Fen(told["openingFen"]) if "openingFen" in told else None,
        closing=Fen(told["closingFen"]) if "closingFen" in told else None,
        day=day,
        lines=len(told["lines"]),
    )
    lines = tuple(
        StatementLine(
            account=told["of"],
            booked=True,
            direction="CRDT" if each["fen"] > 0 else "DBIT",
            amount=Fen(abs(each["fen"])),
            bank_ref=each["ref"],
            booking_date=day,
            value_date=day,
            our_number=each.get("number"),
            party_name=each["name"],
            party_account=each["account"],
            text=each.get("text", ""),
            statement_id=told["id"],
        )
        for each in told["lines"]
    )
    return Advice("statement", message_id=told["id"], compare_digest=compare, statements=(info,), lines=lines)


def answer(advice: Advice, result: str, ctx: RailContext) -> Reply:
    if result == "UNAVAILABLE":
        return Reply(b'{"code":"P503"}', 503, "application/json")
    if result in ("ACCEPTED", "DUPLICATE"):
        return Reply(b'{"code":"P200"}', 200, "application/json")
    first = advice.findings[0] if advice.findings else None
    told = {
        "code": ctx.manifest["partner_code"].get(first.code, "P400") if first else "P409",
        "reason": first.code if first else result,
        "path": first.path if first else "/",
    }
    return Reply(json.dumps(told).encode(), 400, "application/json")
