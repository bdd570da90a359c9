"""Refusals as problem+json (RFC 9457) and as SOAP faults: the same findings, code and path in both."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

import orjson

from connectors.open_contract.shape import xml_path
from exchange_api.open_contract.wire import Answer
from exchange_api.problem import STATUS_OF
from schemas.findings import FINDING_CODES, Finding
from schemas.open_contract import NAMESPACE
from schemas.soap import SOAP11, SOAP12, clean_text

_WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_MORE = {
    "KEY_REVOKED": 401,
    "KEY_EXPIRED": 401,
    "PARTNER_SUSPENDED": 403,
    "DIGEST_MISMATCH": 400,
    "ALGORITHM_UNSUPPORTED": 400,
    "JSON_NOT_WELL_FORMED": 400,
    "JSON_DUPLICATE_KEY": 400,
    "ENCODING_MISMATCH": 400,
}
# Trouble of ours, or too much of theirs: the same may be sent again later.
_LATER = {"UNAVAILABLE", "RATE_LIMITED"}
RETRY_AFTER_S = 2
MOST_TOLD = 100


def status_of(code: str) -> int:
    """The HTTP status of a refusal."""
    return STATUS_OF.get(code) or _MORE.get(code, 422)


def problem(
    findings: Sequence[Finding], extra: Sequence[tuple[bytes, bytes]] = (), status: int = 0
) -> Answer:
    """One problem document; the first finding decides the status."""
    first = findings[0]
    code = status or status_of(first.code)
    body = {
        "type": f"urn:concord:error:{first.code}",
        "title": FINDING_CODES[first.code].zh,
        "status": code,
        "code": first.code,
        "detail": f"{first.text_zh()} {first.text_en()}",
        "errors": [each.as_dict() for each in findings[:MOST_TOLD]],
    }
    return Answer(code, orjson.dumps(body), b"application/problem+json", [*_later(first), *extra])


def _later(first: Finding) -> list[tuple[bytes, bytes]]:
    """When to come back; a call beyond the rate is told by its RateLimit headers' own."""
    return [(b"retry-after", b"%d" % RETRY_AFTER_S)] if first.code == "UNAVAILABLE" else []


def fault(findings: Sequence[Finding], soap: str, root: str = "") -> Answer:
    """A SOAP fault of the envelope's version. ``root``: where the message stands in the request, before its own paths."""
    first = findings[0]
    listed = "".join(_listed(each, root) for each in findings[:MOST_TOLD])
    detail = f'<problem xmlns="{NAMESPACE}">{listed}</problem>'
    text = escape(clean_text(f"{first.code}: {first.text_en()} {first.text_zh()}"))
    security = first.partner_code if first.partner_code.startswith("wsse:") else ""
    later = first.code in _LATER
    if soap == SOAP12:
        side = "Receiver" if later else "Sender"
        sub = f"<s:Subcode><s:Value>{security}</s:Value></s:Subcode>" if security else ""
        inner = (
            f'<s:Code><s:Value>s:{side}</s:Value>{sub}</s:Code><s:Reason><s:Text xml:lang="en">{text}</s:Text></s:Reason>'
            f"<s:Detail>{detail}</s:Detail>"
        )
    else:
        side = security or ("s:Server" if later else "s:Client")
        inner = f"<faultcode>{side}</faultcode><faultstring>{text}</faultstring><detail>{detail}</detail>"
    body = f'<s:Fault xmlns:wsse="{_WSSE}">{inner}</s:Fault>'
    status = {"UNAVAILABLE": 503, "RATE_LIMITED": 429}.get(first.code, 400 if soap == SOAP12 else 500)
    return Answer(status, envelope(body, soap), media_of(soap), _later(first))


def _listed(finding: Finding, root: str) -> str:
    path = xml_path(finding.path, root) if root and finding.path.startswith("/") else finding.path
    told = {"code": finding.code, "path": path, "found": finding.found, "expected": finding.expected}
    told["action"] = finding.action
    inner = "".join(f"<{name}>{escape(clean_text(value))}</{name}>" for name, value in told.items())
    return f"<fault>{inner}</fault>"


def envelope(body: str, soap: str) -> bytes:
    """A SOAP envelope round a body that is already XML."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<s:Envelope xmlns:s="{soap}"><s:Body>{body}</s:Body></s:Envelope>'
    ).encode()


def media_of(soap: str) -> bytes:
    """The media type of an envelope."""
    return b"application/soap+xml; charset=utf-8" if soap == SOAP12 else b"text/xml; charset=utf-8"


__all__ = ["SOAP11", "SOAP12", "envelope", "fault", "media_of", "problem", "status_of"]
