"""Replies of the bank to our requests: JSON with a code; HTTP is always 200."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

from escrow.rail_types import (
    Advice,
    BalanceLook,
    Incoming,
    Operation,
    OrderOutcome,
    Outcome,
    RailContext,
    ReturnAdvice,
)
from escrow.rails.bank_direct.iso import time
from escrow.rails.bank_direct.statuses import outcome_of
from schemas.findings import Finding, Refused
from schemas.money import Fen
from schemas.xml_safe import parse_json_strict

_NOT_FOUND = "E00404"
_FORMS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "order": {"code": str, "message": str, "requestId": str},
    "cancel": {"code": str, "message": str, "requestId": str},
    "ask": {"code": str, "message": str, "endToEndId": str},
    "open_subaccount": {"code": str, "message": str, "requestId": str},
    "balance": {
        "code": str,
        "account": str,
        "ledgerFen": int,
        "availableFen": int,
        "heldFen": int,
        "asOf": str,
    },
    "missed": {"code": str, "messages": list, "lastSeq": int},
}


def read(incoming: Incoming, ctx: RailContext) -> Advice:
    """Read the reply to `incoming.operation`. Anything that is no proper reply leaves a payment UNKNOWN."""
    readers: dict[str, Callable[[dict[str, Any], Incoming, RailContext], Advice]] = {
        "order": _sent,
        "cancel": _cancel_taken,
        "ask": _asked,
        "open_subaccount": _opened,
        "balance": _looked,
        "missed": _fetched,
    }
    try:
        told = _form(incoming)
    except Refused as refused:
        return _unreadable(incoming, refused.findings)
    return readers[incoming.operation](told, incoming, ctx)


# What a reply given as a bare file answers, by a key that only that reply has. The first that fits decides.
_TELLS: tuple[tuple[str, Operation], ...] = (
    ("messages", "missed"),
    ("ledgerFen", "balance"),
    ("endToEndId", "ask"),
    ("subaccount", "open_subaccount"),
    ("requestId", "order"),
)


def answered(content: bytes) -> Operation:
    """The request that a bare file is the reply to; "" for what is no reply (an envelope has a payload)."""
    try:
        told = parse_json_strict(content, max_bytes=64 * 1024 * 1024)
    except Refused:
        return ""
    if not isinstance(told, dict) or "code" not in told or "payload" in told:
        return ""
    return next((operation for key, operation in _TELLS if key in told), "")


def read_file(content: bytes, operation: Operation, ctx: RailContext) -> Advice:
    """A reply that was given as a file: unsigned, so no more than a hint about an order of ours, which is asked."""
    advice = read(Incoming(content, "reply", operation), ctx)
    numbers = [one.number for one in advice.outcomes] + [back.number for back in advice.returns]
    told = sorted({number for number in numbers if number})
    if ctx.known_order is not None and any(ctx.known_order(number) is None for number in told):
        wrong = Finding(
            "UNKNOWN_ORIGINAL", "/endToEndId", told[0], "an order we sent", "park and ask the bank"
        )
        return Advice("nothing", findings=(wrong,))
    if advice.kind not in ("outcome", "return"):
        return advice
    return dataclasses.replace(advice, kind="notice", ask=tuple(told))


def _form(incoming: Incoming) -> dict[str, Any]:
    if incoming.status != 200:
        raise Refused(Finding("NOT_JSON", "/", f"HTTP {incoming.status}", "HTTP 200 with JSON"))
    try:
        told = parse_json_strict(incoming.content, max_bytes=64 * 1024 * 1024)
    except Refused as refused:
        first = refused.findings[0]
        if first.code == "JSON_NOT_WELL_FORMED":
            raise Refused(Finding("NOT_JSON", "/", first.found, "application/json")) from None
        raise
    if not isinstance(told, dict):
        raise Refused(Finding("SCHEMA_VIOLATION", "/", type(told).__name__, "one JSON object"))
    for key, kind in _FORMS[incoming.operation].items():
        if not isinstance(told.get(key), kind) or isinstance(told.get(key), bool):
            raise Refused(
                Finding("SCHEMA_VIOLATION", f"/{key}", str(told.get(key))[:40], "as the contract says")
            )
    return told


def _unreadable(incoming: Incoming, findings: tuple[Finding, ...]) -> Advice:
    if incoming.operation in ("order", "ask") and incoming.number:
        unknown = OrderOutcome(incoming.number, "UNKNOWN", "", findings[0].code, findings[0].found)
        return Advice("outcome", findings=findings, outcomes=(unknown,), ask=(incoming.number,))
    return Advice("nothing", findings=findings)


def _sent(told: dict[str, Any], incoming: Incoming, ctx: RailContext) -> Advice:
    """The acknowledgement of a file. It says that the file was taken, not what becomes of a payment."""
    code = told["code"]
    outcome = cast(Outcome, ctx.manifest["answer"].get(code, "UNKNOWN"))
    one = OrderOutcome(
        incoming.number,
        outcome,
        code,
        code,
        told["message"],
        rail_reference=str(told.get("bankRef") or ""),
        may_repeat=outcome == "NOT_SENT",
    )
    ask = (incoming.number,) if outcome == "UNKNOWN" else ()
    return Advice("outcome", outcomes=(one,), ask=ask, code=code, text=told["message"])


def _cancel_taken(told: dict[str, Any], incoming: Incoming, ctx: RailContext) -> Advice:
    return Advice("nothing", code=told["code"], text=told["message"])


def _asked(told: dict[str, Any], incoming: Incoming, ctx: RailContext) -> Advice:
    number, code, word = told["endToEndId"], told["code"], told.get("status")
    if incoming.number and number != incoming.number:
        wrong = Finding("REPLY_MISMATCH", "/endToEndId", number, incoming.number)
        return _unreadable(incoming, (wrong,))
    reason = str(told.get("reason") or "")
    reference = str(told.get("bankRef") or "")
    if code == _NOT_FOUND:
        return Advice("outcome", outcomes=(_not_found(number, told["message"], ctx),), code=code)
    if code != "A00000" or not word:
        unknown = OrderOutcome(number, "UNKNOWN", code, code, told["message"])
        return Advice("outcome", outcomes=(unknown,), code=code, text=told["message"])
    booked = _moment(told.get("bookedAt"))
    if word == "RTND":
        # The reply names no sum: the line will.
        known = ctx.known_order(number) if ctx.known_order else None
        back = ReturnAdvice(number, known.amount if known else Fen(0), f"RTND-{number}", reason, at=booked)
        return Advice("return", returns=(back,), code=code)
    one = OrderOutcome(number, outcome_of(word, ctx), word, reason, told["message"], reference, at=booked)
    return Advice("outcome", outcomes=(one,), code=code)


def _moment(plain: Any) -> Any:
    try:
        return time(str(plain)) if plain else None
    except ValueError:
        return None


def _not_found(number: str, message: str, ctx: RailContext) -> OrderOutcome:
    """Not found proves "not sent" only after the grace and beside the day's statement (habit 8)."""
    known = ctx.known_order(number) if ctx.known_order else None
    grace = timedelta(seconds=int(ctx.manifest["unknown"]["grace_s"]))
    proved = (
        known is not None
        and known.sent_at is not None
        and ctx.now - known.sent_at > grace
        and known.statement_taken
    )
    outcome: Outcome = "NOT_SENT" if proved else "UNKNOWN"
    return OrderOutcome(number, outcome, _NOT_FOUND, _NOT_FOUND, message, may_repeat=proved)


def _opened(told: dict[str, Any], incoming: Incoming, ctx: RailContext) -> Advice:
    number = told.get("subaccount") or ""
    return Advice(
        "subaccount",
        message_id=told["requestId"],
        subaccount=str(number) if told["code"] == "A00000" else "",
        opened_on=str(told.get("openedOn") or ""),
        code=told["code"],
        text=told["message"],
    )


def _looked(told: dict[str, Any], incoming: Incoming, ctx: RailContext) -> Advice:
    if told["code"] != "A00000":
        return Advice("nothing", code=told["code"], text=str(told.get("message", "")))
    if incoming.number and told["account"] != incoming.number:
        return Advice(
            "nothing", findings=(Finding("REPLY_MISMATCH", "/account", told["account"], incoming.number),)
        )
    look = BalanceLook(
        told["account"], Fen(told["ledgerFen"]), Fen(told["availableFen"]), Fen(told["heldFen"]), told["asOf"]
    )
    return Advice("balance", balance=look, code=told["code"])


def _fetched(told: dict[str, Any], incoming: Incoming, ctx: RailContext) -> Advice:
    """A page of missed messages; each is authenticated by itself when it is fed to `verify`."""
    messages = tuple(
        Incoming(json.dumps(one, ensure_ascii=False, default=str).encode(), channel="callback")
        for one in told["messages"]
    )
    return Advice("messages", messages=messages, last_sequence=told["lastSeq"], code=told["code"])
