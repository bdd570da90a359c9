"""Verifies the XML signature and gives back what was signed, read anew from the very bytes that were hashed.

One profile only: exclusive canonical form, SHA-256, RSA-SHA256, references by wsu:Id to the Body, the
Timestamp and the UsernameToken at their fixed places. What is not in that profile is refused (CONTRACT.md,
Transport; WSS 1.1 SOAP Message Security; the wrapping attacks of McIntosh and Austel, 2005).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate
from lxml import etree

from connectors.procuratorate_wss import names
from connectors.procuratorate_wss.envelope import Element, Envelope, Security, security_parts, unsafe
from schemas.findings import Finding, Refused

_SIGNATURE_PATH = f"{names.SECURITY_PATH}/Signature"
_TOKEN_PATH = f"{names.SECURITY_PATH}/BinarySecurityToken"
_WANTED = "signature over Body, Timestamp and UsernameToken"


@dataclass(frozen=True)
class Signed:
    """What the signature covers, parsed from the canonical bytes whose digests were verified.

    `body_digest`: SHA-256 (hex) of the canonical Body, what the contract's Receipt names.
    """

    body: Element
    timestamp: Element
    username_token: Element | None
    body_digest: str
    certificate: Certificate

    @property
    def payload(self) -> Element:
        """The signed Body's one element. Raises Refused when there are more or none."""
        children = [child for child in self.body if isinstance(child.tag, str)]
        if len(children) != 1:
            raise Refused(Finding("SCHEMA_VIOLATION", "/Envelope/Body", f"{len(children)} elements", "one"))
        return children[0]


def canonical(element: Element, prefixes: Sequence[str] = ()) -> bytes:
    """Exclusive canonical form without comments of one element, as if it were its own document."""
    return etree.tostring(
        element, method="c14n", exclusive=True, with_comments=False, inclusive_ns_prefixes=list(prefixes)
    )


def verify(envelope: Envelope, trusted: Sequence[Certificate]) -> Signed:
    """Verify the envelope's signature against the registered certificates.

    The certificate's own validity is looked at by `check_validity`, once the moment is known. Raises
    Refused with SIGNATURE_MISSING, CERT_UNKNOWN, ALGORITHM_UNSUPPORTED or SIGNATURE_INVALID.
    """
    if envelope.security is None:
        raise Refused(Finding("SIGNATURE_MISSING", "/Envelope/Header", "no Security", "signed message"))
    parts = security_parts(envelope.security)
    certificate = _registered(parts.token, trusted)
    signed_info = _only(parts.signature, "SignedInfo")
    _check_layout(parts, signed_info)
    _check_value(parts.signature, signed_info, certificate)
    digests = _check_references(signed_info, _targets(envelope, parts))
    return Signed(
        body=_again(digests[envelope.body]),
        timestamp=_again(digests[parts.timestamp]),
        username_token=_again(digests[parts.username_token]) if parts.username_token is not None else None,
        body_digest=hashlib.sha256(digests[envelope.body]).hexdigest(),
        certificate=certificate,
    )


def check_validity(certificate: Certificate, at: datetime) -> None:
    """Refuse a certificate outside its validity at `at`."""
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        _unknown("certificate out of its validity")


def _registered(token: Element, trusted: Sequence[Certificate]) -> Certificate:
    if token.get("ValueType") != names.X509V3 or token.get("EncodingType") != names.BASE64_BINARY:
        _unknown("not an X509v3 token in base64")
    der = _base64(token.text or "", _TOKEN_PATH)
    for certificate in trusted:
        if hmac.compare_digest(certificate.public_bytes(Encoding.DER), der):
            key = certificate.public_key()
            if not isinstance(key, rsa.RSAPublicKey) or key.key_size < names.LEAST_RSA_BITS:
                _unknown(f"not an RSA key of {names.LEAST_RSA_BITS} bits")
            return certificate
    _unknown(f"certificate not registered for {names.INSTITUTION}")


def _unknown(found: str) -> NoReturn:
    raise Refused(Finding("CERT_UNKNOWN", _TOKEN_PATH, found, "the registered certificate"))


def _check_layout(parts: Security, signed_info: Element) -> None:
    """The signature holds SignedInfo, SignatureValue and KeyInfo and points at the token beside it."""
    children = [child.tag for child in parts.signature if isinstance(child.tag, str)]
    if children != [names.ds("SignedInfo"), names.ds("SignatureValue"), names.ds("KeyInfo")]:
        unsafe(_SIGNATURE_PATH, "other children", "SignedInfo, SignatureValue, KeyInfo")
    reference = parts.signature.find(
        f"{names.ds('KeyInfo')}/{names.wsse('SecurityTokenReference')}/{names.wsse('Reference')}"
    )
    token_id = parts.token.get(names.WSU_ID)
    if reference is None or not token_id or reference.get("URI") != f"#{token_id}":
        unsafe(f"{_SIGNATURE_PATH}/KeyInfo", "no reference to the token", "the BinarySecurityToken beside it")
    _algorithm(_only(signed_info, "CanonicalizationMethod"), names.EXC_C14N)
    _algorithm(_only(signed_info, "SignatureMethod"), names.RSA_SHA256)


def _check_value(signature: Element, signed_info: Element, certificate: Certificate) -> None:
    value = _base64(_only(signature, "SignatureValue").text or "", f"{_SIGNATURE_PATH}/SignatureValue")
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    octets = canonical(signed_info, _prefixes(_only(signed_info, "CanonicalizationMethod")))
    try:
        key.verify(value, octets, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        _invalid("signature value does not verify")


def _targets(envelope: Envelope, parts: Security) -> dict[str, Element]:
    """Ids that may be referenced → the element at its fixed place; only these are ever signed for us."""
    targets: dict[str, Element] = {}
    for element in (envelope.body, parts.timestamp, parts.username_token, parts.token):
        if element is None:
            continue
        identifier = element.get(names.WSU_ID)
        if identifier:
            targets[identifier] = element
    return targets


def _check_references(signed_info: Element, targets: dict[str, Element]) -> dict[Element, bytes]:
    digests: dict[Element, bytes] = {}
    for reference in signed_info.findall(names.ds("Reference")):
        uri = reference.get("URI") or ""
        target = targets.get(uri[1:]) if uri.startswith("#") else None
        if target is None:
            _invalid(f"reference {uri or 'without URI'} is not to a signed part")
        if target in digests:
            _invalid(f"reference {uri} twice")
        octets = canonical(target, _transform_prefixes(reference))
        _algorithm(_only(reference, "DigestMethod"), names.SHA256)
        stated = _base64(_only(reference, "DigestValue").text or "", _SIGNATURE_PATH)
        if not hmac.compare_digest(stated, hashlib.sha256(octets).digest()):
            _invalid(f"{_called(target)} digest differs")
        digests[target] = octets
    allowed = {names.ds("CanonicalizationMethod"), names.ds("SignatureMethod"), names.ds("Reference")}
    if any(child.tag not in allowed for child in signed_info if isinstance(child.tag, str)):
        _invalid("unknown parts in SignedInfo")
    for target in targets.values():
        if target not in digests and target.tag != names.wsse("BinarySecurityToken"):
            _invalid(f"{_called(target)} is not signed")
    _must_cover(digests)
    return digests


def _must_cover(digests: dict[Element, bytes]) -> None:
    covered = {element.tag for element in digests}
    for tag in (names.soap("Body"), names.wsu("Timestamp")):
        if tag not in covered:
            _invalid(f"{etree.QName(tag).localname.lower()} is not signed")


def _transform_prefixes(reference: Element) -> list[str]:
    """The one transform allowed is exclusive canonical form; its PrefixList, if any."""
    transforms = _only(reference, "Transforms")
    found = [child for child in transforms if isinstance(child.tag, str)]
    if len(found) != 1 or found[0].tag != names.ds("Transform"):
        _invalid("other transforms than exclusive canonical form")
    _algorithm(found[0], names.EXC_C14N)
    return _prefixes(found[0])


def _prefixes(method: Element) -> list[str]:
    lists = [child for child in method if isinstance(child.tag, str)]
    if not lists:
        return []
    if len(lists) != 1 or lists[0].tag != f"{{{names.EXC_C14N}}}InclusiveNamespaces":
        _invalid("unknown parameters of the canonical form")
    return ["" if name == "#default" else name for name in (lists[0].get("PrefixList") or "").split()]


def _algorithm(element: Element, wanted: str) -> None:
    if element.get("Algorithm") != wanted:
        raise Refused(
            Finding(
                "ALGORITHM_UNSUPPORTED",
                f"{_SIGNATURE_PATH}/{etree.QName(element).localname}",
                str(element.get("Algorithm")),
                wanted,
            )
        )


def _only(parent: Element, name: str) -> Element:
    found = parent.findall(names.ds(name))
    if len(found) != 1:
        unsafe(_SIGNATURE_PATH, f"{len(found)} × {name}", f"one {name}")
    return found[0]


def _invalid(found: str) -> NoReturn:
    raise Refused(Finding("SIGNATURE_INVALID", _SIGNATURE_PATH, found, _WANTED))


def _called(element: Element) -> str:
    return etree.QName(element).localname.lower()


def _base64(text: str, path: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        unsafe(path, "not base64", "base64")


def _again(octets: bytes) -> Element:
    """Parse signed bytes anew: text split by comments, say, reads as it was signed."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    return etree.fromstring(octets, parser)
