"""Who calls: the partner, proved by its TLS certificate, its HTTP message signature or its WS-Security signature."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NoReturn

from foundation import http_signature, wss
from foundation.directory import Directory, Key, Partner
from foundation.http_signature import Parts
from foundation.partner_limits import Limits
from foundation.replays import Proof, proof_of
from foundation.wss_envelope import SECURITY_PATH, Envelope, take_apart
from schemas.findings import Finding, Refused


@dataclass(frozen=True)
class Identity:
    """Who called and how it was proved. ``proof`` goes to ``replays.once``; ``signed`` is what a SOAP message's signature covers."""

    partner: Partner
    keys: tuple[str, ...]
    ways: frozenset[str]
    proof: Proof | None = None
    signed: wss.Signed | None = None
    envelope: Envelope | None = None


@dataclass(frozen=True)
class Call:
    """One request. ``certificate``: the client's TLS certificate (DER), as the TLS layer has verified it."""

    protocol: Literal["rest", "soap"]
    parts: Parts
    certificate: bytes | None = None


def identify(
    directory: Directory, call: Call, now: datetime, hosts: frozenset[str] = frozenset()
) -> Identity:
    """Who calls. ``now`` is the hub's time; ``hosts`` the names under which this hub is called, empty: any.

    A request that was signed for another hub, a sandbox say, is not taken here although its key is known.

    The signature is checked; that it was not used before is for the caller to ask with ``replays.once``, in the
    transaction that stores the message. Raises Refused with a code that says why: SIGNATURE_MISSING, CERT_UNKNOWN,
    KEY_EXPIRED, KEY_REVOKED, ALGORITHM_UNSUPPORTED, SIGNATURE_INVALID, DIGEST_MISMATCH, TIMESTAMP_EXPIRED,
    PARTNER_SUSPENDED, NOT_AUTHORISED.
    """
    keys: list[Key] = []
    proof: Proof | None = None
    signed: wss.Signed | None = None
    envelope: Envelope | None = None
    if call.certificate is not None:
        keys.append(_in_force(directory.tls.get(call.certificate), now, "tls", _print_of(call.certificate)))
    if http_signature.is_signed(call.parts):
        key, proof = _by_http(directory, call.parts, now, hosts)
        keys.append(key)
    if call.protocol == "soap":
        envelope = take_apart(call.parts.body, max_bytes=_most_bytes(directory, keys))
        if envelope.security is not None:
            key, signed, proof = _by_wss(directory, envelope, now)
            keys.append(key)
    if not keys:
        wanted = "a TLS client certificate, an HTTP message signature or a WS-Security signature"
        raise Refused(Finding("SIGNATURE_MISSING", "request", "nothing says who calls", wanted))
    if len({key.partner for key in keys}) != 1:
        raise Refused(Finding("NOT_AUTHORISED", "request", "proofs of two partners", "one partner"))
    ways = frozenset(key.kind for key in keys)
    partner = _admitted(directory, keys[0].partner, call.protocol, ways, now)
    return Identity(partner, tuple(key.id for key in keys), ways, proof, signed, envelope)


def _most_bytes(directory: Directory, keys: list[Key]) -> int:
    """Limit for a body whose sender is not known yet: what the largest partner may send."""
    known = [directory.partners[key.partner] for key in keys if key.partner in directory.partners]
    return max(
        (each.limits.body_bytes for each in known or directory.partners.values()), default=Limits().body_bytes
    )


def _by_http(directory: Directory, parts: Parts, now: datetime, hosts: frozenset[str]) -> tuple[Key, Proof]:
    told = http_signature.claimed(parts)
    host = http_signature.authority_of(parts)
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if hosts and name not in hosts:
        raise Refused(
            Finding("SIGNATURE_INVALID", "header Host", host[:100], f"one of {', '.join(sorted(hosts))}")
        )
    key = _in_force(directory.http.get(told.key_id), now, "http", told.key_id)
    http_signature.check(parts, told, key.public, now)
    path = "header Signature-Input nonce"
    return key, proof_of(key.partner, "http", told.nonce.encode(), told.expires, path)


def _by_wss(directory: Directory, envelope: Envelope, now: datetime) -> tuple[Key, wss.Signed, Proof]:
    parts, der = wss.token_of(envelope)
    key = _in_force(directory.wss.get(der), now, "wss", _print_of(der))
    signed = wss.verify_parts(envelope, parts, der, key.public)
    end = wss.check_timestamp(signed, now)
    return (
        key,
        signed,
        proof_of(key.partner, "wss", signed.value, end.timestamp(), f"{SECURITY_PATH}/Signature"),
    )


def _in_force(key: Key | None, now: datetime, kind: str, told: str) -> Key:
    path = {
        "http": "header Signature-Input keyid",
        "tls": "tls",
        "wss": f"{SECURITY_PATH}/BinarySecurityToken",
    }[kind]
    fault = {"wss": "wsse:InvalidSecurityToken"}.get(kind, "")

    def refuse(code: str, found: str, wanted: str) -> NoReturn:
        raise Refused(Finding(code, path, found, wanted, partner_code=fault))

    if key is None:
        refuse("CERT_UNKNOWN", told[:100], "a registered key or certificate")
    if key.revoked_at is not None and key.revoked_at <= now:
        refuse("KEY_REVOKED", key.id, "a key in force: this one was revoked")
    if now < key.valid_from:
        refuse("KEY_EXPIRED", f"{key.id}, valid from {key.valid_from:%Y-%m-%dT%H:%M:%SZ}", "a key in force")
    if now >= key.valid_to:
        refuse("KEY_EXPIRED", f"{key.id}, valid until {key.valid_to:%Y-%m-%dT%H:%M:%SZ}", "a key in force")
    return key


def _admitted(
    directory: Directory, partner_id: str, protocol: str, ways: frozenset[str], now: datetime
) -> Partner:
    partner = directory.partners[partner_id]
    if partner.state != "active":
        raise Refused(
            Finding("PARTNER_SUSPENDED", "partner", partner.id, "an active partner: ask the operator")
        )
    if now < partner.valid_from or (partner.valid_to is not None and now >= partner.valid_to):
        raise Refused(
            Finding(
                "PARTNER_SUSPENDED", "partner", f"{partner.id}, outside its validity", "an active partner"
            )
        )
    if protocol not in partner.protocols:
        raise Refused(Finding("NOT_AUTHORISED", "protocol", protocol, ", ".join(sorted(partner.protocols))))
    if not any(set(each.split("+")) <= ways for each in partner.auth):
        wanted = " or ".join(partner.auth)
        raise Refused(Finding("NOT_AUTHORISED", "request", f"proved by {', '.join(sorted(ways))}", wanted))
    return partner


def _print_of(der: bytes) -> str:
    return f"certificate with SHA-256 {hashlib.sha256(der).hexdigest()[:16]}…"
