"""Takes a signed SOAP envelope apart by place, never by id, so that nothing moved elsewhere can be read by mistake.

Every part that is signed or read stands at one fixed place and only once; an envelope with a second Body, a second
Security or an id that occurs twice is refused before any signature is looked at (WSS 1.1 SOAP Message Security; the
wrapping attacks of McIntosh and Austel, 2005). Findings carry the standard's own fault codes as ``partner_code``.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import NoReturn, cast

from lxml import etree

from schemas.findings import Finding, Refused
from schemas.soap import SOAP11, SOAP12
from schemas.xml_safe import parse_xml

Element = etree._Element
_local = threading.local()

DS = "http://www.w3.org/2000/09/xmldsig#"
_OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSSE = _OASIS + "wssecurity-secext-1.0.xsd"
WSU = _OASIS + "wssecurity-utility-1.0.xsd"
X509V3 = _OASIS + "x509-token-profile-1.0#X509v3"
PASSWORD_DIGEST = _OASIS + "username-token-profile-1.0#PasswordDigest"
BASE64_BINARY = _OASIS + "soap-message-security-1.0#Base64Binary"
EXC_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
WSU_ID = f"{{{WSU}}}Id"
SECURITY_PATH = "/Envelope/Header/Security"

# Attributes that some XML tool takes for an id. Two equal ones are refused whatever they are called.
_ID_NAMES = {"id", "Id", "ID", "iD", "AssertionID", "ResponseID", "wsuId"}


@dataclass(frozen=True)
class Envelope:
    """The parts of one envelope. ``soap``: its namespace; ``security`` None: nothing signed (a fault may come so)."""

    root: Element
    body: Element
    security: Element | None
    soap: str = SOAP12

    @property
    def payload(self) -> Element | None:
        """The one element in the Body, as it stands; read the signed one (``wss.Signed``) instead."""
        children = [child for child in self.body if isinstance(child.tag, str)]
        return children[0] if len(children) == 1 else None


@dataclass(frozen=True)
class Security:
    """The header's parts, each a direct child of wsse:Security and the only one of its name."""

    timestamp: Element
    username_token: Element | None
    token: Element
    signature: Element


def wsse(name: str) -> str:
    return f"{{{WSSE}}}{name}"


def wsu(name: str) -> str:
    return f"{{{WSU}}}{name}"


def ds(name: str) -> str:
    return f"{{{DS}}}{name}"


def take_apart(raw: bytes, *, max_bytes: int, versions: tuple[str, ...] = (SOAP11, SOAP12)) -> Envelope:
    """Parse and take apart. ``versions``: envelope namespaces taken.

    Raises Refused: XML faults, not such an envelope, parts doubled or misplaced.
    """
    root = parse_xml(raw, max_bytes=max_bytes, path_root="/")
    soap = next((each for each in versions if root.tag == f"{{{each}}}Envelope"), None)
    if soap is None:
        wanted = " or ".join("SOAP 1.1" if each == SOAP11 else "SOAP 1.2" for each in versions)
        _refuse("SCHEMA_VIOLATION", "/", plain(root), f"{wanted} Envelope")
    children = [child for child in root if isinstance(child.tag, str)]
    headers = [child for child in children if child.tag == f"{{{soap}}}Header"]
    bodies = [child for child in children if child.tag == f"{{{soap}}}Body"]
    if len(bodies) != 1 or len(headers) > 1 or len(children) != len(headers) + 1:
        found = ", ".join(map(plain, children)) or "nothing"
        _refuse("SCHEMA_VIOLATION", "/Envelope", found, "Header, Body")
    if headers and children[0] is not headers[0]:
        _refuse("SCHEMA_VIOLATION", "/Envelope", "Body before Header", "Header, Body")
    _refuse_doubles(root, bodies[0], soap)
    return Envelope(root, bodies[0], _security_of(headers[0], soap) if headers else None, soap)


def _security_of(header: Element, soap: str) -> Element | None:
    found = None
    for block in header:
        if not isinstance(block.tag, str):
            continue
        if block.tag == wsse("Security"):
            found = block
        elif block.get(f"{{{soap}}}mustUnderstand", "").strip().lower() in ("true", "1"):
            _refuse("SCHEMA_VIOLATION", "/Envelope/Header", f"mustUnderstand {plain(block)}", "Security")
    return found


# Found by libxml2 itself: a loop over every element would cost more than the signature.
_WITH_ATTRIBUTES = etree.XPath("//*[@*]")
_WATCHED = [f"{{{each}}}{name}" for each in (SOAP11, SOAP12) for name in ("Body", "Envelope")] + [
    f"{{{WSSE}}}Security"
]


def _refuse_doubles(root: Element, body: Element, soap: str) -> None:
    for element in root.iter(*_WATCHED):
        _refuse_second(element, root, body, soap)
    ids: set[str] = set()
    for element in cast(list[Element], _WITH_ATTRIBUTES(root)):
        for name, value in element.items():
            if str(name).rpartition("}")[2] in _ID_NAMES:
                if value in ids:
                    unsafe(SECURITY_PATH, f"Id {value} twice", "each Id once")
                ids.add(str(value))
    if (
        len(
            [
                each
                for header in root.iterchildren(f"{{{soap}}}Header")
                for each in header.iterchildren(wsse("Security"))
            ]
        )
        > 1
    ):
        unsafe(SECURITY_PATH, "a second Security", "one Security")


def _refuse_second(element: Element, root: Element, body: Element, soap: str) -> None:
    name = etree.QName(element).localname
    if name == "Body" and element is not body:
        unsafe("/Envelope", "a second Body", "one Body, child of the Envelope")
    if name == "Envelope" and element is not root:
        unsafe("/Envelope", "an Envelope inside", "one Envelope")
    if name == "Security":
        parent = element.getparent()
        if parent is None or parent.tag != f"{{{soap}}}Header" or parent.getparent() is not root:
            unsafe(SECURITY_PATH, "Security outside the Header", "one Security, child of the Header")


def security_parts(security: Element) -> Security:
    """The signed header's parts. Raises Refused when one is missing, doubled or unknown."""
    found: dict[str, Element] = {}
    known = {
        wsu("Timestamp"): "Timestamp",
        wsse("UsernameToken"): "UsernameToken",
        wsse("BinarySecurityToken"): "BinarySecurityToken",
        ds("Signature"): "Signature",
    }
    for child in security:
        if not isinstance(child.tag, str):
            continue
        name = known.get(child.tag, "")
        if not name:
            unsafe(SECURITY_PATH, plain(child), "Timestamp, UsernameToken, BinarySecurityToken, Signature")
        if name in found:
            unsafe(f"{SECURITY_PATH}/{name}", f"{name} twice", f"one {name}")
        found[name] = child
    if "Signature" not in found:
        _refuse("SIGNATURE_MISSING", SECURITY_PATH, "no Signature", "signed message", "wsse:InvalidSecurity")
    for name in ("Timestamp", "BinarySecurityToken"):
        if name not in found:
            unsafe(f"{SECURITY_PATH}/{name}", "absent", "required")
    return Security(
        found["Timestamp"], found.get("UsernameToken"), found["BinarySecurityToken"], found["Signature"]
    )


def unsafe(path: str, found: str, expected: str) -> NoReturn:
    """Refuse: the security header is not built as the profile says."""
    _refuse("SIGNATURE_INVALID", path, found, expected, "wsse:InvalidSecurity")


def _refuse(code: str, path: str, found: str, expected: str, partner_code: str = "") -> NoReturn:
    raise Refused(Finding(code, path, found, expected, partner_code=partner_code))


def plain(element: Element) -> str:
    """An element's name without its namespace."""
    return str(etree.QName(element).localname)


def _parser() -> etree.XMLParser:
    """This thread's parser; to make one costs more than to parse a Timestamp."""
    if not hasattr(_local, "parser"):
        _local.parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
        )
    parser: etree.XMLParser = _local.parser
    return parser


def read_again(octets: bytes) -> Element:
    """Parse signed bytes anew: text split by comments, say, reads as it was signed."""
    return etree.fromstring(octets, _parser())
