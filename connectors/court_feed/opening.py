"""Takes a message of the court apart: SOAP message, zip batch, list page, sheet or bare part.

Every way ends in the same shape: the sender's id, the bytes that decide "same or other", and the parts.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from connectors.court_feed import envelopes
from schemas.canonical import sha256_hex
from schemas.exchange import RawMessage
from schemas.findings import Finding, Refused
from schemas.sheet_safe import is_sheet
from schemas.soap import Envelope, action_contradicts, read_envelope
from schemas.zip_safe import ZipLimits, read_zip_safe

MESSAGE_BYTES = 30 * 1024 * 1024
ZIP_BYTES = 20 * 1024 * 1024
ZIP_LIMITS = ZipLimits(entries=200, entry_bytes=10 * 1024 * 1024, total_bytes=200 * 1024 * 1024, ratio=100)
_EXPORT_NAME = re.compile(r"[A-Z]{4}_export_\d{14}_\d{14}_\d+_\d{14}_\d+\.zip")


@dataclass(frozen=True)
class Opened:
    """A message taken apart. `kind`: "parts", "list", "ledger" or "reply" (an answer without rows).

    `message_id` "" = the first part's own number. `id_path`: where the id stands. `parts`: prefix for
    paths, and the part's bytes. `bytes_digest`: of what the contract compares.
    """

    kind: str
    bytes_digest: str
    parts: tuple[tuple[str, bytes], ...] = ()
    message_id: str = ""
    id_path: str = ""
    meta: dict[str, Any] = field(default_factory=dict)


def open_message(message: RawMessage) -> Opened:
    """Take a message apart. Raises Refused."""
    raw = message.content
    if len(raw) > MESSAGE_BYTES:
        raise Refused(Finding("TOO_LARGE", "/", f"{len(raw)} bytes", f"at most {MESSAGE_BYTES} bytes"))
    if is_sheet(raw):
        return Opened("ledger", sha256_hex(raw), (("", raw),))
    if raw[:2] == b"PK":
        return _open_zip_file(message)
    if raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return Opened("list", sha256_hex(raw), (("", raw),))
    if message.operation or re.search(rb"<[^?!>]*\bEnvelope[\s>/]", raw[:4000]):
        return _open_envelope(message)
    return Opened("parts", sha256_hex(raw), (("", raw),))


def _open_zip_file(message: RawMessage) -> Opened:
    name = message.filename or ""
    match = _EXPORT_NAME.search(name)
    file_name = match[0] if match else name
    digest = hashlib.md5(message.content, usedforsecurity=False).hexdigest()
    if (stated := message.headers.get("x-file-md5")) and stated.lower() != digest:
        raise Refused(Finding("DIGEST_MISMATCH", f"{file_name}/md5", stated, digest))
    return Opened(
        "parts",
        sha256_hex(message.content),
        tuple(parts_of_zip(message.content)),
        message_id=f"{file_name}:{digest}",
        id_path="zip:",
    )


def parts_of_zip(content: bytes) -> list[tuple[str, bytes]]:
    """The parts of a batch in the archive's directory order, each with the prefix of its paths."""
    if len(content) > ZIP_BYTES:
        raise Refused(
            Finding("ARCHIVE_UNSAFE", "zip:", f"{len(content)} bytes", f"at most {ZIP_BYTES} bytes")
        )
    parts = read_zip_safe(content, ZIP_LIMITS)
    if not parts:
        raise Refused(Finding("SCHEMA_VIOLATION", "zip:", "no part", "at least one part"))
    for number, (_, part) in enumerate(parts, start=1):
        if part[:4] == b"PK\x03\x04":
            path = f"zip:entry[{number}]"
            raise Refused(Finding("ARCHIVE_UNSAFE", path, "an archive inside the archive", "an XML part"))
    prefix = len(parts) > 1
    return [(f"zip:entry[{n}]" if prefix else "", part) for n, (_, part) in enumerate(parts, start=1)]


def _open_envelope(message: RawMessage) -> Opened:
    envelope = read_envelope(message.content, max_bytes=MESSAGE_BYTES)
    path = f"/Envelope/Body/{envelope.name}"
    if action_contradicts(message.headers.get("soapaction"), envelope.name):
        raise Refused(
            Finding("SCHEMA_VIOLATION", "SOAPAction", message.headers["soapaction"][:120], envelope.name)
        )
    reader = _PAYLOADS.get(envelope.name)
    if reader is None:
        wanted = ", ".join(_PAYLOADS)
        raise Refused(Finding("SCHEMA_VIOLATION", path, envelope.name, f"one of {wanted}"))
    namespace = envelopes.namespace_of(envelope.name)
    if envelope.namespace != namespace:
        raise Refused(Finding("SCHEMA_VIOLATION", path, envelope.namespace or "no namespace", namespace))
    return reader(message, envelope, path)


def _receive_batch(message: RawMessage, envelope: Envelope, path: str) -> Opened:
    needed = envelopes.needed(envelope, path, ("sender", "batchNo", "fileName", "md5", "sentAt", "content"))
    content = decode_base64(needed["content"], f"{path}/content")
    check_md5(
        needed["md5"], content, f"{path}/md5", "answer code C0205, court sends again at the next full hour"
    )
    return Opened(
        "parts",
        sha256_hex(content),
        tuple(parts_of_zip(content)),
        message_id=needed["batchNo"],
        id_path=f"{path}/batchNo",
        meta={"operation": "ReceiveBatch", "file_name": needed["fileName"], "sender": needed["sender"]},
    )


def _receive_notice(message: RawMessage, envelope: Envelope, path: str) -> Opened:
    needed = envelopes.needed(envelope, path, ("sender", "noticeId", "sentAt", "xml"))
    # The declaration inside tells of bytes that are none any more: the envelope's encoding holds.
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", needed["xml"], count=1)
    content = text.encode("utf-8", "replace")
    return Opened(
        "parts",
        sha256_hex(content),
        (("", content),),
        message_id=needed["noticeId"],
        id_path=f"{path}/noticeId",
        meta={
            "operation": "ReceiveNotice",
            "urgent": (envelope.text("urgency") or "").strip() == "1",
            "sender": needed["sender"],
        },
    )


def _pull_reply(message: RawMessage, envelope: Envelope, path: str) -> Opened:
    files = envelopes.files(envelope, path)
    parts: list[tuple[str, bytes]] = []
    ids: list[str] = []
    digests: list[str] = []
    for number, file in enumerate(files, start=1):
        content = decode_base64(file.content, f"{file.path}/content")
        check_md5(file.md5, content, f"{file.path}/md5", "ask for the same cursor again")
        inner = parts_of_zip(content)
        parts += [(f"file[{number}]/{prefix}" if len(files) > 1 else prefix, part) for prefix, part in inner]
        ids.append(f"{file.name}:{file.md5.lower()}")
        digests.append(sha256_hex(content))
    code = (envelope.text("code") or "").strip()
    return Opened(
        "parts" if files else "reply",
        digests[0] if len(digests) == 1 else sha256_hex("".join(digests).encode() or message.content),
        tuple(parts),
        message_id="+".join(ids),
        id_path=f"{path}/file",
        meta={
            "operation": "PullBatchResponse",
            "code": code,
            "cursor": (envelope.text("nextCursor") or "").strip(),
            "more": (envelope.text("more") or "").strip() in ("true", "1"),
            "action": envelopes.action_for(code),
        },
    )


def _query_reply(message: RawMessage, envelope: Envelope, path: str) -> Opened:
    code, xml = (envelope.text("code") or "").strip(), envelope.text("xml") or ""
    meta = {"operation": envelope.name, "code": code, "action": envelopes.action_for(code)}
    if not xml.strip():
        return Opened("reply", sha256_hex(message.content), meta=meta)
    content = re.sub(r"^\s*<\?xml[^>]*\?>", "", xml, count=1).encode("utf-8", "replace")
    return Opened("parts", sha256_hex(content), (("", content),), meta=meta)


def _other_reply(message: RawMessage, envelope: Envelope, path: str) -> Opened:
    return Opened("reply", sha256_hex(message.content), meta=envelopes.reply_meta(envelope))


_PAYLOADS: dict[str, Callable[[RawMessage, Envelope, str], Opened]] = {
    "ReceiveBatch": _receive_batch,
    "ReceiveNotice": _receive_notice,
    "PullBatchResponse": _pull_reply,
    "QueryCaseResponse": _query_reply,
    "LoginResponse": _other_reply,
    "AckBatchResponse": _other_reply,
    "SubmitMediationResultResponse": _other_reply,
    "Fault": _other_reply,
}


def decode_base64(text: str, path: str) -> bytes:
    """The bytes of a base64 text. Raises Refused with BASE64_INVALID."""
    packed = "".join(text.split())
    try:
        return base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(Finding("BASE64_INVALID", path, packed[:60], "base64")) from None


def check_md5(stated: str, content: bytes, path: str, action: str) -> None:
    """Compare a stated MD5 with the content's. Raises Refused with DIGEST_MISMATCH."""
    counted = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if stated.strip().lower() != counted:
        raise Refused(Finding("DIGEST_MISMATCH", path, stated[:64], counted, action))
