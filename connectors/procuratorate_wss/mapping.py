"""Raw envelope → Reading. Pure: the certificates, passwords and nonces it needs are handed in.

Operations: SubmitCase, RevokeCase, QueryProgress (pushed, or pulled inside ListMessages), replies to our
own calls (Receipt, Fault, ListMessagesResponse), and as bare files also papers that we sent ourselves.
`known.fact("whereabouts", CaseNo)` → {"stage", "since"} is asked for QueryProgress.

A bare file that came without a time (header x-concord-own-time) and a message pulled late are judged at
their own time: the later of Timestamp/Created and Head/SendTime. `meta["nonce"]` is to be remembered.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Any

from lxml import etree

from connectors.procuratorate_wss import names, replies
from connectors.procuratorate_wss.content_check import findings_of, folded_case_no
from connectors.procuratorate_wss.envelope import take_apart
from connectors.procuratorate_wss.freshness import check_user
from connectors.procuratorate_wss.records import case_record, child, notes_of, revocation_record, send_time
from connectors.procuratorate_wss.shape import path_of
from connectors.procuratorate_wss.trust import (
    check_validity,
    keys_of,
    own_certificates,
    partner_certificates,
    passwords,
)
from foundation.wss import Signed, canonical, check_timestamp, created, verify
from foundation.wss_envelope import Element, Envelope
from schemas.exchange import Known, RawMessage, Reading
from schemas.findings import Finding, Refused

INBOUND = ("SubmitCase", "RevokeCase", "QueryProgress")
REPLIES = ("Receipt", "ListMessagesResponse", "QueryProgressResponse")
OWN_TIME = "x-concord-own-time"
OUTBOUND = ("ReturnResult", "ListMessages")


def read(message: RawMessage, known: Known) -> Reading:
    """Read one message. Never raises for wrong input: what is wrong is in the Reading's findings."""
    try:
        envelope = take_apart(message.content)
        return _read(message, known, envelope)
    except Refused as refused:
        digest = hashlib.sha256(message.content).hexdigest()
        return Reading(
            message_id=_stated_id(message.content) or f"unread-{digest[:24]}",
            compare_digest=digest,
            findings=refused.findings,
            parts=1,
        )


def _read(message: RawMessage, known: Known, envelope: Envelope) -> Reading:
    payload = envelope.payload
    if payload is None:
        raise Refused(Finding("SCHEMA_VIOLATION", "/Envelope/Body", "not one element", "one operation"))
    if payload.tag == names.soap("Fault"):
        return replies.read_fault(message, payload)
    name = _operation(payload, message)
    ours = name in OUTBOUND
    certificates = own_certificates(known) if ours else partner_certificates(known)
    signed = verify(envelope, keys_of(certificates), names.INSTITUTION)
    at = _judged_at(message, known, signed)
    check_validity(signed, at)
    check_timestamp(signed, at)
    nonce = "" if ours else _check_user(message, known, signed, at, name)
    body = signed.payload
    findings = findings_of(body)
    reading = _reading_of(body, name, signed, known) if not findings else _refusal(body, findings)
    meta = {**reading.meta, "operation": name, "signed_at": created(signed).isoformat()}
    if nonce:
        meta["nonce"] = nonce
    return replace(reading, meta=meta, reply_hint={**reading.reply_hint, "body_digest": signed.body_digest})


def _operation(payload: Element, message: RawMessage) -> str:
    name = etree.QName(payload)
    allowed = INBOUND if message.channel == "push" else (*INBOUND, *REPLIES, *OUTBOUND)
    if name.namespace != names.COLLAB or name.localname not in allowed:
        found = name.localname if name.namespace == names.COLLAB else f"{{{name.namespace}}}{name.localname}"
        raise Refused(Finding("SCHEMA_VIOLATION", "/Envelope/Body", found, ", ".join(INBOUND)))
    announced = message.operation if message.channel in ("push", "pull") else ""
    if announced and announced != name.localname:
        raise Refused(
            Finding("SCHEMA_VIOLATION", "/Envelope/Body", name.localname, f"{announced}, as announced")
        )
    return name.localname


def _judged_at(message: RawMessage, known: Known, signed: Signed) -> datetime:
    if message.channel == "pull" or own_time(message, known):
        moments = (created(signed), send_time(signed.payload))
        return max(moment for moment in moments if moment is not None)
    return message.received_at


def own_time(message: RawMessage, known: Known) -> bool:
    """A bare file for which nobody gave a time of receipt."""
    told = any(name.lower() == OWN_TIME for name in message.headers) or not known.check_authenticity
    return message.channel == "file" and told


def _check_user(message: RawMessage, known: Known, signed: Signed, at: datetime, name: str) -> str:
    """The UsernameToken of a request; a reply needs none, a pulled request was fresh when it was sent."""
    if name in REPLIES:
        if signed.username_token is None:
            return ""
        return check_user(signed, at, names.INBOUND_USER, passwords(known), _never)
    seen = _never if message.channel == "pull" else known.seen_nonce
    return check_user(signed, at, names.INBOUND_USER, passwords(known), seen)


def _never(_: str) -> bool:
    return False


def _refusal(body: Element, findings: list[Finding]) -> Reading:
    return Reading(
        message_id=child(body, "Head", "MsgId") or f"unread-{_digest(body)[:24]}",
        compare_digest=_digest(body),
        findings=tuple(findings),
        case_key=_case_key(body),
        parts=1,
    )


def _reading_of(body: Element, name: str, signed: Signed, known: Known) -> Reading:
    if name == "ListMessagesResponse":
        return replies.read_list(body, signed, known, read)
    if name in REPLIES:
        return replies.read_reply(body, _digest(body))
    head = child(body, "Head", "MsgId")
    reading = Reading(
        message_id=head or f"list-{_digest(body)[:24]}",
        compare_digest=_digest(body),
        case_key=_case_key(body),
        parts=1,
        meta=_meta(body) | _same_id(body, head or ""),
    )
    if name in OUTBOUND:
        return replace(reading, meta={**reading.meta, "direction": "hub->partner"})
    if name == "QueryProgress":
        return _progress(body, reading, known)
    record = case_record(body) if name == "SubmitCase" else revocation_record(body)
    return replace(reading, records=(record,), notes=notes_of(body))


def _progress(body: Element, reading: Reading, known: Known) -> Reading:
    number = child(body, "CaseNo") or ""
    fact = known.fact("whereabouts", folded_case_no(number))
    if not fact:
        finding = Finding("NOT_FOUND", f"{path_of(body)}/CaseNo", number, "a case handed over to the hub")
        return replace(reading, findings=(finding,))
    hint = {"case_no": number, "stage": str(fact["stage"]), "stage_time": str(fact["since"])}
    return replace(reading, reply_hint=hint)


def _meta(body: Element) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    seq, refers = child(body, "Head", "Seq"), child(body, "Head", "RefMsgId")
    if seq:
        meta["cursor"] = int(seq)
    if refers:
        # It states the whole case or ends it, so nothing waits for the message it refers to.
        meta["refers_to"] = refers
    return meta


def _same_id(body: Element, message_id: str) -> dict[str, str]:
    """Words for the case that this id comes again with other business content (J0208)."""
    return {
        "id_path": f"{path_of(body)}/Head/MsgId",
        "id_found": message_id,
        "id_expected": "identical business content for a repeated MsgId"
        " (the envelope's nonce and signature may differ)",
    }


def _case_key(body: Element) -> str:
    number = child(body, "Case", "CaseNo") or child(body, "CaseNo") or ""
    return folded_case_no(number)


def _digest(body: Element) -> str:
    """Digest of the business content: the Body's child, without the Body's own id (new at each sending)."""
    return hashlib.sha256(canonical(body)).hexdigest()


def _stated_id(raw: bytes) -> str:
    """MsgId of a message that was refused, for the people who look at it; nothing rests on it."""
    try:
        payload = take_apart(raw).payload
    except Refused:
        return ""
    return (child(payload, "Head", "MsgId") or "")[:100] if payload is not None else ""
