"""RSA2 over sorted pairs, and over the exact bytes of a reply's node."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import Certificate


def canonical(fields: Mapping[str, str], *, without: tuple[str, ...]) -> str:
    """`k=v` of the non-empty fields, sorted by key, joined by `&`."""
    return "&".join(f"{key}={fields[key]}" for key in sorted(fields) if fields[key] and key not in without)


def sign(content: bytes, key: rsa.RSAPrivateKey) -> str:
    return base64.b64encode(key.sign(content, padding.PKCS1v15(), hashes.SHA256())).decode()


def verifies(content: bytes, signature: str, certificate: Certificate) -> bool:
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    try:
        key.verify(base64.b64decode(signature, validate=True), content, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def reply(
    method: str,
    node: Mapping[str, Any],
    serial: str,
    key: rsa.RSAPrivateKey,
    charset: str,
    *,
    broken: bool = False,
) -> bytes:
    """The signed reply to a call. `broken`: a signature over other bytes than the node's."""
    body = json.dumps(node, ensure_ascii=False, separators=(",", ":"))
    signed = sign((body + (" " if broken else "")).encode(charset), key)
    name = f"{method.replace('.', '_')}_response"
    return f'{{"{name}":{body},"alipay_cert_sn":"{serial}","sign":"{signed}"}}'.encode(charset)


def refusal(code: str, msg: str, sub_code: str, sub_msg: str) -> bytes:
    """Refused at the door: unsigned (habit 5)."""
    node = {"code": code, "msg": msg, "sub_code": sub_code, "sub_msg": sub_msg}
    return json.dumps(
        {"error_response": node, "sign": ""}, ensure_ascii=False, separators=(",", ":")
    ).encode()
