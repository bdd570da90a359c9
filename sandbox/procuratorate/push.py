"""The procuratorate calls the hub: SubmitCase, RevokeCase, QueryProgress, each signed with its own key."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from lxml import etree

from sandbox.control import BadOrder, content_bytes
from sandbox.delivery import Deliveries, Judgement, Parcel, Shot, shoot_raw
from sandbox.desk import Desk, Finding, finding
from sandbox.faults import Fault
from sandbox.outbound import Delivered
from sandbox.procuratorate.messages import PARTNER, Messages, local_text
from sandbox.procuratorate.service import ProcuratorateService
from sandbox.procuratorate.wss import WssTrouble, body_digest, canonical, unsigned
from sandbox.soap import CONTENT_TYPE, SOAP12, Service, SoapTrouble, find_local, parse_xml

SERVICE = Service(Path(__file__).parent / "contract" / "collab-hub.wsdl")
STEPS_S = (60, 300, 1800)
HOURLY_S, LONGEST_S = 3600, 3 * 86400
REPLIES = {"SubmitCase": "Receipt", "RevokeCase": "Receipt", "QueryProgress": "QueryProgressResponse"}


def payload_of(content: bytes) -> etree._Element:
    """The Body's element of an order: a whole envelope, a Body, or the element itself. Raises BadOrder."""
    try:
        root = parse_xml(content)
    except SoapTrouble as trouble:
        raise BadOrder(f"{trouble}; send it with raw=true") from trouble
    body = root if root.tag == f"{{{SOAP12}}}Body" else root.find(f"{{{SOAP12}}}Body")
    if body is not None:
        if len(body) != 1:
            raise BadOrder("the Body holds not one element; send it with raw=true")
        root = body[0]
    return etree.fromstring(canonical(root))


class ProcuratoratePush:
    def __init__(self, desk: Desk, messages: Messages, service: ProcuratorateService) -> None:
        self._desk, self._messages, self._service = desk, messages, service
        self.deliveries = Deliveries(desk, PARTNER, self._build, self._judge, _again_at)

    def emit(self, order: dict[str, Any]) -> dict[str, Any]:
        """`content`: an envelope (its security is dropped) or the Body's element; signed afresh at each attempt.
        `raw`: the bytes as they are. `sign_raw`: the element signed, but sent once and not judged."""
        content = content_bytes(order)
        if order.get("raw"):
            name = str(order.get("operation") or "SubmitCase")
            return self._once(name, content, order, None)
        payload = payload_of(content)
        operation = etree.QName(payload).localname
        if operation not in REPLIES:
            raise BadOrder(f"the Body holds one of {', '.join(REPLIES)}")
        number = local_text(payload, "MsgId")
        if order.get("sign_raw"):
            return self._once(
                operation, self._service.signer.sign(payload, self._service.signing_time()), order, number
            )
        if operation != "QueryProgress":
            self._messages.keep(payload)
        digest = hashlib.sha256(canonical(payload)).hexdigest()
        return self.deliveries.place(operation, number, {"xml": canonical(payload).decode()}, digest)

    def _once(self, operation: str, body: bytes, order: dict[str, Any], number: str | None) -> dict[str, Any]:
        headers = {**_headers(operation), **(order.get("headers") or {})}
        shot = Shot(self._desk.endpoints.url(PARTNER, operation), headers, body)
        return shoot_raw(self._desk, PARTNER, operation, shot, number)

    def _build(self, parcel: Parcel, fault: Fault | None) -> Shot:
        payload = etree.fromstring(parcel.payload["xml"])
        broken = fault is not None and fault.kind == "wrong_signature"
        body = self._service.signer.sign(payload, self._service.signing_time(), broken=broken)
        return Shot(self._desk.endpoints.url(PARTNER, parcel.operation), _headers(parcel.operation), body)

    def _judge(self, parcel: Parcel, got: Delivered) -> Judgement:
        if got.status is None:
            return Judgement("AGAIN")
        try:
            root = parse_xml(got.body)
        except SoapTrouble as trouble:
            return Judgement(
                "AGAIN", findings=(finding("REPLY_UNREADABLE", "/", str(trouble), "a SOAP answer"),)
            )
        notes = self._security(root)
        fault = root.find(f"{{{SOAP12}}}Body/{{{SOAP12}}}Fault")
        if fault is not None:
            who = fault.findtext(f"{{{SOAP12}}}Code/{{{SOAP12}}}Value") or ""
            code = local_text(fault, "Subcode") or local_text(fault, "Code") or "FAULT"
            detail = find_local(fault, "ServiceFault")
            code = (local_text(detail, "Code") if detail is not None else "") or code
            return Judgement("FINAL" if who.endswith("Sender") else "AGAIN", code, findings=tuple(notes))
        if notes:  # an answer that is not provably the hub's counts as no answer
            return Judgement("AGAIN", "UNPROVED", findings=tuple(notes))
        reply = find_local(root, REPLIES[parcel.operation])
        if reply is None:
            return Judgement("AGAIN", findings=(finding("REPLY_MISMATCH", "/", "another answer", "Receipt"),))
        notes += [
            finding("SCHEMA_VIOLATION", "/", each, "collab-hub.wsdl") for each in SERVICE.violations(reply)
        ]
        if parcel.operation == "QueryProgress":
            return Judgement("DONE", local_text(reply, "Stage"), findings=tuple(notes))
        code, receipt = local_text(reply, "Code"), local_text(reply, "ReceiptNo")
        right = body_digest(unsigned(etree.fromstring(parcel.payload["xml"])))
        if code == "J0000" and local_text(reply, "Digest").upper() != right:
            notes.append(finding("DIGEST_MISMATCH", "/Receipt/Digest", local_text(reply, "Digest"), right))
        state = "DONE" if code == "J0000" else "AGAIN" if code == "J0503" else "FINAL"
        return Judgement(state, code, receipt, tuple(notes))

    def _security(self, root: etree._Element) -> list[Finding]:
        try:
            self._service.verifier(request=False).check(root)
        except WssTrouble as trouble:
            return [finding(trouble.word, trouble.path, str(trouble), "replies sign Body and Timestamp")]
        return []


def _headers(operation: str) -> dict[str, str]:
    return {"Content-Type": f'{CONTENT_TYPE[SOAP12]}; action="{SERVICE.actions.get(operation, "")}"'}


def _again_at(parcel: Parcel) -> float | None:
    """After 1, 5 and 30 minutes, then hourly for 3 days."""
    step = STEPS_S[parcel.attempt - 1] if parcel.attempt <= len(STEPS_S) else HOURLY_S
    later = parcel.last_at + step
    return later if later <= parcel.first_at + LONGEST_S else None
