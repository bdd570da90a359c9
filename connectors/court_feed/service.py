"""What the court calls: ReceiveBatch and ReceiveNotice (contract/court-receiver.wsdl).

A business refusal is an answer with HTTP 200 and the court's code; only a message whose operation cannot be
told gets a SOAP fault, which SOAP 1.1 sends with status 500.
"""

import tomllib
from ipaddress import ip_address, ip_network
from typing import Any
from xml.sax.saxutils import escape

from connectors.court_feed.client import detail_of
from connectors.court_feed.envelopes import RECEIVER
from connectors.court_feed.opening import MESSAGE_BYTES
from connectors.court_feed.tables import HERE
from schemas.canonical import sha256_hex
from schemas.exchange import Endpoint, HttpAnswer, HttpRequest, Known, Outcome, RawMessage
from schemas.findings import Finding, Refused
from schemas.soap import clean_text, write_envelope, write_fault

MANIFEST: dict[str, Any] = tomllib.loads((HERE / "partner.toml").read_text(encoding="utf-8"))
ERRORS: dict[str, str] = MANIFEST["errors"]
OPERATIONS = ("ReceiveBatch", "ReceiveNotice")
_XML = {"Content-Type": "text/xml; charset=utf-8"}


def unpack(request: HttpRequest, known: Known) -> list[RawMessage]:
    """One SOAP message as it came. Raises Refused for a sender outside the address list.

    What is inside is looked at by the mapping, after the raw bytes are stored.
    """
    _check_address(request)
    headers = {
        name: request.headers[name] for name in ("soapaction", "content-type") if name in request.headers
    }
    operation = _named(request) or OPERATIONS[0]
    return [RawMessage(MANIFEST["id"], "push", operation, request.body, request.received_at, headers=headers)]


def _check_address(request: HttpRequest) -> None:
    allowed = [ip_network(each) for each in MANIFEST["auth"]["addresses"]]
    try:
        address = ip_address(request.client_address)
    except ValueError:
        return  # no address known: a socket of this machine
    if allowed and not any(address in network for network in allowed):
        raise Refused(Finding("NOT_AUTHORISED", "/", request.client_address, "an address of the court"))


def answer(outcomes: list[Outcome], request: HttpRequest) -> HttpAnswer:
    """The answer with the court's code; a repeat gets the same receipt number again."""
    outcome = outcomes[0]
    operation = str(outcome.reply_hint.get("operation") or _named(request))
    if operation not in OPERATIONS:
        return refuse(outcome.findings, request)
    taken = outcome.result in ("ACCEPTED", "DUPLICATE", "PARKED")
    code = "C0000" if taken else code_of(outcome.findings)
    text = detail_of(outcome.findings) if outcome.findings else ""
    body = write_envelope(
        f"{operation}Response",
        RECEIVER,
        (("code", code), ("message", text), ("receiptNo", outcome.receipt_no or None)),
    )
    return HttpAnswer(200, body, _XML)


def refuse(findings: tuple[Finding, ...], request: HttpRequest) -> HttpAnswer:
    """A refusal: the operation's answer where it is known, else a fault that blames the sender."""
    operation = _named(request)
    first = findings[0] if findings else Finding("SCHEMA_VIOLATION", "/", "", "a call of the contract")
    code = code_of(findings)
    if operation in OPERATIONS and first.path != "/":
        body = write_envelope(
            f"{operation}Response", RECEIVER, (("code", code), ("message", detail_of(findings)))
        )
        return HttpAnswer(200, body, _XML)
    detail = (
        f'<ServiceFault xmlns="{RECEIVER}"><code>{code}</code>'
        f"<text>{escape(clean_text(first.text_zh()[:300]))}</text>"
        f"<path>{escape(clean_text(first.path[:200]))}</path>"
        f"<traceNo>{sha256_hex(request.body)[:16]}</traceNo></ServiceFault>"
    )
    number = int(code[1:]) if code[1:].isdigit() else 0
    blame = "Server" if first.code == "UNAVAILABLE" else "Client"
    return HttpAnswer(500, write_fault(blame, f"CTX-{number:04d}", detail), _XML)


def code_of(findings: tuple[Finding, ...]) -> str:
    """The court's code for the first finding."""
    if not findings:
        return ERRORS["default"]
    return findings[0].partner_code or ERRORS.get(findings[0].code, ERRORS["default"])


def _named(request: HttpRequest) -> str:
    """The operation that the SOAPAction header or else the body names; "" when neither does."""
    action = request.headers.get("soapaction", "").strip().strip('"').rpartition("#")[2]
    if action in OPERATIONS:
        return action
    head = request.body[:3000]
    return next((name for name in OPERATIONS if name.encode() in head), "")


_WSDL = (
    (HERE / "contract" / "court-receiver.wsdl")
    .read_bytes()
    .replace(b"http://localhost:0/replace-me", b"{{ADDRESS}}")
)

ENDPOINTS: tuple[Endpoint, ...] = tuple(
    Endpoint(
        method="POST",
        path=MANIFEST["paths"]["receiver"],
        operation=name,
        max_bytes=MESSAGE_BYTES,
        unpack=unpack,
        answer=answer,
        refuse=refuse,
        wsdl=_WSDL if name == OPERATIONS[0] else None,
    )
    for name in OPERATIONS
)
