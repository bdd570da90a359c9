"""SubmitMediationResult: from what the hub knows to the court's message. The result, never what was conceded.

Body of the outbox row (other keys are not read, so nothing else can leave):
- `native_id`: 案件标识; `case_number`: 案号, optional
- `event`: agreed, failed, confirmation_application or late_money; or `outcome` AGREED, FAILED, REFUSED
- `outcome_date` (or `on`): ISO date or time; default the day of building, Beijing
- `organisation`, `mediator`: names, optional
- with an agreement: `agreement_number`, `amount_fen`
- with confirmation_application: `document` {file_name, text | content_base64}, else a short one is written
  from `agreement_signed_on` and `parties` (names)
- with late_money: `received_fen`, `received_on`
- `message_id`: the request's id; a repeat carries the same
"""

import base64
import binascii
from datetime import datetime
from typing import Any

from connectors.court_feed.session import WSDL
from foundation.zeep_wire import message
from schemas.exchange import ConnectorContext
from schemas.findings import Finding, Refused
from schemas.money import Fen
from schemas.wide import BEIJING

_CODES = {
    "AGREED": "01",
    "CONFIRMATION_APPLICATION": "01",
    "LATE_MONEY": "01",
    "FAILED": "02",
    "REFUSED": "02",
}
DOCUMENT_BYTES = 8 * 1024 * 1024


def result_message(body: dict[str, Any], ctx: ConnectorContext) -> bytes:
    """The SOAP message, its ticket empty: the live one is put in when it is sent.

    Raises Refused: no case, an event that the court is not told of, a document over 8 MB in base64.
    """
    event = str(body.get("event") or body.get("outcome") or "").upper()
    if event not in _CODES:
        raise Refused(Finding("CODE_UNKNOWN", "event", event[:40], ", ".join(_CODES)))
    mark = str(body.get("native_id") or "")
    if not mark:
        raise Refused(Finding("FIELD_MISSING", "native_id", "absent", "the court's 案件标识"))
    fields: dict[str, Any] = {
        "ticket": "",
        "requestId": str(body.get("message_id") or ctx.new_id()),
        "caseMark": mark,
        "caseNo": str(body.get("case_number") or "") or None,
        "resultCode": _CODES[event],
        "resultDate": _day(body, ctx),
        "organisation": str(body.get("organisation") or ctx.manifest["sender"]["organisation"]),
        "mediator": str(body.get("mediator") or "") or None,
    }
    if _CODES[event] == "01":
        fields["agreementNo"] = str(body.get("agreement_number") or "") or None
        amount = body.get("amount_fen")
        fields["amount"] = None if amount is None else Fen(amount).yuan_text()
    if event in ("CONFIRMATION_APPLICATION", "LATE_MONEY"):
        fields["documentName"], fields["document"] = _document(body, event)
    return message(WSDL, "SubmitMediationResult", **{k: v for k, v in fields.items() if v is not None})


def _day(body: dict[str, Any], ctx: ConnectorContext) -> str:
    text = body.get("outcome_date") or body.get("on")
    if not text:
        return ctx.now.astimezone(BEIJING).date().isoformat()
    moment = datetime.fromisoformat(str(text))
    return (moment.astimezone(BEIJING) if moment.tzinfo else moment).date().isoformat()


def _document(body: dict[str, Any], event: str) -> tuple[str, bytes]:
    given = body.get("document") or {}
    name = str(given.get("file_name") or "")
    if event == "LATE_MONEY":
        name, content = "调解款到账告知.txt", _late_money(body).encode()
    elif "content_base64" in given:
        try:
            content = base64.b64decode(str(given["content_base64"]), validate=True)
        except (binascii.Error, ValueError):
            raise Refused(Finding("BASE64_INVALID", "document", name, "base64")) from None
    elif "text" in given:
        content = str(given["text"]).encode()
    else:
        content = _application(body).encode()
    if len(base64.b64encode(content)) > DOCUMENT_BYTES:
        raise Refused(Finding("TOO_LARGE", "document", f"{len(content)} bytes", "8 MB in base64"))
    return name or "人民调解协议司法确认申请.txt", content


def _application(body: dict[str, Any]) -> str:
    amount = body.get("amount_fen")
    return "\n".join(
        [
            "人民调解协议司法确认申请",
            f"案件标识：{body.get('native_id')}",
            f"调解协议编号：{body.get('agreement_number') or ''}",
            f"协议签订日期：{body.get('agreement_signed_on') or ''}",
            f"当事人：{'、'.join(map(str, body.get('parties') or ()))}",
            f"协议金额：{Fen(amount).yuan_text() if amount is not None else ''}元",
        ]
    )


def _late_money(body: dict[str, Any]) -> str:
    received = body.get("received_fen")
    return "\n".join(
        [
            "调解款到账告知",
            f"案件标识：{body.get('native_id')}",
            f"到账日期：{str(body.get('received_on') or '')[:10]}",
            f"到账金额：{Fen(received).yuan_text() if received is not None else ''}元",
            "该款存于本案专户子账户，未自行发放，请告知处置意见。",
        ]
    )
