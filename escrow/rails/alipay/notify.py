"""Notifies: a signed form that hints at a change. Money facts come from a query or the bill."""

from __future__ import annotations

import re
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

from escrow.rail_types import Advice, Incoming, KnownOrder, OrderOutcome, RailContext, ReturnAdvice
from escrow.rails.alipay import signing
from escrow.rails.alipay.replies import moment
from schemas.canonical import digest
from schemas.findings import Finding, Refused
from schemas.money import Fen
from schemas.xml_safe import parse_json_strict

MAX_BYTES = 256 * 1024
_CHARSETS = {"utf-8": "utf-8", "utf8": "utf-8", "gbk": "gbk", "gb2312": "gbk", "gb18030": "gb18030"}
_REQUIRED = (
    "notify_id",
    "utc_timestamp",
    "msg_method",
    "app_id",
    "version",
    "biz_content",
    "sign_type",
    "sign",
)
_METHODS = ("alipay.fund.trans.order.changed", "alipay.fund.trans.refund.success")
_BIZ_REQUIRED = (
    "out_biz_no",
    "order_id",
    "status",
    "action_type",
    "trans_amount",
    "product_code",
    "biz_scene",
)
_STATUSES = ("SUCCESS", "FAIL", "DEALING", "REFUND", "CLOSED", "WAIT_PAY")
_SIGNED = "RSA2 over sorted pairs without sign and sign_type"


def _refuse(code: str, path: str, found: str, expected: str, action: str = "") -> NoReturn:
    raise Refused(Finding(code, path, found, expected, action))


def read(incoming: Incoming, ctx: RailContext) -> Advice:
    """Authenticate a notify, then compare it with our own order. Raises Refused before its sender is sure.

    A signature is no truth about our order (habit 3): an order or sum that is not ours is a finding.
    """
    form = parse_form(incoming.content or incoming.query.encode("ascii", "replace"))
    _check_signature(form, ctx)
    app_id = ctx.account("app_id")
    if form.get("app_id") != app_id:
        _refuse("WRONG_RECEIVER", "app_id", form.get("app_id", "absent"), app_id)
    told = _business(form)
    number, status = str(told["out_biz_no"]), str(told["status"])
    amount = Fen.from_yuan_text(str(told["trans_amount"]))
    findings, notes = _compare(told, number, status, amount, ctx)
    at = moment(told.get("pay_date"))
    reason_code, reason = str(told.get("error_code", "")), str(told.get("fail_reason", ""))
    outcome = ctx.manifest["status"].get(status, "UNKNOWN")
    back = ReturnAdvice(number, amount, f"REFUND-{number}", reason_code, reason, at)
    one = OrderOutcome(
        number,
        outcome,
        status,
        reason_code,
        reason,
        rail_reference=str(told["order_id"]),
        amount=amount,
        at=at,
    )
    return Advice(
        "notice",
        message_id=form["notify_id"],
        # The same notify may come with a new signature; its business content is what must be equal.
        compare_digest=digest([form["msg_method"], form["app_id"], form["biz_content"]]),
        findings=findings,
        notes=notes,
        outcomes=() if status == "REFUND" else (one,),
        returns=(back,) if status == "REFUND" else (),
        ask=(number,) if not any(f.code == "UNKNOWN_ORIGINAL" for f in findings) else (),
        message_type=form["msg_method"],
    )


def parse_form(raw: bytes) -> dict[str, str]:
    """The fields of a form body in the charset that it names. `+` is a blank, but inside `sign` it is itself.

    Raises Refused: TOO_LARGE, FORM_DUPLICATE_FIELD, ENCODING_MISMATCH.
    """
    if len(raw) > MAX_BYTES:
        _refuse("TOO_LARGE", "/", f"{len(raw)} bytes", f"at most {MAX_BYTES} bytes")
    fields: dict[bytes, bytes] = {}
    for pair in raw.strip().split(b"&"):
        key, _, value = pair.partition(b"=")
        name = unquote_to_bytes(key)
        if not name:
            continue
        if name in fields:
            _refuse("FORM_DUPLICATE_FIELD", name.decode("ascii", "replace"), "twice", "once")
        plain = value if name == b"sign" else value.replace(b"+", b" ")
        fields[name] = unquote_to_bytes(plain)
    named = fields.get(b"charset", b"utf-8").decode("ascii", "replace").lower()
    charset = _CHARSETS.get(named)
    if charset is None:
        _refuse("ENCODING_MISMATCH", "charset", named, "utf-8 or GBK")
    try:
        form = {key.decode("ascii"): value.decode(charset) for key, value in fields.items()}
    except UnicodeDecodeError:
        _refuse("ENCODING_MISMATCH", "/", f"bytes are not {named}", named)
    # Some relays turn the + of base64 into a blank, or into %20 (habit 6); a blank is never base64.
    form["sign"] = form.get("sign", "").replace(" ", "+")
    return form


def charset_of(form: dict[str, str]) -> str:
    """Python's name of the charset that a parsed form names."""
    return _CHARSETS[form.get("charset", "utf-8").lower()]


def _check_signature(form: dict[str, str], ctx: RailContext) -> None:
    if not form["sign"]:
        _refuse("SIGNATURE_MISSING", "sign", "absent", _SIGNED)
    if form.get("sign_type", "RSA2") != "RSA2":
        _refuse("ALGORITHM_UNSUPPORTED", "sign_type", form["sign_type"][:20], "RSA2")
    text = signing.canonical_text(form, ("sign", "sign_type"))
    charset = charset_of(form)
    trusted = ctx.keys.trusted(str(ctx.manifest["id"]))
    if not signing.verify(text.encode(charset), form["sign"], trusted, ctx.now):
        _refuse("SIGNATURE_INVALID", "sign", "does not verify", _SIGNED)


def _business(form: dict[str, str]) -> dict[str, Any]:
    for key in _REQUIRED:
        if not form.get(key):
            _refuse("SCHEMA_VIOLATION", key, "absent", "required")
    if form["msg_method"] not in _METHODS:
        _refuse("CODE_UNKNOWN", "msg_method", form["msg_method"][:60], " or ".join(_METHODS))
    told = parse_json_strict(form["biz_content"], path_root="biz_content")
    if not isinstance(told, dict):
        _refuse("SCHEMA_VIOLATION", "biz_content", type(told).__name__, "one JSON object")
    for key in _BIZ_REQUIRED:
        if not isinstance(told.get(key), str) or not told[key]:
            _refuse(
                "SCHEMA_VIOLATION", f"biz_content/{key}", str(told.get(key, "absent"))[:40], "text, required"
            )
    if told["status"] not in _STATUSES:
        _refuse("CODE_UNKNOWN", "biz_content/status", told["status"][:20], ", ".join(_STATUSES))
    if not re.fullmatch(r"(?:0|[1-9]\d*)\.\d\d", told["trans_amount"], re.ASCII):
        _refuse(
            "AMOUNT_UNREADABLE",
            "biz_content/trans_amount",
            told["trans_amount"][:20],
            "yuan with two decimals",
        )
    return told


def _compare(
    told: dict[str, Any], number: str, status: str, amount: Fen, ctx: RailContext
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    if ctx.known_order is None:
        return (), ()
    known = ctx.known_order(number)
    if known is None:
        path, todo = "biz_content/out_biz_no", "park; it may be early: keep 24 h"
        return (Finding("UNKNOWN_ORIGINAL", path, number, "an order we sent", todo),), ()
    if amount != known.amount:
        todo = "signed well but wrong: stored raw, alarm, order not closed"
        path, ours = "biz_content/trans_amount", known.amount.yuan_text()
        return (Finding("AMOUNT_MISMATCH", path, str(told["trans_amount"]), ours, todo),), ()
    note = _contradiction(told, status, known)
    return (), (note,) if note else ()


def _contradiction(told: dict[str, Any], status: str, known: KnownOrder) -> Finding | None:
    """A refusal that is older than the success we know (habit 7): ask, never flip by a notice."""
    if status not in ("FAIL", "CLOSED") or not (known.told_done or known.outcome == "DONE"):
        return None
    return Finding(
        "LATE_NOTICE",
        "biz_content/status",
        f"{status} of {told.get('pay_date', '')}",
        "DONE is known",
        severity="care",
    )
