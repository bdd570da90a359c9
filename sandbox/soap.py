"""SOAP 1.1 and 1.2 by hand with lxml: strict reading, schema check against the partner's WSDL, faults."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lxml import etree

SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
WSDL = "http://schemas.xmlsoap.org/wsdl/"
XS = "http://www.w3.org/2001/XMLSchema"
WSDL_SOAP = ("http://schemas.xmlsoap.org/wsdl/soap/", "http://schemas.xmlsoap.org/wsdl/soap12/")
CONTENT_TYPE = {SOAP11: "text/xml; charset=utf-8", SOAP12: "application/soap+xml; charset=utf-8"}


class SoapTrouble(Exception):
    """The envelope cannot be taken; `code` is our word, the text says why."""

    def __init__(self, code: str, text: str, path: str = "/") -> None:
        super().__init__(text)
        self.code, self.path = code, path


def parse_xml(raw: bytes, max_bytes: int = 40_000_000) -> etree._Element:
    """Parse XML from outside: no document type, no entities, no network. Raises SoapTrouble."""
    if len(raw) > max_bytes:
        raise SoapTrouble("TOO_LARGE", f"more than {max_bytes} bytes")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=len(raw) > 9_000_000
    )
    try:
        root = etree.fromstring(raw, parser)
    except (etree.XMLSyntaxError, ValueError) as trouble:
        raise SoapTrouble("XML_NOT_WELL_FORMED", str(trouble)[:200]) from trouble
    if root.getroottree().docinfo.doctype:  # type: ignore[union-attr]
        raise SoapTrouble("XML_DTD_FORBIDDEN", "a document type declaration is not taken")
    return root


@dataclass(frozen=True)
class Envelope:
    """A read envelope: its root, Body element, and the one element in the Body."""

    root: etree._Element
    body: etree._Element
    payload: etree._Element

    @property
    def operation(self) -> str:
        return etree.QName(self.payload).localname


def read_envelope(raw: bytes, version: str, max_bytes: int = 40_000_000) -> Envelope:
    """Read an envelope of SOAP `version` (SOAP11 or SOAP12). Raises SoapTrouble."""
    root = parse_xml(raw, max_bytes)
    if root.tag != f"{{{version}}}Envelope":
        raise SoapTrouble("SOAP_VERSION", f"root is {root.tag}", "/Envelope")
    bodies = [child for child in root if child.tag == f"{{{version}}}Body"]
    if len(bodies) != 1:
        raise SoapTrouble("SOAP_BODY", f"{len(bodies)} Body elements", "/Envelope/Body")
    inside = [child for child in bodies[0] if isinstance(child.tag, str)]
    if len(inside) != 1:
        raise SoapTrouble("SOAP_BODY", f"{len(inside)} elements in Body", "/Envelope/Body")
    return Envelope(root, bodies[0], inside[0])


class Service:
    """A partner's WSDL: the schema of its messages and the SOAPAction of each operation."""

    def __init__(self, wsdl: Path) -> None:
        self._text = wsdl.read_bytes()
        root = etree.fromstring(self._text)
        (schema,) = root.iter(f"{{{XS}}}schema")
        self.namespace = str(schema.get("targetNamespace"))
        self._schema = etree.XMLSchema(etree.fromstring(etree.tostring(schema)))
        self.actions: dict[str, str] = {}
        for operation in root.iterfind(f"{{{WSDL}}}binding/{{{WSDL}}}operation"):
            for space in WSDL_SOAP:
                action = operation.find(f"{{{space}}}operation")
                if action is not None:
                    self.actions[str(operation.get("name"))] = str(action.get("soapAction"))

    def wsdl(self, address: str) -> bytes:
        """The WSDL with this service's own address in it."""
        return self._text.replace(b"http://localhost:0/replace-me", address.encode())

    def violations(self, payload: etree._Element) -> list[str]:
        """Schema errors of a Body's element, most important first; empty = valid."""
        alone = etree.fromstring(etree.tostring(payload, with_tail=False))
        if self._schema.validate(alone):
            return []
        return [f"line {each.line}: {each.message}" for each in self._schema.error_log][:10]  # type: ignore[attr-defined]


def envelope(version: str, payload: etree._Element) -> bytes:
    """An envelope without header round a Body element."""
    prefix = "soap" if version == SOAP11 else "s"
    root = etree.Element(f"{{{version}}}Envelope", nsmap={prefix: version})
    etree.SubElement(root, f"{{{version}}}Body").append(payload)
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def element(namespace: str, name: str, children: list[tuple[str, str | None]]) -> etree._Element:
    """`<name xmlns=namespace>` with text children in the order given; None leaves one out."""
    root = etree.Element(f"{{{namespace}}}{name}", nsmap={None: namespace})  # type: ignore[dict-item]
    for child, text in children:
        if text is not None:
            etree.SubElement(root, f"{{{namespace}}}{child}").text = text
    return root


def fault11(who: str, text: str, detail: etree._Element | None = None) -> bytes:
    """A SOAP 1.1 fault; `who` is Client or Server."""
    fault = etree.Element(f"{{{SOAP11}}}Fault", nsmap={"soap": SOAP11})
    etree.SubElement(fault, "faultcode").text = f"soap:{who}"
    etree.SubElement(fault, "faultstring").text = text
    if detail is not None:
        etree.SubElement(fault, "detail").append(detail)
    return envelope(SOAP11, fault)


def fault12(who: str, text: str, detail: etree._Element | None = None, subcode: str = "") -> etree._Element:
    """A SOAP 1.2 Fault element; `who` is Sender or Receiver, `subcode` a qualified name whose prefix is wsse or wsu."""
    fault = etree.Element(f"{{{SOAP12}}}Fault", nsmap={"s": SOAP12, **(SECURITY_PREFIXES if subcode else {})})
    code = etree.SubElement(fault, f"{{{SOAP12}}}Code")
    etree.SubElement(code, f"{{{SOAP12}}}Value").text = f"s:{who}"
    if subcode:
        inner = etree.SubElement(code, f"{{{SOAP12}}}Subcode")
        etree.SubElement(inner, f"{{{SOAP12}}}Value").text = subcode
    reason = etree.SubElement(etree.SubElement(fault, f"{{{SOAP12}}}Reason"), f"{{{SOAP12}}}Text")
    reason.set("{http://www.w3.org/XML/1998/namespace}lang", "zh")
    reason.text = text
    if detail is not None:
        etree.SubElement(fault, f"{{{SOAP12}}}Detail").append(detail)
    return fault


_OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-"
SECURITY_PREFIXES = {"wsse": f"{_OASIS}secext-1.0.xsd", "wsu": f"{_OASIS}utility-1.0.xsd"}


def text_of(parent: etree._Element, name: str) -> str | None:
    """Text of a direct child by local name: None when it is not there, "" when it is empty."""
    for child in parent:
        if isinstance(child.tag, str) and etree.QName(child).localname == name:
            return child.text or ""
    return None


def find_local(parent: etree._Element, name: str) -> etree._Element | None:
    """First descendant with that local name."""
    for each in parent.iter():
        if isinstance(each.tag, str) and etree.QName(each).localname == name:
            return each
    return None
