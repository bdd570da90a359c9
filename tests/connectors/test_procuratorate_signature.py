"""Nothing unsigned is read as signed: wrapping at every place, tampering of each part, pinned algorithms."""

from __future__ import annotations

import base64
import copy
import hashlib
from collections.abc import Callable
from datetime import timedelta

import pytest
import xmlsec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree

from connectors.procuratorate_wss import names
from connectors.procuratorate_wss.signature import canonical
from tests.connectors.jcy_side import NOW, change, codes, key_pair, payload_of, push, sign

Root = etree._Element
SIGNATURE = "/Envelope/Header/Security/Signature"


def signed_root() -> Root:
    return etree.fromstring(sign(payload_of("j01_submit_1.xml")))


def part(root: Root, name: str) -> Root:
    found = root.find(f".//{name}")
    assert found is not None
    return found


def body_of(root: Root) -> Root:
    return part(root, names.soap("Body"))


def forged_body(root: Root, identifier: str | None) -> Root:
    """A Body that asks for another sum, with or without an id."""
    forged = copy.deepcopy(body_of(root))
    part(forged, names.collab("ClaimAmount")).text = "9999999.00"
    forged.attrib.clear()
    if identifier:
        forged.set(names.WSU_ID, identifier)
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
    part(root, names.wsse("Security")).append(swap_body(root, forged_body(root, None)))


def inside_signature_object(root: Root) -> None:
    genuine = swap_body(root, forged_body(root, None))
    etree.SubElement(part(root, names.ds("Signature")), names.ds("Object")).append(genuine)


def inside_the_new_body(root: Root) -> None:
    forged = forged_body(root, None)
    genuine = swap_body(root, forged)
    etree.SubElement(forged, "{urn:x}Old").append(genuine)


def beside_envelope_child(root: Root) -> None:
    genuine = swap_body(root, forged_body(root, None))
    etree.SubElement(root, "{urn:x}Old").append(genuine)


def id_on_another_attribute(root: Root) -> None:
    body = body_of(root)
    identifier = body.attrib.pop(names.WSU_ID)
    body.set("Id", identifier)


def xml_id_instead(root: Root) -> None:
    body = body_of(root)
    body.set("{http://www.w3.org/XML/1998/namespace}id", body.attrib.pop(names.WSU_ID))


def second_security(root: Root) -> None:
    header = part(root, names.soap("Header"))
    header.insert(0, copy.deepcopy(part(header, names.wsse("Security"))))


def fresh_timestamp_beside(root: Root) -> None:
    """The signed Timestamp moves away and an unsigned fresh one is read."""
    security = part(root, names.wsse("Security"))
    stamp = part(security, names.wsu("Timestamp"))
    fresh = copy.deepcopy(stamp)
    fresh.attrib.clear()
    security.replace(stamp, fresh)
    etree.SubElement(part(root, names.soap("Header")), "{urn:x}Wrapper").append(stamp)


def other_user_beside(root: Root) -> None:
    security = part(root, names.wsse("Security"))
    token = part(security, names.wsse("UsernameToken"))
    other = copy.deepcopy(token)
    other.set(names.WSU_ID, "UT-2")
    part(other, names.wsse("Username")).text = "other"
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


def text_of(name: str, text: str) -> Callable[[Root], None]:
    def change_it(root: Root) -> None:
        part(root, name).text = text

    change_it.__name__ = etree.QName(name).localname
    return change_it


TAMPERED = [
    (text_of(names.collab("ClaimAmount"), "1.00"), "body digest differs"),
    (text_of(names.wsu("Expires"), "2036-01-01T00:00:00Z"), "timestamp digest differs"),
    (text_of(names.wsse("Nonce"), base64.b64encode(b"0" * 16).decode()), "usernametoken digest differs"),
    (
        text_of(names.ds("DigestValue"), base64.b64encode(b"0" * 32).decode()),
        "signature value does not verify",
    ),
    (
        text_of(names.ds("SignatureValue"), base64.b64encode(b"0" * 256).decode()),
        "signature value does not verify",
    ),
]


@pytest.mark.parametrize(("tamper", "found"), TAMPERED, ids=lambda each: getattr(each, "__name__", ""))
def test_tampering_each_part_is_refused(tamper: Callable[[Root], None], found: str) -> None:
    root = signed_root()
    tamper(root)
    reading = push(etree.tostring(root))
    assert codes(reading) == [("SIGNATURE_INVALID", SIGNATURE)]
    assert reading.findings[0].found == found


def resign(root: Root) -> None:
    """Sign SignedInfo as it now stands, with the right key: only the profile can refuse it."""
    info = part(root, names.ds("SignedInfo"))
    value = key_pair()[0].sign(canonical(info), padding.PKCS1v15(), hashes.SHA256())
    part(root, names.ds("SignatureValue")).text = base64.b64encode(value).decode()


@pytest.mark.parametrize("name", ["Timestamp", "UsernameToken", "Body"])
def test_a_part_left_unsigned_is_refused(name: str) -> None:
    root = signed_root()
    marks = {"Timestamp": "#TS-1", "UsernameToken": "#UT-1", "Body": "#BODY-1"}
    info = part(root, names.ds("SignedInfo"))
    for reference in info.findall(names.ds("Reference")):
        if reference.get("URI") == marks[name]:
            info.remove(reference)
    resign(root)
    reading = push(etree.tostring(root))
    assert codes(reading) == [("SIGNATURE_INVALID", SIGNATURE)]
    assert name.lower() in reading.findings[0].found


ALGORITHMS = [
    ("SignatureMethod", "http://www.w3.org/2000/09/xmldsig#rsa-sha1"),
    ("SignatureMethod", "http://www.w3.org/2001/04/xmldsig-more#rsa-md5"),
    ("SignatureMethod", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"),
    ("SignatureMethod", "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"),
    ("DigestMethod", "http://www.w3.org/2000/09/xmldsig#sha1"),
    ("CanonicalizationMethod", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
    ("Transform", "http://www.w3.org/TR/1999/REC-xpath-19991116"),
    ("Transform", "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"),
]


@pytest.mark.parametrize(("name", "algorithm"), ALGORITHMS)
def test_other_algorithms_are_refused(name: str, algorithm: str) -> None:
    root = signed_root()
    part(root, names.ds(name)).set("Algorithm", algorithm)
    resign(root)
    reading = push(etree.tostring(root))
    assert [code for code, _ in codes(reading)] == ["ALGORITHM_UNSUPPORTED"]
    assert not reading.records


def test_a_second_transform_is_refused() -> None:
    root = signed_root()
    transforms = part(root, names.ds("Transforms"))
    transforms.append(copy.deepcopy(transforms[0]))
    resign(root)
    assert codes(push(etree.tostring(root))) == [("SIGNATURE_INVALID", SIGNATURE)]


@pytest.mark.parametrize("uri", ["", "#", "#nothing", "http://example.invalid/x", "#xpointer(/)"])
def test_a_reference_elsewhere_is_refused(uri: str) -> None:
    root = signed_root()
    part(root, names.ds("Reference")).set("URI", uri)
    resign(root)
    assert codes(push(etree.tostring(root))) == [("SIGNATURE_INVALID", SIGNATURE)]


def test_what_is_read_is_what_was_signed_even_between_comments() -> None:
    """A comment changes no digest, and a reader that stops at it would read half a number."""
    raw = sign(payload_of("j01_submit_1.xml")).replace(b">22735.99<", b">227<!-- x -->35.99<")
    reading = push(raw)
    assert not reading.findings
    assert {claim.field: claim.value for claim in reading.records[0].claims}["claimed_fen"] == 2273599


def test_another_registered_looking_certificate_is_unknown() -> None:
    reading = push(sign(payload_of("j01_submit_1.xml"), pair="other"))
    assert codes(reading) == [("CERT_UNKNOWN", "/Envelope/Header/Security/BinarySecurityToken")]


def test_the_registered_certificate_with_another_key_does_not_verify() -> None:
    root = etree.fromstring(sign(payload_of("j01_submit_1.xml"), pair="other"))
    der = key_pair()[1].public_bytes(Encoding.DER)
    part(root, names.wsse("BinarySecurityToken")).text = base64.b64encode(der).decode()
    assert codes(push(etree.tostring(root))) == [("SIGNATURE_INVALID", SIGNATURE)]


def test_key_info_must_point_at_the_token() -> None:
    root = signed_root()
    part(root, names.wsse("Reference")).set("URI", "#TS-1")
    assert codes(push(etree.tostring(root))) == [("SIGNATURE_INVALID", f"{SIGNATURE}/KeyInfo")]


@pytest.mark.parametrize(
    ("seconds", "fresh"), [(-61, False), (-60, True), (0, True), (300, True), (360, True), (361, False)]
)
def test_timestamp_with_skew(seconds: int, fresh: bool) -> None:
    """Five minutes of life, sixty seconds of skew on both sides (habit 7: their clock drifts to +50 s)."""
    reading = push(sign(payload_of("j01_submit_1.xml")), at=NOW + timedelta(seconds=seconds))
    assert (not reading.findings) is fresh
    if not fresh:
        assert codes(reading)[0][0] == "TIMESTAMP_EXPIRED"


def test_xmlsec_agrees_with_our_signature() -> None:
    """Another implementation verifies what we sign, and we verify what it signs."""
    root = signed_root()
    key = xmlsec.Key.from_memory(
        key_pair()[1].public_bytes(Encoding.PEM), xmlsec.constants.KeyDataFormatCertPem
    )
    context = xmlsec.SignatureContext()
    context.key = key
    for element in (
        body_of(root),
        part(root, names.wsu("Timestamp")),
        part(root, names.wsse("UsernameToken")),
    ):
        context.register_id(element, "Id", names.WSU)
    context.verify(part(root, names.ds("Signature")))


def test_we_verify_what_xmlsec_signs() -> None:
    root = signed_root()
    for name in ("DigestValue", "SignatureValue"):
        for element in root.iter(names.ds(name)):
            element.text = ""
    pem = key_pair()[0].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatPem)
    for element in (
        body_of(root),
        part(root, names.wsu("Timestamp")),
        part(root, names.wsse("UsernameToken")),
    ):
        context.register_id(element, "Id", names.WSU)
    context.sign(part(root, names.ds("Signature")))
    reading = push(etree.tostring(root))
    assert not reading.findings


def test_digest_of_the_receipt_is_that_of_the_canonical_body() -> None:
    root = signed_root()
    reading = push(etree.tostring(root))
    assert reading.reply_hint["body_digest"] == hashlib.sha256(canonical(body_of(root))).hexdigest()


def test_redelivery_compares_the_business_content_and_not_the_envelope() -> None:
    """Same MsgId with a new nonce, timestamp, signature and even another Body id: the same content."""
    payload = payload_of("j01_submit_1.xml")
    one = push(sign(copy.deepcopy(payload)))
    again = push(
        sign(copy.deepcopy(payload), now=NOW + timedelta(minutes=30)), at=NOW + timedelta(minutes=30)
    )
    other = push(sign(change(copy.deepcopy(payload), "Case/ClaimAmount", "1.00")))
    assert one.compare_digest == again.compare_digest != other.compare_digest
    assert one.meta["nonce"] != again.meta["nonce"]
