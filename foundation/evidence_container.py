"""Evidence containers: ASiC-E (ETSI EN 319 162-1) with a CAdES signature and a time stamp, one message each.

The container has one form only (stored, fixed order, fixed date), which ``foundation.verify_evidence`` knows: so no
bit of it can change unseen. ``META-INF/ASiCManifest001.xml`` lists all parts and is signed; ``ASiCManifest002.xml``
lists ``batch.json``, which holds a batch's Merkle root, and is what the authority stamped when the batch was sealed.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime

import orjson

from foundation.cades import Signer
from foundation.verify_evidence import (
    BLOCK,
    MIMETYPE,
    NS,
    PARTS,
    SHA256_URI,
    SIGNATURE,
    SIGNED,
    STAMP,
    STAMPED,
    packed,
)

_TYPES = {".json": "application/json", ".xml": "text/xml", ".bin": "application/octet-stream"}
_TYPES |= {".p7s": "application/pkcs7-signature", ".tst": "application/vnd.etsi.timestamp-token"}


def batch_json(no: int, lines: int, root: bytes) -> bytes:
    """What is stamped of a batch."""
    return orjson.dumps({"batch": no, "lines": lines, "root": root.hex()})


def stamped_manifest(batch: bytes) -> bytes:
    """The manifest whose SHA-256 goes to the time-stamp authority; the same bytes each time it is made."""
    return manifest(STAMP, {"batch.json": batch})


def manifest(signature: str, parts: Mapping[str, bytes]) -> bytes:
    """An ASiCManifest that refers to these parts, and to the signature or time stamp over it."""
    rows = "".join(
        f'<asic:DataObjectReference URI="{name}" MimeType="{_type(name)}"><ds:DigestMethod Algorithm="{SHA256_URI}"/>'
        f"<ds:DigestValue>{base64.b64encode(hashlib.sha256(content).digest()).decode()}</ds:DigestValue>"
        "</asic:DataObjectReference>"
        for name, content in parts.items()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<asic:ASiCManifest xmlns:asic="{NS["asic"]}" xmlns:ds="{NS["ds"]}">'
        f'<asic:SigReference URI="{signature}" MimeType="{_type(signature)}"/>{rows}</asic:ASiCManifest>\n'
    ).encode()


def _type(name: str) -> str:
    return _TYPES[name[name.rindex(".") :]]


def container(parts: Mapping[str, bytes], batch: bytes, token: bytes, signer: Signer, at: datetime) -> bytes:
    """The container of one message. ``parts``: message.bin, headers.json … proof.json, as they are."""
    told = {**parts, "batch.json": batch}
    told["blocks.json"] = orjson.dumps({name: _blocks(content) for name, content in told.items()})
    told |= {STAMPED: stamped_manifest(batch), STAMP: token}
    told = {name: told[name] for name in PARTS if name in told}
    listed = manifest(SIGNATURE, told)
    told |= {SIGNED: listed, SIGNATURE: signer.sign(listed, at)}
    return packed([("mimetype", MIMETYPE), *told.items()])


def _blocks(content: bytes) -> list[str]:
    """Half a SHA-256 for each block of a part, so that a verifier can say where it was touched."""
    sha = hashlib.sha256
    return [sha(content[at : at + BLOCK]).hexdigest()[:32] for at in range(0, len(content), BLOCK)]
