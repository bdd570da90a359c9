"""Engines: one a process, with stated limits."""

from __future__ import annotations

import orjson
from sqlalchemy import Engine, create_engine

POOL_SIZE = 8
POOL_OVERFLOW = 8
STATEMENT_TIMEOUT_MS = 60_000


def make_engine(url: str, *, pool_size: int = POOL_SIZE, timeout_ms: int = STATEMENT_TIMEOUT_MS) -> Engine:
    """An engine for a ``postgresql+psycopg://`` URL: READ COMMITTED, UTC, bounded pool and statements."""
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=POOL_OVERFLOW,
        hide_parameters=True,  # an error's text goes to logs: no personal data in it
        pool_pre_ping=True,
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        connect_args={
            "options": f"-c timezone=UTC -c statement_timeout={timeout_ms} -c lock_timeout=20000",
            "connect_timeout": 10,
        },
    )
