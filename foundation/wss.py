"""Verifies a WS-Security X.509 signature and gives back what was signed, read anew from the very bytes that were hashed.

One profile only: exclusive canonical form, SHA-256, an algorithm that is offered (``algorithms.toml``), references by
wsu:Id to the Body, the Timestamp and, where it is there, the UsernameToken at their fixed places. What is not in that
profile is refused (WSS 1.1 SOAP Message Security and X.509 Token Profile; docs/decisions/0012-signed-bytes-are-read.md).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate
from lxml import etree

from foundation.algorithms import Algorithm, PublicKey, algorithm_of, key_of, named, verifies
from foundation.wss_envelope import (
    BASE64_BINARY,
    EXC_C14N,
    SECURITY_PATH,
    SHA256,
    WSU_ID,
    X509V3,
    Element,
    Envelope,
    Security,
    ds,
    plain,
    read_again,
    security_parts,
    unsafe,
    wsse,
    wsu,
)  # fmt: skip
from schemas.findings import Finding, Refused

LIFE_S = 300
SKEW_S = 60
_SIGNATURE_PATH = f"{SECURITY_PATH}/Signature"
_TOKEN_PATH = f"{SECURITY_PATH}/BinarySecurityToken"
_STAMP_PATH = f"{SECURITY_PATH}/Timestamp"
_WANTED = "signature over Body, Timestamp and UsernameToken"
_UTC = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z", re.ASCII)


@dataclass(frozen=True)
class Signed:
    """What the signature covers, parsed from the canonical bytes whose digests were verified.

    ``body_digest``: SHA-256 (hex) of the canonical Body. ``value``: the signature's own bytes, by which it is known again.
    """

    body: Element
    timestamp: Element
    username_token: Element | None
    body_digest: str
    certificate: bytes
    value: bytes

    @property
    def payload(self) -> Element:
        """The signed Body's one element. Raises Refused when there are more or none."""
        children = [child for child in self.body if isinstance(child.tag, str)]
        if len(children) != 1:
            raise Refused(Finding("SCHEMA_VIOLATION", "/Envelope/Body", f"{len(children)} elements", "one"))
        return children[0]


def canonical(element: Element, prefixes: Sequence[str] = ()) -> bytes:
    """Exclusive canonical form without comments of one element, as if it were its own document.

    Raises Refused (SIGNATURE_INVALID) where there is none: a namespace with a relative address (C14N 1.0, 1.3).
    """
    try:
        return etree.tostring(
            element, method="c14n", exclusive=True, with_comments=False, inclusive_ns_prefixes=list(prefixes)
        )
    except etree.C14NError as error:
        unsafe(f"/Envelope//{plain(element)}", str(error)[:100], "namespaces with absolute addresses")


def token_of(envelope: Envelope) -> tuple[Security, bytes]:
    """The security header's parts and the certificate (DER) that it claims: read, not believed. Raises Refused."""
    if envelope.security is None:
        raise Refused(Finding("SIGNATURE_MISSING", "/Envelope/Header", "no Security", "signed message"))
    parts = security_parts(envelope.security)
    if parts.token.get("ValueType") != X509V3 or parts.token.get("EncodingType") != BASE64_BINARY:
        unknown_certificate("not an X509v3 token in base64")
    return parts, _base64(parts.token.text or "", _TOKEN_PATH)


def registered(certificates: Sequence[Certificate]) -> dict[bytes, PublicKey]:
    """Keys by the DER of their certificates, for ``verify``; a certificate of another algorithm is left out."""
    found: dict[bytes, PublicKey] = {}
    for certificate in certificates:
        try:
            found[certificate.public_bytes(Encoding.DER)] = key_of(certificate, _TOKEN_PATH)
        except Refused:
            continue
    return found


def verify(envelope: Envelope, keys: Mapping[bytes, PublicKey], whom: str = "") -> Signed:
    """Verify the envelope's signature by the keys of certificates registered for ``whom``.

    The certificate's own validity is for the caller, once the moment is known. Raises Refused with SIGNATURE_MISSING,
    CERT_UNKNOWN, ALGORITHM_UNSUPPORTED or SIGNATURE_INVALID.
    """
    parts, der = token_of(envelope)
    key = keys.get(der)
    if key is None:
        unknown_certificate(f"certificate not registered{f' for {whom}' if whom else ''}")
    return verify_parts(envelope, parts, der, key)


def verify_parts(envelope: Envelope, parts: Security, der: bytes, key: PublicKey) -> Signed:
    """Verify with the key of the certificate that ``token_of`` named. Raises Refused as ``verify`` does."""
    signed_info = _only(parts.signature, "SignedInfo")
    own = _check_layout(parts, signed_info)
    wanted = algorithm_of(key, _SIGNATURE_PATH)
    if own is not wanted:
        path = f"{_SIGNATURE_PATH}/SignatureMethod"
        raise Refused(Finding("ALGORITHM_UNSUPPORTED", path, own.xml, wanted.xml))
    value = _base64(_only(parts.signature, "SignatureValue").text or "", f"{_SIGNATURE_PATH}/SignatureValue")
    octets = canonical(signed_info, _prefixes(_only(signed_info, "CanonicalizationMethod")))
    if not verifies(key, value, octets):
        _invalid("signature value does not verify")
    digests = _check_references(signed_info, _targets(envelope, parts), f"{{{envelope.soap}}}Body")
    return Signed(
        body=read_again(digests[envelope.body]),
        timestamp=read_again(digests[parts.timestamp]),
        username_token=read_again(digests[parts.username_token])
        if parts.username_token is not None
        else None,
        body_digest=hashlib.sha256(digests[envelope.body]).hexdigest(),
        certificate=der,
        value=value,
    )


def unknown_certificate(found: str) -> NoReturn:
    """Refuse: the token's certificate is not one by which we know anybody."""
    raise Refused(
        Finding("CERT_UNKNOWN", _TOKEN_PATH, found, "the registered certificate", partner_code="wsse:InvalidSecurityToken")
    )  # fmt: skip


def created(signed: Signed) -> datetime:
    """The moment of signing, from the signed Timestamp. Raises Refused when it cannot be read."""
    return moment(signed.timestamp, "Created", _STAMP_PATH)


def check_timestamp(signed: Signed, at: datetime, *, life_s: int = LIFE_S, skew_s: int = SKEW_S) -> datetime:
    """Refuse a Timestamp that is not fresh at ``at``; gives back when it ends.

    A sender may not grant itself a longer life than ``life_s`` seconds. Raises Refused: TIMESTAMP_EXPIRED.
    """
    begin = created(signed)
    end = min(moment(signed.timestamp, "Expires", _STAMP_PATH), begin + timedelta(seconds=life_s))
    skew = timedelta(seconds=skew_s)
    if end <= begin or at > end + skew:
        expired(f"{_STAMP_PATH}/Expires", f"older than {life_s // 60} minutes (or zero length)", at)
    if begin > at + skew:
        expired(f"{_STAMP_PATH}/Created", f"in the future: {begin:%Y-%m-%dT%H:%M:%SZ}", at)
    return end


def moment(parent: Element, name: str, path: str) -> datetime:
    """A UTC time of the utility namespace below ``parent``. Raises Refused: DATE_UNREADABLE."""
    text = text_of(parent, wsu(name))
    try:
        if _UTC.fullmatch(text):  # Python reads at most six digits of a second
            return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Refused(
        Finding("DATE_UNREADABLE", f"{path}/{name}", text or "absent", "UTC time with Z", partner_code="wsse:InvalidSecurity")
    )  # fmt: skip


def text_of(parent: Element, tag: str) -> str:
    """Text of the one child of that name; empty when there is none, or several."""
    found = list(parent.iterchildren(tag))
    return "".join(map(str, found[0].itertext())).strip() if len(found) == 1 else ""


def expired(path: str, found: str, at: datetime) -> NoReturn:
    """Refuse what is not fresh at ``at``."""
    wanted = (
        f"fresh timestamp, clock skew at most {SKEW_S} s; verify at {at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    )
    raise Refused(Finding("TIMESTAMP_EXPIRED", path, found, wanted))


def _check_layout(parts: Security, signed_info: Element) -> Algorithm:
    """The signature holds SignedInfo, SignatureValue and KeyInfo and points at the token beside it."""
    children = [child.tag for child in parts.signature if isinstance(child.tag, str)]
    if children != [ds("SignedInfo"), ds("SignatureValue"), ds("KeyInfo")]:
        unsafe(_SIGNATURE_PATH, "other children", "SignedInfo, SignatureValue, KeyInfo")
    reference: Element | None = parts.signature
    for step in (ds("KeyInfo"), wsse("SecurityTokenReference"), wsse("Reference")):
        reference = next(reference.iterchildren(step), None) if reference is not None else None
    token_id = parts.token.get(WSU_ID)
    if reference is None or not token_id or reference.get("URI") != f"#{token_id}":
        unsafe(f"{_SIGNATURE_PATH}/KeyInfo", "no reference to the token", "the BinarySecurityToken beside it")
    _only_this(_only(signed_info, "CanonicalizationMethod"), EXC_C14N)
    method = _only(signed_info, "SignatureMethod")
    return named(method.get("Algorithm") or "", f"{_SIGNATURE_PATH}/SignatureMethod")


def _targets(envelope: Envelope, parts: Security) -> dict[str, Element]:
    """Ids that may be referenced → the element at its fixed place; only these are ever signed for us."""
    targets: dict[str, Element] = {}
    for element in (envelope.body, parts.timestamp, parts.username_token, parts.token):
        identifier = element.get(WSU_ID) if element is not None else None
        if element is not None and identifier:
            targets[identifier] = element
    return targets


def _check_references(signed_info: Element, targets: dict[str, Element], body: str) -> dict[Element, bytes]:
    digests: dict[Element, bytes] = {}
    for reference in signed_info.iterchildren(ds("Reference")):
        uri = reference.get("URI") or ""
        target = targets.get(uri[1:]) if uri.startswith("#") else None
        if target is None:
            _invalid(f"reference {uri or 'without URI'} is not to a signed part")
        if target in digests:
            _invalid(f"reference {uri} twice")
        octets = canonical(target, _transform_prefixes(reference))
        _only_this(_only(reference, "DigestMethod"), SHA256)
        stated = _base64(_only(reference, "DigestValue").text or "", _SIGNATURE_PATH)
        if not hmac.compare_digest(stated, hashlib.sha256(octets).digest()):
            _invalid(f"{plain(target).lower()} digest differs")
        digests[target] = octets
    allowed = {ds("CanonicalizationMethod"), ds("SignatureMethod"), ds("Reference")}
    if any(child.tag not in allowed for child in signed_info if isinstance(child.tag, str)):
        _invalid("unknown parts in SignedInfo")
    for target in targets.values():
        if target not in digests and target.tag != wsse("BinarySecurityToken"):
            _invalid(f"{plain(target).lower()} is not signed")
    covered = {element.tag for element in digests}
    for tag in (body, wsu("Timestamp")):
        if tag not in covered:
            _invalid(f"{etree.QName(tag).localname.lower()} is not signed")
    return digests


def _transform_prefixes(reference: Element) -> list[str]:
    """The one transform allowed is exclusive canonical form; its PrefixList, if any."""
    found = [child for child in _only(reference, "Transforms") if isinstance(child.tag, str)]
    if len(found) != 1 or found[0].tag != ds("Transform"):
        _invalid("other transforms than exclusive canonical form")
    _only_this(found[0], EXC_C14N)
    return _prefixes(found[0])


def _prefixes(method: Element) -> list[str]:
    lists = [child for child in method if isinstance(child.tag, str)]
    if not lists:
        return []
    if len(lists) != 1 or lists[0].tag != f"{{{EXC_C14N}}}InclusiveNamespaces":
        _invalid("unknown parameters of the canonical form")
    return ["" if name == "#default" else name for name in (lists[0].get("PrefixList") or "").split()]


def _only_this(element: Element, wanted: str) -> None:
    if element.get("Algorithm") != wanted:
        path = f"{_SIGNATURE_PATH}/{plain(element)}"
        raise Refused(Finding("ALGORITHM_UNSUPPORTED", path, str(element.get("Algorithm"))[:100], wanted))


def _only(parent: Element, name: str) -> Element:
    found = list(parent.iterchildren(ds(name)))  # findall would run through Python for each step
    if len(found) != 1:
        unsafe(_SIGNATURE_PATH, f"{len(found)} × {name}", f"one {name}")
    return found[0]


def _invalid(found: str) -> NoReturn:
    raise Refused(Finding("SIGNATURE_INVALID", _SIGNATURE_PATH, found, _WANTED))


def _base64(text: str, path: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        unsafe(path, "not base64", "base64")
