"""A signed part moved elsewhere is never read as signed: wrapping at every place is refused."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
from lxml import etree

from connectors.procuratorate_wss import names
from foundation.wss_envelope import WSU_ID, ds, wsse, wsu
from tests.connectors.jcy_side import Root, body_of, part, push, signed_root


def forged_body(root: Root, identifier: str | None) -> Root:
    """A Body that asks for another sum, with or without an id."""
    forged = copy.deepcopy(body_of(root))
    part(forged, names.collab("ClaimAmount")).text = "9999999.00"
    forged.attrib.clear()
    if identifier:
        forged.set(WSU_ID, identifier)
    return forged


def swap_body(root: Root, forged: Root) -> Root:
    """Put the forged Body where it is read; gives back the signed one, now homeless."""
    genuine = body_of(root)
    root.replace(genuine, forged)
    return genuine


def into_header(root: Root) -> None:
    genuine = swap_body(root, forged_body(root, "BODY-2"))
    etree.SubElement(part(root, names.soap("Header")), "{urn:x}Wrapper").append(genuine)


def into_header_same_id(root: Root) -> None:
    genuine = swap_body(root, forged_body(root, "BODY-1"))
    etree.SubElement(part(root, names.soap("Header")), "{urn:x}Wrapper").append(genuine)


def into_header_renamed(root: Root) -> None:
    """The signed bytes under another name: only an id search would still find them."""
    genuine = swap_body(root, forged_body(root, None))
    wrapper = etree.SubElement(part(root, names.soap("Header")), "{urn:x}Wrapper")
    wrapper.append(genuine)
    wrapper.set("Id", "BODY-1")


def second_body_behind(root: Root) -> None:
    root.append(forged_body(root, "BODY-2"))


def second_body_before(root: Root) -> None:
    body_of(root).addprevious(forged_body(root, None))


def inside_security(root: Root) -> None:
    part(root, wsse("Security")).append(swap_body(root, forged_body(root, None)))


def inside_signature_object(root: Root) -> None:
    genuine = swap_body(root, forged_body(root, None))
    etree.SubElement(part(root, ds("Signature")), ds("Object")).append(genuine)


def inside_the_new_body(root: Root) -> None:
    forged = forged_body(root, None)
    genuine = swap_body(root, forged)
    etree.SubElement(forged, "{urn:x}Old").append(genuine)


def beside_envelope_child(root: Root) -> None:
    genuine = swap_body(root, forged_body(root, None))
    etree.SubElement(root, "{urn:x}Old").append(genuine)


def id_on_another_attribute(root: Root) -> None:
    body = body_of(root)
    identifier = body.attrib.pop(WSU_ID)
    body.set("Id", identifier)


def xml_id_instead(root: Root) -> None:
    body = body_of(root)
    body.set("{http://www.w3.org/XML/1998/namespace}id", body.attrib.pop(WSU_ID))


def second_security(root: Root) -> None:
    header = part(root, names.soap("Header"))
    header.insert(0, copy.deepcopy(part(header, wsse("Security"))))


def fresh_timestamp_beside(root: Root) -> None:
    """The signed Timestamp moves away and an unsigned fresh one is read."""
    security = part(root, wsse("Security"))
    stamp = part(security, wsu("Timestamp"))
    fresh = copy.deepcopy(stamp)
    fresh.attrib.clear()
    security.replace(stamp, fresh)
    etree.SubElement(part(root, names.soap("Header")), "{urn:x}Wrapper").append(stamp)


def other_user_beside(root: Root) -> None:
    security = part(root, wsse("Security"))
    token = part(security, wsse("UsernameToken"))
    other = copy.deepcopy(token)
    other.set(WSU_ID, "UT-2")
    part(other, wsse("Username")).text = "other"
    security.replace(token, other)
    etree.SubElement(part(root, names.soap("Header")), "{urn:x}Wrapper").append(token)


def whole_envelope_inside(root: Root) -> None:
    inner = copy.deepcopy(root)
    swap_body(root, forged_body(root, None))
    etree.SubElement(part(root, names.soap("Header")), "{urn:x}Wrapper").append(inner)


PLACEMENTS = [
    into_header, into_header_same_id, into_header_renamed, second_body_behind, second_body_before, inside_security,
    inside_signature_object, inside_the_new_body, beside_envelope_child, id_on_another_attribute, xml_id_instead,
    second_security, fresh_timestamp_beside, other_user_beside, whole_envelope_inside,
]  # fmt: skip


def test_the_untouched_message_is_taken() -> None:
    reading = push(etree.tostring(signed_root()))
    assert not reading.findings
    assert len(reading.records) == 1


@pytest.mark.parametrize("placement", PLACEMENTS, ids=lambda each: each.__name__)
def test_wrapping_is_refused(placement: Callable[[Root], None]) -> None:
    root = signed_root()
    placement(root)
    reading = push(etree.tostring(root))
    assert reading.refused
    assert not reading.records
    assert reading.findings[0].code in ("SIGNATURE_INVALID", "SCHEMA_VIOLATION")
    assert reading.findings[0].path.startswith("/Envelope")
