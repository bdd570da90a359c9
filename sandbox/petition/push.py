"""The office calls the hub's copy of the service: AddXfj, UpdateXfj, RevokeXfj, every 10 minutes until Result 1."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sandbox.control import BadOrder, content_bytes
from sandbox.delivery import Deliveries, Judgement, Parcel, Shot, shoot_raw
from sandbox.desk import Desk, finding
from sandbox.faults import Fault
from sandbox.openapi_rules import read_json
from sandbox.outbound import Delivered
from sandbox.petition.letters import PARTNER, Letters
from sandbox.petition.service import NS, SERVICE
from sandbox.soap import (
    CONTENT_TYPE,
    SOAP11,
    SoapTrouble,
    element,
    envelope,
    find_local,
    parse_xml,
    read_envelope,
)

OPERATIONS = ("AddXfj", "UpdateXfj", "RevokeXfj")
EVERY_S, LONGEST_S = 600, 3 * 86400


class PetitionPush:
    def __init__(self, desk: Desk, letters: Letters) -> None:
        self._desk, self._letters = desk, letters
        self.deliveries = Deliveries(desk, PARTNER, self._build, self._judge, _again_at)

    def emit(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{"operation", "json": {…}}`, `{"operation", "content": text}`, or `content` a whole envelope; raw as it is."""
        operation, content = str(order.get("operation") or ""), content_bytes(order)
        if order.get("raw"):
            headers = {"Content-Type": CONTENT_TYPE[SOAP11], **self._headers(operation or "AddXfj")}
            headers.update(order.get("headers") or {})
            url = self._desk.endpoints.url(PARTNER, operation)
            return shoot_raw(self._desk, PARTNER, operation or "AddXfj", Shot(url, headers, content), None)
        if content.lstrip()[:1] == b"<":
            operation, text = _open(content)
        else:
            text = content.decode("utf-8")
        told = _read(text)
        operation = operation or ("UpdateXfj" if told.get("CZLX") == "U" else "AddXfj")
        if operation not in OPERATIONS:
            raise BadOrder(f"operation is one of {', '.join(OPERATIONS)}")
        self._remember(operation, told)
        action = {"AddXfj": "A", "UpdateXfj": "U", "RevokeXfj": "D"}[operation]
        key = "|".join(
            [str(told.get("XFJBH", "")), str(told.get("BBH", "")), str(told.get("CZLX") or action)]
        )
        digest = hashlib.sha256((_canonical(told) or text).encode()).hexdigest()
        return self.deliveries.place(operation, key, {"text": text}, digest)

    def _remember(self, operation: str, told: dict[str, Any]) -> None:
        if operation == "RevokeXfj":
            self._letters.close(str(told.get("XFJBH")))
        elif told.get("XFJBH"):
            self._letters.keep(told)

    def _headers(self, operation: str, token: str = "") -> dict[str, str]:
        months: dict[str, str] = self._desk.books.get(PARTNER, "token", "months") or {}
        now = self._desk.clock.beijing().strftime("%Y-%m")
        past = [month for month in sorted(months) if month <= now]
        key = months[past[-1]] if past else self._desk.credentials[PARTNER]["token"]
        return {"X-XF-Token": token or key, "SOAPAction": f'"{SERVICE.actions.get(operation, "")}"'}

    def _build(self, parcel: Parcel, fault: Fault | None) -> Shot:
        text = parcel.payload["text"]
        if parcel.attempt > 1:
            text = self._restyle(text, parcel)
        body = envelope(SOAP11, element(NS, parcel.operation, [("Jsonstring", text)]))
        token = "wrong-token" if fault and fault.kind == "wrong_signature" else ""
        headers = {"Content-Type": CONTENT_TYPE[SOAP11], **self._headers(parcel.operation, token)}
        return Shot(self._desk.endpoints.url(PARTNER, parcel.operation), headers, body)

    def _restyle(self, text: str, parcel: Parcel) -> str:
        """A re-delivery: the same JSON with other blanks and key order. Text that is no sound JSON stays as it is."""
        told = _read(text)
        if not told:
            return text
        keys = list(told)
        self._desk.random("petition", parcel.id, parcel.attempt).shuffle(keys)
        indent = None if parcel.attempt % 2 else 1
        return json.dumps({key: told[key] for key in keys}, ensure_ascii=False, indent=indent)

    def _judge(self, parcel: Parcel, got: Delivered) -> Judgement:
        if got.status is None:
            return Judgement("AGAIN")
        try:
            reply = find_local(parse_xml(got.body), f"{parcel.operation}Result")
        except SoapTrouble:
            reply = None
        if reply is None:
            note = finding(
                "REPLY_MISMATCH", "/", got.body[:80].decode("utf-8", "replace"), f"{parcel.operation}Result"
            )
            return Judgement("AGAIN", findings=(note,))
        notes = [] if got.status == 200 else [finding("HTTP_STATUS", "/", str(got.status), "200 always")]
        result = _read(reply.text or "")
        if str(result.get("Result")) == "1":
            return Judgement("DONE", "1", findings=tuple(notes))
        # the contract: again every 10 minutes until Result 1, whatever the refusal says
        return Judgement("AGAIN", str(result.get("Message", ""))[:3] or "?", findings=tuple(notes))


def _open(content: bytes) -> tuple[str, str]:
    try:
        read = read_envelope(content, SOAP11)
    except SoapTrouble as trouble:
        raise BadOrder(f"{trouble}; send it with raw=true") from trouble
    return read.operation, (read.payload[0].text or "") if len(read.payload) else ""


def _read(text: str) -> dict[str, Any]:
    """The JSON object, or an empty one when the text is no sound JSON (bad input goes out as it is)."""
    try:
        told = read_json(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _canonical(told: dict[str, Any]) -> str:
    return json.dumps(told, sort_keys=True, ensure_ascii=False) if told else ""


def _again_at(parcel: Parcel) -> float | None:
    later = parcel.last_at + EVERY_S
    return later if later <= parcel.first_at + LONGEST_S else None
