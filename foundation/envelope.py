"""Envelope encryption of stored messages: a data key each, wrapped by a key of the key store (design: "Erasure").

What is stored is AES-256-GCM under the message's own key, bound to its row; the data key lies beside it, wrapped
by AES key wrap (RFC 3394), so a batch costs no more round trips. Without its data key a message is gone: that is
how it is erased, while its hash and the journal's chain stay.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import zlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from sqlalchemy import Engine

from foundation.keys import KeyMissing, KeyStore
from foundation.unit_of_work import UnitOfWork

# Name of the wrapping key in the key store; ``storage.old`` is its forerunner while messages are under it.
STORAGE_KEY = "storage"
ID_BYTES = 4
# A data key is used for one message, so the nonce may be the same for all (NIST SP 800-38D, 8.2.1).
NONCE = b"\0" * 12
# Shorter than this, compression gains nothing.
COMPRESS_FROM = 200
_OPTION = "concord_vault"


class NoVault(Exception):
    """The engine was made without a vault: nothing is stored in clear instead (``bind`` gives it one)."""


class Erased(Exception):
    """The message's data key was destroyed; the text says when."""


class Damaged(Exception):
    """What is stored does not open under its key: it was altered, or belongs to another row."""


class Vault:
    """Locks and opens messages with the wrapping key of a key store.

    ``make``: make the wrapping key when there is none; for sandboxes and tests. Elsewhere the set-up makes it.
    """

    def __init__(self, keys: KeyStore, *, make: bool = False) -> None:
        self.keys = keys
        self._make = make
        self._by_id: dict[bytes, bytes] = {}

    def lock(self, content: bytes, about: UUID) -> tuple[bytes, bytes]:
        """The wrapped data key and the locked content of the row ``about``. Raises KeyMissing."""
        key_id, wrapping = self._current()
        data_key = os.urandom(32)
        packed = zlib.compress(content, 1) if len(content) >= COMPRESS_FROM else content
        plain = b"z" + packed if len(packed) < len(content) else b"-" + content
        locked = AESGCM(data_key).encrypt(NONCE, plain, about.bytes)
        return key_id + aes_key_wrap(wrapping, data_key), locked

    def open(self, data_key: bytes, locked: bytes, about: UUID) -> bytes:
        """The content of the row ``about``. Raises KeyMissing for an unknown wrapping key, Damaged."""
        try:
            plain = AESGCM(self._unwrapped(data_key)).decrypt(NONCE, locked, about.bytes)
        except InvalidTag:
            raise Damaged(f"the stored message {about} does not open under its key") from None
        return zlib.decompress(plain[1:]) if plain[:1] == b"z" else plain[1:]

    def rewrap(self, data_key: bytes) -> bytes:
        """The same data key under the current wrapping key. Raises KeyMissing, Damaged."""
        key_id, wrapping = self._current()
        return key_id + aes_key_wrap(wrapping, self._unwrapped(data_key))

    @property
    def current_id(self) -> bytes:
        """Id of the wrapping key that new messages are under."""
        return self._current()[0]

    def _unwrapped(self, data_key: bytes) -> bytes:
        try:
            return aes_key_unwrap(self._wrapping(data_key[:ID_BYTES]), data_key[ID_BYTES:])
        except InvalidUnwrap:
            raise Damaged("a stored data key does not unwrap under the key that it names") from None

    def _current(self) -> tuple[bytes, bytes]:
        try:
            text = self.keys.secret(STORAGE_KEY)
        except KeyMissing:
            if not self._make:
                raise
            self._make_one()
            text = self.keys.secret(STORAGE_KEY)
        return self._known(text)

    def _make_one(self) -> None:
        """Two processes may need the first key at once: it must be one and the same."""
        self.keys.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.keys.folder / f"{STORAGE_KEY}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.keys.make_secret(STORAGE_KEY)

    def _known(self, text: str) -> tuple[bytes, bytes]:
        wrapping = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        if len(wrapping) != 32:
            raise KeyMissing(f"{STORAGE_KEY}.secret holds {len(wrapping)} bytes; 32 are needed, as base64url")
        key_id = hashlib.sha256(wrapping).digest()[:ID_BYTES]
        self._by_id[key_id] = wrapping
        return key_id, wrapping

    def _wrapping(self, key_id: bytes) -> bytes:
        if key_id not in self._by_id:
            for text in self.keys.secrets(STORAGE_KEY):
                self._known(text)
        if key_id not in self._by_id:
            raise KeyMissing(f"the key {key_id.hex()} that wraps stored messages is not in the key folder")
        return self._by_id[key_id]


def bind(engine: Engine, vault: Vault) -> None:
    """Give all units of work of this engine the vault."""
    engine.update_execution_options(**{_OPTION: vault})


def vault_of(uow: UnitOfWork) -> Vault:
    """The vault that the unit of work's engine was given. Raises NoVault."""
    vault = uow.conn.get_execution_options().get(_OPTION)
    if not isinstance(vault, Vault):
        raise NoVault("this engine has no vault: foundation.envelope.bind(engine, vault)")
    return vault


def content_of(uow: UnitOfWork, row: Mapping[Any, Any]) -> bytes:
    """The content of an inbox or outbox row (``id``, ``content``, ``data_key``): the one way to read it.

    Raises Erased, Damaged, KeyMissing.
    """
    if row["data_key"] is None:
        raise Erased(f"the content of message {row['id']} was erased")
    return vault_of(uow).open(bytes(row["data_key"]), bytes(row["content"]), row["id"])


def rewrap(uow: UnitOfWork, most: int = 1000) -> int:
    """Wrap up to ``most`` data keys of each table by the current wrapping key; returns how many were still under another."""
    vault = vault_of(uow)
    done = 0
    for table in ("inbox", "outbox", "outbox_attempt"):
        rows = uow.all(
            f"SELECT ctid::text AS place, data_key FROM exchange.{table} WHERE substr(data_key, 1, {ID_BYTES}) <> :id"
            " LIMIT :most FOR UPDATE",
            id=vault.current_id,
            most=most,
        )
        uow.execute_many(
            f"UPDATE exchange.{table} SET data_key = :data_key WHERE ctid = CAST(:place AS tid)",
            [{"place": row["place"], "data_key": vault.rewrap(bytes(row["data_key"]))} for row in rows],
        )
        done += len(rows)
    return done
