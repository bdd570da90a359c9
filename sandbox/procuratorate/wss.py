"""WS-Security by the contract: Timestamp, UsernameToken digest, X.509 token, RSA-SHA256 over the very parts read."""

from __future__ import annotations

import base64
import copy
import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from sandbox.soap import SECURITY_PREFIXES, SOAP12

WSSE, WSU = SECURITY_PREFIXES["wsse"], SECURITY_PREFIXES["wsu"]
DS = "http://www.w3.org/2000/09/xmldsig#"
EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA_256 = "http://www.w3.org/2001/04/xmlenc#sha256"
OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
BASE64 = f"{OASIS}soap-message-security-1.0#Base64Binary"
X509V3 = f"{OASIS}x509-token-profile-1.0#X509v3"
DIGEST = f"{OASIS}username-token-profile-1.0#PasswordDigest"
LIFE = timedelta(minutes=5)


class WssTrouble(Exception):
    """A message whose security is not as the contract says; `code` is the fault code to answer with."""

    def __init__(self, code: str, word: str, path: str, text: str) -> None:
        super().__init__(text)
        self.code, self.word, self.path = code, word, path


def canonical(element: etree._Element, prefixes: list[str] | None = None) -> bytes:
    """Exclusive C14N without comments."""
    return etree.tostring(
        element, method="c14n", exclusive=True, with_comments=False, with_tail=False, inclusive_ns_prefixes=prefixes or None
    )  # fmt: skip


def password_digest(nonce: bytes, created: str, password: str) -> str:
    # SHA-1 because the token profile (OASIS WSS 1.1) says so; the signature carries the authenticity
    return base64.b64encode(hashlib.sha1(nonce + created.encode() + password.encode()).digest()).decode()


@dataclass(frozen=True)
class Signer:
    """Our key and certificate, and the user name that goes with requests."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate
    user: str
    password: str

    def sign(
        self, payload: etree._Element, now: datetime, *, with_user: bool = True, broken: bool = False
    ) -> bytes:
        """A signed SOAP 1.2 envelope round `payload`; replies go without the UsernameToken. `broken` = a wrong
        signature on purpose."""
        envelope = unsigned(payload)
        header = etree.Element(f"{{{SOAP12}}}Header")
        envelope.insert(0, header)
        security = etree.SubElement(header, f"{{{WSSE}}}Security", nsmap=SECURITY_PREFIXES)
        security.set(f"{{{SOAP12}}}mustUnderstand", "true")
        created = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        stamp = etree.SubElement(security, f"{{{WSU}}}Timestamp", {f"{{{WSU}}}Id": "TS-1"})
        etree.SubElement(stamp, f"{{{WSU}}}Created").text = created
        until = now.astimezone(UTC) + LIFE
        etree.SubElement(stamp, f"{{{WSU}}}Expires").text = until.strftime("%Y-%m-%dT%H:%M:%SZ")
        parts = ["BODY-1", "TS-1"]
        if with_user:
            self._user(security, created)
            parts.append("UT-1")
        attributes = {f"{{{WSU}}}Id": "X509-1", "EncodingType": BASE64, "ValueType": X509V3}
        token = etree.SubElement(security, f"{{{WSSE}}}BinarySecurityToken", attributes)
        token.text = base64.b64encode(self.certificate.public_bytes(Encoding.DER)).decode()
        self._signature(security, envelope, parts, broken)
        return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")

    def _user(self, security: etree._Element, created: str) -> None:
        nonce = os.urandom(16)
        token = etree.SubElement(security, f"{{{WSSE}}}UsernameToken", {f"{{{WSU}}}Id": "UT-1"})
        etree.SubElement(token, f"{{{WSSE}}}Username").text = self.user
        word = etree.SubElement(token, f"{{{WSSE}}}Password", {"Type": DIGEST})
        word.text = password_digest(nonce, created, self.password)
        kept = etree.SubElement(token, f"{{{WSSE}}}Nonce", {"EncodingType": BASE64})
        kept.text = base64.b64encode(nonce).decode()
        etree.SubElement(token, f"{{{WSU}}}Created").text = created

    def _signature(
        self, security: etree._Element, envelope: etree._Element, parts: list[str], broken: bool
    ) -> None:
        signature = etree.SubElement(security, f"{{{DS}}}Signature", nsmap={"ds": DS})
        info = etree.SubElement(signature, f"{{{DS}}}SignedInfo")
        etree.SubElement(info, f"{{{DS}}}CanonicalizationMethod", {"Algorithm": EXC})
        etree.SubElement(info, f"{{{DS}}}SignatureMethod", {"Algorithm": RSA_SHA256})
        for name in parts:
            (element,) = elements_with_id(envelope, name)
            reference = etree.SubElement(info, f"{{{DS}}}Reference", {"URI": f"#{name}"})
            transforms = etree.SubElement(reference, f"{{{DS}}}Transforms")
            etree.SubElement(transforms, f"{{{DS}}}Transform", {"Algorithm": EXC})
            etree.SubElement(reference, f"{{{DS}}}DigestMethod", {"Algorithm": SHA_256})
            digest = hashlib.sha256(canonical(element)).digest()
            etree.SubElement(reference, f"{{{DS}}}DigestValue").text = base64.b64encode(digest).decode()
        value = bytearray(self.key.sign(canonical(info), PKCS1v15(), SHA256()))
        if broken:
            value[0] ^= 0xFF
        etree.SubElement(signature, f"{{{DS}}}SignatureValue").text = base64.b64encode(bytes(value)).decode()
        reference = etree.SubElement(
            etree.SubElement(
                etree.SubElement(signature, f"{{{DS}}}KeyInfo"), f"{{{WSSE}}}SecurityTokenReference"
            ),
            f"{{{WSSE}}}Reference",
        )
        reference.set("URI", "#X509-1")
        reference.set("ValueType", X509V3)


def unsigned(payload: etree._Element) -> etree._Element:
    """An envelope whose Body has the Id that is signed."""
    envelope = etree.Element(f"{{{SOAP12}}}Envelope", nsmap={"s": SOAP12})
    body = etree.SubElement(envelope, f"{{{SOAP12}}}Body", {f"{{{WSU}}}Id": "BODY-1"}, nsmap={"wsu": WSU})
    body.append(copy.deepcopy(payload))  # a copy keeps prefixes that stand in text (fault codes)
    return envelope


def body_digest(envelope: etree._Element) -> str:
    """SHA-256 of the canonical Body, upper-case hex, as the Receipt's Digest wants it."""
    body = envelope.find(f"{{{SOAP12}}}Body")
    assert body is not None
    return hashlib.sha256(canonical(body)).hexdigest().upper()


def elements_with_id(root: etree._Element, name: str) -> list[etree._Element]:
    return [
        each
        for each in root.iter()
        if isinstance(each.tag, str)
        and name in (each.get(f"{{{WSU}}}Id"), each.get("Id"), each.get("ID"), each.get("id"))
    ]
