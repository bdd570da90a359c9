"""Checks the WS-Security of what the hub sends: the signed parts must be the very parts that are read."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from lxml import etree

from sandbox.procuratorate.wss import (
    DS,
    EXC,
    LIFE,
    RSA_SHA256,
    SHA_256,
    WSSE,
    WSU,
    WssTrouble,
    canonical,
    elements_with_id,
    password_digest,
)
from sandbox.soap import SOAP12

SKEW = timedelta(seconds=60)


@dataclass(frozen=True)
class Verifier:
    """What a message from the hub is checked against. `password` None = a reply, which needs no UsernameToken."""

    trusted: list[x509.Certificate]
    now: datetime
    password: tuple[str, str] | None
    seen_nonce: Callable[[str], bool]

    def check(self, envelope: etree._Element) -> None:
        """Raises WssTrouble; returns when Body, Timestamp and UsernameToken are signed by a registered certificate."""
        header = envelope.find(f"{{{SOAP12}}}Header")
        found = [] if header is None else header.findall(f"{{{WSSE}}}Security")
        if len(found) != 1:
            raise WssTrouble(
                "wsse:InvalidSecurity", "SIGNATURE_MISSING", "/Envelope/Header/Security", "no Security header"
            )
        security = found[0]
        stamp = _only(security, f"{{{WSU}}}Timestamp")
        needed = [envelope.find(f"{{{SOAP12}}}Body"), stamp]
        if self.password is not None:
            needed.append(_only(security, f"{{{WSSE}}}UsernameToken"))
        certificate, token_id = self._certificate(security)
        self._check_signature(envelope, security, certificate, token_id, needed)
        self._check_time(stamp)
        if self.password is not None:
            self._check_user(needed[2], self.password)

    def _certificate(self, security: etree._Element) -> tuple[x509.Certificate, str]:
        token, path = (
            _only(security, f"{{{WSSE}}}BinarySecurityToken"),
            "/Envelope/Header/Security/BinarySecurityToken",
        )
        try:
            certificate = x509.load_der_x509_certificate(base64.b64decode(token.text or ""))
        except ValueError as trouble:
            raise WssTrouble("wsse:InvalidSecurityToken", "CERT_UNKNOWN", path, "no certificate") from trouble
        valid = certificate.not_valid_before_utc <= self.now <= certificate.not_valid_after_utc
        if certificate not in self.trusted or not valid:
            raise WssTrouble(
                "wsse:InvalidSecurityToken", "CERT_UNKNOWN", path, "not the registered certificate"
            )
        return certificate, token.get(f"{{{WSU}}}Id") or ""

    def _check_signature(
        self, envelope: etree._Element, security: etree._Element, certificate: x509.Certificate, token_id: str,
        needed: list[etree._Element | None],
    ) -> None:  # fmt: skip
        path = "/Envelope/Header/Security/Signature"
        signature = _only(security, f"{{{DS}}}Signature")
        info = signature.find(f"{{{DS}}}SignedInfo")
        used = [each.get("URI") for each in signature.iterfind(f"{{{DS}}}KeyInfo//{{{WSSE}}}Reference")]
        if info is None or used != [f"#{token_id}"]:
            raise WssTrouble("wsse:FailedCheck", "SIGNATURE_INVALID", path, "KeyInfo does not name the token")
        method = info.find(f"{{{DS}}}CanonicalizationMethod")
        algorithm = info.find(f"{{{DS}}}SignatureMethod")
        if (
            method is None
            or method.get("Algorithm") != EXC
            or algorithm is None
            or algorithm.get("Algorithm") != RSA_SHA256
        ):
            raise WssTrouble(
                "wsse:FailedCheck", "SIGNATURE_INVALID", path, "another algorithm than the contract's"
            )
        signed = [_referenced(envelope, each) for each in info.iterfind(f"{{{DS}}}Reference")]
        if any(element is None or not any(element is each for each in signed) for element in needed):
            raise WssTrouble(
                "wsse:FailedCheck", "SIGNATURE_INVALID", path, "a part that is read is not signed"
            )
        value = signature.findtext(f"{{{DS}}}SignatureValue") or ""
        key = certificate.public_key()
        try:
            if not isinstance(key, rsa.RSAPublicKey):
                raise ValueError("not an RSA key")
            key.verify(base64.b64decode(value), canonical(info, _prefixes(method)), PKCS1v15(), SHA256())
        except (InvalidSignature, ValueError) as trouble:
            raise WssTrouble(
                "wsse:FailedCheck", "SIGNATURE_INVALID", path, "the signature does not fit"
            ) from trouble

    def _check_time(self, stamp: etree._Element) -> None:
        path = "/Envelope/Header/Security/Timestamp"
        created, expires = (_instant(stamp.findtext(f"{{{WSU}}}{name}")) for name in ("Created", "Expires"))
        if created is None or expires is None or not timedelta(0) < expires - created <= LIFE:
            raise WssTrouble(
                "wsu:MessageExpired", "TIMESTAMP_EXPIRED", path, "Created and Expires, 5 minutes apart"
            )
        if self.now > expires + SKEW or created > self.now + SKEW:
            raise WssTrouble(
                "wsu:MessageExpired", "TIMESTAMP_EXPIRED", path, f"{created} is not fresh at {self.now}"
            )

    def _check_user(self, token: etree._Element | None, wanted: tuple[str, str]) -> None:
        path = "/Envelope/Header/Security/UsernameToken"
        assert token is not None
        user, word = token.findtext(f"{{{WSSE}}}Username"), token.findtext(f"{{{WSSE}}}Password")
        nonce, created = token.findtext(f"{{{WSSE}}}Nonce") or "", token.findtext(f"{{{WSU}}}Created") or ""
        try:
            right = password_digest(base64.b64decode(nonce), created, wanted[1])
        except ValueError:
            right = ""
        if user != wanted[0] or not right or word != right:
            raise WssTrouble("wsse:FailedAuthentication", "PASSWORD", path, "user name or password digest")
        if self.seen_nonce(nonce):
            raise WssTrouble("wsse:FailedAuthentication", "NONCE_REPLAYED", f"{path}/Nonce", nonce)


def _only(parent: etree._Element, tag: str) -> etree._Element:
    found = parent.findall(tag)
    name = etree.QName(tag).localname
    if len(found) != 1:
        word = "SIGNATURE_MISSING" if name == "Signature" else "SECURITY"
        raise WssTrouble(
            "wsse:InvalidSecurity", word, f"/Envelope/Header/Security/{name}", f"{len(found)} {name}"
        )
    return found[0]


def _prefixes(element: etree._Element | None) -> list[str]:
    listed = element.find(f"{{{EXC}}}InclusiveNamespaces") if element is not None else None
    return (listed.get("PrefixList") or "").split() if listed is not None else []


def _referenced(envelope: etree._Element, reference: etree._Element) -> etree._Element:
    """The one element a reference points to, after its digest was checked."""
    path = "/Envelope/Header/Security/Signature"
    elements = elements_with_id(envelope, (reference.get("URI") or "").removeprefix("#"))
    transforms = list(reference.iterfind(f"{{{DS}}}Transforms/{{{DS}}}Transform"))
    method = reference.find(f"{{{DS}}}DigestMethod")
    sound = len(transforms) == 1 and transforms[0].get("Algorithm") == EXC
    if len(elements) != 1 or not sound or method is None or method.get("Algorithm") != SHA_256:
        raise WssTrouble(
            "wsse:FailedCheck", "SIGNATURE_INVALID", path, "a reference that names no single part"
        )
    digest = hashlib.sha256(canonical(elements[0], _prefixes(transforms[0]))).digest()
    if base64.b64encode(digest).decode() != (reference.findtext(f"{{{DS}}}DigestValue") or "").strip():
        raise WssTrouble(
            "wsse:FailedCheck", "SIGNATURE_INVALID", path, f"digest of {reference.get('URI')} differs"
        )
    return elements[0]


def _instant(text: str | None) -> datetime | None:
    try:
        read = datetime.fromisoformat((text or "").replace("Z", "+00:00"))
    except ValueError:
        return None
    return read if read.tzinfo else None
