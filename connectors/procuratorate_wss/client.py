"""The hub calls the procuratorate (collab-jcy.wsdl): ReturnResult, and ListMessages for everything missed.

The kept bytes of an outbox row are the canonical business element; each try puts a new envelope around it,
because their contract wants the same MsgId with a new nonce, timestamp and signature.
"""

from __future__ import annotations

import secrets
from typing import Any

from lxml import etree

from connectors.procuratorate_wss import names
from connectors.procuratorate_wss.content_check import findings_of
from connectors.procuratorate_wss.envelope import take_apart
from connectors.procuratorate_wss.records import child
from connectors.procuratorate_wss.replies import RETRY_CODES, cursor_after, fault_of, inner_message, page_of
from connectors.procuratorate_wss.result_form import element, return_result
from connectors.procuratorate_wss.trust import check_validity, keys_of
from foundation.wire import Wire, WireReply
from foundation.wss import Signed, canonical, check_timestamp, verify
from foundation.wss_envelope import Element
from foundation.wss_sign import User, body_digest, signed_envelope
from schemas.exchange import ConnectorContext, Outcome, Pulled, RawMessage, SendOutcome, SendResult
from schemas.findings import Finding, Refused
from schemas.xml_safe import parse_xml

OPERATIONS = ("ReturnResult",)
_TIMEOUT_S = 20.0


class Away(ConnectionError):
    """They cannot be asked now. `kind`: unreachable, busy (J0503: again in 60 s) or refused."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def build(operation: str, body: dict[str, Any], ctx: ConnectorContext) -> bytes:
    """Canonical business element of an operation. Raises Refused when the body cannot be told to them."""
    if operation not in OPERATIONS:
        raise Refused(Finding("CODE_UNKNOWN", "operation", operation[:40], ", ".join(OPERATIONS)))
    return canonical(return_result(body, ctx))


def send(wire: Wire, ctx: ConnectorContext, operation: str, content: bytes) -> SendResult:
    """Send kept bytes in a new signed envelope; the receipt must be signed and name our Body's digest."""
    payload = parse_xml(content, max_bytes=names.MAX_ENVELOPE_BYTES)
    reply = _call(wire, ctx, operation, payload)
    if reply.outcome != "ANSWERED":
        return SendResult(
            "RETRY" if reply.outcome == "NOT_SENT" else "UNKNOWN", "", reply.error, reply.content
        )
    try:
        return _outcome(reply, ctx, body_digest(payload))
    except Refused as refused:
        finding = refused.findings[0]
        if (reply.status or 0) >= 500:
            return SendResult("RETRY", str(reply.status), finding.text_en(), reply.content)
        return SendResult("UNKNOWN", finding.code, finding.text_en(), reply.content)


def _outcome(reply: WireReply, ctx: ConnectorContext, sent_digest: str) -> SendResult:
    envelope = take_apart(reply.content)
    payload = envelope.payload
    if payload is not None and payload.tag == names.soap("Fault"):
        fault = fault_of(payload)
        outcome: SendOutcome = "PERMANENT" if fault.final else "RETRY"
        return SendResult(outcome, fault.code, f"{fault.field} {fault.text}".strip(), reply.content)
    receipt = _verified(reply.content, ctx).payload
    if receipt.tag != names.collab("Receipt"):
        raise Refused(Finding("REPLY_MISMATCH", "/Envelope/Body", etree.QName(receipt).localname, "Receipt"))
    code = child(receipt, "Code") or ""
    text = child(receipt, "Text") or ""
    if code in RETRY_CODES:
        return SendResult("RETRY", code, text, reply.content)
    if code != "J0000":
        return SendResult("PERMANENT", code, text, reply.content)
    stated = (child(receipt, "Digest") or "").lower()
    if stated and stated != sent_digest:
        text = f"receipt names digest {stated[:16]}…, we sent {sent_digest[:16]}…"
        return SendResult("PERMANENT", "DIGEST_MISMATCH", text, reply.content)
    return SendResult("DELIVERED", code, child(receipt, "ReceiptNo") or text, reply.content)


def pull(wire: Wire, ctx: ConnectorContext, kind: str, cursor: str) -> Pulled:
    """Everything above the cursor, one message for each whole envelope inside.

    Withheld numbers (Gap) are passed over and never asked for again. A reply whose own signature does not
    hold comes back as one message that the mapping will refuse, with the cursor where it was. Raises Away
    when there is no answer, or a fault.
    """
    since = int(cursor or 0)
    reply = _call(wire, ctx, "ListMessages", element("ListMessages", SinceSeq=since, Max=names.LIST_MAX))
    if reply.outcome != "ANSWERED":
        raise Away("unreachable", reply.error)
    whole = RawMessage(
        names.PARTNER, "reply", "ListMessages", reply.content, ctx.now, headers=dict(reply.headers)
    )
    try:
        payload = take_apart(reply.content).payload
        if payload is not None and payload.tag == names.soap("Fault"):
            fault = fault_of(payload)
            raise Away("busy" if fault.code in RETRY_CODES else "refused", f"{fault.code} {fault.text}")
        page_body = _verified(reply.content, ctx).payload
        if page_body.tag != names.collab("ListMessagesResponse") or findings_of(page_body):
            return Pulled((whole,), cursor)
        page = page_of(page_body)
    except Refused:
        return Pulled((whole,), cursor)
    next_cursor, more = cursor_after(page, since)
    _note_gap(ctx, page.gap)
    items = tuple(inner_message(item, ctx.now) for item in page.items)
    return Pulled(items, str(next_cursor), more)


def acknowledge(wire: Wire, ctx: ConnectorContext, message: RawMessage, outcome: Outcome) -> None:
    """Nothing to say: the cursor is the acknowledgement."""


def _note_gap(ctx: ConnectorContext, gap: tuple[int, ...]) -> None:
    """Keep the last withheld numbers for the people who look at the partner's page."""
    if gap:
        kept = sorted({*ctx.state.get("gap", []), *gap})
        ctx.state["gap"] = kept[-1000:]


def _verified(raw: bytes, ctx: ConnectorContext) -> Signed:
    """A reply signed by them over Body and Timestamp, and fresh."""
    signed = verify(take_apart(raw), keys_of(ctx.keys.trusted(ctx.manifest["keys"]["trusted"])))
    check_validity(signed, ctx.now)
    check_timestamp(signed, ctx.now)
    return signed


def _call(wire: Wire, ctx: ConnectorContext, operation: str, payload: Element) -> WireReply:
    named = ctx.manifest["keys"]
    user = User(
        names.OUTBOUND_USER, ctx.keys.secret(named["secrets"]["hub_password"]), secrets.token_bytes(16)
    )
    envelope = signed_envelope(
        payload,
        key=ctx.keys.private_key(named["own"]),
        certificate=ctx.keys.certificate(named["own"]),
        now=ctx.now,
        user=user,
    )
    action = f"{names.COLLAB}:{operation}"
    headers = {"Content-Type": f'application/soap+xml; charset=utf-8; action="{action}"'}
    return wire.request("POST", ctx.base_url, headers=headers, content=envelope, timeout_s=_TIMEOUT_S)
