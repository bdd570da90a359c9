"""Verifies evidence containers (ASiC-E, ETSI EN 319 162-1) of one message each, offline.

This file alone, with Python 3.11 or later, ``cryptography`` and ``lxml``, is the whole verifier:

    python verify_evidence.py --hub HUB.pem --tsa AUTHORITY.pem FILE_OR_FOLDER...

What it shows: the message's bytes, headers and receipt are those that a journal line binds by hash; the line is in its
chain and in a batch whose Merkle root was time-stamped (RFC 3161) by an authority you trust; the whole container was
signed by a hub you trust. Where something was touched, it says in which part, and which byte or field differs.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import struct
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from lxml import etree

MIMETYPE = b"application/vnd.etsi.asic-e+zip"
SIGNED, SIGNATURE = "META-INF/ASiCManifest001.xml", "META-INF/signature001.p7s"
STAMPED, STAMP = "META-INF/ASiCManifest002.xml", "META-INF/timestamp002.tst"
PARTS = ("mimetype", "message.bin", "headers.json", "outcome.json", "receipt.json", "reply.bin", "line.json", "proof.json",
         "batch.json", "blocks.json", STAMPED, STAMP, SIGNED, SIGNATURE)  # fmt: skip
BOUND = ("headers.json", "outcome.json", "receipt.json", "reply.bin")  # by their hash in the line's detail
BLOCK = 256
MAX_CONTAINER = 200_000_000
SEARCHED = 16_000_000  # bytes from a part's end in which a changed byte is looked for
NS = {"asic": "http://uri.etsi.org/02918/v1.2.1#", "ds": "http://www.w3.org/2000/09/xmldsig#"}
SHA256_URI = "http://www.w3.org/2001/04/xmlenc#sha256"
DIGESTS: dict[str, Any] = {
    "608648016503040201": hashes.SHA256,
    "608648016503040202": hashes.SHA384,
    "608648016503040203": hashes.SHA512,
}


class Broken(Exception):
    """A structure cannot be read or does not verify; the text says why."""


@dataclass(frozen=True)
class Finding:
    """What differs: in which part of the container, where in it, and how."""

    part: str
    place: str
    what: str


@dataclass
class Report:
    """Nothing was touched when there are no ``findings``. ``told`` names the message, its line and its times."""

    findings: list[Finding] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)


# -- the zip: there is one right form, so that no bit of it can change unseen ------------------------------------


def packed(parts: Sequence[tuple[str, bytes]], crcs: Sequence[int] = ()) -> bytes:
    """The container of these parts: stored, in their order, of 1 January 1980. ``crcs`` stand in for the computed."""
    local, central, offset = [], [], 0
    for number, (name, content) in enumerate(parts):
        raw, size, crc = name.encode(), len(content), crcs[number] if crcs else zlib.crc32(content)
        same = struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 33, crc, size, size, len(raw), 0)
        local += [b"PK\x03\x04", same, raw, content]
        central += [b"PK\x01\x02\x14\x00", same, struct.pack("<HHHII", 0, 0, 0, 0, offset), raw]
        offset += 30 + len(raw) + size
    directory = b"".join(central)
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, len(parts), len(parts), len(directory), offset, 0)
    return b"".join([*local, directory, end])


def _by_directory(data: bytes) -> list[tuple[str, bytes, int]]:
    count, start = struct.unpack_from("<H4xI", data, len(data) - 12)
    found = []
    for _ in range(count if count <= len(PARTS) else 0):
        crc, size, length = struct.unpack_from("<I4xIH", data, start + 16)
        offset = struct.unpack_from("<I", data, start + 42)[0] + 30 + length
        found.append((data[start + 46 : start + 46 + length].decode(), data[offset : offset + size], crc))
        start += 46 + length
    return found


def _by_headers(data: bytes) -> list[tuple[str, bytes, int]]:
    found: list[tuple[str, bytes, int]] = []
    at = 0
    while data[at : at + 4] == b"PK\x03\x04" and len(found) <= len(PARTS):
        crc, size, length = struct.unpack_from("<I4xIH", data, at + 14)
        start = at + 30 + length
        found.append((data[at + 30 : start].decode(), data[start : start + size], crc))
        at = start + size
    return found


def unpacked(data: bytes, report: Report) -> dict[str, bytes]:
    """The parts of a container, with a finding for each byte round them that is not as it must be."""
    best: tuple[int, Any, bytes] | None = None
    for read in (_by_directory, _by_headers):
        try:
            parts = read(data)
        except (struct.error, UnicodeDecodeError):
            continue
        right = packed([part[:2] for part in parts], [part[2] for part in parts])
        off = 0
        if right != data:  # of the zip's two lists of its parts, the one that makes more sense is believed
            off = abs(len(right) - len(data)) + sum(a != b for a, b in zip(right, data, strict=False))
            off += sum((name not in PARTS) + (zlib.crc32(content) != crc) for name, content, crc in parts)
        if parts and (best is None or off < best[0]):
            best = (off, parts, right)
        if not off:
            break
    if best is None:
        report.findings.append(Finding("container", "byte 0", "this is no zip of ours"))
        return {}
    _, parts, right = best
    if right != data:
        _name_differences(data, right, parts, report)
    for name, content, crc in parts:
        if zlib.crc32(content) != crc:
            report.findings.append(_damage(name, content, crc))
    names = [part[0] for part in parts]
    if names != [name for name in PARTS if name in names]:
        report.findings.append(
            Finding("container", "order of parts", f"{names}; expected some of {list(PARTS)}")
        )
    return {name: content for name, content, _ in parts}


def _name_differences(data: bytes, right: bytes, parts: Any, report: Report) -> None:
    """One finding for each header, directory entry or end record of the zip that differs."""
    regions: list[tuple[int, int, str, str]] = []
    at, after = 0, len(right) - 22
    for part, _, _ in parts:
        after -= 46 + len(part.encode())
    for part, content, _ in parts:
        length = len(part.encode())
        regions += [
            (at, at + 30 + length, part, "zip header"),
            (after, after + 46 + length, part, "zip directory"),
        ]
        at, after = at + 30 + length + len(content), after + 46 + length
    regions.append((after, max(len(data), len(right)), "container", "zip end"))
    for start, end, part, name in regions:
        off = next((i for i in range(start, end) if data[i : i + 1] != right[i : i + 1]), None)
        if off is not None:
            found, wanted = data[off : off + 1].hex() or "nothing", right[off : off + 1].hex() or "nothing"
            place = f"{name}, byte {off - start} of it, {off} of the file"
            report.findings.append(Finding(part, place, f"{found}; expected {wanted}"))


def _damage(part: str, content: bytes, crc: int) -> Finding:
    """Which byte changed, if it is one: a changed byte leaves a trace in the CRC that tells its distance and bits."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0xEDB88320 if value & 1 else 0)
        table.append(value)
    high = {value >> 24: index for index, value in enumerate(table)}
    bits = {value: index for index, value in enumerate(table)}
    trace = zlib.crc32(content) ^ crc
    for at in range(len(content) - 1, max(-1, len(content) - 1 - SEARCHED), -1):
        if changed := bits.get(trace):
            return Finding(part, f"byte {at}", f"{content[at]:02x}; expected {content[at] ^ changed:02x}")
        index = high[trace >> 24]
        trace = (trace ^ table[index]) << 8 & 0xFFFFFFFF | index
    return Finding(part, f"bytes 0 to {len(content) - 1}", "content and CRC-32 differ in more than one byte")


# -- CMS (RFC 5652) and time stamps (RFC 3161), read as strict DER -----------------------------------------------

Node = tuple[int, bytes, bytes]  # tag, body, the whole


def _nodes(data: bytes) -> list[Node]:
    found: list[Node] = []
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            raise Broken("DER ends within a header")
        length, start = data[at + 1], at + 2
        if length & 0x80:
            width = length & 0x7F
            length, start = int.from_bytes(data[start : start + width], "big"), start + width
            if not 1 <= width <= 4 or length < 0x80 or length >> 8 * (width - 1) == 0:
                raise Broken("a length is not in DER")
        if start + length > len(data):
            raise Broken("DER ends within a value")
        found.append((data[at], data[start : start + length], data[at : start + length]))
        at = start + length
    return found


@lru_cache(maxsize=256)
def _certificate(der: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(der)


def signed_content(
    der: bytes, content: bytes | None
) -> tuple[bytes, x509.Certificate, list[x509.Certificate]]:
    """Content, signer's certificate and other certificates of a CMS signature that holds. Raises Broken."""
    try:
        return _signed_content(der, content)
    except Broken:
        raise
    except InvalidSignature:
        raise Broken("the signature does not verify") from None
    except Exception as error:  # the library has kinds of its own for what it cannot read
        raise Broken(f"the structure cannot be read: {error}") from None


def _signed_content(
    der: bytes, content: bytes | None
) -> tuple[bytes, x509.Certificate, list[x509.Certificate]]:
    (outer,) = _nodes(der)
    data = _nodes(_nodes(_nodes(outer[1])[1][1])[0][1])
    inside = _nodes(data[2][1])
    if len(inside) > 1:
        content = _nodes(inside[1][1])[0][1]
    if content is None:
        raise Broken("there is no content")
    certificates = [
        _certificate(node[2]) for tag, body, _ in data[3:-1] if tag == 0xA0 for node in _nodes(body)
    ]
    (signer,) = _nodes(data[-1][1])
    _, sid, digest_algorithm, attributes, algorithm, signature = _nodes(signer[1])[:6]
    issuer, serial = _nodes(sid[1])
    own = next((one for one in certificates if one.serial_number == int.from_bytes(serial[1], "big")
                and one.issuer.public_bytes() == issuer[2]), None)  # fmt: skip
    if own is None or attributes[0] != 0xA0:
        raise Broken("the signer's certificate or the signed attributes are not there")
    values = {_nodes(one[1])[0][1].hex(): _nodes(_nodes(one[1])[1][1])[0] for one in _nodes(attributes[1])}
    digest = DIGESTS[_nodes(digest_algorithm[1])[0][1].hex()]()
    if values["2a864886f70d010904"][1] != hashlib.new(digest.name, content).digest():
        raise Broken("the signed digest is not that of the content")
    if (told := values.get("2a864886f70d010910022f")) is not None:  # ESS signingCertificateV2, RFC 5035
        first = _nodes(_nodes(_nodes(told[1])[0][1])[0][1])
        if first[0][0] == 0x04 and first[0][1] != own.fingerprint(hashes.SHA256()):
            raise Broken("the signature names another certificate")
    covered = b"\x31" + attributes[2][1:]  # signed as a SET, RFC 5652, 5.4
    named = _nodes(algorithm[1])[0][1].hex()
    signed_with = {"2a8648ce3d040303": hashes.SHA384, "2a8648ce3d040304": hashes.SHA512}.get(named)
    _verify(own.public_key(), signature[1], covered, signed_with() if signed_with else digest)
    return content, own, certificates


def _verify(key: Any, signature: bytes, content: bytes, digest: hashes.HashAlgorithm) -> None:
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, content, padding.PKCS1v15(), digest)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, content, ec.ECDSA(digest))
    else:
        raise Broken("the key is neither RSA nor of an elliptic curve")


Certificates = Sequence[x509.Certificate]


def check_trust(own: x509.Certificate, others: Certificates, trusted: Certificates, at: datetime) -> None:
    """Raise Broken unless ``own`` is trusted, or issued by a trusted one over at most 5 others, all good at ``at``."""
    for _ in range(5):
        if not own.not_valid_before_utc <= at <= own.not_valid_after_utc:
            raise Broken(
                f"the certificate of {own.subject.rfc4514_string()} was not valid at {at.isoformat()}"
            )
        if own in trusted:
            return
        above = next((one for one in (*trusted, *others) if one != own and _issued(one, own)), None)
        if above is None:
            raise Broken(f"{own.subject.rfc4514_string()} is not trusted")
        own = above
    raise Broken("the chain of certificates is too long")


def _issued(above: x509.Certificate, below: x509.Certificate) -> bool:
    try:
        below.verify_directly_issued_by(above)
        return above.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except Exception:  # another name, another key, a signature or an extension that cannot be read
        return False


@lru_cache(maxsize=1024)
def check_stamp(
    token: bytes, imprint: bytes, trusted: tuple[x509.Certificate, ...]
) -> tuple[datetime, int | None]:
    """Time and nonce of a time-stamp token over the SHA-256 ``imprint``. Raises Broken."""
    info, own, others = signed_content(token, None)
    try:
        told = _nodes(_nodes(info)[0][1])
        algorithm, hashed = _nodes(told[2][1])
        at = datetime.strptime(told[4][1].decode().split(".")[0].rstrip("Z"), "%Y%m%d%H%M%S").replace(
            tzinfo=UTC
        )
        nonce = next((int.from_bytes(body, "big") for tag, body, _ in told[5:] if tag == 0x02), None)
        usage = own.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        digest = DIGESTS.get(_nodes(algorithm[1])[0][1].hex())
    except Exception as error:
        raise Broken(f"no time-stamp token: {error}") from None
    if digest is not hashes.SHA256 or hashed[1] != imprint:
        raise Broken("the time stamp is over something else")
    if not usage.critical or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise Broken("the signer's certificate is not one for time stamps")
    check_trust(own, others, trusted, at)
    return at, nonce


# -- what the parts say of each other ----------------------------------------------------------------------------

Parts = dict[str, bytes]


@dataclass(frozen=True)
class Trust:
    """Whose word is taken: certificates of hubs, and (roots) of time-stamp authorities; each for its own purpose."""

    hubs: Certificates
    authorities: Certificates


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


@lru_cache(maxsize=64)  # all messages of a batch have one stamped manifest
def _references(manifest: bytes, signature: str) -> dict[str, bytes]:
    root = etree.fromstring(manifest, etree.XMLParser(resolve_entities=False, no_network=True))
    asic, ds = (f"{{{NS[name]}}}" for name in ("asic", "ds"))
    named = [one.get("URI") for one in root.iterchildren(f"{asic}SigReference")]
    if root.tag != f"{asic}ASiCManifest" or named != [signature]:
        raise Broken(f"this is no manifest for {signature}")
    told = {}
    for one in root.iterchildren(f"{asic}DataObjectReference"):
        method, value = one
        if method.tag != f"{ds}DigestMethod" or method.get("Algorithm") != SHA256_URI:
            raise Broken("a digest is not by SHA-256")
        told[str(one.get("URI"))] = base64.b64decode(value.text or "", validate=True)
    return told


def _where(part: str, parts: Parts) -> str:
    """The block of a part that differs from its digest in blocks.json; all of it when that does not tell."""
    content = parts[part]
    try:
        wanted = json.loads(parts["blocks.json"])[part]
    except (ValueError, KeyError):
        wanted = []
    for number, digest in enumerate(wanted):
        block = content[number * BLOCK : (number + 1) * BLOCK]
        if _sha256(block).hex()[:32] != digest:
            return f"bytes {number * BLOCK} to {number * BLOCK + max(len(block), 1) - 1}"
    return f"bytes {len(wanted) * BLOCK} to {max(len(content) - 1, 0)}"


def _check_digests(parts: Parts, report: Report, _: Trust) -> None:
    for manifest, signature in ((SIGNED, SIGNATURE), (STAMPED, STAMP)):
        told = _references(parts[manifest], signature)
        wanted = {"batch.json"} if manifest == STAMPED else set(parts) - {"mimetype", SIGNED, SIGNATURE}
        for part in sorted(told.keys() ^ wanted):
            report.findings.append(
                Finding(part, "as a whole", f"{'missing' if part in told else 'not'} in {manifest}")
            )
        for part in sorted(told.keys() & parts.keys()):
            if _sha256(parts[part]) != told[part]:
                report.findings.append(
                    Finding(part, _where(part, parts), f"differs from its digest in {manifest}")
                )


def _check_line(parts: Parts, report: Report, _: Trust) -> None:
    day, shard, no, at, kind, ref, digest, actor, detail = json.loads(parts["line.json"])
    report.told |= {
        "message": ref,
        "fate": kind,
        "at": at,
        "by": actor,
        "line": f"{day} shard {shard} no {no}",
    }
    bound = {"message.bin": digest, **{part: detail.get(part.split(".")[0]) for part in BOUND}}
    for part, wanted in bound.items():
        if part in parts and _sha256(parts[part]).hex() != wanted:
            report.findings.append(Finding(part, _where(part, parts), "is not what the journal line binds"))


def _check_proof(parts: Parts, report: Report, _: Trust) -> None:
    proof, batch = json.loads(parts["proof.json"]), json.loads(parts["batch.json"])
    found = _sha256(bytes.fromhex(proof["prev"]) + parts["line.json"])
    if found.hex() != proof["hash"]:
        report.findings.append(
            Finding("line.json", _where("line.json", parts), "does not give the hash in proof.json")
        )
    found = _sha256(b"\x00" + bytes.fromhex(proof["hash"]))
    for side, beside in proof["path"]:
        pair = bytes.fromhex(beside) + found if side == "left" else found + bytes.fromhex(beside)
        found = _sha256(b"\x01" + pair)
    if found.hex() != batch["root"]:
        report.findings.append(
            Finding("proof.json", "path", f"leads to {found.hex()}; the root is {batch['root']}")
        )


def _check_stamp(parts: Parts, report: Report, trust: Trust) -> None:
    at, _ = check_stamp(parts[STAMP], _sha256(parts[STAMPED]), tuple(trust.authorities))
    report.told["stamped"] = at.isoformat()


def _check_signature(parts: Parts, report: Report, trust: Trust) -> None:
    _, own, others = signed_content(parts[SIGNATURE], parts[SIGNED])
    stamped = report.told.get("stamped")
    check_trust(
        own, others, trust.hubs, datetime.fromisoformat(stamped) if stamped else own.not_valid_before_utc
    )
    report.told["signer"] = own.subject.rfc4514_string()


CHECKS = ((SIGNED, _check_digests), ("line.json", _check_line), ("proof.json", _check_proof), (STAMP, _check_stamp),
          (SIGNATURE, _check_signature))  # fmt: skip


def verify(data: bytes, trust: Trust) -> Report:
    """Verify one container. Never raises for what is in it: what differs is in the report."""
    report = Report()
    parts = unpacked(data[:MAX_CONTAINER], report)
    if parts and parts.get("mimetype") != MIMETYPE:
        report.findings.append(Finding("mimetype", "content", f"is not {MIMETYPE.decode()}"))
    for part, check in CHECKS if parts else ():
        try:
            check(parts, report, trust)
        except Exception as error:  # whatever was put in there: it is no evidence
            report.findings.append(Finding(part, "content", f"{type(error).__name__}: {error}"))
    return report


def _read(paths: Sequence[Path]) -> Certificates:
    return [one for path in paths for one in x509.load_pem_x509_certificates(path.read_bytes())]


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The files named, and the containers in the folders named."""
    return [
        one for path in paths for one in (sorted(path.glob("*.asice"), key=str) if path.is_dir() else [path])
    ]


def main() -> int:
    """The command; exit code 0 when every container verifies, 1 when one does not."""
    parser = argparse.ArgumentParser(description="Verify evidence containers, offline")
    for name, whose in (("--hub", "the hub's"), ("--tsa", "the time-stamp authority's")):
        parser.add_argument(
            name, type=Path, action="append", required=True, help=f"PEM file of {whose} certificates"
        )
    parser.add_argument("containers", type=Path, nargs="+", help="files, or folders of .asice files")
    told = parser.parse_args()
    trust = Trust(_read(told.hub), _read(told.tsa))
    files = files_of(told.containers)
    bad = 0
    for path in files:
        report = verify(path.read_bytes(), trust)
        bad += bool(report.findings)
        print(json.dumps({"file": path.name, "ok": not report.findings, **report.told}, ensure_ascii=False))
        for one in report.findings:
            print(f"  {one.part}: {one.place}: {one.what}")
    print(f"{len(files)} containers, {bad} of them touched or not proved", file=sys.stderr)
    return 1 if bad or not files else 0


if __name__ == "__main__":
    sys.exit(main())
