"""The directory of partners and their keys, kept in memory by every process.

A change in the database is told at once, and the copy is never older than its bound, so that a suspension or revocation
acts within a second everywhere.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import psycopg
from sqlalchemy import Connection, Engine, text

from foundation.algorithms import PublicKey, public_key_of
from foundation.partner_limits import Limits, limits_of
from schemas.findings import Refused

log = logging.getLogger("concord.directory")
# Whoever looks at it four times a second sees a change within a second, even if no one was told of it.
BOUND_S = 0.5
CHANNEL = "concord_directory"


@dataclass(frozen=True)
class Partner:
    """A partner as the directory knows it."""

    id: str
    name: str
    institution: str
    agency: str
    protocols: frozenset[str]
    auth: tuple[str, ...]
    addresses: Mapping[str, str]
    limits: Limits
    state: str
    state_reason: str
    valid_from: datetime
    valid_to: datetime | None


@dataclass(frozen=True)
class Key:
    """A registered key of a partner; ``der``: its certificate, b"" for a bare public key."""

    id: str
    partner: str
    side: str
    kind: str
    algorithm: str
    public: PublicKey
    der: bytes
    valid_from: datetime
    valid_to: datetime
    revoked_at: datetime | None


@dataclass(frozen=True)
class Directory:
    """All partners and keys at one version. Keys by what a request tells of them: id (http), certificate (tls, wss)."""

    version: int
    partners: Mapping[str, Partner] = field(default_factory=dict)
    http: Mapping[str, Key] = field(default_factory=dict)
    tls: Mapping[bytes, Key] = field(default_factory=dict)
    wss: Mapping[bytes, Key] = field(default_factory=dict)
    ours: Mapping[str, tuple[Key, ...]] = field(default_factory=dict)


def load(conn: Connection) -> Directory:
    """Read the whole directory. The version is read first: a change in between is seen again next time."""
    version = int(conn.execute(text("SELECT version FROM exchange.directory_version")).scalar_one())
    found = conn.execute(text("SELECT * FROM exchange.partner LIMIT 10000")).mappings()
    partners = {
        row["id"]: Partner(
            row["id"], row["name"], row["institution"], row["agency"], frozenset(row["protocols"]), tuple(row["auth"]),
            row["addresses"], limits_of(row["limits"]), row["state"], row["state_reason"], row["valid_from"],
            row["valid_to"],
        )
        for row in found
    }  # fmt: skip
    kept: dict[str, dict[bytes, Key]] = {"http": {}, "tls": {}, "wss": {}}
    ours: dict[str, list[Key]] = {}
    # Those in force come last, so that they win over a revoked twin.
    rows = conn.execute(
        text("SELECT * FROM exchange.partner_key ORDER BY revoked_at NULLS LAST, valid_from LIMIT 50000")
    )
    for row in rows.mappings():
        der = bytes(row["certificate"] or b"")
        try:
            public = public_key_of(bytes(row["public_key"]), row["id"])
        except Refused:
            log.error("key %s of %s cannot be used: %s", row["id"], row["partner"], row["algorithm"])
            continue
        key = Key(
            row["id"], row["partner"], row["side"], row["kind"], row["algorithm"], public, der, row["valid_from"],
            row["valid_to"], row["revoked_at"],
        )  # fmt: skip
        if key.side == "ours":
            ours.setdefault(key.partner, []).append(key)
        else:
            kept[key.kind][key.id.encode() if key.kind == "http" else der] = key
    http = {name.decode(): key for name, key in kept["http"].items()}
    mine = {name: tuple(several) for name, several in ours.items()}
    return Directory(version, partners, http, kept["tls"], kept["wss"], mine)


class DirectoryCache:
    """The directory in this process's memory, at most ``BOUND_S`` old, asked for anew at once after a change."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._found: Directory | None = None
        self._checked = float("-inf")
        self._stop = threading.Event()

    def current(self) -> Directory:
        """The directory. Raises the database's error when it is away longer than the bound: nobody is let in blindly."""
        if self._found is not None and time.monotonic() - self._checked < BOUND_S:
            return self._found
        with self._lock:
            begin = time.monotonic()
            if self._found is not None and begin - self._checked < BOUND_S:
                return self._found
            with self._engine.connect() as conn:
                now = conn.execute(text("SELECT version FROM exchange.directory_version")).scalar_one()
                if self._found is None or self._found.version != now:
                    self._found = load(conn)
            self._checked = begin
            return self._found

    def forget(self) -> None:
        """Ask the database at the next call."""
        self._checked = float("-inf")

    def start(self) -> None:
        """Hear of changes in a thread of its own, until ``stop``."""
        threading.Thread(target=self._listen, name="directory", daemon=True).start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()

    def _listen(self) -> None:
        url = self._engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        while not self._stop.is_set():
            try:
                with psycopg.connect(url, autocommit=True, connect_timeout=5) as conn:
                    conn.execute(f"LISTEN {CHANNEL}")
                    self.forget()
                    while not self._stop.is_set():
                        for _ in conn.notifies(timeout=1.0, stop_after=1):
                            self.forget()
            except psycopg.OperationalError as error:
                log.warning("database not reached while listening for partners' changes: %s", error)
                self._stop.wait(1.0)


def own_key(directory: Directory, partner_id: str, kind: str, now: datetime) -> Key | None:
    """Our key with which we sign to a partner: the newest whose time has come; None when there is none of its own."""
    usable = [
        key
        for key in directory.ours.get(partner_id, ())
        if key.kind == kind and key.revoked_at is None and key.valid_from <= now < key.valid_to
    ]
    return max(usable, key=lambda key: key.valid_from, default=None)
