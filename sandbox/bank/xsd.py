"""ISO 20022 messages: safe parsing, and validation against the schemas of the bank's contract."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path

from lxml import etree

from sandbox.bank.profile import MAX_BODY, NAMESPACE

CONTRACT = Path(__file__).parent / "contract"
_validating = threading.Lock()  # an XMLSchema object keeps its error log, so one validation at a time


class BadMessage(Exception):
    """XML that the contract does not allow; the text says what and where."""


@cache
def _schema(msg_type: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(CONTRACT / f"{msg_type}.xsd")))


def parse(payload: bytes) -> etree._Element:
    """The root element. Raises BadMessage on a document type declaration, on size, on malformed text."""
    if len(payload) > MAX_BODY:
        raise BadMessage(f"more than {MAX_BODY} bytes")
    if b"<!DOCTYPE" in payload or b"<!ENTITY" in payload:
        raise BadMessage("a document type declaration is not allowed")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True)
    try:
        return etree.fromstring(payload, parser)
    except (etree.XMLSyntaxError, ValueError) as trouble:
        raise BadMessage(f"not well-formed: {trouble}") from trouble


def message_type(root: etree._Element) -> str:
    """The message type that the namespace names, such as camt.054.001.08. Raises BadMessage."""
    name = etree.QName(root)
    if name.localname != "Document" or not (name.namespace or "").startswith(NAMESPACE):
        raise BadMessage(f"the root is {root.tag}, not an ISO 20022 Document")
    return str(name.namespace)[len(NAMESPACE) :]


def validate(root: etree._Element, msg_type: str) -> None:
    """Check against the schema of `msg_type`. Raises BadMessage with the first violation and its line."""
    if not (CONTRACT / f"{msg_type}.xsd").exists():
        raise BadMessage(f"{msg_type} is no message of this link")
    with _validating:
        schema = _schema(msg_type)
        if not schema.validate(root):
            first = schema.error_log[0]
            raise BadMessage(f"{first.path}: {first.message}")


def text(node: etree._Element, path: str, default: str = "") -> str:
    """Text at a path of local names (`Acct/Id/Othr/Id`), or the default."""
    found = node.find("/".join(f"{{*}}{step}" for step in path.split("/")))
    return default if found is None or found.text is None else found.text.strip()


def every(node: etree._Element, path: str) -> list[etree._Element]:
    """All elements at a path of local names."""
    return node.findall("/".join(f"{{*}}{step}" for step in path.split("/")))
