"""The court's numbered habits (connectors/court_feed/examples.toml points here)."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime

import pytest

from connectors.court_feed import mapping
from schemas.exchange import Reading
from tests.connectors.court_side import EXAMPLES, FILES, codes, content, fields, read, text
from tests.connectors.habit_table import check_habit_table

CASE = text("c10").replace("刑事案件>", "民事案件>").replace("<刑事案件 ", "<民事案件 ")
B_ROW = text("c09").replace("<count>5<", "<count>4<")


def case(old: str, new: str) -> Reading:
    assert old in CASE
    return read(CASE.replace(old, new, 1))


def test_habit_table_is_whole() -> None:
    table = tomllib.loads((EXAMPLES.parent / "examples.toml").read_text("utf-8"))
    check_habit_table(table, 14, EXAMPLES)


# 1
def test_the_row_is_believed_and_not_the_root() -> None:
    reading = read(content("c10"))
    assert fields(reading)["proceeding_kind"] == "TRIAL"
    assert reading.records[0].data["branch"] == "civil"
    assert reading.message_id == "AJXX20260403"


# 2
def test_one_case_mark_may_have_several_numbers() -> None:
    reading = read(content("c05"))
    twice = [r for r in reading.records if r.native_id == "339920269901002329"]
    assert [r.sub_id for r in twice] == ["(2026)浙0399民诉前调563号", "(2026)浙0399财保17号"]
    assert [c.value for r in twice for c in r.claims if c.field == "proceeding_kind"] == [
        "PRE_LITIGATION_MEDIATION",
        "PRESERVATION",
    ]


# 3
def test_nil_is_not_told_and_empty_is_told_to_be_blank() -> None:
    nil = case("<诉讼标的金额>97937.00</诉讼标的金额>", '<诉讼标的金额 xsi:nil="true"/>')
    empty = case("<诉讼标的金额>97937.00</诉讼标的金额>", "<诉讼标的金额/>")
    assert "claimed_fen" not in fields(nil)
    assert fields(empty)["claimed_fen"] is None
    assert "closed_on" not in fields(nil)
    blank = fields(case('<结案日期 xsi:nil="true"/>', "<结案日期></结案日期>"))
    assert blank["closed_on"] is None
    list_row = read('{"code":200,"msg":"","content":' + LIST_ONE + "}")
    assert "cause" not in fields(list_row) and fields(list_row)["claimed_fen"] is None


LIST_ONE = (
    '{"total":1,"totalPages":1,"pageSize":9,"pageNum:":1,"list":[{"rnum":1,"ajbs":"1","ah":"(2026)浙0399民诉前调1号",'
    '"ajlb":"9901","laaymc":null,"sjdwje":"","yg":"甲某","bg":"乙某"}]}'
)


# 4
@pytest.mark.parametrize(
    ("wire", "day"),
    [
        ("2026-02-08", "2026-02-08"),
        ("2026-2-8T09:42:32", "2026-02-08"),
        ("20JAN21", "2021-01-20"),
        ("20JAN71", "1971-01-20"),
        ("2026-02-08 18:00:07", "2026-02-08"),
        ("2026.02.08", "2026-02-08"),
        ("20260208", "2026-02-08"),
        ("2026年2月8日", "2026-02-08"),
    ],
)
def test_dates(wire: str, day: str) -> None:
    assert fields(case("<立案日期>2026-02-08<", f"<立案日期>{wire}<"))["opened_on"] == day


@pytest.mark.parametrize("wire", ["2026-02-30", "31FEB26", "20JAX21", "2026-13-01", "昨天", "0000-00-00"])
def test_dates_that_are_none_refuse_the_row(wire: str) -> None:
    reading = case("<立案日期>2026-02-08<", f"<立案日期>{wire}<")
    assert codes(reading) == [("DATE_UNREADABLE", "/民事案件/案件列表/R[1]/民事案件基本信息/立案日期")]
    assert reading.findings[0].found == wire


def test_versions_sort_as_times_whatever_form_they_came_in() -> None:
    told = ["2026-4-2T9:42:32", "2026-04-02 09:42:31", "02APR26", "2026-04-02T09:42:33"]
    found = [case("<更新时间>2026-04-03T12:00:00<", f"<更新时间>{each}<").records[0].version for each in told]
    assert sorted(found) == [found[2], found[1], found[0], found[3]]


# 5
@pytest.mark.parametrize(
    ("wire", "fen"),
    [
        ("12345.60", 1234560),
        ("12.5万元", 12500000),
        ("叁万贰仟元整", 3200000),
        ("12,345.60", 1234560),
        ("0", 0),
    ],
)
def test_amounts(wire: str, fen: int) -> None:
    reading = case("<诉讼标的金额>97937.00<", f"<诉讼标的金额>{wire}<")
    assert fields(reading)["claimed_fen"] == fen


@pytest.mark.parametrize(
    "wire", ["-300.00", "-1", "1,23,45", "1.001", "NaN", "3万余元", "Infinity", "1e5", "无"]
)
def test_amounts_that_refuse_the_row(wire: str) -> None:
    reading = case("<诉讼标的金额>97937.00<", f"<诉讼标的金额>{wire}<")
    path = "/民事案件/案件列表/R[1]/民事案件基本信息/诉讼标的金额"
    assert [(f.code, f.path, f.found) for f in reading.findings] == [("AMOUNT_UNREADABLE", path, wire)]


# 6
def test_the_lists_misspelt_key() -> None:
    assert '"pageNum:"' in text("c05") and '"pageNum"' in text("c06")
    assert not read(content("c05")).findings and not read(content("c06")).findings


# 7
def test_a_withdrawal_calls_its_key_otherwise() -> None:
    (record,) = read(content("c03")).records
    assert record.native_id == "339920269901001387"
    assert "339920269901001387A" in text("c03")


# 8
def test_a_row_that_comes_again_says_its_thing_once() -> None:
    page = text("c06")
    row = page[page.index('   {\n    "rnum": 1') : page.index("   },") + 5]
    twice = read(page.replace(row, row + row.replace('"rnum": 1', '"rnum": 7'), 1))
    assert (twice.parts, len(twice.records)) == (6, 5)
    first, again = read(content("c05")), read(content("c06"))
    assert first.records[8].sub_id == again.records[0].sub_id


# 9
def test_the_count_is_of_all_tables_together() -> None:
    assert read(content("c02")).parts == 29
    assert codes(read(content("c09"))) == [("COUNT_MISMATCH", "/resource/brief/count")]
    assert not read(B_ROW).findings


# 10
def test_several_names_in_one_text_and_no_identifier_in_the_list() -> None:
    reading = read(content("c02"))
    parties = reading.records[3].parties or ()
    assert [(p.role, p.name, p.kind) for p in parties] == [
        ("applicant", "王斌玉", "person"),
        ("applicant", "叶刚华", "person"),
        ("respondent", "温州后垟和医院（有限合伙）", "organisation"),
    ]
    assert parties[0].id_number and not parties[1].id_number and parties[1].phone
    # the keys are the same whether the party table is there or not
    assert [p.key for p in parties] == ["applicant:1", "applicant:2", "respondent:1"]
    for record in (*read(content("c05")).records, *read(content("c28")).records):
        for party in record.parties or ():
            assert (party.id_number, party.credit_code, party.masked_id) == (None, None, None)
    others = read(content("c05")).records[4].parties or ()
    assert others[0].name == "王斌玉" and others[0].extra["and_others"] == 1


# 11
def test_the_ledger() -> None:
    reading = read(content("c28"), "c28_ledger_qiantiao.xlsx")
    first, third, sixth = (reading.records[place] for place in (0, 2, 5))
    assert first.native_id == first.sub_id == "(2026)浙0399民诉前调865号"
    assert first.path == "rows 4-5" and third.path == "rows 8-10"
    assert [p.name for p in first.parties or ()] == ["周海孝", "王寿"]
    assert (first.parties or ())[0].phone == "10057710767"
    assert [(p.role, p.name) for p in third.parties or ()][1] == ("applicant", "张静鑫")
    assert fields(reading)["claimed_fen"] == 15210901
    assert fields(reading)["organisation"] == "瓯栖县鹿栖街道人民调解委员会"
    assert (sixth.parties or ())[2].extra["short_form"] is True
    assert {record.version for record in reading.records} == {("0000-00-00T00:00:00+08:00", "2026-04-07")}
    assert [fields(reading, row)["opened_on"] for row in range(3)] == [
        "2026-02-12",
        "2026-02-09",
        "2026-02-15",
    ]
    assert first.references[0].value == first.native_id


# 12
def test_the_exporters_clock_may_be_ahead_and_older_rows_come_later() -> None:
    late, early = read(content("c21")).records[0], read(content("c07"), FILES[6]).records[0]
    assert (late.native_id, late.sub_id) == (early.native_id, early.sub_id)
    # The row that tells its end cannot be older than it, whatever its own clock says: c21 comes late.
    assert early.version > late.version > read(content("c01")).records[0].version
    assert early.version == ("2026-04-01T00:00:00+08:00",)
    at = datetime(2026, 4, 3, 3, 51, tzinfo=UTC)
    assert not read(CASE, at=at).notes
    ahead = read(CASE, at=datetime(2026, 4, 3, 3, 49, tzinfo=UTC))
    assert [note.code for note in ahead.notes] == ["WRONG_DATE_ORDER"]
    assert ahead.records and not ahead.findings


# 13, 14
HOLD = text("c17")


@pytest.mark.parametrize(
    ("code", "measure"), [("01", "FREEZE"), ("02", "EXTEND"), ("03", "LIFT"), ("04", "DEDUCT")]
)
def test_every_measure(code: str, measure: str) -> None:
    told = HOLD.replace("<措施代码>01<", f"<措施代码>{code}<").replace("<期限止>2027-04-08</期限止>", "")
    (record,) = read(told).records
    assert record.data["measure"] == measure and record.data["until"] is None


def test_a_waiting_hold_may_be_above_the_balance() -> None:
    data = read(content("c18")).records[0].data
    assert data["waiting"] is True and data["amount_fen"] == 99999999900


def test_a_lift_names_the_first_document() -> None:
    data = read(content("c19")).records[0].data
    assert data["document_no"].endswith("之一") and data["refers_to"] == "(2026)浙0399执保31号"
    wide = read(HOLD.replace("(2026)浙0399执保31号", "（2026）浙0399执保31号之二")).records[0].data
    assert wide["refers_to"] == "(2026)浙0399执保31号"


@pytest.mark.parametrize("wire", ["0", "0.00", "-1", "1.001", "NaN", ""])
def test_a_hold_of_no_sum_is_refused(wire: str) -> None:
    reading = read(HOLD.replace("<协助金额>38900.67<", f"<协助金额>{wire}<"))
    assert codes(reading) == [("AMOUNT_UNREADABLE", "/协助执行/协助执行记录/R[1]/协助金额")]


def test_the_mapping_reads_nothing_but_the_message() -> None:
    assert mapping.read.__module__ == "connectors.court_feed.mapping"
    assert read(content("c01")) == read(content("c01"))
