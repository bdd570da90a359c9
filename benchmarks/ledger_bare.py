"""The baseline of the ledger benchmark: the same rows into a table without keys, checks, chains or balances."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from benchmarks.ledger_load import Series, Step

ROWS_PER_TRANSFER = 2  # hold and release


def prepare(url: str) -> None:
    """The bare table: the columns of the ledger's rows, and nothing else of it."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS bare (LIKE escrow.ledger_transfer)")


def rows(url: str, limit: int) -> bytes:
    """Rows of the ledger as COPY text."""
    sql = f"COPY (SELECT * FROM escrow.ledger_transfer LIMIT {int(limit)}) TO STDOUT"
    with psycopg.connect(url, autocommit=True) as conn, conn.cursor() as cursor, cursor.copy(sql) as copy:
        return b"".join(bytes(part) for part in copy)


@contextmanager
def copy_batches(url: str, text: bytes, size: int, _rng: random.Random) -> Iterator[Step]:
    """Rows by COPY, `size` transfers a commit: the fastest way in that PostgreSQL has."""
    with psycopg.connect(url, autocommit=True) as conn, conn.cursor() as cursor:

        def step(done: Series) -> None:
            with cursor.copy("COPY bare FROM STDIN") as copy:
                copy.write(text)
            done.transfers += size

        yield step


@contextmanager
def insert_single(url: str, text: bytes, _rng: random.Random) -> Iterator[Step]:
    """One row a statement and a commit, two rows a transfer."""
    first = text.split(b"\n", 1)[0].split(b"\t")
    values = [None if v == b"\\N" else v.decode().replace("\\\\", "\\") for v in first]
    marks = ", ".join(["%s"] * len(values))
    with psycopg.connect(url, autocommit=True) as conn, conn.cursor() as cursor:

        def step(done: Series) -> None:
            for _ in range(ROWS_PER_TRANSFER):
                cursor.execute(f"INSERT INTO bare VALUES ({marks})", values, prepare=True)
            done.transfers += 1

        yield step
