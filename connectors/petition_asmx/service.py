"""What the petition office calls: AddXfj, UpdateXfj, RevokeXfj of the same old service, served by the hub.

HTTP 200 always, even for errors: the Result text says what became of the call. Only where the operation cannot
be told there is a fault that blames the sender, which SOAP 1.1 sends with status 500.
"""

import hmac
import json
import re
import tomllib
from typing import Any

from connectors.petition_asmx.opening import MESSAGE_BYTES, PUSHED
from connectors.petition_asmx.tables import HERE, NAMESPACE
from schemas.exchange import Endpoint, HttpAnswer, HttpRequest, Known, Outcome, RawMessage
from schemas.findings import Finding, Refused
from schemas.soap import write_envelope, write_fault
from schemas.wide import BEIJING

MANIFEST: dict[str, Any] = tomllib.loads((HERE / "partner.toml").read_text(encoding="utf-8"))
ERRORS: dict[str, str] = MANIFEST["errors"]
HEADER = "x-xf-token"
_XML = {"Content-Type": "text/xml; charset=utf-8"}


def unpack(request: HttpRequest, known: Known) -> list[RawMessage]:
    """One SOAP message as it came. Raises Refused where the token is missing or wrong.

    What is inside is looked at by the mapping, after the raw bytes are stored.
    """
    if known.check_authenticity:
        _check_token(request, known)
    headers = {
        name: request.headers[name] for name in ("soapaction", "content-type") if name in request.headers
    }
    return [
        RawMessage(
            MANIFEST["id"],
            "push",
            _named(request) or PUSHED[0],
            request.body,
            request.received_at,
            headers=headers,
        )
    ]


def _check_token(request: HttpRequest, known: Known) -> None:
    told = request.headers.get(HEADER, "")
    if not told:
        raise Refused(Finding("SIGNATURE_MISSING", "X-XF-Token", "absent", "this month's token"))
    for name in live_names(request):
        secret = _secret(known, name)
        if secret and hmac.compare_digest(told.encode(), secret.encode()):
            return
    raise Refused(Finding("SIGNATURE_INVALID", "X-XF-Token", "another token", "this month's token"))


def live_names(request: HttpRequest) -> tuple[str, ...]:
    """The tokens that are good now: the new one, and on the first of the month the old one too (24 hours)."""
    first_day = request.received_at.astimezone(BEIJING).day == 1
    return ("token", "token.old") if first_day else ("token",)


def _secret(known: Known, name: str) -> str:
    return known.secrets.get(name, "") or known.secrets.get(f"{MANIFEST['id']}.{name}", "")


def answer(outcomes: list[Outcome], request: HttpRequest) -> HttpAnswer:
    """The Result text; a repeat of the same version gets the same answer again."""
    outcome = outcomes[0]
    if outcome.result in ("ACCEPTED", "DUPLICATE", "PARKED"):
        return _written(_named(request), MANIFEST["replies"]["accepted"])
    return refuse(outcome.findings, request)


def refuse(findings: tuple[Finding, ...], request: HttpRequest) -> HttpAnswer:
    """Result 0 with the office's code, and beside it our own code and the place."""
    operation = _named(request)
    first = findings[0] if findings else Finding("SCHEMA_VIOLATION", "/", "", "a call of the contract")
    told = json.loads(first.partner_code or ERRORS.get(first.code, ERRORS["default"]))
    if not operation:
        detail = f"{first.code} {first.path} {told['Message']}"
        blame = "Server" if first.code == "UNAVAILABLE" else "Client"
        return HttpAnswer(500, write_fault(blame, detail), _XML)
    told["Detail"] = ";".join(f"{each.path}={each.code}" for each in findings[:20])[:1000]
    return _written(operation, json.dumps(told, ensure_ascii=False, separators=(",", ":")))


def _written(operation: str, text: str) -> HttpAnswer:
    name = operation or PUSHED[0]
    return HttpAnswer(200, write_envelope(f"{name}Response", NAMESPACE, ((f"{name}Result", text),)), _XML)


def _named(request: HttpRequest) -> str:
    """The operation that the SOAPAction header or else the body names; "" when neither does."""
    action = request.headers.get("soapaction", "").strip().strip('"').rpartition("/")[2]
    if action in PUSHED:
        return action
    match = re.search(rb"<(?:[A-Za-z][\w.-]*:)?(AddXfj|UpdateXfj|RevokeXfj)[\s>/]", request.body[:4000])
    return match[1].decode() if match else ""


_WSDL = (
    (HERE / "contract" / "XfService.asmx.wsdl")
    .read_bytes()
    .replace(b"http://localhost:0/replace-me", b"{{ADDRESS}}")
)

ENDPOINTS: tuple[Endpoint, ...] = tuple(
    Endpoint(
        method="POST",
        path=MANIFEST["paths"]["service"],
        operation=name,
        max_bytes=MESSAGE_BYTES,
        unpack=unpack,
        answer=answer,
        refuse=refuse,
        wsdl=_WSDL if name == PUSHED[0] else None,
    )
    for name in PUSHED
)
