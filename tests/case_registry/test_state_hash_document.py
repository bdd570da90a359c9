"""docs/state-hash.md, followed word by word with nothing of the registry's code, gives the registry's hash."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from case_registry import state_hash
from foundation.unit_of_work import UnitOfWork
from tests.case_registry.make import take
from tests.case_registry.test_order import STORIES

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "state-hash.md"


def test_by_the_document(uow: UnitOfWork) -> None:
    for source, record in STORIES[2]:
        take(uow, source, record)
    rows = uow.all("SELECT partner, native_id, dispute, known FROM registry.source_case WHERE known <> ''")
    cases = sorted((row["partner"], row["native_id"], row["dispute"], row["known"]) for row in rows)
    lines = ["registry-state/1"]
    for partner, native, dispute, known in cases:
        first = next(([p, n] for p, n, d, _ in cases if d == dispute), None) if dispute else None
        lines.append(json.dumps([[partner, native], first, known], ensure_ascii=False, separators=(",", ":")))
    assert hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest() == state_hash(uow)
    text = DOCUMENT.read_text("utf-8")
    assert (
        lines[0] in text
        and "[[partner, key], [partner, key] of the first case of its dispute or null, digest]" in text
    )
