"""The bank's own XML (银企直联): documents, their seal, replies → outcomes (contract, habits 1 to 5)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from lxml import etree

from escrow.rail_types import (
    Advice,
    Incoming,
    Instruction,
    Operation,
    OrderOutcome,
    Outcome,
    OutgoingRequest,
    RailContext,
    ReturnAdvice,
    SubaccountRequest,
)
from schemas.findings import Finding, Refused
from schemas.money import Fen
from schemas.xml_safe import parse_xml

if TYPE_CHECKING:
    from lxml.etree import _Element

DOOR, ENCODING, SEAL = "/cbei", "GB18030", "X-CB-Mac"
OK, NOT_FOUND, CAME_BACK = "0000", "0404", "06"
_CODES: dict[str, str] = {"order": "PAY01", "ask": "QRY01", "open_subaccount": "OPN01"}


def document(operation: str, serial: str, day: str, body: Mapping[str, str], ctx: RailContext) -> bytes:
    """One request. `serial` and `day` together are its key: the bank takes each once."""
    root = etree.Element("CBEI")
    head, told = etree.SubElement(root, "Head"), etree.SubElement(root, "Body")
    named = {
        "TrCode": _CODES[operation],
        "CustNo": ctx.account("customer"),
        "SerialNo": serial,
        "TrDate": day,
    }
    for parent, values in ((head, named), (told, body)):
        for name, value in values.items():
            try:
                etree.SubElement(parent, name).text = value
            except ValueError:
                raise Refused(
                    Finding("SCHEMA_VIOLATION", name, value[:40], "text without control characters")
                ) from None
    written = etree.tostring(root, xml_declaration=True, encoding=ENCODING)
    assert isinstance(written, bytes)
    return written


def payment(one: Instruction, ctx: RailContext) -> bytes:
    """The payment document that people approve. Raises Refused rather than make what the bank would refuse."""
    for name, value in (("payee_account", one.payee_account), ("payee_bank_code", one.payee_bank_code)):
        if not value:
            raise Refused(Finding("FIELD_MISSING", name, "empty", "told"))
    body = {
        "PayerAcct": one.debit_account, "PayeeAcct": one.payee_account, "PayeeName": one.payee_name,
        "PayeeBankNo": one.payee_bank_code, "PubPri": "1" if one.payee_id_kind == "person" else "0",
        "Amount": one.amount.yuan_text(), "Ccy": "CNY", "Usage": one.purpose, "Remark": one.remark,
    }  # fmt: skip
    return document("order", one.number, f"{one.execute_on:%Y%m%d}", body, ctx)


def question(one: Instruction, ctx: RailContext) -> bytes:
    """The query by the payment's own serial and day; asking has no key of its own."""
    day = f"{one.execute_on:%Y%m%d}"
    return document("ask", one.number, day, {"OldSerialNo": one.number, "OldTrDate": day}, ctx)


def opening(asked: SubaccountRequest, ctx: RailContext) -> bytes:
    """The request for a case's sub-account 子账户."""
    body = {"ParentAcct": ctx.account("parent"), "SubName": asked.case_ref}
    return document("open_subaccount", asked.request_id, f"{ctx.now:%Y%m%d}", body, ctx)


def seal(content: bytes, ctx: RailContext) -> str:
    """HMAC-SHA256 over the bytes as they go, in capitals."""
    secret = ctx.keys.secret(f"{ctx.manifest['id']}.shared")
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest().upper()


def sealed(content: bytes, operation: Operation, number: str, ctx: RailContext) -> OutgoingRequest:
    """The document as it goes over the wire."""
    headers = {SEAL: seal(content, ctx), "Content-Type": f"application/xml; charset={ENCODING}"}
    return OutgoingRequest("POST", DOOR, operation, number, body=content, headers=headers, document=content)


def read_reply(incoming: Incoming, ctx: RailContext) -> Advice:
    """A reply. What cannot be believed or understood leaves an order UNKNOWN: it is asked before it is repeated."""
    try:
        root = _believed(incoming, ctx)
        found: Advice = _READ[incoming.operation](root, incoming, ctx)
        return found
    except Refused as refused:
        return _unreadable(incoming, refused.findings)


def _believed(incoming: Incoming, ctx: RailContext) -> _Element:
    if incoming.status != 200:
        raise Refused(Finding("SCHEMA_VIOLATION", "/", f"HTTP {incoming.status}", "HTTP 200"))
    told = {name.lower(): value for name, value in incoming.headers.items()}.get(SEAL.lower(), "")
    if not hmac.compare_digest(told.encode(), seal(incoming.content, ctx).encode()):
        raise Refused(Finding("SIGNATURE_INVALID", SEAL, told[:8], "the seal of this body"))
    root = parse_xml(incoming.content, max_bytes=int(ctx.manifest["limits"]["body_bytes"]))
    if root.tag != "CBEI" or incoming.operation not in _READ or not _text(root, "Head/RspCode"):
        raise Refused(Finding("SCHEMA_VIOLATION", "/CBEI/Head/RspCode", str(root.tag), "a reply"))
    if _text(root, "Head/TrCode") != _CODES[incoming.operation]:
        raise Refused(
            Finding(
                "REPLY_MISMATCH", "/CBEI/Head/TrCode", _text(root, "Head/TrCode"), _CODES[incoming.operation]
            )
        )
    serial = _text(root, "Head/SerialNo")
    if incoming.number and serial != incoming.number:
        raise Refused(Finding("REPLY_MISMATCH", "/CBEI/Head/SerialNo", serial, incoming.number))
    return root


def _text(root: _Element, path: str) -> str:
    return (root.findtext(path) or "").strip()


def _unreadable(incoming: Incoming, findings: tuple[Finding, ...]) -> Advice:
    if incoming.operation in ("order", "ask") and incoming.number:
        unknown = OrderOutcome(incoming.number, "UNKNOWN", "", findings[0].code, findings[0].found)
        return Advice("outcome", findings=findings, outcomes=(unknown,), ask=(incoming.number,))
    return Advice("nothing", findings=findings)


def _ordered(root: _Element, incoming: Incoming, ctx: RailContext) -> Advice:
    code, why = _text(root, "Head/RspCode"), _text(root, "Head/RspMsg")
    if code == OK:
        return _stands(root, incoming, ctx)
    outcome = cast("Outcome", ctx.manifest["answer"].get(code, "UNKNOWN"))
    one = OrderOutcome(incoming.number, outcome, code, code, why, may_repeat=outcome == "NOT_SENT")
    return Advice(
        "outcome", outcomes=(one,), ask=(incoming.number,) if outcome == "UNKNOWN" else (), code=code
    )


def _asked(root: _Element, incoming: Incoming, ctx: RailContext) -> Advice:
    code, why = _text(root, "Head/RspCode"), _text(root, "Head/RspMsg")
    if code == OK:
        return _stands(root, incoming, ctx)
    outcome: Outcome = "NOT_SENT" if code == NOT_FOUND and _never_came(incoming.number, ctx) else "UNKNOWN"
    one = OrderOutcome(incoming.number, outcome, code, code, why, may_repeat=outcome == "NOT_SENT")
    return Advice("outcome", outcomes=(one,), code=code)


def _never_came(number: str, ctx: RailContext) -> bool:
    """ "No such transaction" proves that only after the grace and beside the day's statement (habit 4)."""
    known = ctx.known_order(number) if ctx.known_order else None
    grace = timedelta(seconds=int(ctx.manifest["unknown"]["grace_s"]))
    late = known is not None and known.sent_at is not None and ctx.now - known.sent_at > grace
    return bool(known is not None and late and known.statement_taken)


def _stands(root: _Element, incoming: Incoming, ctx: RailContext) -> Advice:
    word, why = _text(root, "Body/TrStat"), _text(root, "Body/TrMsg")
    if word == CAME_BACK:
        known = ctx.known_order(incoming.number) if ctx.known_order else None
        back = ReturnAdvice(
            incoming.number, known.amount if known else Fen(0), f"CB-{incoming.number}", word, why
        )
        return Advice("return", returns=(back,), code=OK)
    outcome = cast("Outcome", ctx.manifest["status"].get(word, "UNKNOWN"))
    one = OrderOutcome(incoming.number, outcome, word, word, why, _text(root, "Body/BankRef"))
    return Advice("outcome", outcomes=(one,), ask=(incoming.number,) if outcome == "UNKNOWN" else (), code=OK)


def _opened(root: _Element, incoming: Incoming, ctx: RailContext) -> Advice:
    code = _text(root, "Head/RspCode")
    return Advice(
        "subaccount", message_id=_text(root, "Head/SerialNo"), subaccount=_text(root, "Body/SubAcct") if code == OK else "",
        opened_on=_text(root, "Head/TrDate"), code=code,
    )  # fmt: skip


_READ: dict[str, Any] = {"order": _ordered, "ask": _asked, "open_subaccount": _opened}
