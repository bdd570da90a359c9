"""Every example of the procuratorate's contract against its side file: code, path, found, expected, records."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.procuratorate_wss import mapping, names, trust
from schemas.exchange import Known, RawMessage, Reading

EXAMPLES = names.HERE / "examples"
FILES = sorted(path.name for path in EXAMPLES.glob("*.xml"))
LATER = datetime(2026, 9, 1, tzinfo=UTC)


def read_file(name: str, *, seen_nonce: bool = False) -> Reading:
    """As `concord ingest` without --at hands it over."""
    message = RawMessage(
        "procuratorate_wss", "file", "", (EXAMPLES / name).read_bytes(), LATER, {mapping.OWN_TIME: "1"}, name
    )
    return mapping.read(message, Known(seen_nonce=lambda _: seen_nonce))


def expected_of(name: str) -> dict[str, Any]:
    return json.loads((EXAMPLES / f"{name}.expect.json").read_text("utf-8"))["expected"]


def report_of(reading: Reading) -> list[dict[str, str]]:
    """The findings as the side files write them, with the partner's codes of the manifest."""
    errors = trust.manifest()["errors"]
    return [
        {**each.as_dict(), "partner_code": each.partner_code or errors[each.code]}
        for each in reading.findings
    ]


def test_every_example_has_a_side_file() -> None:
    assert len(FILES) == 24
    assert all((EXAMPLES / f"{name}.expect.json").exists() for name in FILES)


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("j23")])
def test_example(name: str) -> None:
    expected = expected_of(name)
    # The side file of j15 asks to send it twice: this is the second time.
    reading = read_file(name, seen_nonce=name.startswith("j15"))
    wanted = [{key: str(value) for key, value in each.items()} for each in expected.get("report", [])]
    assert report_of(reading) == wanted
    assert len(reading.records) == expected.get("accepted_records", 0)
    for record, parsed in zip(reading.records, expected.get("parsed", ()), strict=False):
        fields = {claim.field: claim.value for claim in record.claims}
        assert record.native_id == parsed["native_id"]
        assert fields.get("claimed_fen") == parsed["amount_fen"]
        if "parties" in parsed:
            assert [party.name for party in record.parties or ()] == parsed["parties"]
        if "deadline" in parsed:
            assert fields["limit_date"] == parsed["deadline"]
    if "action" in expected:
        assert reading.meta["action"] == expected["action"]


def test_the_first_sending_of_the_replayed_one_is_taken() -> None:
    reading = read_file("j15_replayed_nonce.xml")
    assert not reading.findings
    assert reading.meta["nonce"] == "UQN6SjdzD1LIcyWG06qjFg=="


def test_same_msgid_with_other_content_is_told_by_its_digest() -> None:
    first, other = read_file("j01_submit_1.xml"), read_file("j23_same_msgid_other_body.xml")
    wanted = expected_of("j23_same_msgid_other_body.xml")["report"][0]
    assert first.message_id == other.message_id == wanted["found"]
    assert first.compare_digest != other.compare_digest
    assert (other.meta["id_path"], other.meta["id_found"]) == (wanted["path"], wanted["found"])
    assert other.meta["id_expected"] == wanted["expected"]
    assert trust.manifest()["errors"]["SAME_ID_OTHER_BYTES"] == wanted["partner_code"]


def test_with_a_given_time_the_example_is_judged_at_that_time() -> None:
    raw = (EXAMPLES / "j01_submit_1.xml").read_bytes()
    fresh = RawMessage("procuratorate_wss", "file", "", raw, datetime(2026, 3, 2, 1, 0, 30, tzinfo=UTC))
    late = RawMessage("procuratorate_wss", "file", "", raw, datetime(2026, 3, 2, 1, 6, 1, tzinfo=UTC))
    assert not mapping.read(fresh, Known()).findings
    assert [each.code for each in mapping.read(late, Known()).findings] == ["TIMESTAMP_EXPIRED"]


def test_in_production_the_published_test_keys_count_for_nothing() -> None:
    raw = (EXAMPLES / "j01_submit_1.xml").read_bytes()
    message = RawMessage("procuratorate_wss", "file", "", raw, LATER, {mapping.OWN_TIME: "1"})
    reading = mapping.read(message, Known(profile="production"))
    assert [each.code for each in reading.findings] == ["CERT_UNKNOWN"]


def test_list_page_keeps_the_gap_and_moves_the_cursor() -> None:
    reading = read_file("j22_list_reply_gap.xml")
    assert reading.meta["gap"] == [51, 52]
    assert reading.meta["cursor"] == 53
    assert reading.meta["inner"] == ["JM00050"]
