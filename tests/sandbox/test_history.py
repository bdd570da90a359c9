"""The synthetic history: the same bytes for the same seed, made-up people only, errors at their stated rates."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import tracemalloc
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest

from connectors.arbitration_rest import mapping as arbitration
from connectors.court_feed import mapping as court
from connectors.petition_asmx import mapping as petition
from sandbox.history import generate
from sandbox.history.__main__ import write
from sandbox.history.people import People
from sandbox.history.plan import MAX_DISPUTES, Plan
from sandbox.history.sample import write_sample
from sandbox.history.stream import read_record, record_dict
from schemas.claims import EPISODE_FIELDS, EPISODE_STATES, PROCEEDING_KINDS
from schemas.exchange import Known, RawMessage
from schemas.identifiers import check_credit_code, check_resident_id

ROOT = Path(__file__).parents[2]


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(300, 7, str(tmp_path / name))
    write(300, 8, str(tmp_path / "c"))
    files = {name: (tmp_path / name / "records.jsonl").read_bytes() for name in "abc"}
    assert files["a"] == files["b"] != files["c"]
    assert (tmp_path / "a/truth.csv").read_bytes() == (tmp_path / "b/truth.csv").read_bytes()


def test_records_in_the_language_of_claims() -> None:
    numbers: Counter[tuple[str, str, str]] = Counter()
    for told in generate(1500, 2):
        record = told.record
        assert read_record(json.loads(json.dumps(told.as_dict()))) == record
        numbers[told.agency, record.native_id, record.sub_id] += 1
        assert "2026" not in record.native_id[:12] and record.event_at < "2026"
        claims = {claim.field: claim.value for claim in record.claims}
        assert set(claims) <= set(EPISODE_FIELDS)
        assert claims["proceeding_kind"] in PROCEEDING_KINDS and claims["state"] in EPISODE_STATES
        assert isinstance(claims.get("claimed_fen", 0), int) and claims["opened_on"] <= "2026-01-30"
        assert record.parties and {party.role for party in record.parties} == {"applicant", "respondent"}
    assert set(numbers.values()) == {1}
    assert {agency for agency, _, _ in numbers} == {
        "mediation", "court", "petition", "arbitration", "procuratorate",
    }  # fmt: skip
    grammar = {
        "mediation": r"瓯栖调〔20\d\d〕\S{2}\d{4}号", "petition": r"XF330399\d{11}", "arbitration": r"ARB-\d{4}-\d{6}",
        "court": r"3399\d{4}98\d{8}", "procuratorate": r"瓯栖检(刑和|民支)〔\d{4}〕\d{1,5}号",
    }  # fmt: skip
    for agency, native_id, sub_id in numbers:
        assert re.fullmatch(grammar[agency], native_id)
        if agency == "court":
            assert re.fullmatch(r"\(\d{4}\)浙0399(民诉前调|民初)[1-9]\d*号", sub_id)


def test_people_are_made_up_and_their_own() -> None:
    people = People(4)
    persons = [people.person(number, "云渡镇") for number in range(20_000)]
    bodies = [people.organisation(number, "云渡镇", hospital=number % 9 == 0) for number in range(3_000)]
    assert all(check_resident_id(one.number) is None and one.number.startswith("330399") for one in persons)
    assert all(check_credit_code(one.number) is None and one.number[2:8] == "330399" for one in bodies)
    assert all(re.fullmatch(r"100\d{8}", one.phone) for one in [*persons, *bodies])
    for field in ("number", "phone"):
        assert len({getattr(one, field) for one in [*persons, *bodies]}) == 23_000
    assert len({one.name for one in persons}) < 15_000  # namesakes are everyday


@pytest.mark.slow
def test_errors_at_their_rates() -> None:
    made: Counter[tuple[str, str]] = Counter()
    records: Counter[str] = Counter()
    persons: Counter[str] = Counter()
    again = 0
    for told in generate(6000, 3):
        records[told.agency] += 1
        again += told.dispute.repeats is not None and told.agency == told.dispute.way[0]
        persons[told.agency] += sum(party.kind == "person" for party in told.record.parties or ())
        for error in told.errors:
            made[told.agency, error.split(":")[0]] += 1
            if error.startswith("masked_id:"):
                where = error.split(":")[1]
                party = next(one for one in told.record.parties or () if one.key == where)
                assert party.id_number is None and re.fullmatch(
                    r"330399\*{8}\d{3}[\dX]", party.masked_id or ""
                )
            if error.startswith("wrong_id:"):
                party = next(one for one in told.record.parties or () if one.key == error.split(":")[1])
                assert check_resident_id(party.id_number or "")
    rates = Plan(1, 1).rates
    assert made["mediation", "missing_id"] / persons["mediation"] == pytest.approx(0.45, abs=0.03)
    for agency, error in (
        ("petition", "amount_missing"),
        ("court", "swapped_roles"),
        ("court", "cause_differs"),
    ):
        expected = rates[agency][error] * records[agency]
        assert made[agency, error] == pytest.approx(expected, rel=0.35)
    assert 0.03 * 6000 < again < 0.09 * 6000


def test_repeated_disputes_and_namesakes() -> None:
    plan = Plan(4000, 6)
    disputes = [plan.dispute(number) for number in range(4000)]
    for dispute in disputes:
        if dispute.repeats is not None and disputes[dispute.repeats].repeats is None:
            assert dispute.applicants == disputes[dispute.repeats].applicants
    keys = [party.key for dispute in disputes for party in dispute.applicants]
    assert len(set(keys)) < len(keys)


@pytest.mark.slow
def test_memory_does_not_grow() -> None:
    disputes = islice(generate(MAX_DISPUTES, 1), 3000)
    tracemalloc.start()
    held = []
    for number, _ in enumerate(disputes):
        if number % 1000 == 999:
            held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    # The first thousand also fill tables that are kept.
    assert len(held) == 3 and held[2] < held[1] + 200_000


@pytest.mark.slow
def test_limits_and_the_command(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=str(MAX_DISPUTES)):
        next(generate(MAX_DISPUTES + 1, 1))
    command = [sys.executable, "-m", "sandbox.history", "--disputes", "50", "--seed", "9", "--out"]
    done = subprocess.run([*command, "-"], cwd=ROOT, capture_output=True, timeout=60, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(line.keys() == {"partner", "institution", "agency", "records"} for line in lines)
    records = [(line["agency"], record) for line in lines for record in line["records"]]
    assert all(record_dict(read_record(record)) == record for _, record in records)
    subprocess.run([*command, str(tmp_path)], cwd=ROOT, capture_output=True, timeout=60, check=True)
    assert (tmp_path / "records.jsonl").read_bytes() == done.stdout
    with (tmp_path / "truth.csv").open(encoding="utf-8", newline="") as file:
        truth = list(csv.DictReader(file))
    assert [(row["agency"], row["native_id"]) for row in truth] == [
        (agency, record["native_id"]) for agency, record in records
    ]
    refused = subprocess.run([*command[:4], "-1", "--out", "-"], cwd=ROOT, capture_output=True, timeout=60)
    assert refused.returncode == 2


def test_the_sample_passes_the_adapters(tmp_path: Path) -> None:
    """Files in the partners' forms, read by the mappings that read the partners' own."""
    assert write_sample(500, 5, 150, tmp_path) > 5
    readers = {"petition": petition, "arbitration": arbitration, "court": court}
    told = {(one.agency, one.record.native_id) for one in generate(500, 5)}
    for path in sorted(tmp_path.iterdir()):
        agency = path.name.split("_")[0]
        message = RawMessage(
            "x", "file", "", path.read_bytes(), datetime(2026, 4, 1, tzinfo=UTC), {}, path.name
        )
        reading = readers[agency].read(message, Known())
        assert reading.records and not [one for one in reading.findings if one.scope == "message"]
        assert {(agency, record.native_id) for record in reading.records} <= told
