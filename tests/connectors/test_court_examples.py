"""Every example of the court's contract against its side file."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.court_feed import service
from schemas.exchange import Reading
from tests.connectors.court_side import EXAMPLES, FILES, expected_of, fields, read, report_of


def read_file(name: str) -> Reading:
    return read((EXAMPLES / name).read_bytes(), name)


def accepted_rows(reading: Reading) -> int:
    return 0 if reading.refused else reading.parts - reading.meta["refused_rows"]


def test_every_example_has_a_side_file() -> None:
    assert len(FILES) == 28
    assert all((EXAMPLES / f"{name}.expect.json").exists() for name in FILES)


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("c22")])
def test_example(name: str) -> None:
    expected, reading = expected_of(name), read_file(name)
    wanted = [{key: str(value) for key, value in each.items()} for each in expected.get("report", [])]
    assert report_of(reading.findings) == wanted
    if "stored" in expected:
        assert reading.refused and not reading.records
    else:
        assert not reading.refused
    if "accepted_records" in expected:
        assert accepted_rows(reading) == expected["accepted_records"]
    if "rejected_records" in expected:
        assert reading.meta["refused_rows"] == expected["rejected_records"]
    by_id = {record.native_id: record for record in reading.records}
    for parsed in expected.get("parsed", ()):
        _same(by_id[parsed["native_id"]], parsed)
    for each in expected.get("normalised", ()):
        assert any(_notes(note, each) for note in reading.notes), each


def _same(record: Any, parsed: dict[str, Any]) -> None:
    told = {claim.field: claim.value for claim in record.claims}
    for theirs, ours in (("case_no", "case_number"), ("cause", "cause"), ("amount_fen", "claimed_fen")):
        if theirs in parsed:
            assert told[ours] == parsed[theirs]
    if "parties" in parsed:
        assert [party.name for party in record.parties] == parsed["parties"]
    if "first_party" in parsed:
        assert record.parties[0].name == parsed["first_party"]


def _notes(note: Any, wanted: dict[str, Any]) -> bool:
    value = wanted.get("value", f"{wanted.get('value_fen')} fen")
    steps = wanted["path"].split("//")
    return note.expected == value and note.path.endswith(steps[-1]) and steps[0] in note.path


def test_counts_that_the_side_files_tell() -> None:
    prelitigation = read_file("c02_B_prelitigation.xml")
    assert len(prelitigation.records) == expected_of("c02_B_prelitigation.xml")["cases"]
    assert len(prelitigation.notes) == 4
    archive = next(name for name in FILES if name.startswith("c07"))
    assert read_file(archive).meta["zip_parts"] == expected_of(archive)["parts"]
    assert expected_of("c28_ledger_qiantiao.xlsx")["header_row"] == 3


def test_same_batch_with_other_bytes_is_told_by_its_digest() -> None:
    first, other = read_file("c01_A_civil_batch.xml"), read_file("c22_A_same_batch_other_bytes.xml")
    wanted = expected_of("c22_A_same_batch_other_bytes.xml")["report"][0]
    assert first.message_id == other.message_id == wanted["found"]
    assert first.compare_digest != other.compare_digest
    assert other.meta["id_path"] == wanted["path"]
    assert service.ERRORS["SAME_ID_OTHER_BYTES"] == wanted["partner_code"]


def test_pull_reply_carries_the_batch_that_was_there_before() -> None:
    archive = read_file(next(name for name in FILES if name.startswith("c07")))
    reply = read_file("c25_soap_pull_reply.xml")
    assert (reply.message_id, reply.compare_digest) == (archive.message_id, archive.compare_digest)
    assert reply.records == archive.records
    assert reply.meta["cursor"] == expected_of("c25_soap_pull_reply.xml")["cursor"]
    assert reply.meta["more"] is True


def test_fault_says_what_to_do() -> None:
    reading = read_file("c26_soap_fault.xml")
    assert reading.meta["action"] == expected_of("c26_soap_fault.xml")["action"]
    assert reading.meta["code"] == "C9003"


def test_withdrawal_says_what_it_ends() -> None:
    effect = expected_of("c03_A_withdrawal.xml")["effect"]
    (record,) = read_file("c03_A_withdrawal.xml").records
    assert (record.kind, record.native_id, record.sub_id) == ("withdrawal", effect["native_id"], "")
    assert record.event_at == effect["withdrawn_at"]
    assert record.version == ("2026-04-02T09:45:00+08:00",)
    assert record.data["reason"] == "不予公开" and record.data["hide"] is True


def test_confirmations_say_what_the_registry_compares() -> None:
    first, second = read_file("c15_A_judicial_confirmation.xml").records
    alarm = expected_of("c15_A_judicial_confirmation.xml")["alarms"][0]
    assert second.native_id == alarm["native_id"]
    assert second.data["amount_fen"] == alarm["confirmed_fen"]
    assert first.data["result"] == "CONFIRMED" and first.data["agreement_signed_on"] == "2026-01-24"
    assert [party.role for party in first.parties or ()] == ["applicant", "respondent"]
    (refused,) = read_file("c16_A_confirmation_refused.xml").records
    assert refused.data["result"] == "REFUSED" and refused.data["amount_fen"] is None


def test_holds_say_account_sum_and_document() -> None:
    freeze, waiting, lift = (
        read_file(name).records[0].data
        for name in ("c17_A_freeze.xml", "c18_A_freeze_waiting.xml", "c19_A_unfreeze.xml")
    )
    hold = expected_of("c17_A_freeze.xml")["effect"]["hold"]
    assert {key: freeze[key] for key in hold} == hold
    assert (freeze["measure"], freeze["waiting"], freeze["refers_to"]) == ("FREEZE", False, None)
    assert (waiting["measure"], waiting["waiting"], waiting["until"]) == ("FREEZE", True, None)
    assert (lift["measure"], lift["refers_to"]) == ("LIFT", freeze["document_no"])


def test_enforcement_names_its_title() -> None:
    (record,) = read_file("c20_A_enforcement.xml").records
    assert record.data["basis_kind"] == "CONFIRMATION"
    assert record.data["amount_fen"] == 5186757
    assert [each.value for each in record.references] == ["(2026)浙0399民特251号"]
    assert fields(read_file("c20_A_enforcement.xml"))["proceeding_kind"] == "ENFORCEMENT"
