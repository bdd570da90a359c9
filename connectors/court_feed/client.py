"""The hub calls the court: files of each kind, the list, one case, and the result of a mediation."""

from typing import Any

from lxml import etree

from connectors.court_feed.envelopes import EXCHANGE, fault_code
from connectors.court_feed.list_walk import walk
from connectors.court_feed.opening import MESSAGE_BYTES
from connectors.court_feed.result_message import result_message
from connectors.court_feed.session import (
    BUSY,
    DEAD_TICKET,
    CourtAway,
    ask,
    code_of,
    service_address,
    ticket,
)
from foundation.wire import Wire, WireReply
from schemas.exchange import ConnectorContext, Outcome, Pulled, RawMessage, SendResult
from schemas.findings import Finding, Refused
from schemas.soap import SOAP11, read_envelope
from schemas.xml_safe import parse_xml

LIST = "CDFB"
MAX_FILES = 5
OPERATION = "SubmitMediationResult"
_DETAIL_CHARACTERS = 2000
_ACTION = f'"{EXCHANGE}#{OPERATION}"'


def pull(wire: Wire, ctx: ConnectorContext, kind: str, cursor: str) -> Pulled:
    """Files of a kind above the cursor, each as one message; kind CDFB walks the list.

    Files that were not acknowledged come again with every pull: the inbox knows them by name and digest.
    Raises CourtAway (kind unreachable, busy or refused) when the court cannot be asked.
    """
    if kind == LIST:
        return walk(wire, ctx, cursor)
    reply = ask(wire, ctx, "PullBatch", kind=kind, cursor=cursor or None, maxFiles=MAX_FILES)
    if reply.outcome != "ANSWERED":
        raise CourtAway("unreachable", reply.error)
    code, text = code_of(reply)
    if code != "C0000":
        raise CourtAway("busy" if code in BUSY else "refused", f"PullBatch {kind}: {code} {text}".strip())
    messages = tuple(
        RawMessage(
            partner=str(ctx.manifest["id"]),
            channel="pull",
            operation="",
            content=bytes(file.content or b""),
            received_at=ctx.now,
            headers={"x-kind": kind, "x-file-md5": str(file.md5 or "")},
            filename=str(file.fileName or ""),
        )
        for file in reply.value.file or ()
    )
    following = str(reply.value.nextCursor or "") or cursor
    # more=true with no file is legal; with the cursor where it was there is nothing to ask for at once.
    more = bool(reply.value.more) and (bool(messages) or following != cursor)
    return Pulled(messages, following, more)


def acknowledge(wire: Wire, ctx: ConnectorContext, message: RawMessage, outcome: Outcome) -> None:
    """Tell the court what became of a file: 0 stored, 1 rejected, 2 partly stored, with path=code;… for rows.

    Never raises: a file without acknowledgement is offered again, and acknowledged then.
    """
    if message.headers.get("x-kind", LIST) == LIST or not message.filename:
        return
    result = acknowledgement(outcome)
    try:
        reply = ask(
            wire, ctx, "AckBatch", fileName=message.filename, result=result[0], detail=result[1] or None
        )
        failed = reply.outcome != "ANSWERED" or code_of(reply)[0] != "C0000"
    except CourtAway:
        failed = True
    waiting = [name for name in ctx.state.get("unacknowledged", []) if name != message.filename]
    ctx.state["unacknowledged"] = [*waiting, message.filename][-100:] if failed else waiting


def acknowledgement(outcome: Outcome) -> tuple[str, str]:
    """Result and detail of AckBatch for an outcome."""
    detail = detail_of(outcome.findings)
    if outcome.result in ("REFUSED", "QUARANTINED"):
        return "1", detail
    return ("2" if outcome.findings else "0"), detail


def detail_of(findings: tuple[Finding, ...]) -> str:
    """Row errors as the contract writes them: path=code;…"""
    return ";".join(f"{each.path}={each.partner_code or each.code}" for each in findings)[:_DETAIL_CHARACTERS]


def query_case(wire: Wire, ctx: ConnectorContext, native_id: str, case_number: str = "") -> RawMessage | None:
    """Ask for one case; None when the court has no such case (C0404). Raises CourtAway."""
    reply = ask(wire, ctx, "QueryCase", caseMark=native_id or None, caseNo=case_number or None)
    code, text = code_of(reply)
    if reply.outcome != "ANSWERED":
        raise CourtAway("unreachable", reply.error)
    if code == "C0404":
        return None
    if code != "C0000":
        raise CourtAway("busy" if code in BUSY else "refused", f"QueryCase: {code} {text}".strip())
    return RawMessage(str(ctx.manifest["id"]), "reply", "QueryCase", reply.raw, ctx.now)


def build(operation: str, body: dict[str, Any], ctx: ConnectorContext) -> bytes:
    """Wire bytes of an operation. Raises Refused when the body cannot be told to the court."""
    if operation != OPERATION:
        raise Refused(Finding("CODE_UNKNOWN", "operation", operation[:40], OPERATION))
    return result_message(body, ctx)


def send(wire: Wire, ctx: ConnectorContext, operation: str, content: bytes) -> SendResult:
    """Send kept bytes with the live ticket put in; a dead ticket is renewed once."""
    try:
        reply = _post(wire, ctx, with_ticket(content, ticket(wire, ctx)))
        result = _result(reply)
        if result.code == DEAD_TICKET:
            reply = _post(wire, ctx, with_ticket(content, ticket(wire, ctx, renew=True)))
            result = _result(reply)
        return result
    except CourtAway as away:
        return SendResult("RETRY", away.kind, str(away))


def with_ticket(content: bytes, live: str) -> bytes:
    """The kept message under a live ticket: proof of who calls, no part of what is said."""
    root = parse_xml(content, max_bytes=MESSAGE_BYTES)
    place = root.find(f".//{{{EXCHANGE}}}ticket")
    if place is not None:
        place.text = live
    return bytes(etree.tostring(root, xml_declaration=True, encoding="utf-8"))


def _post(wire: Wire, ctx: ConnectorContext, content: bytes) -> WireReply:
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": _ACTION}
    return wire.request("POST", service_address(ctx), headers=headers, content=content, timeout_s=30.0)


def _result(reply: WireReply) -> SendResult:
    if reply.outcome != "ANSWERED":
        outcome = "RETRY" if reply.outcome == "NOT_SENT" else "UNKNOWN"
        return SendResult(outcome, "", reply.error, reply.content)
    try:
        envelope = read_envelope(reply.content, max_bytes=MESSAGE_BYTES, versions=(SOAP11,))
    except Refused as refused:
        return SendResult("UNKNOWN", f"HTTP {reply.status}", str(refused)[:300], reply.content)
    if envelope.name == "Fault":
        code, text, trace = fault_code(envelope)
        known = code in (*BUSY, DEAD_TICKET) or not code
        outcome = "RETRY" if code in (*BUSY, DEAD_TICKET) else "UNKNOWN" if known else "PERMANENT"
        return SendResult(outcome, code, f"{text} {trace}".strip(), reply.content)
    code = (envelope.text("code") or "").strip()
    if envelope.name != f"{OPERATION}Response" or not code:
        return SendResult("UNKNOWN", "REPLY_MISMATCH", envelope.name, reply.content)
    text = (envelope.text("receiptNo") or envelope.text("message") or "").strip()
    if code == "C0000":
        return SendResult("DELIVERED", code, text, reply.content)
    return SendResult("RETRY" if code in (*BUSY, DEAD_TICKET) else "PERMANENT", code, text, reply.content)
