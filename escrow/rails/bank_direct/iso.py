"""ISO 20022 documents: safe parsing, the family in the namespace, the XSD, and reading by local names."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from typing import Any, NoReturn

from lxml import etree

from schemas.findings import Finding, Refused
from schemas.money import Fen
from schemas.wide import BEIJING
from schemas.xml_safe import parse_xml

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"
PAIN_001, PAIN_002 = "pain.001.001.09", "pain.002.001.10"
CAMT_052, CAMT_053, CAMT_054 = "camt.052.001.08", "camt.053.001.08", "camt.054.001.08"
CAMT_055, CAMT_029, PACS_004 = "camt.055.001.09", "camt.029.001.10", "pacs.004.001.09"
TYPES = (PAIN_001, PAIN_002, CAMT_052, CAMT_053, CAMT_054, PACS_004, CAMT_055, CAMT_029)
MAX_BYTES = 5 * 1024 * 1024

# An XMLSchema object keeps one error log, so one validation at a time.
_validating = threading.Lock()
_of_thread = threading.local()


def refuse(code: str, path: str, found: str, expected: str, action: str = "") -> NoReturn:
    """Raise Refused with one finding."""
    raise Refused(Finding(code, path, found, expected, action))


@cache
def _schema(message_type: str) -> etree.XMLSchema:
    source = files(__package__).joinpath("contract", "xsd", f"{message_type}.xsd").read_bytes()
    return etree.XMLSchema(etree.fromstring(source))


def parse_document(raw: bytes) -> tuple[str, etree._Element]:
    """The message type (camt.053.001.08 …) and the message's element below Document.

    Raises Refused: see schemas.xml_safe.parse_xml, and SCHEMA_VIOLATION for a namespace outside the contract
    (path /Document) or a breach of the XSD (path of the element).
    """
    root = parse_xml(raw, max_bytes=MAX_BYTES)
    name = etree.QName(root)
    found = (name.namespace or "").removeprefix(NAMESPACE)
    if name.localname != "Document" or found not in TYPES:
        family = ".".join(found.split(".")[:2])
        wanted = [one for one in TYPES if one.startswith(f"{family}.")]
        refuse(
            "SCHEMA_VIOLATION", "/Document", found or str(root.tag), wanted[0] if wanted else ", ".join(TYPES)
        )
    validate(root, found)
    return found, root[0]


def validate(root: etree._Element, message_type: str) -> None:
    """Check a Document against its XSD. Raises Refused (SCHEMA_VIOLATION) with the path of the first breach."""
    with _validating:
        schema = _schema(message_type)
        if schema.validate(root):
            return
        errors: Any = schema.error_log
        error = errors[0]
    found = root.xpath(error.path) if error.path else []
    place = found[0] if isinstance(found, list) and found else root
    path = path_of(place) if isinstance(place, etree._Element) else "/Document"
    refuse("SCHEMA_VIOLATION", path, _short(error.message), f"as {message_type}.xsd says")


def validated(root: etree._Element, message_type: str) -> None:
    """The same as `validate`, with a schema of this thread's own: many threads check at once."""
    schemas: dict[str, etree.XMLSchema] = _of_thread.__dict__.setdefault("schemas", {})
    if message_type not in schemas:
        source = files(__package__).joinpath("contract", "xsd", f"{message_type}.xsd").read_bytes()
        schemas[message_type] = etree.XMLSchema(etree.fromstring(source))
    if not schemas[message_type].validate(root):
        validate(root, message_type)  # tells what it objects to


def _short(message: str) -> str:
    return message.replace("{" + NAMESPACE, "{")[:200]


def path_of(element: etree._Element) -> str:
    """The element's path by local names, without Document, with places where there are several of a kind."""
    steps: list[str] = []
    node: etree._Element | None = element
    while node is not None and node.getparent() is not None:
        parent = node.getparent()
        same = [child for child in parent if child.tag == node.tag] if parent is not None else []
        place = f"[{same.index(node) + 1}]" if len(same) > 1 else ""
        steps.append(etree.QName(node).localname + place)
        node = parent
    return "/" + "/".join(reversed(steps)) if steps else "/Document"


def first(node: etree._Element, path: str) -> etree._Element | None:
    """The first element at a path of local names, such as Acct/Id/Othr/Id."""
    return node.find("/".join(f"{{*}}{step}" for step in path.split("/")))


def every(node: etree._Element, path: str) -> Iterator[etree._Element]:
    """All elements at a path of local names."""
    return node.iterfind("/".join(f"{{*}}{step}" for step in path.split("/")))


def text(node: etree._Element, path: str) -> str:
    """The text at a path of local names; "" when it is not there."""
    found = first(node, path)
    return (found.text or "").strip() if found is not None else ""


def amount(element: etree._Element) -> Fen:
    """The amount of an element with its currency.

    Raises Refused: CURRENCY_UNEXPECTED unless CNY, AMOUNT_UNREADABLE when finer than a fen.
    """
    if element.get("Ccy", "CNY") != "CNY":
        refuse("CURRENCY_UNEXPECTED", path_of(element) + "/@Ccy", element.get("Ccy", ""), "CNY")
    return yuan(element)


def yuan(element: etree._Element) -> Fen:
    """The decimal text of an element as Fen; the schemas allow up to five decimals, money has two. Raises Refused."""
    found = yuan_text(element.text or "")
    if found is None:
        refuse(
            "AMOUNT_UNREADABLE",
            path_of(element),
            (element.text or "").strip(),
            "yuan with at most two decimals",
        )
    return found


def yuan_text(raw: str) -> Fen | None:
    """Decimal text as Fen; None when it is not whole fen."""
    whole, _, cents = raw.strip().partition(".")
    cents = cents.rstrip("0")
    try:
        return Fen.from_yuan_text((whole.lstrip("+").lstrip("0") or "0") + (f".{cents}" if cents else ""))
    except ValueError:
        return None


def day(node: etree._Element, path: str) -> date | None:
    """The date of a choice element (Dt or DtTm) at `path`, as Beijing day."""
    plain = text(node, f"{path}/Dt")
    if plain:
        return date.fromisoformat(plain[:10])
    moment = time(text(node, f"{path}/DtTm"))
    return moment.astimezone(BEIJING).date() if moment else None


def time(plain: str) -> datetime | None:
    """An ISO time; without a zone it is Beijing time (CONTRACT: limits, windows, time)."""
    if not plain:
        return None
    found = datetime.fromisoformat(plain)
    return found if found.tzinfo else found.replace(tzinfo=BEIJING)
