"""A stored message of the open contract, read again from its raw bytes: JSON, or the Body of a SOAP envelope."""

from __future__ import annotations

from typing import Any

from lxml import etree

from connectors.open_contract.shape import message_of, read_json, read_xml, settled
from schemas.findings import Finding, Refused
from schemas.open_contract import NAMESPACE, Message
from schemas.soap import SOAP11, SOAP12

_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
_BODIES = tuple(f"{{{soap}}}Body" for soap in (SOAP11, SOAP12))


def message_in(content: bytes) -> Message:
    """The message in bytes that were checked when they came. Raises Refused where today's contract takes them no more."""
    return message_of(settled(_plain(content)))


def _plain(content: bytes) -> dict[str, Any]:
    if content[:1] not in (b"<", b"\xef"):
        return read_json(content)
    root = etree.fromstring(content, _PARSER)
    bodies = [child for child in root if child.tag in _BODIES]
    found = bodies[0].findall(f"*/{{{NAMESPACE}}}message") if len(bodies) == 1 else []
    if len(found) != 1:
        raise Refused(Finding("SCHEMA_VIOLATION", "/Envelope/Body", f"{len(found)} messages", "one message"))
    return read_xml(found[0])
