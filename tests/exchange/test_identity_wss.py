"""WS-Security signatures of both SOAP versions: what was signed is read, and nothing moved elsewhere passes for it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from foundation import wss
from foundation.wss_envelope import DS, WSSE, WSU, WSU_ID, take_apart
from schemas.findings import Refused
from schemas.soap import SOAP11, SOAP12
from tests.exchange.partner_side import certificate, soap

NOW = datetime(2026, 4, 1, 1, 0, tzinfo=UTC)
Root = etree._Element


def verify(raw: bytes, name: str = "rsa", at: datetime = NOW) -> wss.Signed:
    signed = wss.verify(take_apart(raw, max_bytes=1_000_000), wss.registered([certificate(name)]))
    wss.check_timestamp(signed, at)
    return signed


def refusal(raw: bytes, name: str = "rsa", at: datetime = NOW) -> str:
    with pytest.raises(Refused) as caught:
        verify(raw, name, at)
    assert caught.value.findings[0].path.startswith("/")
    return caught.value.findings[0].code


@pytest.mark.parametrize("version", [SOAP11, SOAP12])
@pytest.mark.parametrize("name", ["rsa", "p256", "ed25519"])
def test_each_algorithm_in_each_version(name: str, version: str) -> None:
    signed = verify(soap(NOW, name, version), name)
    assert signed.payload.findtext("{urn:concord:open:1}Sum") == "1200.00"


def part(root: Root, name: str) -> Root:
    found = root.find(f".//{name}")
    assert found is not None, name
    return found


def body_of(root: Root) -> Root:
    return part(root, f"{{{SOAP11}}}Body")


def forged(root: Root, identifier: str | None) -> Root:
    made = copy.deepcopy(body_of(root))
    part(made, "{urn:concord:open:1}Sum").text = "9999999.00"
    made.attrib.clear()
    if identifier:
        made.set(WSU_ID, identifier)
    return made


def swap(root: Root, identifier: str | None) -> Root:
    """The forged Body where it is read; the signed one, now homeless, is given back."""
    genuine = body_of(root)
    root.replace(genuine, forged(root, identifier))
    return genuine


def _header(root: Root) -> Root:
    return part(root, f"{{{SOAP11}}}Header")


def wrapped_in_header(root: Root) -> None:
    etree.SubElement(_header(root), "{urn:x}Wrapper").append(swap(root, "BODY-2"))


def wrapped_with_the_same_id(root: Root) -> None:
    etree.SubElement(_header(root), "{urn:x}Wrapper").append(swap(root, "BODY-1"))


def wrapped_by_id_attribute(root: Root) -> None:
    wrapper = etree.SubElement(_header(root), "{urn:x}Wrapper")
    wrapper.append(swap(root, None))
    wrapper.set("Id", "BODY-1")


def sibling_body(root: Root) -> None:
    root.append(forged(root, "BODY-2"))


def sibling_before(root: Root) -> None:
    body_of(root).addprevious(forged(root, None))


def inside_security(root: Root) -> None:
    part(root, f"{{{WSSE}}}Security").append(swap(root, None))


def inside_signature_object(root: Root) -> None:
    etree.SubElement(part(root, f"{{{DS}}}Signature"), f"{{{DS}}}Object").append(swap(root, None))


def inside_the_new_body(root: Root) -> None:
    genuine = swap(root, None)
    etree.SubElement(body_of(root), "{urn:x}Old").append(genuine)


def outside_the_header(root: Root) -> None:
    etree.SubElement(root, "{urn:x}Old").append(swap(root, None))


def whole_envelope_inside(root: Root) -> None:
    inner = copy.deepcopy(root)
    swap(root, None)
    etree.SubElement(_header(root), "{urn:x}Wrapper").append(inner)


def body_of_the_other_version(root: Root) -> None:
    """A forged Body of SOAP 1.2 beside the signed one of 1.1: whoever looks by local name reads the wrong one."""
    other = etree.SubElement(body_of(root), f"{{{SOAP12}}}Body")
    other.text = "x"


def second_security(root: Root) -> None:
    _header(root).insert(0, copy.deepcopy(part(root, f"{{{WSSE}}}Security")))


def fresh_timestamp_beside(root: Root) -> None:
    security = part(root, f"{{{WSSE}}}Security")
    stamp = part(security, f"{{{WSU}}}Timestamp")
    fresh = copy.deepcopy(stamp)
    fresh.attrib.clear()
    security.replace(stamp, fresh)
    etree.SubElement(_header(root), "{urn:x}Wrapper").append(stamp)


def timestamp_gone(root: Root) -> None:
    security = part(root, f"{{{WSSE}}}Security")
    security.remove(part(security, f"{{{WSU}}}Timestamp"))


def reference_taken_away(root: Root) -> None:
    info = part(root, f"{{{DS}}}SignedInfo")
    info.remove(part(info, f"{{{DS}}}Reference"))


def transform_that_selects(root: Root) -> None:
    part(root, f"{{{DS}}}Transform").set("Algorithm", "http://www.w3.org/TR/1999/REC-xpath-19991116")


def id_on_another_attribute(root: Root) -> None:
    body = body_of(root)
    body.set("Id", str(body.attrib.pop(WSU_ID)))


def text_changed(root: Root) -> None:
    part(root, "{urn:concord:open:1}Sum").text = "1200.01"


PLACEMENTS = [
    wrapped_in_header, wrapped_with_the_same_id, wrapped_by_id_attribute, sibling_body, sibling_before, inside_security,
    inside_signature_object, inside_the_new_body, outside_the_header, whole_envelope_inside, body_of_the_other_version,
    second_security, fresh_timestamp_beside, timestamp_gone, reference_taken_away, transform_that_selects,
    id_on_another_attribute, text_changed,
]  # fmt: skip


@pytest.mark.parametrize("placement", PLACEMENTS, ids=lambda each: each.__name__)
def test_wrapping_and_changing_are_refused(placement: Callable[[Root], None]) -> None:
    root = etree.fromstring(soap(NOW))
    placement(root)
    assert refusal(etree.tostring(root)) in ("SIGNATURE_INVALID", "SCHEMA_VIOLATION", "ALGORITHM_UNSUPPORTED")


def test_a_comment_does_not_cut_what_is_read() -> None:
    raw = soap(NOW).replace(b">1200.00<", b">1200<!-- x -->.00<")
    assert verify(raw).payload.findtext("{urn:concord:open:1}Sum") == "1200.00"


def test_who_is_not_registered_is_unknown() -> None:
    assert refusal(soap(NOW, "rsa other")) == "CERT_UNKNOWN"


def test_timestamp_is_good_for_five_minutes_and_a_minute_of_skew() -> None:
    raw = soap(NOW)
    verify(raw, at=NOW + timedelta(seconds=360))
    assert refusal(raw, at=NOW + timedelta(seconds=361)) == "TIMESTAMP_EXPIRED"
    assert refusal(raw, at=NOW - timedelta(seconds=61)) == "TIMESTAMP_EXPIRED"


def test_nothing_signed_is_said_so() -> None:
    raw = f'<s:Envelope xmlns:s="{SOAP11}"><s:Body><a/></s:Body></s:Envelope>'.encode()
    assert refusal(raw) == "SIGNATURE_MISSING"
