"""The SOAP door, 1.1 and 1.2: what was signed is what is read, checked by the XSD; answers are written from templates."""

from __future__ import annotations

import base64
import re
from typing import Any, cast
from xml.sax.saxutils import escape, quoteattr

import orjson
from anyio import to_thread
from lxml import etree

from connectors.open_contract import schema_files, shape
from exchange_api.open_contract.problems import SOAP11, SOAP12, envelope, fault, media_of, problem
from exchange_api.open_contract.rest import perform
from exchange_api.open_contract.taking import Desk, Plain
from exchange_api.open_contract.wire import Answer, Request
from foundation.identity import Identity
from foundation.wss_envelope import Element
from hub import subscription_calls
from hub.operations import TAKES
from schemas.findings import Finding, Refused
from schemas.open_contract import MOST_BODY_BYTES, NAMESPACE
from schemas.soap import action_contradicts, clean_text

PATH = "/open/soap"
# An envelope is larger than the message in it.
MOST_MESSAGE_BYTES = 2 * MOST_BODY_BYTES
LARGE_BYTES = 256 * 1024
MEDIA = {"text/xml": SOAP11, "application/soap+xml": SOAP12}
_PREFIX = f"{{{NAMESPACE}}}"
_ACTION = re.compile(r'action\s*=\s*"([^"]*)"')
_FIRST_STEP = re.compile(r"^/[^/]*")
_ONE_OF = {
    "findings": "finding", "disputes": "dispute", "gaps": "gap", "results": "record", "topics": "topic",
    "subscriptions": "subscription",
}  # fmt: skip
# Answers whose content is wrapped in an element of its own.
_WRAPPED = {"status": "status", "query": "dispute", "batch_status": "batch"}
_wsdl: dict[str, bytes] = {}


async def answer(desk: Desk, request: Request) -> Answer:
    """Answer one call, or hand out the WSDL."""
    if request.method == "GET":
        return _wsdl_of(request)
    soap = MEDIA.get(request.media, SOAP12 if "soap" in request.media else SOAP11)
    if request.method != "POST":
        finding = Finding("SCHEMA_VIOLATION", "method", request.method[:20], "POST, or GET ?wsdl")
        return problem([finding], [(b"allow", b"GET, POST")], 405)
    root = ""
    try:
        if request.media not in MEDIA:
            raise Refused(
                Finding(
                    "SCHEMA_VIOLATION",
                    "header Content-Type",
                    request.media[:60] or "absent",
                    " or ".join(MEDIA),
                )
            )
        if len(request.body) > LARGE_BYTES:  # others must not wait while it is read and its digests are made
            identity = await to_thread.run_sync(desk.identify, request, "soap")
        else:
            identity = desk.identify(request, "soap")
        assert identity.envelope is not None
        if identity.envelope.soap != soap:
            wanted = f"{media_of(identity.envelope.soap).decode()} for this envelope"
            soap = identity.envelope.soap
            raise Refused(Finding("SCHEMA_VIOLATION", "header Content-Type", request.media, wanted))
        payload = _payload(identity)
        operation = str(etree.QName(payload).localname)
        root = f"/Envelope/Body/{operation}/message" if operation in TAKES else f"/Envelope/Body/{operation}"
        _check_action(request, soap, operation)
        if operation in TAKES:
            return await _take(desk, request, identity, operation, payload, soap, root)
        _check_schema(payload)
        if operation == "batch":
            return await _take_batch(desk, request, identity, payload, soap)
        desk.once(identity.proof)
        return await _ask(desk, identity, operation, payload, soap)
    except Refused as refused:
        return fault(refused.findings, soap, root)


def _wsdl_of(request: Request) -> Answer:
    if request.parts.query.lower() != "wsdl":
        finding = Finding(
            "SCHEMA_VIOLATION", "url", "GET without ?wsdl", "GET ?wsdl gives the contract; calls are POST"
        )
        return problem([finding], [(b"allow", b"POST")], 405)
    here = f"{request.parts.scheme}://{request.parts.authority}{PATH}"
    if here not in _wsdl:
        if len(_wsdl) > 20:
            _wsdl.clear()
        made = schema_files.wsdl().replace('"{{ADDRESS}}"', quoteattr(here))
        _wsdl[here] = made.encode()
    return Answer(200, _wsdl[here], b"text/xml; charset=utf-8")


def _payload(identity: Identity) -> Element:
    """The one element of the Body: of the signed one where the envelope is signed, so that nothing else can be read."""
    if identity.signed is not None:
        payload: Element | None = identity.signed.payload
    else:
        assert identity.envelope is not None
        payload = identity.envelope.payload
    names = ", ".join(schema_files.OPERATIONS)
    if payload is None:
        raise Refused(Finding("SCHEMA_VIOLATION", "/Envelope/Body", "not one element", f"one of {names}"))
    name = etree.QName(payload)
    if name.namespace != NAMESPACE or name.localname not in schema_files.OPERATIONS:
        found = f"{{{name.namespace}}}{name.localname}"
        raise Refused(Finding("SCHEMA_VIOLATION", "/Envelope/Body", found[:150], f"{names} of {NAMESPACE}"))
    return payload


def _check_action(request: Request, soap: str, operation: str) -> None:
    if soap == SOAP12:
        found = _ACTION.search(request.header("content-type"))
        action = found[1] if found else ""
    else:
        action = request.header("soapaction")
    if action_contradicts(action, operation):
        where = "header SOAPAction" if soap == SOAP11 else "header Content-Type action"
        raise Refused(Finding("SCHEMA_VIOLATION", where, action[:100], f"{NAMESPACE}/{operation}"))


def _check_schema(payload: Element) -> None:
    schema = schema_files.compiled()
    if schema.validate(payload):
        return
    entries = list(cast(Any, schema.error_log))[:20]
    raise Refused.of(
        Finding(
            "SCHEMA_VIOLATION", _place(each.path, payload), each.message.replace(_PREFIX, "")[:200], "the XSD"
        )
        for each in entries
    )


def _place(path: str | None, payload: Element) -> str:
    """Where the schema found it, by names: libxml2 tells /*/*[1]/… below the element that was checked."""
    rest = _FIRST_STEP.sub("", path or "")
    found = payload.xpath(f".{rest}", namespaces={"ns": NAMESPACE}) if rest else []
    element = found[0] if isinstance(found, list) and found else payload
    steps: list[str] = []
    node: Any = element
    while node is not None:
        name = str(etree.QName(node).localname)
        parent = node.getparent()
        same = [each for each in parent if each.tag == node.tag] if parent is not None else [node]
        steps.append(f"{name}[{same.index(node) + 1}]" if len(same) > 1 else name)
        if node is payload:
            break
        node = parent
    return "/Envelope/Body/" + "/".join(reversed(steps))


async def _take_batch(
    desk: Desk, request: Request, identity: Identity, payload: Element, soap: str
) -> Answer:
    told = {str(etree.QName(child).localname): "".join(map(str, child.itertext())) for child in payload}
    try:
        content = base64.b64decode("".join(told["content"].split()), validate=True)
    except ValueError:
        raise Refused(Finding("BASE64_INVALID", "/content", "not base64", "a zip in base64")) from None
    receipt, _ = await to_thread.run_sync(desk.give_batch, identity, told["batch_id"], content, request)
    return Answer(200, envelope(_receipt("batch", receipt), soap), media_of(soap))


async def _take(
    desk: Desk, request: Request, identity: Identity, operation: str, payload: Element, soap: str, root: str
) -> Answer:
    partner = identity.partner
    if len(request.body) > MOST_MESSAGE_BYTES:
        found, wanted = f"{len(request.body)} bytes", f"at most {MOST_MESSAGE_BYTES} bytes"
        raise Refused(Finding("TOO_LARGE", "/", found, wanted))
    try:
        _check_schema(payload)
        given = desk.checked(operation, partner, shape.read_xml(payload[0]), request, identity.proof)
    except Refused as refused:
        given = desk.refused(operation, partner, request, identity.proof, refused)
    taken = await desk.store(given)
    if taken.findings:
        return fault(taken.findings, soap, root)
    return Answer(200, envelope(_receipt(operation, taken.receipt), soap), media_of(soap))


def _receipt(operation: str, receipt: bytes) -> str:
    facts = orjson.loads(receipt)
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in facts.items())
    return f'<{operation}_response xmlns="{NAMESPACE}"><receipt>{inner}</receipt></{operation}_response>'


async def _ask(desk: Desk, identity: Identity, operation: str, payload: Element, soap: str) -> Answer:
    asked: Plain = {
        str(etree.QName(child).localname): child.text or "" for child in payload if isinstance(child.tag, str)
    }
    if operation == "status":
        told: Any = await desk.status(identity.partner, asked)
    elif operation in subscription_calls.CALLS:
        asked["topics"] = [each.text or "" for each in payload.iter(f"{_PREFIX}topic")]
        told = await to_thread.run_sync(
            subscription_calls.perform, desk.hub, operation, identity.partner, asked
        )
    else:
        told = await to_thread.run_sync(perform, desk.hub, operation, identity.partner, asked)
    if operation == "evidence":
        told = {"container": base64.b64encode(told).decode()}
    if isinstance(told, bytes):
        return Answer(200, envelope(_receipt(operation, told), soap), media_of(soap))
    inner = _xml(told)
    if operation in _WRAPPED:
        inner = f"<{_WRAPPED[operation]}>{inner}</{_WRAPPED[operation]}>"
    return Answer(
        200,
        envelope(f'<{operation}_response xmlns="{NAMESPACE}">{inner}</{operation}_response>', soap),
        media_of(soap),
    )


def _xml(told: Plain) -> str:
    """A plain answer as elements, in its own order."""
    pieces: list[str] = []
    for name, value in told.items():
        one = _ONE_OF.get(name, name)
        for each in value if isinstance(value, list) else [value]:
            inner = _xml(each) if isinstance(each, dict) else escape(clean_text(str(each)))
            pieces.append(f"<{one}>{inner}</{one}>")
    return "".join(pieces)
