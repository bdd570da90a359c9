"""Every example of the arbitration contract against its side file, REST and ledger."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.arbitration_rest import mapping as rest
from connectors.arbitration_sheet import mapping as sheet
from schemas.exchange import Known, RawMessage, Reading
from tests.connectors.habit_table import check_habit_table

REST, SHEET = Path(rest.__file__).parent / "examples", Path(sheet.__file__).parent / "examples"
LATER = datetime(2026, 9, 1, tzinfo=UTC)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".expect.json"))


def read_file(name: str, last_sequence: int | None = None) -> Reading:
    """As `concord ingest` without --at hands it over."""
    folder, mapping = (SHEET, sheet) if (SHEET / name).exists() else (REST, rest)
    message = RawMessage(
        mapping.manifest()["id"], "file", "", (folder / name).read_bytes(), LATER, {rest.OWN_TIME: "1"}, name
    )
    return mapping.read(
        message, Known(fact=lambda kind, key: last_sequence if kind == "last_sequence" else None)
    )


def expected_of(name: str) -> dict[str, Any]:
    folder = SHEET if (SHEET / name).exists() else REST
    return json.loads((folder / f"{name}.expect.json").read_text("utf-8"))["expected"]


def report_of(reading: Reading, errors: dict[str, str]) -> list[dict[str, str]]:
    return [
        {**each.as_dict(), "partner_code": each.partner_code or errors.get(each.code, errors["default"])}
        for each in reading.findings
    ]


def test_every_example_is_there() -> None:
    assert len(files(REST)) == 19 and len(files(SHEET)) == 2
    assert all((REST / f"{name}.expect.json").exists() for name in files(REST))


@pytest.mark.parametrize("name", [n for n in files(REST) + files(SHEET) if n[:3] not in ("a06", "a16")])
def test_example(name: str) -> None:
    expected = expected_of(name)
    reading = read_file(name)
    errors = (sheet if name in files(SHEET) else rest).manifest()["errors"]
    wanted = [{key: str(value) for key, value in each.items()} for each in expected.get("report", [])]
    assert report_of(reading, errors) == wanted
    # An award or withdrawal without its case tells of the case behind it, too: one row, two records.
    assert len([each for each in reading.records if each.version[0]]) == expected.get("accepted_records", 0)
    if "rejected_records" in expected:
        assert len(reading.findings) == expected["rejected_records"]
        assert all(each.scope == "row" for each in reading.findings)
    for record, parsed in zip(reading.records, expected.get("parsed", ()), strict=False):
        fields = {claim.field: claim.value for claim in record.claims}
        assert (record.native_id, fields["claimed_fen"]) == (parsed["native_id"], parsed["amount_fen"])
        assert [party.name for party in record.parties or ()] == parsed["parties"]
    if "action" in expected:
        assert reading.meta["action"] == expected["action"]
    if isinstance(expected.get("reply"), int) and "direction_note" in expected:
        assert reading.meta["reply"] == expected["reply"]


def test_a05_holes_are_named_and_the_case_is_asked_for() -> None:
    reading = read_file("a05_hook_hole.json", last_sequence=2)
    assert reading.meta["hole"] == [3, 4]
    assert reading.meta["ask"] == {"kind": "case", "cursor": "ARB-2026-004649"}
    assert [note.code for note in reading.notes] == ["SEQUENCE_GAP"]
    assert reading.records[0].data["sequence"] == 5
    # An end state is the registry's to show once nothing is missing: the record only says "final".
    assert "state" not in {claim.field for claim in reading.records[0].claims}


def test_a06_only_the_attempt_differs() -> None:
    first, again = read_file("a03_hook_accepted.json"), read_file("a06_hook_redelivery.json")
    assert (first.message_id, first.compare_digest) == (again.message_id, again.compare_digest)
    assert (first.meta["attempt"], again.meta["attempt"]) == (1, 3)


def test_a16_same_event_with_another_body() -> None:
    first, other = read_file("a03_hook_accepted.json"), read_file("a16_hook_same_event_other_body.json")
    (wanted,) = expected_of("a16_hook_same_event_other_body.json")["report"]
    assert first.message_id == other.message_id and first.compare_digest != other.compare_digest
    meta = other.meta
    assert (meta["id_path"], meta["id_found"], meta["id_expected"]) == (
        wanted["path"],
        wanted["found"],
        wanted["expected"],
    )
    assert rest.manifest()["errors"]["SAME_ID_OTHER_BYTES"] == wanted["partner_code"]


def test_a07_and_a08_amounts() -> None:
    partial, corrected = read_file("a07_hook_award_partial.json"), read_file("a08_hook_award_corrected.json")
    first, second = partial.records[0].data, corrected.records[0].data
    assert first["total_fen"] == expected_of("a07_hook_award_partial.json")["amount_fen"]
    assert (first["final"], second["final"]) == (False, True)
    assert second["corrects"] == first["award_id"]
    assert second["counts_from"] == "2026-02-27"


def test_a09_withdrawn() -> None:
    record, behind = read_file("a09_hook_withdrawn.json").records
    assert (behind.kind, behind.native_id, behind.version) == ("episode", record.native_id, ("", 0))
    effect = expected_of("a09_hook_withdrawn.json")["effect"]
    assert (record.kind, record.native_id) == ("withdrawal", effect["native_id"])
    assert record.claims[0].value == effect["episode"]


def test_a20_total_and_total_row() -> None:
    reading = read_file("a20_ledger.csv")
    assert reading.meta["total_fen"] == expected_of("a20_ledger.csv")["total_fen"]
    assert reading.parts == 12
    assert reading.records[0].parties and reading.records[0].parties[0].id_number == "33039919550614590X"


def test_a21_the_return_sheet_marks_the_row() -> None:
    reading = read_file("a21_ledger.xlsx")
    ((path, code, text),) = reading.reply_hint["return_sheet"]
    assert (path, code) == ("row 5/身份证号码", "ID_FORMAT") and "ABC" in text


@pytest.mark.parametrize(
    ("name", "ours"),
    [("a03_hook_accepted.json", rest), ("a20_ledger.csv", sheet), ("a21_ledger.xlsx", sheet)],
)
def test_each_adapter_knows_its_own_files(name: str, ours: Any) -> None:
    raw = ((SHEET if (SHEET / name).exists() else REST) / name).read_bytes()
    assert [each for each in (rest, sheet) if each.recognises(raw, name)] == [ours]


@pytest.mark.parametrize("folder", [REST, SHEET], ids=["rest", "sheet"])
def test_habit_tables_are_whole(folder: Path) -> None:
    table = tomllib.loads((folder.parent / "examples.toml").read_text("utf-8"))
    check_habit_table(table, 12, folder)
