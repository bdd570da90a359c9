"""Replies of the gateway: signed over the exact bytes of one node, bound to the method and the number we asked."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn, cast

from escrow.rail_types import Advice, Incoming, OrderOutcome, Outcome, RailContext, ReturnAdvice
from escrow.rails.alipay import signing
from escrow.rails.alipay.gateway import METHODS
from schemas.findings import Finding, Refused
from schemas.money import Fen
from schemas.wide import BEIJING
from schemas.xml_safe import parse_json_strict

_QUERY = "outcome UNKNOWN, query"
_NOT_EXIST = "ORDER_NOT_EXIST"
MAX_BYTES = 1024 * 1024


@dataclass(frozen=True)
class _Node:
    name: str
    raw: bytes
    value: dict[str, Any]


def _refuse(code: str, path: str, found: str, expected: str) -> NoReturn:
    raise Refused(Finding(code, path, found, expected, _QUERY))


def read(incoming: Incoming, ctx: RailContext) -> Advice:
    """Read the reply to a transfer, a query or a request for the bill's link. Never raises for bad input.

    Whatever is not a verified reply to our own question leaves the order UNKNOWN, and asks.
    """
    try:
        node, notes = _authenticated(incoming, ctx)
        if node.name == "error_response":
            return _at_the_door(node, incoming, ctx)
        if incoming.operation == "bill_link":
            return Advice(
                "link", link=str(node.value.get("bill_download_url", "")), code=str(node.value.get("code"))
            )
        _check_number(node, incoming)
        _check_amount(node, incoming, ctx)
        advice = _outcome(node, incoming, ctx)
    except Refused as refused:
        return _unknown(incoming, refused.findings)
    return dataclasses.replace(advice, notes=notes)


def _unknown(incoming: Incoming, told: tuple[Finding, ...]) -> Advice:
    findings = tuple(one for one in told if one.severity == "refuse")
    notes = tuple(one for one in told if one.severity == "care")
    if not incoming.number:
        return Advice("nothing", findings=findings, notes=notes)
    one = OrderOutcome(incoming.number, "UNKNOWN", "", findings[0].code, findings[0].found)
    return Advice("outcome", findings=findings, notes=notes, outcomes=(one,), ask=(incoming.number,))


def _authenticated(incoming: Incoming, ctx: RailContext) -> tuple[_Node, tuple[Finding, ...]]:
    if incoming.status != 200:
        _refuse("NOT_JSON", "/", f"HTTP {incoming.status}", "HTTP 200 with JSON")
    try:
        told = parse_json_strict(incoming.content, max_bytes=MAX_BYTES)
    except Refused as refused:
        first = refused.findings[0]
        if first.code == "JSON_NOT_WELL_FORMED":
            _refuse("NOT_JSON", "/", first.found, "application/json")
        raise
    expected = METHODS[incoming.operation].replace(".", "_") + "_response"
    if not isinstance(told, dict):
        _refuse("SCHEMA_VIOLATION", "/", type(told).__name__, "one JSON object")
    if isinstance(told.get("error_response"), dict) and expected not in told:
        return _Node("error_response", b"", told["error_response"]), ()
    if not isinstance(told.get(expected), dict):
        names = ", ".join(key for key in told if key.endswith("_response")) or "none"
        _refuse("REPLY_MISMATCH", "/", names, expected)
    if not isinstance(told.get("sign"), str) or not told["sign"]:
        _refuse("SIGNATURE_MISSING", "sign", "absent", "signature over the exact bytes of the response node")
    raw = _exact_bytes(incoming.content, expected)
    trusted = ctx.keys.trusted(str(ctx.manifest["id"]))
    if not signing.verify(raw, told["sign"], trusted, ctx.now):
        expected_text = "signature over the exact bytes of the response node"
        wrong = Finding("SIGNATURE_INVALID", "sign", "reply altered", expected_text, _QUERY)
        raise Refused(wrong, *_certificate_notes(told, trusted))
    return _Node(expected, raw, told[expected]), _certificate_notes(told, trusted)


def _certificate_notes(told: dict[str, Any], trusted: list[Any]) -> tuple[Finding, ...]:
    """Their certificate is renewed without notice (habit 11): a serial we do not hold is a task, not a failure."""
    serial = told.get("alipay_cert_sn")
    if not isinstance(serial, str) or serial in {signing.certificate_serial(one) for one in trusted}:
        return ()
    todo = "fetch the certificate, check its chain, register it"
    wanted = "a registered certificate"
    return (Finding("CERT_UNKNOWN", "alipay_cert_sn", serial, wanted, todo, severity="care"),)


def _exact_bytes(content: bytes, name: str) -> bytes:
    """The bytes of a top-level member's value as they stand in the reply."""
    text = content.decode("utf-8-sig")
    decoder = json.JSONDecoder()
    at = text.index("{") + 1
    while True:
        at = _skip(text, at, ",")
        key, at = decoder.raw_decode(text, at)
        start = _skip(text, at, ":")
        _, at = decoder.raw_decode(text, start)
        if key == name:
            return text[start:at].encode("utf-8")


def _skip(text: str, at: int, mark: str) -> int:
    while text[at] in " \t\r\n" or text[at] == mark:
        at += 1
    return at


def _at_the_door(node: _Node, incoming: Incoming, ctx: RailContext) -> Advice:
    """error_response is unsigned (habit 5): believed only so far that a query makes sure."""
    code = str(node.value.get("code", ""))
    sub_code, words = str(node.value.get("sub_code", "")), str(node.value.get("sub_msg", ""))
    if incoming.operation not in ("order", "ask"):
        return Advice("nothing", code=code, text=words)
    outcome = cast(Outcome, ctx.manifest["answer"].get(code, "UNKNOWN"))
    if incoming.operation != "order":
        outcome = "UNKNOWN"
    one = OrderOutcome(incoming.number, outcome, code, sub_code, words, may_repeat=outcome == "NOT_SENT")
    ask = (incoming.number,) if incoming.number else ()
    return Advice("outcome", outcomes=(one,), ask=ask, code=code)


def _check_number(node: _Node, incoming: Incoming) -> None:
    found = node.value.get("out_biz_no")
    if found != incoming.number:
        path = f"{node.name}/out_biz_no"
        _refuse("REPLY_MISMATCH", path, "absent" if found is None else str(found)[:64], incoming.number)


def _check_amount(node: _Node, incoming: Incoming, ctx: RailContext) -> None:
    known = ctx.known_order(incoming.number) if ctx.known_order else None
    for key in ("trans_amount", "amount"):
        told = node.value.get(key)
        if told is None or known is None:
            continue
        try:
            same = Fen.from_yuan_text(str(told)) == known.amount
        except ValueError:
            same = False
        if not same:
            _refuse("AMOUNT_MISMATCH", f"{node.name}/{key}", str(told)[:20], known.amount.yuan_text())


def _outcome(node: _Node, incoming: Incoming, ctx: RailContext) -> Advice:
    value, number = node.value, incoming.number
    code, sub_code = str(value.get("code", "")), str(value.get("sub_code", ""))
    status = str(value.get("status", ""))
    reason_code = sub_code or str(value.get("error_code", ""))
    reason = str(value.get("sub_msg") or value.get("fail_reason") or "")
    at = moment(value.get("pay_date") or value.get("trans_date"))
    if code == "10000" and status == "REFUND":
        money = value.get("trans_amount") or value.get("amount")
        known = ctx.known_order(number) if ctx.known_order else None
        amount = Fen.from_yuan_text(str(money)) if money else known.amount if known else Fen(0)
        back = ReturnAdvice(number, amount, f"REFUND-{number}", reason_code, reason, at)
        return Advice("return", returns=(back,), code=code)
    outcome = _word(code, sub_code, status, number, ctx)
    one = OrderOutcome(
        number,
        outcome,
        status or sub_code or code,
        reason_code,
        reason,
        rail_reference=str(value.get("order_id", "")),
        at=at,
        may_repeat=outcome == "NOT_SENT" or sub_code in ctx.manifest["may_repeat"]["sub_codes"],
    )
    return Advice("outcome", outcomes=(one,), ask=(number,) if outcome == "UNKNOWN" else (), code=code)


def _word(code: str, sub_code: str, status: str, number: str, ctx: RailContext) -> Outcome:
    if code == "10000":
        return cast(Outcome, ctx.manifest["status"].get(status, "UNKNOWN"))
    if code == "40004" and sub_code == _NOT_EXIST:
        known = ctx.known_order(number) if ctx.known_order else None
        grace = timedelta(seconds=int(ctx.manifest["unknown"]["grace_s"]))
        old = known is not None and known.sent_at is not None and ctx.now - known.sent_at > grace
        return "NOT_SENT" if old else "UNKNOWN"
    if code == "40004":
        return cast(Outcome, ctx.manifest["sub_code"].get(sub_code, "UNKNOWN"))
    return cast(Outcome, ctx.manifest["answer"].get(code, "UNKNOWN"))


def moment(plain: object) -> datetime | None:
    """A time of theirs, yyyy-MM-dd HH:mm:ss in Beijing; None for anything else."""
    try:
        return datetime.strptime(str(plain), "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
    except ValueError:
        return None
