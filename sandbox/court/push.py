"""The court calls the hub: ReceiveBatch and ReceiveNotice, re-delivered by the contract's timetable."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from lxml import etree

from sandbox.control import BadOrder, content_bytes
from sandbox.court.batch import COURT, KINDS, Batch, Part, first_text, kind_of, make_batch, read_root
from sandbox.court.files import PARTNER, CourtFiles
from sandbox.delivery import Deliveries, Judgement, Parcel, Shot, shoot_raw
from sandbox.desk import Desk, finding
from sandbox.faults import Fault
from sandbox.outbound import Delivered
from sandbox.soap import CONTENT_TYPE, SOAP11, Service, SoapTrouble, element, envelope, find_local, parse_xml

SERVICE = Service(Path(__file__).parent / "contract" / "court-receiver.wsdl")
NS = SERVICE.namespace
BATCH_TRIES, NOTICE_SECONDS = 24, 30 * 60
# what the contract's table of codes tells the sender to do
AGAIN = {"C0203", "C0205", "C9003", "C9007", "C9029"}


def read_parts(order: dict[str, Any]) -> list[Part]:
    """Documents of an order: `parts` [{kind, content…}], or one document with `kind`."""
    told = order.get("parts") or [order]
    parts = []
    for each in told:
        content = content_bytes(each)
        kind = str(each.get("kind") or kind_of(content) or "AJXX")
        if kind not in KINDS:
            raise BadOrder(f"kind is one of {', '.join(KINDS)}")
        parts.append(Part(kind, content))
    return parts


class CourtPush:
    """Emits to the hub. The same document gives the same number and the same bytes again."""

    def __init__(self, desk: Desk, files: CourtFiles) -> None:
        self._desk, self._files = desk, files
        self.deliveries = Deliveries(desk, PARTNER, self._build, self._judge, _again_at)

    def emit(self, order: dict[str, Any]) -> dict[str, Any]:
        """See the control API: operation ReceiveBatch or ReceiveNotice, or a whole envelope, or raw bytes."""
        operation = str(order.get("operation") or "")
        if order.get("raw"):
            return self._raw(order, operation)
        first = content_bytes(order["parts"][0]) if order.get("parts") else content_bytes(order)
        root = read_root(first)
        if root is not None and root.tag == f"{{{SOAP11}}}Envelope":
            return self._whole_envelope(first, root)
        if not operation:
            operation = "ReceiveNotice" if kind_of(first) == "XZZX" else "ReceiveBatch"
        if operation == "ReceiveNotice":
            return self._notice(order, first)
        if operation == "ReceiveBatch":
            return self._batch(order, first)
        raise BadOrder("operation is ReceiveBatch or ReceiveNotice")

    def _raw(self, order: dict[str, Any], operation: str) -> dict[str, Any]:
        name = operation or "ReceiveBatch"
        headers = {"Content-Type": CONTENT_TYPE[SOAP11], "SOAPAction": f'"{SERVICE.actions.get(name, "")}"'}
        headers.update(order.get("headers") or {})
        url = self._desk.endpoints.url(PARTNER, name)
        return shoot_raw(self._desk, PARTNER, name, Shot(url, headers, content_bytes(order)), None)

    def _batch(self, order: dict[str, Any], first: bytes) -> dict[str, Any]:
        now = self._desk.clock.beijing()
        number, name = str(order.get("batch_no") or ""), str(order.get("file_name") or "")
        if first[:2] == b"PK":
            made = Batch(
                "", number or hashlib.sha256(first).hexdigest()[:16], name or "AJXX_export.zip", first
            )
        else:
            made = make_batch(read_parts(order), now, number, name)
        self._files.learn(made.content)
        payload = element(
            NS, "ReceiveBatch",
            [
                ("sender", COURT), ("batchNo", made.number), ("fileName", made.file_name), ("md5", made.md5),
                ("sentAt", now.strftime("%Y%m%d%H%M%S")), ("content", base64.b64encode(made.content).decode()),
            ],
        )  # fmt: skip
        return self._place("ReceiveBatch", made.number, envelope(SOAP11, payload), made.md5)

    def _notice(self, order: dict[str, Any], document: bytes) -> dict[str, Any]:
        try:
            text = document.decode("utf-8")
        except UnicodeDecodeError as trouble:
            raise BadOrder("a notice carries its XML as text: UTF-8") from trouble
        self._files.learn_document(document)
        digest = hashlib.sha256(document).hexdigest()
        number = str(order.get("notice_id") or first_text(read_root(document), "编号") or digest[:16])
        payload = element(
            NS, "ReceiveNotice",
            [
                ("sender", COURT), ("noticeId", number), ("urgency", str(order.get("urgency", "1"))),
                ("sentAt", self._desk.clock.beijing().strftime("%Y%m%d%H%M%S")), ("xml", text),
            ],
        )  # fmt: skip
        return self._place("ReceiveNotice", number, envelope(SOAP11, payload), digest)

    def _whole_envelope(self, content: bytes, root: etree._Element) -> dict[str, Any]:
        for operation, key in (("ReceiveBatch", "batchNo"), ("ReceiveNotice", "noticeId")):
            call = find_local(root, operation)
            if call is not None:
                carried = first_text(call, "content", "xml")
                digest = hashlib.sha256(carried.encode()).hexdigest()
                self._files.learn_document(carried.encode())
                return self._place(operation, first_text(call, key), content, digest)
        raise BadOrder("the envelope holds neither ReceiveBatch nor ReceiveNotice; send it with raw=true")

    def _place(self, operation: str, number: str, body: bytes, digest: str) -> dict[str, Any]:
        # a re-delivery has the same bytes, so a message emitted again goes out as it went the first time
        kept = self.deliveries.earlier(operation, number, digest)
        payload = kept or {"body": base64.b64encode(body).decode()}
        return self.deliveries.place(operation, number, payload, digest)

    def _build(self, parcel: Parcel, fault: Fault | None) -> Shot:
        body = base64.b64decode(parcel.payload["body"])
        if fault and fault.kind == "wrong_signature":
            root = parse_xml(body)
            digest = find_local(root, "md5")
            if digest is not None:
                digest.text = "0" * 32
                body = etree.tostring(root, xml_declaration=True, encoding="utf-8")
        headers = {
            "Content-Type": CONTENT_TYPE[SOAP11],
            "SOAPAction": f'"{SERVICE.actions[parcel.operation]}"',
        }
        return Shot(self._desk.endpoints.url(PARTNER, parcel.operation), headers, body)

    def _judge(self, parcel: Parcel, got: Delivered) -> Judgement:
        if got.status is None:
            return Judgement("AGAIN")
        try:
            root = parse_xml(got.body)
        except SoapTrouble as trouble:
            return Judgement(
                "AGAIN", findings=(finding("REPLY_UNREADABLE", "/", str(trouble), "a SOAP answer"),)
            )
        fault = find_local(root, "Fault")
        if fault is not None:
            code, blames_us = first_text(fault, "code"), first_text(fault, "faultcode").endswith("Client")
            known_final = code.startswith("C") and code not in AGAIN
            return Judgement("FINAL" if known_final or blames_us else "AGAIN", code or "FAULT")
        reply = find_local(root, f"{parcel.operation}Response")
        if reply is None:
            return Judgement(
                "AGAIN", findings=(finding("REPLY_MISMATCH", "/", "another answer", parcel.operation),)
            )
        notes = tuple(
            finding("SCHEMA_VIOLATION", "/", each, "court-receiver.wsdl")
            for each in SERVICE.violations(reply)
        )
        code, receipt = first_text(reply, "code"), first_text(reply, "receiptNo")
        if got.status != 200:
            notes = (*notes, finding("HTTP_STATUS", "/", str(got.status), "200 with a code"))
        state = "DONE" if code == "C0000" else "AGAIN" if code in AGAIN else "FINAL"
        return Judgement(state, code, receipt, notes)


def _again_at(parcel: Parcel) -> float | None:
    """Batches: the next full hour, 24 times. Notices: every 60 s for 30 minutes."""
    if parcel.operation == "ReceiveNotice":
        later = parcel.last_at + 60
        return later if later <= parcel.first_at + NOTICE_SECONDS else None
    if parcel.attempt > BATCH_TRIES:
        return None
    return (parcel.last_at // 3600 + 1) * 3600
