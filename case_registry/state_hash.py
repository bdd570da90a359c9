"""The state hash: one number for all that the registry holds to be true, whatever way it came in.

Written down in docs/state-hash.md. It covers what was told (by the tellers' own keys and order), what follows
for each episode, and which cases are one dispute. It leaves out surrogate ids, dispute numbers, times and
order of arrival, message ids and receipts, so a replay in any order gives the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from case_registry.episodes import CaseReading, Episode, read_case
from case_registry.statements import fetch
from case_registry.told import Told
from foundation.unit_of_work import UnitOfWork
from schemas.canonical import canonical_json

PAGE = 2_000
VERSION = "registry-state/1"


def state_hash(uow: UnitOfWork) -> str:
    """The SHA-256, as hex, over the version line and one canonical JSON line per source case, sorted by key."""
    hasher = hashlib.sha256(VERSION.encode() + b"\n")
    for line in lines(uow):
        hasher.update(canonical_json(line) + b"\n")
    return hasher.hexdigest()


def lines(uow: UnitOfWork) -> Iterator[dict[str, Any]]:
    """What the hash covers, one source case at a time, in the order of (partner, native id)."""
    after: tuple[str, str] = ("", "")
    while True:
        rows = uow.all(
            "SELECT c.id, c.partner, c.native_id, ("
            "   SELECT jsonb_build_array(o.partner, o.native_id) FROM registry.source_case o WHERE o.dispute = c.dispute"
            "   ORDER BY o.partner, o.native_id LIMIT 1) AS first"
            " FROM registry.source_case c WHERE (c.partner, c.native_id) > (:p, :n)"
            " ORDER BY c.partner, c.native_id LIMIT :page",
            p=after[0],
            n=after[1],
            page=PAGE,
        )
        if not rows:
            return
        told = fetch(uow, [row["id"] for row in rows])
        for row in rows:
            statements = [t for t in told[row["id"]] if t.kind != "decision"]
            if statements:
                yield {
                    "case": [row["partner"], row["native_id"]],
                    "dispute": row["first"],
                    **_known(read_case(statements), statements),
                }
        after = (rows[-1]["partner"], rows[-1]["native_id"])


def _known(reading: CaseReading, statements: list[Told]) -> dict[str, Any]:
    return {
        "told": sorted([t.kind, t.sub_id, t.version, t.digest] for t in statements),
        "parked": sorted(t.digest for t in reading.parked),
        "episodes": [_episode(e) for e in reading.episodes],
    }


def _episode(episode: Episode) -> dict[str, Any]:
    return {
        "sub_id": episode.sub_id,
        "kind": episode.kind,
        "state": episode.state,
        "hidden": episode.hidden,
        "fields": {name: best.value for name, best in episode.fields.items()},
        "confirmation": episode.confirmation,
        "enforcement": episode.enforcement,
        "awards": list(episode.awards),
        "holes": list(episode.holes),
    }
