"""A file too large to be held whole, stored in parts: each encrypted, read again as a stream.

The key of the parts lies in the manifest, and the manifest is a message of the inbox under its own data key: to erase
that message is to erase the file (design: "Erasure").
"""

from __future__ import annotations

import base64
import hashlib
import io
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from foundation.envelope import Damaged
from foundation.unit_of_work import UnitOfWork

PART = 4 * 1024 * 1024
MOST_PARTS = 1024
THREADS = 2


class TooLarge(Exception):
    """The file has more than MOST_PARTS parts."""


def store_parts(uow: UnitOfWork, file: IO[bytes], name: str) -> bytes:
    """Store a file from its beginning; returns its manifest, to be stored as a message in the same transaction.

    Raises TooLarge.
    """
    stored, key, whole = uow.new_id(), AESGCM.generate_key(256), hashlib.sha256()
    cipher, size, count = AESGCM(key), 0, 0
    waiting: deque[Future[bytes]] = deque()

    def write(future: Future[bytes]) -> None:
        nonlocal count
        uow.execute(
            "INSERT INTO exchange.file_part (file, no, content) VALUES (:file, :no, :content)",
            file=stored, no=count, content=future.result(),
        )  # fmt: skip
        count += 1

    with ThreadPoolExecutor(THREADS, thread_name_prefix="part") as pool:
        for no, part in enumerate(iter(lambda: file.read(PART), b"")):
            if no >= MOST_PARTS:
                raise TooLarge(f"more than {MOST_PARTS * PART} bytes")
            whole.update(part)
            size += len(part)
            waiting.append(pool.submit(_lock, cipher, no, part))
            if len(waiting) > THREADS:
                write(waiting.popleft())
        while waiting:
            write(waiting.popleft())
    return orjson.dumps(
        {"file": str(stored), "name": name, "size": size, "sha256": whole.hexdigest(), "parts": count,
         "key": base64.b64encode(key).decode()}
    )  # fmt: skip


def _lock(cipher: AESGCM, no: int, part: bytes) -> bytes:
    # The key is this file's alone and each number is used once, so the number is the nonce.
    return cipher.encrypt(no.to_bytes(12, "big"), zlib.compress(part, 1), None)


class StoredFile(io.RawIOBase):
    """A stored file, read from its beginning to its end, once. Raises Damaged where a part does not open."""

    def __init__(self, uow: UnitOfWork, manifest: dict[str, Any]) -> None:
        super().__init__()
        self.sha256 = str(manifest["sha256"])
        self._parts = _opened(
            uow, UUID(manifest["file"]), base64.b64decode(manifest["key"]), int(manifest["parts"])
        )
        self._rest = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most `size`; b"" at the end."""
        if not self._rest:
            self._rest = next(self._parts, b"")
        if size < 0 or size >= len(self._rest):
            found, self._rest = self._rest, b""
        else:
            found, self._rest = self._rest[:size], self._rest[size:]
        return found


def _opened(uow: UnitOfWork, file: UUID, key: bytes, count: int) -> Iterator[bytes]:
    cipher = AESGCM(key)
    for no in range(count):
        content = uow.scalar(
            "SELECT content FROM exchange.file_part WHERE file = :file AND no = :no", file=file, no=no
        )
        try:
            yield zlib.decompress(cipher.decrypt(no.to_bytes(12, "big"), bytes(content or b""), None))
        except (InvalidTag, ValueError):
            raise Damaged(f"part {no} of the stored file {file} does not open under its key") from None
