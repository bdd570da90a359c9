"""Tampering with each signed part, pinned algorithms, time, and two implementations that agree."""

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
from foundation.wss import canonical
from foundation.wss_envelope import WSU, ds, wsse, wsu
from tests.connectors.jcy_side import (
    NOW,
    Root,
    body_of,
    change,
    codes,
    key_pair,
    part,
    payload_of,
    push,
    sign,
    signed_root,
)

SIGNATURE = "/Envelope/Header/Security/Signature"


def text_of(name: str, text: str) -> Callable[[Root], None]:
    def change_it(root: Root) -> None:
        part(root, name).text = text

    change_it.__name__ = etree.QName(name).localname
    return change_it


TAMPERED = [
    (text_of(names.collab("ClaimAmount"), "1.00"), "body digest differs"),
    (text_of(wsu("Expires"), "2036-01-01T00:00:00Z"), "timestamp digest differs"),
    (text_of(wsse("Nonce"), base64.b64encode(b"0" * 16).decode()), "usernametoken digest differs"),
    (
        text_of(ds("DigestValue"), base64.b64encode(b"0" * 32).decode()),
        "signature value does not verify",
    ),
    (
        text_of(ds("SignatureValue"), base64.b64encode(b"0" * 256).decode()),
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
    info = part(root, ds("SignedInfo"))
    value = key_pair()[0].sign(canonical(info), padding.PKCS1v15(), hashes.SHA256())
    part(root, ds("SignatureValue")).text = base64.b64encode(value).decode()


@pytest.mark.parametrize("name", ["Timestamp", "UsernameToken", "Body"])
def test_a_part_left_unsigned_is_refused(name: str) -> None:
    root = signed_root()
    marks = {"Timestamp": "#TS-1", "UsernameToken": "#UT-1", "Body": "#BODY-1"}
    info = part(root, ds("SignedInfo"))
    for reference in info.findall(ds("Reference")):
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
    part(root, ds(name)).set("Algorithm", algorithm)
    resign(root)
    reading = push(etree.tostring(root))
    assert [code for code, _ in codes(reading)] == ["ALGORITHM_UNSUPPORTED"]
    assert not reading.records


def test_a_second_transform_is_refused() -> None:
    root = signed_root()
    transforms = part(root, ds("Transforms"))
    transforms.append(copy.deepcopy(transforms[0]))
    resign(root)
    assert codes(push(etree.tostring(root))) == [("SIGNATURE_INVALID", SIGNATURE)]


@pytest.mark.parametrize("uri", ["", "#", "#nothing", "http://example.invalid/x", "#xpointer(/)"])
def test_a_reference_elsewhere_is_refused(uri: str) -> None:
    root = signed_root()
    part(root, ds("Reference")).set("URI", uri)
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
    part(root, wsse("BinarySecurityToken")).text = base64.b64encode(der).decode()
    assert codes(push(etree.tostring(root))) == [("SIGNATURE_INVALID", SIGNATURE)]


def test_key_info_must_point_at_the_token() -> None:
    root = signed_root()
    part(root, wsse("Reference")).set("URI", "#TS-1")
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
        part(root, wsu("Timestamp")),
        part(root, wsse("UsernameToken")),
    ):
        context.register_id(element, "Id", WSU)
    context.verify(part(root, ds("Signature")))


def test_we_verify_what_xmlsec_signs() -> None:
    root = signed_root()
    for name in ("DigestValue", "SignatureValue"):
        for element in root.iter(ds(name)):
            element.text = ""
    pem = key_pair()[0].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatPem)
    for element in (
        body_of(root),
        part(root, wsu("Timestamp")),
        part(root, wsse("UsernameToken")),
    ):
        context.register_id(element, "Id", WSU)
    context.sign(part(root, ds("Signature")))
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
