"""The procuratorate's numbered habits, and how revisions and withdrawals are ordered."""

from __future__ import annotations

import tomllib
from datetime import timedelta

import pytest
from lxml import etree

from connectors.procuratorate_wss import names
from connectors.procuratorate_wss.content_check import folded_case_no
from tests.connectors.habit_table import check_habit_table
from tests.connectors.jcy_side import (
    EXAMPLES,
    NOW,
    Root,
    case_of,
    change,
    codes,
    fields,
    payload_of,
    push,
    sign,
    submit,
)


def test_habit_1_protected_person_has_no_id_and_a_note() -> None:
    reading = submit(name="j02_submit_2.xml")
    party = (reading.records[0].parties or ())[0]
    assert party.id_number is None and party.phone == "10057702997"
    assert party.extra["protected"] is True
    assert [note.path for note in reading.notes] == ["/SubmitCase/Case/Person[1]/IdNo"]


def test_habit_2_facts_cut_and_no_claim() -> None:
    reading = submit(name="j03_submit_3.xml")
    assert "claimed_fen" not in fields(reading.records[0])
    assert reading.records[0].data["narrative_cut"] is True
    assert [note.code for note in reading.notes] == ["TEXT_CUT"]


def test_habit_3_sealed_is_a_claim() -> None:
    assert fields(submit(name="j04_submit_4.xml").records[0])["sealed"] is True
    assert fields(submit().records[0])["sealed"] is False


def test_habit_4_nobody_is_called_a_suspect() -> None:
    record = submit(name="j05_submit_5.xml").records[0]
    assert [party.role for party in record.parties or ()] == ["applicant", "respondent", "respondent"]
    assert "犯罪嫌疑人" not in repr(record) and "被告人" not in repr(record)


@pytest.mark.parametrize(
    "written",
    [
        "瓯栖检民支[2026]664号",
        "瓯栖检民支（2026）664号",
        "瓯栖检民支【2026】664号",
        "瓯栖检民支〔2026〕664号",
    ],
)
def test_habit_5_brackets_of_the_case_number(written: str) -> None:
    assert folded_case_no(written) == "瓯栖检民支〔2026〕664号"


def test_habit_6_deadline_stays_a_date_and_a_revision_moves_it() -> None:
    assert fields(submit().records[0])["limit_date"] == "2026-02-17"
    assert fields(submit(name="j11_revise_v2.xml").records[0])["limit_date"] == "2026-03-04"


def test_habit_8_minor_absent_is_not_false() -> None:
    def say_minor(payload: Root) -> None:
        person = case_of(payload).findall(names.collab("Person"))[0]
        etree.SubElement(person, names.collab("Minor")).text = "true"

    first, second = submit(say_minor).records[0].parties or ()
    assert first.extra["minor"] is True
    assert "minor" not in second.extra


def test_habit_9_police_number_is_a_hint_of_the_incident() -> None:
    (reference,) = submit().records[0].references
    assert (reference.kind, reference.strength) == ("incident", "hint")


def test_habit_10_support_for_prosecution_is_its_own_kind() -> None:
    assert fields(submit().records[0])["proceeding_kind"] == "SUPPORT_PROSECUTION"


def test_a_revision_replaces_the_whole_case() -> None:
    first, revised = submit().records[0], submit(name="j11_revise_v2.xml").records[0]
    assert first.native_id == revised.native_id
    assert revised.version > first.version

    def without_sum(payload: Root) -> None:
        change(payload, "Case/ClaimAmount", None)

    blank = submit(without_sum, "j11_revise_v2.xml").records[0]
    assert fields(blank)["claimed_fen"] is None


def test_an_equal_or_lower_version_is_ignored_whatever_arrives_first() -> None:
    revised = submit(name="j11_revise_v2.xml").records[0]
    again = submit(lambda payload: change(payload, "Head/Seq", "99"), "j11_revise_v2.xml").records[0]
    lower = submit(lambda payload: change(payload, "Head/Seq", "99")).records[0]
    assert again.version < revised.version
    assert lower.version < revised.version


def test_revocation_withdraws_and_r1_hides() -> None:
    (record,) = submit(name="j12_revoke.xml").records
    assert (record.kind, record.native_id) == ("withdrawal", "瓯栖检刑和〔2026〕54号")
    assert record.data == {"reason": "被害人撤回调解意愿", "reason_code": "R2", "hide": False}
    (hidden,) = submit(lambda payload: change(payload, "ReasonCode", "R1"), "j12_revoke.xml").records
    assert hidden.data["hide"] is True
    unknown = submit(lambda payload: change(payload, "ReasonCode", "R7"), "j12_revoke.xml")
    assert codes(unknown) == [("CODE_UNKNOWN", "/RevokeCase/ReasonCode")]


def test_habit_7_their_clock_may_run_fifty_seconds_fast() -> None:
    assert not push(sign(payload_of("j01_submit_1.xml"), now=NOW + timedelta(seconds=50))).findings
    assert push(sign(payload_of("j01_submit_1.xml"), now=NOW + timedelta(seconds=90))).refused


def test_habit_table_is_whole() -> None:
    table = tomllib.loads((names.HERE / "examples.toml").read_text("utf-8"))
    check_habit_table(table, 11, EXAMPLES)
