"""Whatever comes in from the bank: envelope, bare document or reply; and our answers to its callbacks."""

from __future__ import annotations

import dataclasses
import json
import re

from lxml import etree

from escrow.rail_types import Advice, Incoming, RailContext, Reply
from escrow.rails.bank_direct import envelope, pain001, replies, statements, statuses
from escrow.rails.bank_direct.iso import (
    CAMT_029,
    CAMT_052,
    CAMT_053,
    CAMT_054,
    PACS_004,
    PAIN_001,
    PAIN_002,
    parse_document,
    refuse,
    text,
)
from schemas.canonical import sha256_hex
from schemas.findings import Finding, Refused
from schemas.wide import BEIJING
from schemas.xml_safe import parse_json_strict

_RESULTS = {  # the core's verdict → our code to the bank; anything but A00000 is sent again
    "ACCEPTED": ("A00000", "已接收"),
    "DUPLICATE": ("A00000", "已接收"),
    "PARKED": ("A00000", "已接收，人工处理"),
    "QUARANTINED": ("E00208", "同一requestId内容不同"),
    "UNAVAILABLE": ("E00503", "暂不可用，请稍后重发"),
}


def verify(incoming: Incoming, ctx: RailContext) -> Advice:
    """Authenticate and read what came in. Never raises for bad input: see Advice.findings."""
    if incoming.operation not in ("", "notify", "statement"):
        return replies.read(incoming, ctx)
    head = incoming.content.lstrip()[:1]
    answered = replies.answered(incoming.content) if incoming.channel == "file" and head == b"{" else ""
    if answered:
        return replies.read_file(incoming.content, answered, ctx)
    try:
        if incoming.channel == "callback" or head == b"{":
            return _from_envelope(incoming, ctx)
        return _document(incoming.content, ctx, own=incoming.channel == "file")
    except Refused as refused:
        advice = Advice(
            "nothing", message_id=_claimed_id(incoming.content), findings=_coded(refused.findings, ctx)
        )
        return dataclasses.replace(advice, reply=answer(advice, "REFUSED", ctx))


def statement(content: bytes, ctx: RailContext) -> Advice:
    """Read a bare document (a statement file of the drop folder, or any other message). Never raises Refused."""
    return _document(content, ctx, own=False)


def _document(content: bytes, ctx: RailContext, *, own: bool) -> Advice:
    """`own`: an instruction file of ours is taken, too, as what was sent; only for a file given by hand."""
    try:
        message_type, message = parse_document(content)
        if own and message_type == PAIN_001:
            advice = _identified(message_type, message, content, pain001.read_sent(content, ctx))
        else:
            advice = _read(message_type, message, content, ctx)
        return _coded_advice(advice, ctx)
    except Refused as refused:
        return Advice("nothing", findings=_coded(refused.findings, ctx))


def _from_envelope(incoming: Incoming, ctx: RailContext) -> Advice:
    opened = envelope.unwrap(incoming.content, ctx)
    message_type, message = _payload(opened, ctx)
    advice = _coded_advice(_read(message_type, message, opened.payload, ctx), ctx)
    advice = dataclasses.replace(
        advice,
        message_id=opened.request_id,
        # A repeated push may carry poss_dup and a new signature; what counts is the payload.
        compare_digest=sha256_hex(f"{opened.message_type}|{opened.digest}".encode()),
        last_sequence=opened.sequence,
    )
    return dataclasses.replace(
        advice, reply=answer(advice, "REFUSED" if advice.findings else "ACCEPTED", ctx)
    )


def _payload(opened: envelope.Envelope, ctx: RailContext) -> tuple[str, etree._Element]:
    declared = re.match(rb"""<\?xml[^>]*encoding=["']([A-Za-z0-9-]+)""", opened.payload)
    named = declared[1].decode("ascii").upper() if declared else "UTF-8"
    if opened.encoding and opened.encoding != named:
        refuse("ENCODING_MISMATCH", "/encoding", opened.encoding, f"{named}, as the payload declares")
    try:
        message_type, message = parse_document(opened.payload)
    except Refused as refused:
        lies = _type_lies(opened)
        if lies:
            raise Refused(lies) from None
        raise refused
    if message_type != opened.message_type:
        family = ".".join(message_type.split(".")[:2])
        found = f"{opened.message_type} around a {family}"
        refuse("SCHEMA_VIOLATION", "/msgType", found, "msgType equal to the payload's namespace")
    return message_type, message


def _type_lies(opened: envelope.Envelope) -> Finding | None:
    """Where the payload is broken and also not what msgType says, the lie is the finding."""
    at = opened.payload.find(b"urn:iso:std:iso:20022:tech:xsd:")
    named = opened.payload[at + 31 : at + 46].decode("ascii", "replace") if at >= 0 else ""
    if not named or named == opened.message_type or named[:8] == opened.message_type[:8]:
        return None
    found = f"{opened.message_type} around a {named[:8]}"
    return Finding("SCHEMA_VIOLATION", "/msgType", found, "msgType equal to the payload's namespace")


def _read(message_type: str, message: etree._Element, raw: bytes, ctx: RailContext) -> Advice:
    if message_type in (CAMT_052, CAMT_053, CAMT_054):
        infos, lines, findings = statements.read(message_type, message, ctx)
        advice = Advice("statement", findings=tuple(findings), lines=tuple(lines), statements=tuple(infos))
    elif message_type == PAIN_002:
        advice = statuses.read_report(message, ctx)
    elif message_type == PACS_004:
        advice = statuses.read_return(message, ctx)
    elif message_type == CAMT_029:
        advice = statuses.read_cancel_answer(message, ctx)
    else:
        refuse("SCHEMA_VIOLATION", "/Document", message_type, "a message of the bank")
    return _identified(message_type, message, raw, advice)


def _identified(message_type: str, message: etree._Element, raw: bytes, advice: Advice) -> Advice:
    message_id = text(message, "GrpHdr/MsgId") or text(message, "Assgnmt/Id")
    return dataclasses.replace(
        advice, message_id=message_id, message_type=message_type, compare_digest=sha256_hex(raw)
    )


def _coded(findings: tuple[Finding, ...], ctx: RailContext) -> tuple[Finding, ...]:
    codes = ctx.manifest["partner_code"]
    return tuple(
        f if f.partner_code else dataclasses.replace(f, partner_code=codes.get(f.code, "")) for f in findings
    )


def _coded_advice(advice: Advice, ctx: RailContext) -> Advice:
    return dataclasses.replace(advice, findings=_coded(advice.findings, ctx))


def _claimed_id(content: bytes) -> str:
    """The requestId of something that could not be taken, for the answer only."""
    try:
        told = parse_json_strict(content, max_bytes=envelope.MAX_BYTES)
    except Refused:
        return ""
    claimed = told.get("requestId") if isinstance(told, dict) else None
    return claimed[:35] if isinstance(claimed, str) else ""


def answer(advice: Advice, result: str, ctx: RailContext) -> Reply:
    """Our acknowledgement. `result`: ACCEPTED, DUPLICATE, PARKED, QUARANTINED, UNAVAILABLE or REFUSED.

    REFUSED says the first finding's code; a finding the bank has no code for (a gap, a balance that does not hold)
    is our matter: the message is kept, and taken as far as the bank is concerned.
    """
    if result == "REFUSED":
        told = next((f for f in advice.findings if f.partner_code), None)
        code, words = (told.partner_code, f"{told.code} {told.path}") if told else _RESULTS["PARKED"]
    else:
        code, words = _RESULTS[result]
    body = {
        "requestId": advice.message_id,
        "code": code,
        "message": words,
        "bankRef": None,
        "serverTime": ctx.now.astimezone(BEIJING).strftime("%Y%m%d%H%M%S"),
    }
    raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return Reply(raw, 200, "application/json; charset=utf-8")
