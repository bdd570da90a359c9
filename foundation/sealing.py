"""Sealing: committed journal lines are chained per day and shard, and a batch of them gets one Merkle root.

Any number of sealers may run. Each takes the shards that no other holds at that moment, so a chain has one
writer and nothing waits. A sealer that dies leaves nothing: all of a batch is one transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
from cryptography.x509 import Certificate
from sqlalchemy import RowMapping

from foundation import merkle
from foundation.evidence_container import batch_json, stamped_manifest
from foundation.journal import SHARDS
from foundation.unit_of_work import UnitOfWork
from foundation.verify_evidence import Broken, check_stamp

GENESIS = b"\0" * 32
# Lines sealed in one transaction; with what it takes from the database and back, about 15 MB.
MOST_A_BATCH = 10_000
# How far the backlog is counted.
BACKLOG_COUNTED = 100_000


@dataclass(frozen=True)
class Sealed:
    """A batch: its number, how many lines it holds and its Merkle root."""

    no: int
    lines: int
    root: bytes


@dataclass(frozen=True)
class Flaw:
    """The first place of a chain that does not verify. ``no`` is the line's place in the chain of its shard."""

    shard: int
    no: int
    what: str


def line_bytes(row: Mapping[Any, Any], no: int) -> bytes:
    """What is hashed of a line: compact JSON (UTF-8, keys sorted) of its day, shard, place and content."""
    return orjson.dumps(
        [
            row["day"].isoformat(),
            row["shard"],
            no,
            row["at"].isoformat(timespec="microseconds"),
            row["kind"],
            row["ref"],
            bytes(row["digest"]).hex(),
            row["actor"],
            row["detail"],
        ],
        option=orjson.OPT_SORT_KEYS,
    )


def chain_hash(prev: bytes, line: bytes) -> bytes:
    """A line's hash: over the hash before it in its chain (GENESIS for the first) and its own bytes."""
    return hashlib.sha256(prev + line).digest()


def seal(uow: UnitOfWork, most: int = MOST_A_BATCH) -> Sealed | None:
    """Seal up to ``most`` committed lines as one batch; None when there are none, or others hold their shards."""
    if not uow.scalar("SELECT EXISTS (SELECT 1 FROM exchange.journal WHERE batch IS NULL)"):
        return None
    held = [
        row["shard"]
        for row in uow.all(
            "SELECT shard FROM generate_series(0, :last) AS shard"
            " WHERE pg_try_advisory_xact_lock(hashtext('exchange.journal'), shard)",
            last=SHARDS - 1,
        )
    ]
    # A statement of its own after the locks: it sees what the holder before us committed.
    rows = uow.all(
        "SELECT id, day, shard, at, kind, ref, digest, actor, detail FROM exchange.journal"
        " WHERE batch IS NULL AND shard = ANY(:held) ORDER BY id LIMIT :most",
        held=held,
        most=most,
    )
    if not rows:
        return None
    ends = _ends(uow, rows)
    numbers: list[int] = []
    hashes: list[bytes] = []
    for row in rows:
        no, prev = ends.get((row["day"], row["shard"]), (0, GENESIS))
        found = chain_hash(prev, line_bytes(row, no + 1))
        ends[row["day"], row["shard"]] = (no + 1, found)
        numbers.append(no + 1)
        hashes.append(found)
    root = merkle.root_of(hashes)
    batch = _write(uow, [row["id"] for row in rows], numbers, hashes, root)
    _keep_ends(uow, {(row["day"], row["shard"]) for row in rows}, ends)
    return Sealed(batch, len(rows), root)


def _ends(uow: UnitOfWork, rows: Any) -> dict[tuple[date, int], tuple[int, bytes]]:
    """Length and last hash of the chains these lines belong to."""
    chains = uow.all(
        "SELECT day, shard, no, hash FROM exchange.journal_chain WHERE day = ANY(:days)",
        days=sorted({row["day"] for row in rows}),
    )
    return {(each["day"], each["shard"]): (each["no"], bytes(each["hash"])) for each in chains}


def _write(uow: UnitOfWork, ids: list[int], numbers: list[int], hashes: list[bytes], root: bytes) -> int:
    batch = uow.scalar(
        "INSERT INTO exchange.journal_batch (at, lines, leaves, root) VALUES (:at, :lines, :leaves, :root) RETURNING no",
        at=uow.now,
        lines=len(ids),
        leaves=b"".join(hashes),
        root=root,
    )
    changed = uow.execute(
        "UPDATE exchange.journal line SET batch = :batch, leaf = given.place - 1, no = given.no, hash = given.hash"
        " FROM unnest(CAST(:ids AS bigint[]), CAST(:numbers AS bigint[]), CAST(:hashes AS bytea[]))"
        " WITH ORDINALITY AS given (id, no, hash, place) WHERE line.id = given.id AND line.batch IS NULL",
        batch=batch,
        ids=ids,
        numbers=numbers,
        hashes=hashes,
    ).rowcount
    if changed != len(ids):
        raise RuntimeError(
            f"{changed} of {len(ids)} lines were still unsealed: another sealer held our chains"
        )
    return int(batch)


def _keep_ends(
    uow: UnitOfWork, touched: set[tuple[date, int]], ends: dict[tuple[date, int], tuple[int, bytes]]
) -> None:
    uow.execute_many(
        "INSERT INTO exchange.journal_chain VALUES (:day, :shard, :no, :hash)"
        " ON CONFLICT (day, shard) DO UPDATE SET no = excluded.no, hash = excluded.hash",
        [
            {"day": day, "shard": shard, "no": ends[day, shard][0], "hash": ends[day, shard][1]}
            for day, shard in sorted(touched)
        ],
    )


def backlog(uow: UnitOfWork) -> RowMapping:
    """What is not sealed or not stamped yet: counts (lines up to BACKLOG_COUNTED), longest wait in s."""
    found = uow.one(
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM exchange.journal WHERE batch IS NULL LIMIT :most)) AS unsealed,"
        " (SELECT COALESCE(extract(epoch FROM clock_timestamp() - min(written)), 0)::float8 FROM ("
        "   SELECT written FROM exchange.journal WHERE batch IS NULL LIMIT :most)) AS unsealed_s,"
        " (SELECT count(*) FROM exchange.journal_batch WHERE token IS NULL) AS unstamped,"
        " (SELECT COALESCE(extract(epoch FROM clock_timestamp() - min(sealed)), 0)::float8"
        "   FROM exchange.journal_batch WHERE token IS NULL) AS unstamped_s",
        most=BACKLOG_COUNTED,
    )
    assert found is not None
    return found


def verify_day(uow: UnitOfWork, day: str) -> Flaw | None:
    """The first flaw of that day's chains (Beijing day), or None when every sealed line verifies.

    Lines not sealed yet take no part; a chain that ends before its kept end is a flaw as well.
    """
    chains = uow.conn.exec_driver_sql(
        "SELECT shard, no, hash FROM exchange.journal_chain WHERE day = %s ORDER BY shard", (day,)
    )
    kept = {row["shard"]: (row["no"], bytes(row["hash"])) for row in chains.mappings()}
    ends: dict[int, tuple[int, bytes]] = {}
    with uow.conn.exec_driver_sql(
        "SELECT * FROM exchange.journal WHERE day = %s AND no IS NOT NULL ORDER BY shard, no",
        (day,),
        execution_options={"yield_per": 5000},
    ) as rows:
        for row in rows.mappings():
            no, prev = ends.get(row["shard"], (0, GENESIS))
            if row["no"] != no + 1:
                return Flaw(row["shard"], no + 1, "the line is missing")
            if chain_hash(prev, line_bytes(row, no + 1)) != bytes(row["hash"]):
                return Flaw(row["shard"], no + 1, "the line, or the hash kept with it, was altered")
            ends[row["shard"]] = (no + 1, bytes(row["hash"]))
    for shard in sorted(kept.keys() | ends.keys()):
        if ends.get(shard, (0, GENESIS)) != kept.get(shard):
            return Flaw(
                shard, ends.get(shard, (0, GENESIS))[0] + 1, "the chain does not end where it was sealed"
            )
    return None


def verify_seals(uow: UnitOfWork, day: str, authorities: Sequence[Certificate]) -> tuple[int, int, str]:
    """Stamped and unstamped batches that hold lines of that day, and the first flaw among them ("" when there is none).

    A line is in its batch at its place, the batch's leaves give its root, and the time stamp is over that root: who
    writes lines and chains anew has no stamp for it. ``authorities``: certificates whose time stamps are trusted.
    """
    places: dict[int, list[tuple[int, bytes]]] = {}
    lines = uow.conn.exec_driver_sql(
        "SELECT batch, leaf, hash FROM exchange.journal WHERE day = %s AND no IS NOT NULL ORDER BY shard, no",
        (day,),
        execution_options={"yield_per": 5000},
    )
    for line in lines.mappings():
        places.setdefault(line["batch"], []).append((line["leaf"], bytes(line["hash"])))
    stamped = 0
    for no in sorted(places):
        row = uow.one("SELECT * FROM exchange.journal_batch WHERE no = :no", no=no)
        if row is None:
            return stamped, 0, f"batch {no} is missing"
        leaves = bytes(row["leaves"])
        for leaf, hashed in places[no]:
            if leaves[leaf * 32 : leaf * 32 + 32] != hashed:
                return stamped, 0, f"batch {no}: its leaf {leaf} is not the line's hash"
        if merkle.root_of([leaves[at : at + 32] for at in range(0, len(leaves), 32)]) != bytes(row["root"]):
            return stamped, 0, f"batch {no}: its leaves do not give its root"
        if row["token"] is None:
            continue
        manifest = stamped_manifest(batch_json(no, row["lines"], bytes(row["root"])))
        try:
            check_stamp(bytes(row["token"]), hashlib.sha256(manifest).digest(), tuple(authorities))
        except Broken as broken:
            return stamped, 0, f"batch {no}: {broken}"
        stamped += 1
    return stamped, len(places) - stamped, ""
