"""Answers to time-stamp requests (RFC 3161): a CMS signature over hash, time and serial number."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from typing import ClassVar

from asn1crypto import algos, cms, core, tsp, x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from sandbox.timestamps.keys import AuthorityKeys

# A policy id of our own under 2.25 (ITU-T X.667), which anybody may use.
POLICY = "2.25.330399"
LENGTHS = {"sha256": 32, "sha384": 48, "sha512": 64}


class TimeStampResp(core.Sequence):  # type: ignore[misc]
    """As RFC 3161, 2.4.2, has it: without a token when there is no stamp (the library's own class demands one)."""

    _fields: ClassVar = [
        ("status", tsp.PKIStatusInfo),
        ("time_stamp_token", cms.ContentInfo, {"optional": True}),
    ]


def answer(keys: AuthorityKeys, request: bytes, now: datetime) -> bytes:
    """The TimeStampResp for a TimeStampReq; one that cannot be stamped is answered with its failure bit."""
    try:
        asked = tsp.TimeStampReq.load(request, strict=True)
        imprint = asked["message_imprint"]
        name = imprint["hash_algorithm"]["algorithm"].native
        hashed = imprint["hashed_message"].native
        nonce, wants_certificate = asked["nonce"].native, asked["cert_req"].native
    except (ValueError, TypeError, KeyError):
        return refusal("bad_data_format")
    if name not in LENGTHS:
        return refusal("bad_alg")
    if len(hashed) != LENGTHS[name]:
        return refusal("bad_data_format")
    stamped = tsp.TSTInfo(
        {
            "version": "v1",
            "policy": POLICY,
            "message_imprint": imprint,
            "serial_number": secrets.randbits(64),
            "gen_time": now.replace(microsecond=0),
            "accuracy": {"seconds": 1},
            "nonce": nonce,
        }
    )
    token = _signed(keys, stamped, wants_certificate)
    return bytes(TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token}).dump())


def refusal(failure: str) -> bytes:
    """The TimeStampResp that says why there is no stamp (PKIFailureInfo, RFC 3161, 2.4.2)."""
    return bytes(TimeStampResp({"status": {"status": "rejection", "fail_info": {failure}}}).dump())


def _signed(keys: AuthorityKeys, stamped: tsp.TSTInfo, wants_certificate: bool) -> cms.ContentInfo:
    der = stamped.dump()
    certificate = keys.certificate.public_bytes(Encoding.DER)
    own = x509.Certificate.load(certificate)
    attributes = cms.CMSAttributes(
        [
            {"type": "content_type", "values": ["tst_info"]},
            {"type": "message_digest", "values": [hashlib.sha256(der).digest()]},
            {
                "type": "signing_certificate_v2",
                "values": [{"certs": [{"cert_hash": hashlib.sha256(certificate).digest()}]}],
            },
        ]
    )
    signature = keys.key.sign(attributes.dump(), ec.ECDSA(hashes.SHA256()))
    sha256 = algos.DigestAlgorithm({"algorithm": "sha256"})
    signer = cms.SignerInfo(
        {
            "version": "v1",
            "sid": {"issuer_and_serial_number": {"issuer": own.issuer, "serial_number": own.serial_number}},
            "digest_algorithm": sha256,
            "signed_attrs": attributes,
            "signature_algorithm": {"algorithm": "sha256_ecdsa"},
            "signature": signature,
        }
    )
    signed = cms.SignedData(
        {
            "version": "v3",
            "digest_algorithms": [sha256],
            "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(der)},
            "certificates": [own] if wants_certificate else None,
            "signer_infos": [signer],
        }
    )
    return cms.ContentInfo({"content_type": "signed_data", "content": signed})
