"""A durable PostgreSQL for one benchmark, made for it and taken away after it."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from foundation import embedded_postgres
from hub import migrate

# As in the measurements that the aims come from; fsync and synchronous_commit stay on.
SETTINGS = {"shared_buffers": "2GB", "max_wal_size": "8GB"}


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def durable_cluster(settings: dict[str, str] | None = None) -> Iterator[embedded_postgres.Cluster]:
    """A fresh cluster with fsync and synchronous commit on, stopped and removed at the end."""
    top = Path("/var/tmp") if os.geteuid() == 0 else Path(tempfile.gettempdir())
    base = top / f"concord-bench-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    found = embedded_postgres.locate(base, free_port())
    try:
        embedded_postgres.start(found, durable=True, settings={**SETTINGS, **(settings or {})})
        yield found
    finally:
        embedded_postgres.stop(found)
        shutil.rmtree(base, ignore_errors=True)


@contextmanager
def migrated_database(settings: dict[str, str] | None = None) -> Iterator[str]:
    """URL (``postgresql+psycopg://``) of a migrated database of Concord's in a cluster of its own."""
    with durable_cluster(settings) as cluster:
        embedded_postgres.create_database(cluster, "bench")
        migrate.upgrade(cluster.url("bench"), movable_clock=True)
        yield cluster.url("bench")
