"""SOAP envelopes from outside and to outside: bounded reading, plain writing. No transport, no partner.

Long base64 runs are cut out before the XML parser sees them and put back when a text is read: libxml2
refuses a text over 10 MB unless its other limits are lifted too, and those we want to keep.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from lxml import etree

from schemas.findings import Finding, Refused
from schemas.xml_safe import parse_xml

SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
_CUT_FROM = 1_000_000
_RUN = re.compile(rb"[A-Za-z0-9+/=]+")
_MARK = "\ue000"


@dataclass(frozen=True)
class Envelope:
    """A SOAP message taken apart. `payload` is the one child of Body; `name`, `namespace` are its name."""

    payload: "etree._Element"
    name: str
    namespace: str
    soap: str
    header: "etree._Element | None" = None
    cuts: tuple[str, ...] = field(default=(), repr=False)

    def text(self, name: str, namespace: str | None = None) -> str | None:
        """Text of the payload's child `name` (in the payload's namespace by default); None = absent."""
        child = self.payload.find(f"{{{self.namespace if namespace is None else namespace}}}{name}")
        return None if child is None else self.text_of(child)

    def text_of(self, element: "etree._Element") -> str:
        """Whole text of an element, with what was cut out of it put back."""
        text = "".join(str(piece) for piece in element.itertext())
        if self.cuts and _MARK in text:
            text = re.sub(f"{_MARK}(\\d+){_MARK}", lambda match: self.cuts[int(match[1])], text)
        return text


def read_envelope(
    raw: bytes, *, max_bytes: int, versions: Iterable[str] = (SOAP11,), understood: Iterable[str] = ()
) -> Envelope:
    """Take a SOAP message apart.

    `max_bytes`: limit of the whole message. `versions`: envelope namespaces taken. `understood`:
    namespaces of header blocks that the caller handles; another one with mustUnderstand is refused.
    Raises Refused: what parse_xml refuses, and SCHEMA_VIOLATION where the envelope is none.
    """
    small, cuts = _cut_long_runs(raw, max_bytes)
    root = parse_xml(small, max_bytes=max_bytes)
    name = etree.QName(root)
    if name.localname != "Envelope":
        raise Refused(Finding("SCHEMA_VIOLATION", "/", name.localname, "a SOAP envelope"))
    soap = name.namespace or ""
    if soap not in tuple(versions):
        raise Refused(Finding("SCHEMA_VIOLATION", "/Envelope", soap or "no namespace", " or ".join(versions)))
    header = root.find(f"{{{soap}}}Header")
    if header is not None:
        _refuse_unknown_header(header, soap, tuple(understood))
    bodies = root.findall(f"{{{soap}}}Body")
    if len(bodies) != 1:
        found = "absent" if not bodies else f"{len(bodies)} times"
        raise Refused(Finding("SCHEMA_VIOLATION", "/Envelope/Body", found, "one Body"))
    children = [child for child in bodies[0] if isinstance(child.tag, str)]
    if len(children) != 1:
        raise Refused(
            Finding("SCHEMA_VIOLATION", "/Envelope/Body", f"{len(children)} elements", "one element")
        )
    payload = etree.QName(children[0])
    return Envelope(children[0], payload.localname, payload.namespace or "", soap, header, cuts)


def _cut_long_runs(raw: bytes, max_bytes: int) -> tuple[bytes, tuple[str, ...]]:
    if not _CUT_FROM < len(raw) <= max_bytes:
        return raw, ()
    mark = _MARK.encode("utf-8")
    # In any other encoding, or with our mark already inside, nothing is cut: the parser's own limit holds.
    if mark in raw or (
        b"encoding" in raw[:200] and not re.search(rb"encoding\s*=\s*.utf-?8", raw[:200], re.I)
    ):
        return raw, ()
    cuts: list[str] = []
    pieces: list[bytes] = []
    position = 0
    for run in _RUN.finditer(raw):
        if run.end() - run.start() >= _CUT_FROM:
            pieces += [raw[position : run.start()], mark, str(len(cuts)).encode(), mark]
            cuts.append(run[0].decode("ascii"))
            position = run.end()
    return b"".join([*pieces, raw[position:]]), tuple(cuts)


def _refuse_unknown_header(header: "etree._Element", soap: str, understood: tuple[str, ...]) -> None:
    for block in header:
        if not isinstance(block.tag, str):
            continue
        name = etree.QName(block)
        must = block.get(f"{{{soap}}}mustUnderstand", "0").strip().lower() in ("1", "true")
        if must and (name.namespace or "") not in understood:
            raise Refused(
                Finding(
                    "SCHEMA_VIOLATION",
                    f"/Envelope/Header/{name.localname}",
                    "a header block that must be understood",
                    "no such block",
                )
            )


def action_contradicts(headers_action: str | None, name: str) -> bool:
    """Whether a SOAPAction header (quotes and all) names another operation than `name`; empty says nothing."""
    action = (headers_action or "").strip().strip('"').strip()
    return bool(action) and re.split(r"[/#:]", action)[-1] != name


def write_envelope(name: str, namespace: str, fields: Iterable[tuple[str, str | None]]) -> bytes:
    """A SOAP 1.1 message whose Body holds `name` with text children; fields that are None are left out."""
    inner = "".join(
        f"<{key}>{escape(clean_text(value))}</{key}>" for key, value in fields if value is not None
    )
    return _wrapped(f'<{name} xmlns="{escape(namespace)}">{inner}</{name}>')


def write_fault(faultcode: str, faultstring: str, detail: str = "") -> bytes:
    """A SOAP 1.1 fault. `faultcode`: "Client" or "Server". `detail`: XML put inside detail, already escaped."""
    inner = f"<detail>{detail}</detail>" if detail else ""
    return _wrapped(
        f"<soap:Fault><faultcode>soap:{escape(faultcode)}</faultcode>"
        f"<faultstring>{escape(clean_text(faultstring))}</faultstring>{inner}</soap:Fault>"
    )


def clean_text(text: str) -> str:
    """`text` without characters that XML 1.0 cannot carry; they become U+FFFD."""
    return re.sub("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)


def _wrapped(body: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<soap:Envelope xmlns:soap="{SOAP11}"><soap:Body>{body}</soap:Body></soap:Envelope>'
    ).encode()
