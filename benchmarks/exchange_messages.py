"""A made-up partner's signed messages for the exchange benchmark, written as cheaply as a sender could: by text, not by library."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from connectors.open_contract.shape import write_xml
from schemas.identifiers import resident_check_digit

PARTNER = "bench_street"
KEY_ID = "bench_street-1"
_CAUSES = ("相邻关系纠纷", "民间借贷纠纷", "物业服务合同纠纷", "劳动报酬纠纷", "机动车交通事故责任纠纷")
_SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜"
_GIVEN = "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂玉萍红玲彬超"
_WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_X509 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
_B64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
# Share of messages that tell more of a case told before.
FOLLOW_UPS = 0.3


class Messages:
    """Distinct messages, made from a seed: new cases, and further messages of earlier ones, numbered."""

    def __init__(self, seed: int, prefix: str) -> None:
        self._random = random.Random(f"{seed}/{prefix}")
        self._prefix = prefix
        self._cases: list[int] = []
        self.made = 0

    def next(self) -> dict[str, object]:
        """The next message."""
        self.made += 1
        follows = self._cases and self._random.random() < FOLLOW_UPS
        if follows:
            place = self._random.randrange(max(0, len(self._cases) - 2000), len(self._cases))
            self._cases[place] += 1
        else:
            place = len(self._cases)
            self._cases.append(1)
        return self._message(place, self._cases[place])

    def _message(self, case: int, sequence: int) -> dict[str, object]:
        draw = self._random
        at = datetime(2026, 4, 1, 1, tzinfo=UTC) + timedelta(seconds=case * 7 + sequence * 3600)
        fields: dict[str, object] = {
            "proceeding_kind": "MEDIATION" if case % 3 else "OTHER",
            "state": "OPEN" if sequence == 1 else "SUSPENDED" if sequence % 2 == 0 else "OPEN",
            "cause": _CAUSES[case % len(_CAUSES)],
            "claimed_fen": draw.randrange(100_00, 50_000_00),
            "opened_on": "2026-03-30",
            "narrative": f"第{case}号：当事人就{_CAUSES[case % len(_CAUSES)]}申请调解，第{sequence}次报送。"
            * 3,
        }
        record: dict[str, object] = {"kind": "episode", "fields": fields}
        if sequence == 1:
            record["parties"] = [self._person("applicant", "A1"), self._person("respondent", "R1")]
        return {
            "message_id": f"{self._prefix}-{self.made}",
            "case_key": f"{self._prefix}-JD-{case}",
            "sequence": sequence,
            "event_time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "kind": "record",
            "records": [record],
        }

    def _person(self, role: str, key: str) -> dict[str, object]:
        draw = self._random
        first17 = f"330399{draw.randrange(1950, 2005)}{draw.randrange(1, 13):02d}{draw.randrange(1, 29):02d}{draw.randrange(1000):03d}"
        return {
            "key": key, "role": role, "kind": "person",
            "name": draw.choice(_SURNAMES) + draw.choice(_GIVEN) + draw.choice(_GIVEN),
            "id_number": first17 + resident_check_digit(first17),
            "phone": f"139{draw.randrange(10**8):08d}",
        }  # fmt: skip


@dataclass(frozen=True)
class Sender:
    """The partner's RSA key and certificate, and the hub's host; makes whole HTTP requests."""

    key: rsa.RSAPrivateKey
    certificate: bytes
    host: str

    @classmethod
    def load(cls, folder: str, host: str) -> Sender:
        """Read ``sender.key`` and ``sender.crt``."""
        with open(os.path.join(folder, "sender.key"), "rb") as file:
            key = serialization.load_pem_private_key(file.read(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        with open(os.path.join(folder, "sender.crt"), "rb") as file:
            certificate = x509.load_pem_x509_certificate(file.read())
        return cls(key, certificate.public_bytes(serialization.Encoding.DER), host)

    def _sign(self, content: bytes) -> str:
        return base64.b64encode(self.key.sign(content, padding.PKCS1v15(), hashes.SHA256())).decode()

    def rest(self, method: str, target: str, body: bytes = b"") -> bytes:
        """A signed REST request (RFC 9421, RFC 9530)."""
        created = int(time.time())
        names = ["@method", "@authority", "@path"]
        lines = [f'"@method": {method}', f'"@authority": {self.host}', f'"@path": {target}']
        head = f"{method} {target} HTTP/1.1\r\nhost: {self.host}\r\n"
        if body:
            digest = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
            names += ["content-digest", "content-type"]
            lines += [f'"content-digest": {digest}', '"content-type": application/json']
            head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\ncontent-digest: {digest}\r\n"
        covered = " ".join(f'"{name}"' for name in names)
        told = f'({covered});created={created};keyid="{KEY_ID}";alg="rsa-v1_5-sha256";nonce="{secrets.token_hex(8)}"'
        lines.append(f'"@signature-params": {told}')
        proof = self._sign("\n".join(lines).encode())
        return f"{head}signature-input: s={told}\r\nsignature: s=:{proof}:\r\n\r\n".encode() + body

    def submit(self, message: dict[str, object]) -> bytes:
        """A message over REST."""
        return self.rest("POST", "/open/v1/messages", orjson.dumps(message))

    def soap(self, message: dict[str, object]) -> bytes:
        """The same message over SOAP 1.1 with WS-Security: Body and Timestamp signed, everything written canonical."""
        now = datetime.now(UTC)
        begin, end = (
            each.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z" for each in (now, now + timedelta(minutes=5))
        )
        inner = f'<submit xmlns="urn:concord:exchange:1">{write_xml(message)}</submit>'
        # The message's own declaration of the same namespace is not there in canonical form.
        inner = inner.replace('<message xmlns="urn:concord:exchange:1">', "<message>")
        body = f'<s:Body xmlns:s="{_SOAP}" xmlns:wsu="{_WSU}" wsu:Id="B">{inner}</s:Body>'
        stamp = (
            f'<wsu:Timestamp xmlns:wsu="{_WSU}" wsu:Id="T"><wsu:Created>{begin}</wsu:Created>'
            f"<wsu:Expires>{end}</wsu:Expires></wsu:Timestamp>"
        )
        info = (
            f'<ds:SignedInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">'
            f'<ds:CanonicalizationMethod Algorithm="{_C14N}"></ds:CanonicalizationMethod>'
            '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"></ds:SignatureMethod>'
            f"{_reference('B', body)}{_reference('T', stamp)}</ds:SignedInfo>"
        )
        token = base64.b64encode(self.certificate).decode()
        envelope = (
            f'<s:Envelope xmlns:s="{_SOAP}"><s:Header><wsse:Security xmlns:wsse="{_WSSE}" s:mustUnderstand="1">{stamp}'
            f'<wsse:BinarySecurityToken xmlns:wsu="{_WSU}" wsu:Id="X" ValueType="{_X509}" EncodingType="{_B64}">{token}'
            f'</wsse:BinarySecurityToken><ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">{info}'
            f"<ds:SignatureValue>{self._sign(info.encode())}</ds:SignatureValue><ds:KeyInfo>"
            f'<wsse:SecurityTokenReference><wsse:Reference URI="#X" ValueType="{_X509}"/></wsse:SecurityTokenReference>'
            f"</ds:KeyInfo></ds:Signature></wsse:Security></s:Header>{body}</s:Envelope>"
        ).encode()
        head = (
            f"POST /open/soap HTTP/1.1\r\nhost: {self.host}\r\ncontent-type: text/xml; charset=utf-8\r\n"
            f'soapaction: "urn:concord:exchange:1/submit"\r\ncontent-length: {len(envelope)}\r\n\r\n'
        )
        return head.encode() + envelope


def _reference(name: str, content: str) -> str:
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    return (
        f'<ds:Reference URI="#{name}"><ds:Transforms><ds:Transform Algorithm="{_C14N}"></ds:Transform></ds:Transforms>'
        '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod>'
        f"<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>"
    )
