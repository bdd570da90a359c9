"""The hub's side of collab-hub.wsdl: SubmitCase, RevokeCase and QueryProgress at one address.

Answers are SOAP 1.2 envelopes signed with the hub's key, faults too. A sender's mistake is HTTP 400, one
too large 413, busy 503 with Retry-After; never another 5xx.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache

from lxml import etree

from connectors.procuratorate_wss import names
from connectors.procuratorate_wss.mapping import INBOUND
from connectors.procuratorate_wss.trust import manifest
from foundation.keys import KeyStore
from foundation.settings import settings
from foundation.wss_envelope import WSSE, WSU
from foundation.wss_sign import signed_envelope
from schemas.exchange import Endpoint, HttpAnswer, HttpRequest, Known, Outcome, RawMessage
from schemas.findings import Finding, Refused
from schemas.soap import clean_text

PATH = "/collab"
_ACTION = re.compile(r'action\s*=\s*"([^"]*)"', re.IGNORECASE)
_CHARSET = re.compile(r'charset\s*=\s*"?([^";\s]+)', re.IGNORECASE)
_STATUS = {"J0413": 413, "J0503": 503}


@cache
def _keys() -> KeyStore:
    return KeyStore(settings().key_dir)


def unpack(request: HttpRequest, known: Known) -> list[RawMessage]:
    """The request as one message. Raises Refused for another content type, MTOM, or a strange action."""
    if len(request.body) > names.MAX_ENVELOPE_BYTES:
        limit = f"at most {names.MAX_ENVELOPE_BYTES} bytes"
        raise Refused(Finding("TOO_LARGE", "/", f"{len(request.body)} bytes", limit))
    content_type = request.headers.get("content-type", "")
    media = content_type.split(";")[0].strip().lower()
    if media != "application/soap+xml":
        _refuse_header("Content-Type", media or "absent", "application/soap+xml (no MTOM, no SwA)")
    charset = _CHARSET.search(content_type)
    if charset and charset[1].lower() != "utf-8":
        _refuse_header("Content-Type charset", charset[1][:40], "utf-8")
    return [
        RawMessage(
            partner=names.PARTNER,
            channel="push",
            operation=_operation(content_type),
            content=request.body,
            received_at=request.received_at,
            headers=dict(request.headers),
        )
    ]


def _operation(content_type: str) -> str:
    """The operation that the action names, "" where no action is given."""
    action = _ACTION.search(content_type)
    if not action or not action[1]:
        return ""
    prefix = f"{names.COLLAB}:"
    name = action[1].removeprefix(prefix)
    if name not in INBOUND or not action[1].startswith(prefix):
        _refuse_header("Content-Type action", action[1][:100], ", ".join(prefix + each for each in INBOUND))
    return name


def _refuse_header(header: str, found: str, expected: str) -> None:
    raise Refused(Finding("SCHEMA_VIOLATION", f"header {header}", found, expected))


def answer(outcomes: list[Outcome], request: HttpRequest) -> HttpAnswer:
    """Receipt J0000, or the progress asked for; a fault for what was refused or quarantined."""
    outcome = outcomes[0]
    if outcome.result not in ("ACCEPTED", "DUPLICATE", "PARKED"):
        return refuse(outcome.findings, request)
    hint = outcome.reply_hint
    if "stage" in hint:
        fields = {"CaseNo": hint["case_no"], "Stage": hint["stage"], "StageTime": hint["stage_time"]}
        return _signed(_element("QueryProgressResponse", fields), request.received_at, 200)
    fields = {
        "Code": "J0000",
        "Text": "已收妥",
        "ReceiptNo": outcome.receipt_no,
        "Digest": str(hint.get("body_digest", "")).upper(),
    }
    return _signed(_element("Receipt", fields), request.received_at, 200)


def refuse(findings: tuple[Finding, ...], request: HttpRequest) -> HttpAnswer:
    """A SOAP 1.2 fault with the first finding's code, field and text."""
    finding = findings[0]
    code = finding.partner_code or partner_code(finding.code)
    fault = etree.Element(names.soap("Fault"), nsmap={"s": names.SOAP, "wsse": WSSE, "wsu": WSU})
    blame = etree.SubElement(fault, names.soap("Code"))
    etree.SubElement(blame, names.soap("Value")).text = "s:Receiver" if code == "J0503" else "s:Sender"
    if ":" in code:
        subcode = etree.SubElement(blame, names.soap("Subcode"))
        etree.SubElement(subcode, names.soap("Value")).text = code
    reason = etree.SubElement(fault, names.soap("Reason"))
    text = etree.SubElement(reason, names.soap("Text"))
    text.set("{http://www.w3.org/XML/1998/namespace}lang", "zh")
    text.text = clean_text(finding.text_zh())[:2000]
    detail = etree.SubElement(fault, names.soap("Detail"))
    fields = {"Code": code, "Field": finding.path, "Text": finding.text_zh()}
    detail.append(_element("ServiceFault", fields))
    return _signed(fault, request.received_at, _STATUS.get(code, 400))


def partner_code(code: str) -> str:
    """The procuratorate's code for one of ours, by the manifest."""
    errors: dict[str, str] = manifest()["errors"]
    return errors.get(code, errors["default"])


def _element(name: str, fields: dict[str, str]) -> etree._Element:
    made = etree.Element(names.collab(name), nsmap={None: names.COLLAB})
    for field, text in fields.items():
        if text:
            etree.SubElement(made, names.collab(field)).text = clean_text(text)[:2000]
    return made


def _signed(payload: etree._Element, now: datetime, status: int) -> HttpAnswer:
    own = manifest()["keys"]["own"]
    content = signed_envelope(
        payload, key=_keys().private_key(own), certificate=_keys().certificate(own), now=now
    )
    headers = {"Content-Type": "application/soap+xml; charset=utf-8"}
    if status == 503:
        headers["Retry-After"] = str(manifest()["limits"]["busy_retry_s"])
    return HttpAnswer(status, content, headers)


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        method="POST",
        path=PATH,
        operation="",
        max_bytes=names.MAX_ENVELOPE_BYTES,
        unpack=unpack,
        answer=answer,
        refuse=refuse,
        wsdl=(names.CONTRACT / "collab-hub.wsdl").read_bytes(),
    ),
)
