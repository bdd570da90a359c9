"""Takes an envelope apart by place, never by id, so that nothing moved elsewhere can be read by mistake.

Every part that is signed or read stands at one fixed place and only once; an envelope with a second Body,
a second Security or an id that occurs twice is refused before any signature is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from lxml import etree

from connectors.procuratorate_wss import names
from schemas.findings import Finding, Refused
from schemas.xml_safe import parse_xml

Element = etree._Element

# Attributes that some XML tool takes for an id. Two equal ones are refused whatever they are called.
_ID_NAMES = {"id", "Id", "ID", "iD", "AssertionID", "ResponseID", "wsuId"}


@dataclass(frozen=True)
class Envelope:
    """The parts of one envelope. `security` None: nothing signed (a fault may come so)."""

    root: Element
    body: Element
    security: Element | None

    @property
    def payload(self) -> Element | None:
        """The one element in the Body, as it stands; read the signed one (`signature.Signed`) instead."""
        children = [child for child in self.body if isinstance(child.tag, str)]
        return children[0] if len(children) == 1 else None


@dataclass(frozen=True)
class Security:
    """The header's parts, each a direct child of wsse:Security and the only one of its name."""

    timestamp: Element
    username_token: Element | None
    token: Element
    signature: Element


def take_apart(raw: bytes) -> Envelope:
    """Parse and take apart. Raises Refused: XML faults, not a SOAP 1.2 envelope, parts doubled or misplaced."""
    root = parse_xml(raw, max_bytes=names.MAX_ENVELOPE_BYTES, path_root="/")
    if root.tag != names.soap("Envelope"):
        _refuse("SCHEMA_VIOLATION", "/", _plain(root), "SOAP 1.2 Envelope", "J0201")
    children = [child for child in root if isinstance(child.tag, str)]
    headers = [child for child in children if child.tag == names.soap("Header")]
    bodies = [child for child in children if child.tag == names.soap("Body")]
    if len(bodies) != 1 or len(headers) > 1 or len(children) != len(headers) + 1:
        _refuse(
            "SCHEMA_VIOLATION",
            "/Envelope",
            ", ".join(map(_plain, children)) or "nothing",
            "Header, Body",
            "J0201",
        )
    if headers and children[0] is not headers[0]:
        _refuse("SCHEMA_VIOLATION", "/Envelope", "Body before Header", "Header, Body", "J0201")
    _refuse_doubles(root, bodies[0])
    return Envelope(root, bodies[0], _security_of(headers[0]) if headers else None)


def _security_of(header: Element) -> Element | None:
    found = None
    for block in header:
        if not isinstance(block.tag, str):
            continue
        if block.tag == names.wsse("Security"):
            found = block
        elif block.get(names.soap("mustUnderstand"), "").lower() in ("true", "1"):
            _refuse(
                "SCHEMA_VIOLATION", "/Envelope/Header", f"mustUnderstand {_plain(block)}", "Security", "J0201"
            )
    return found


def _refuse_doubles(root: Element, body: Element) -> None:
    ids: set[str] = set()
    for element in root.iter():
        if not isinstance(element.tag, str):
            continue
        if element.tag == names.soap("Body") and element is not body:
            unsafe("/Envelope", "a second Body", "one Body, child of the Envelope")
        if element.tag == names.soap("Envelope") and element is not root:
            unsafe("/Envelope", "an Envelope inside", "one Envelope")
        if element.tag == names.wsse("Security") and not _is_header_block(element, root):
            unsafe(names.SECURITY_PATH, "Security outside the Header", "one Security, child of the Header")
        for value in _ids_of(element):
            if value in ids:
                unsafe(names.SECURITY_PATH, f"Id {value} twice", "each Id once")
            ids.add(value)
    if len(root.findall(f"{names.soap('Header')}/{names.wsse('Security')}")) > 1:
        unsafe(names.SECURITY_PATH, "a second Security", "one Security")


def _ids_of(element: Element) -> list[str]:
    return [str(value) for name, value in element.attrib.items() if etree.QName(name).localname in _ID_NAMES]


def _is_header_block(element: Element, root: Element) -> bool:
    parent = element.getparent()
    return parent is not None and parent.tag == names.soap("Header") and parent.getparent() is root


def security_parts(security: Element) -> Security:
    """The signed header's parts. Raises Refused when one is missing, doubled or unknown."""
    found: dict[str, Element] = {}
    known = {
        names.wsu("Timestamp"): "Timestamp",
        names.wsse("UsernameToken"): "UsernameToken",
        names.wsse("BinarySecurityToken"): "BinarySecurityToken",
        names.ds("Signature"): "Signature",
    }
    for child in security:
        if not isinstance(child.tag, str):
            continue
        name = known.get(child.tag, "")
        if not name:
            unsafe(
                names.SECURITY_PATH, _plain(child), "Timestamp, UsernameToken, BinarySecurityToken, Signature"
            )
        if name in found:
            unsafe(f"{names.SECURITY_PATH}/{name}", f"{name} twice", f"one {name}")
        found[name] = child
    if "Signature" not in found:
        missing(names.SECURITY_PATH, "no Signature")
    for name in ("Timestamp", "BinarySecurityToken"):
        if name not in found:
            unsafe(f"{names.SECURITY_PATH}/{name}", "absent", "required")
    return Security(
        found["Timestamp"], found.get("UsernameToken"), found["BinarySecurityToken"], found["Signature"]
    )


def missing(path: str, found: str) -> NoReturn:
    """Refuse: nothing is signed."""
    _refuse("SIGNATURE_MISSING", path, found, "signed message", "wsse:InvalidSecurity")


def unsafe(path: str, found: str, expected: str) -> NoReturn:
    """Refuse: the security header is not built as the contract says."""
    _refuse("SIGNATURE_INVALID", path, found, expected, "wsse:InvalidSecurity")


def _refuse(code: str, path: str, found: str, expected: str, partner_code: str) -> NoReturn:
    raise Refused(Finding(code, path, found, expected, partner_code=partner_code))


def _plain(element: Element) -> str:
    return etree.QName(element).localname
