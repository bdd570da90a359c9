"""Files given by hand: replies of the gateway without the call that they answer, and our own signed requests.

A reply says which method it answers by its node; our number is the one to which its `order_id` was told before, else
the one that it names itself. It is a hint: what it is about is asked.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any, NoReturn

from escrow.rail_types import Advice, Incoming, Instruction, Operation, RailContext
from escrow.rails.alipay import notify, replies, signing
from escrow.rails.alipay.gateway import METHODS
from schemas.findings import Finding, Refused
from schemas.money import Fen
from schemas.xml_safe import parse_json_strict

_NODES: dict[str, Operation] = {
    METHODS["order"].replace(".", "_") + "_response": "order",
    METHODS["ask"].replace(".", "_") + "_response": "ask",
    METHODS["bill_link"].replace(".", "_") + "_response": "bill_link",
}
# In certificate mode the serials of both certificates are part of the signed text.
_REQUIRED = ("app_id", "method", "timestamp", "version", "app_cert_sn", "alipay_root_cert_sn", "biz_content")
_BUSINESS = ("out_biz_no", "trans_amount", "product_code", "biz_scene")
_SIGNED = "RSA2 over sorted pairs without sign, by our application"
OWN = "_own"
"""Certificates of ours that signed before the present one are registered under the rail's id and this."""


def _refuse(code: str, path: str, found: str, expected: str) -> NoReturn:
    raise Refused(Finding(code, path, found, expected))


def is_reply(content: bytes) -> bool:
    """Whether a file can only be a reply: JSON."""
    return content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"


def read_reply(incoming: Incoming, ctx: RailContext) -> Advice:
    """Read a reply given as a file. Never raises for bad input."""
    try:
        name, node = _node(incoming.content)
    except Refused as refused:
        return Advice("nothing", findings=refused.findings)
    operation = _NODES.get(name, "order")
    number = str(node.get("out_biz_no") or "")
    reference = str(node.get("order_id") or "")
    asked = ctx.number_of_reference(reference) if reference and ctx.number_of_reference else None
    filed = dataclasses.replace(incoming, channel="reply", operation=operation, number=asked or number)
    advice = replies.read(filed, ctx)
    if not advice.refused and number and ctx.known_order and ctx.known_order(number) is None:
        wrong = Finding(
            "UNKNOWN_ORIGINAL", f"{name}/out_biz_no", number[:64], "an order we sent", "park and ask"
        )
        return Advice("nothing", findings=(wrong,))
    if advice.kind not in ("outcome", "return"):
        return advice
    return dataclasses.replace(advice, kind="notice", ask=(filed.number,) if filed.number else ())


def _node(content: bytes) -> tuple[str, dict[str, Any]]:
    told = parse_json_strict(content, max_bytes=replies.MAX_BYTES)
    names = (
        [name for name in told if name in _NODES or name == "error_response"]
        if isinstance(told, dict)
        else []
    )
    if not names or not isinstance(told[names[0]], dict):
        found = ", ".join(told)[:80] if isinstance(told, dict) else type(told).__name__
        _refuse("SCHEMA_VIOLATION", "/", found, ", ".join(_NODES))
    return names[0], told[names[0]]


def is_own_request(content: bytes) -> bool:
    """Whether a form is a call of ours (it has a method), and no notify (which has a msg_method)."""
    names = {pair.partition(b"=")[0].strip() for pair in content[: notify.MAX_BYTES].split(b"&")}
    return b"method" in names and not names & {b"msg_method", b"notify_id"}


def read_own_request(incoming: Incoming, ctx: RailContext) -> Advice:
    """A request of ours given as a file: a transfer that was sent. Raises Refused."""
    form = notify.parse_form(incoming.content)
    for key in _REQUIRED:
        if not form.get(key):
            _refuse("SCHEMA_VIOLATION", key, "absent", "required")
    made = replies.moment(form["timestamp"])
    if made is None:
        _refuse("DATE_UNREADABLE", "timestamp", form["timestamp"][:30], "yyyy-MM-dd HH:mm:ss")
    if form.get("sign_type") != "RSA2":
        _refuse("ALGORITHM_UNSUPPORTED", "sign_type", form.get("sign_type", "absent")[:20], "RSA2")
    rail_id = str(ctx.manifest["id"])
    ours = [ctx.keys.certificate(rail_id), *ctx.keys.trusted(rail_id + OWN)]
    charset = notify.charset_of(form)
    if not signing.verify(signing.canonical_text(form).encode(charset), form["sign"], ours, made):
        _refuse("SIGNATURE_INVALID", "sign", "does not verify", _SIGNED)
    if form["app_id"] != ctx.account("app_id"):
        _refuse("WRONG_RECEIVER", "app_id", form["app_id"], ctx.account("app_id"))
    if form["method"] == METHODS["ask"] or form["method"] == METHODS["bill_link"]:
        return Advice("nothing", message_type=form["method"])
    if form["method"] != METHODS["order"]:
        _refuse("CODE_UNKNOWN", "method", form["method"][:60], ", ".join(METHODS.values()))
    told = _transfer(form["biz_content"])
    payee = told["payee_info"]
    sent = Instruction(
        number=told["out_biz_no"],
        amount=Fen.from_yuan_text(told["trans_amount"]),
        debit_account=ctx.account("wallet"),
        payee_name=str(payee.get("name") or ""),
        payee_account=str(payee["identity"]),
        execute_on=made.date(),
        created_at=made,
        payee_account_kind=str(payee.get("identity_type") or ""),
        purpose=str(told.get("order_title") or ""),
        remark=str(told.get("remark") or ""),
    )
    return Advice("own", message_type=form["method"], sent=(sent,))


def _transfer(content: str) -> dict[str, Any]:
    told = parse_json_strict(content, path_root="biz_content")
    if not isinstance(told, dict):
        _refuse("SCHEMA_VIOLATION", "biz_content", type(told).__name__, "one JSON object")
    for key in _BUSINESS:
        if not isinstance(told.get(key), str) or not told[key]:
            _refuse(
                "SCHEMA_VIOLATION", f"biz_content/{key}", str(told.get(key, "absent"))[:40], "text, required"
            )
    if not re.fullmatch(r"(?:0|[1-9]\d*)\.\d\d", told["trans_amount"], re.ASCII):
        _refuse(
            "AMOUNT_UNREADABLE",
            "biz_content/trans_amount",
            told["trans_amount"][:20],
            "yuan with two decimals",
        )
    payee = told.get("payee_info")
    if not isinstance(payee, dict) or not payee.get("identity"):
        _refuse("SCHEMA_VIOLATION", "biz_content/payee_info/identity", "absent", "required")
    return told
