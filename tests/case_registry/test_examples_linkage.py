"""The contracts' examples against the truth file: ≥ 95 % of its pairs linked or proposed, no look-alike merged.

Messages come from the adapters' own copies of the examples; the office's side from its record sheet.
"""

from __future__ import annotations

import csv
import importlib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from case_registry import Source, record, state_hash
from case_registry.told import BEIJING
from foundation.unit_of_work import UnitOfWork
from hub.office_import import causes
from schemas.case_numbers import normalise_case_number
from schemas.claims import Claim, PartyClaim, Record
from schemas.exchange import Known, RawMessage
from schemas.money import Fen

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data" / "linkage"
ADAPTERS = {"court": ("court_feed",), "petition": ("petition_asmx",), "procuratorate": ("procuratorate_wss",),
            "arbitration": ("arbitration_rest", "arbitration_sheet")}  # fmt: skip
AT = datetime(2026, 4, 2, 1, tzinfo=UTC)
TRUTH = [
    r
    for r in csv.DictReader((DATA / "examples_truth.csv").open(encoding="utf-8"))
    if r["partner"] in ADAPTERS
]


def _records(agency: str, name: str) -> tuple[Source, tuple[Record, ...]]:
    for adapter in ADAPTERS[agency]:
        path = ROOT / "connectors" / adapter / "examples" / name
        if path.exists():
            mapping = importlib.import_module(f"connectors.{adapter}.mapping")
            raw = RawMessage(adapter, "file", "", path.read_bytes(), AT, {}, name)
            reading = mapping.read(raw, Known(check_authenticity=False))
            return Source(adapter, agency, agency), reading.records
    raise FileNotFoundError(name)


def _office(row: dict[str, str]) -> Record:
    parties = []
    for role in ("applicant", "respondent"):
        names = row[f"{role}s"].split("|")
        ids = row[f"{role}_ids"].split("|")
        phones = row.get(f"{role}_phones", "").split("|")
        for i, name in enumerate(n.strip() for n in names):
            identity = (ids[i].strip() if i < len(ids) else "") or None
            body = name.endswith(("公司", "有限合伙）"))
            parties.append(
                PartyClaim(role, "organisation" if body else "person", name, f"{role}{i}",  # type: ignore[arg-type]
                           id_number=None if body else identity, credit_code=identity if body else None,
                           phone=(phones[i].strip() if i < len(phones) else "") or None)
            )  # fmt: skip

    def fen(name: str) -> int | None:
        return int(Fen.from_yuan_text(row[name])) if row[name] else None

    told: dict[str, Any] = {
        "proceeding_kind": "MEDIATION", "state": "AGREED" if row["agreed_on"] else "OPEN", "cause": causes()[row["type"]],
        "claimed_fen": fen("claimed_yuan"), "agreed_fen": fen("agreed_yuan"), "agreed_on": row["agreed_on"] or None,
        "opened_on": row["accepted_on"], "occurred_on": row["occurred_on"], "place_text": row["town"],
        "organisation": row["committee"], "mediator": row["mediator"],
    }  # fmt: skip
    claims = tuple(Claim(k, v) for k, v in told.items() if v is not None)
    return Record(
        "episode", row["mediation_no"], (1,), row["accepted_on"], claims=claims, parties=tuple(parties)
    )


def _load(uow: UnitOfWork) -> None:
    for agency, name in sorted({(r["partner"], r["file"].split("/")[-1]) for r in TRUTH}):
        source, records = _records(agency, name)
        record(uow, source, uow.new_id(), records)
    rows = csv.DictReader((DATA / "mediation_records.csv").open(encoding="utf-8"))
    record(uow, Source("office", "office", "mediation"), uow.new_id(), [_office(row) for row in rows])


@pytest.mark.slow
def test_examples_against_the_truth(uow: UnitOfWork) -> None:
    _load(uow)
    where = {
        (row["agency"], normalise_case_number(row["native_id"])): row["dispute"]
        for row in uow.all(
            "SELECT agency, native_id, dispute FROM registry.source_case WHERE dispute IS NOT NULL"
        )
    }
    proposed = {
        frozenset((row["d1"], row["d2"]))
        for row in uow.all("SELECT ca.dispute AS d1, cb.dispute AS d2 FROM registry.proposal p JOIN registry.source_case ca"
                           " ON ca.id = p.a JOIN registry.source_case cb ON cb.id = p.b WHERE p.state = 'OPEN'")
    }  # fmt: skip
    office = {
        number: where[("mediation", normalise_case_number(number))]
        for number in {r["mediation_no"] for r in TRUTH}
    }
    of_dispute = {r["dispute"]: r["mediation_no"] for r in TRUTH}
    bare = _names_only(uow)
    found: Counter[str] = Counter()
    apart: Counter[str] = Counter()
    for row in TRUTH:
        key = (row["partner"], normalise_case_number(row["native_id"]))
        here = where.get(key)
        if here is None:  # a withdrawal of a case that no example tells, or a message of ours
            continue
        own = office[row["mediation_no"]]
        if row["relation"].startswith("lookalike"):
            twin = of_dispute.get(row["relation"].split(" of ")[1].split(" ")[0])
            assert twin is None or here != office[twin], row
        verdict = "linked" if here == own else "proposed" if frozenset((here, own)) in proposed else "missed"
        (apart if key in bare else found)[verdict] += 1
    both = found + apart
    total = sum(both.values())
    right, wrong = _links(where, office)
    records = int(uow.scalar("SELECT count(*) FROM registry.statement"))
    print(f"\nexamples: with ids or phones {dict(found)}; names, cause, sum and day only {dict(apart)}; links right"
          f" {right}, wrong {wrong}; proposals {len(proposed)} for {records} records")  # fmt: skip
    assert total >= 55 and (both["linked"] + both["proposed"]) / total >= 0.95, both
    assert (found["linked"] + found["proposed"]) / sum(found.values()) >= 0.95, found
    assert right / (right + wrong) >= 0.995
    # No dispute holds two of the office's records.
    assert len(set(office.values())) == len(office)
    assert len(proposed) <= 1.5 * records
    assert len(state_hash(uow)) == 64 and AT.astimezone(BEIJING).day == 2


def _names_only(uow: UnitOfWork) -> set[tuple[str, str]]:
    """Cases of others whose rows carry no id, phone or code of anybody: names, cause, sum and day at most."""
    rows = uow.all("SELECT agency, native_id, features FROM registry.source_case WHERE features IS NOT NULL")
    return {
        (row["agency"], normalise_case_number(row["native_id"]))
        for row in rows
        if not any(p["id"] or p["masked"] or p["phones"] or p["credit"] for p in row["features"]["parties"])
    }


def _links(where: dict[tuple[str, str], Any], office: dict[str, Any]) -> tuple[int, int]:
    """Cases of the truth that share a dispute with one of the office's records: the right one, or another's."""
    truth = {(r["partner"], normalise_case_number(r["native_id"])): r["mediation_no"] for r in TRUTH}
    held = set(office.values())
    linked = [(where[key], number) for key, number in truth.items() if where.get(key) in held]
    right = sum(here == office[number] for here, number in linked)
    return right, len(linked) - right
