"""The petition office's numbered habits (connectors/petition_asmx/examples.toml points here)."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from connectors.petition_asmx.names import opposed, petitioners
from connectors.petition_asmx.replies import read_result
from schemas.claims import EPISODE_FIELDS
from tests.connectors.habit_table import check_habit_table
from tests.connectors.petition_side import (
    EXAMPLES,
    add,
    codes,
    content,
    envelope,
    fields,
    read,
    told,
    update,
)


def first_party(**changed: Any) -> Any:
    return (add(**changed).records[0].parties or ())[0]


def test_habit_table_is_whole() -> None:
    table = tomllib.loads((EXAMPLES.parent / "examples.toml").read_text("utf-8"))
    check_habit_table(table, 13, EXAMPLES)


# 1
def test_keys_that_collide() -> None:
    party = first_party()
    assert party.address == told("x01")["ZZ"] and party.id_number == told("x01")["SFZH"]
    assert fields(add())["opened_on"] == "2026-01-09"
    assert set(fields(add())) <= set(EPISODE_FIELDS)


# 2
def test_either_spelling_of_the_parameter() -> None:
    text = json.dumps(told("x01"), ensure_ascii=False)
    assert read(envelope("AddXfj", text, "jsonString")).records == read(content("x01")).records


# 3
def test_null_and_empty_are_both_not_told() -> None:
    for nothing in (None, ""):
        reading = add(
            SFZH=nothing, LXDH=nothing, ZZ=nothing, SJJE=nothing, ZRDW=nothing, BLQX=nothing, FJ=nothing
        )
        told_now = fields(reading)
        assert not {"claimed_fen", "holder", "limit_date"} & set(told_now)
        assert None not in told_now.values()
        party = (reading.records[0].parties or ())[0]
        assert (party.id_number, party.phone, party.address) == (None, None, None)
    assert codes(add(XFRXM="")) == [("SCHEMA_VIOLATION", "Jsonstring/XFRXM")]
    assert codes(add(NR=None)) == [("SCHEMA_VIOLATION", "Jsonstring/NR")]


def test_an_update_leaves_out_what_has_not_changed() -> None:
    reading = update("NR", "XFRQ", "BXFR", "SJJE", "RS")
    assert not reading.findings
    assert reading.records[0].parties is None and "narrative" not in fields(reading)
    assert codes(update("XFJBH")) == [("SCHEMA_VIOLATION", "Jsonstring/XFJBH")]
    assert codes(read(envelope("AddXfj", "{}")))[0] == ("SCHEMA_VIOLATION", "Jsonstring/XFJBH")


# 4
@pytest.mark.parametrize(
    ("wire", "names", "count"),
    [
        ("周忠", ["周忠"], 1),
        (" 周　忠 ", ["周忠"], 1),
        ("章雪刚等7人", ["章雪刚"], 7),
        ("甲一、乙二等12人", ["甲一", "乙二"], 12),
        ("甲一,乙二；丙三", ["甲一", "乙二", "丙三"], 3),
        ("古丽娜尔·买买提", ["古丽娜尔·买买提"], 1),
    ],
)
def test_names_of_petitioners(wire: str, names: list[str], count: int) -> None:
    found = petitioners(wire)
    assert (list(found.names), found.count) == (names, count)
    reading = add(XFRXM=wire, RS=1)
    assert fields(reading)["people_count"] == (count if "等" in wire else 1)


def test_anonymous_and_lost_characters_are_marked() -> None:
    assert first_party(XFRXM="蔡某", SFZH=None).extra["anonymous"] is True
    lost = add(XFRXM="叶?")
    assert (lost.records[0].parties or ())[0].extra["lost_characters"] is True
    assert [note.code for note in lost.notes] == ["NAME_CHARACTERS"]


# 5
def test_ids() -> None:
    assert first_party(SFZH="33039919550614590x").id_number == "33039919550614590X"
    masked = first_party(SFZH="330399********1773")
    assert (masked.id_number, masked.masked_id) == (None, "330399********1773")
    old = first_party(SFZH="330399550614590")
    assert (old.id_number, old.extra["old_id"]) == (None, "330399550614590")


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        ("330399198805160223", "ID_CHECK_DIGIT"),
        ("330399198813160222", "ID_BIRTH_DATE"),
        ("33039919880516022", "ID_FORMAT"),
        ("身份证", "ID_FORMAT"),
    ],
)
def test_wrong_ids_are_refused(wire: str, code: str) -> None:
    assert codes(add(SFZH=wire)) == [(code, "Jsonstring/SFZH")]


# 6
@pytest.mark.parametrize(
    ("wire", "fen"),
    [
        ("248940.50", 24894050),
        (248940.5, 24894050),
        (3, 300),
        ("3万元", 3000000),
        ("12.5万", 12500000),
        ("叁万贰仟元整", 3200000),
        (0, 0),
    ],
)
def test_amounts(wire: Any, fen: int) -> None:
    assert fields(add(SJJE=wire))["claimed_fen"] == fen


def test_rough_amounts_are_text() -> None:
    for wire in ("3万余元", "约2万元", "若干"):
        reading = add(SJJE=wire)
        assert "claimed_fen" not in fields(reading) and fields(reading)["claimed_text"] == wire
        assert [note.code for note in reading.notes] == ["AMOUNT_UNQUANTIFIED"]


@pytest.mark.parametrize("wire", ["-1", -1, "1.001", 1.001, "1,23,45", -300.5])
def test_wrong_amounts_are_refused(wire: Any) -> None:
    assert codes(add(SJJE=wire)) == [("AMOUNT_UNREADABLE", "Jsonstring/SJJE")]


def test_numbers_that_json_does_not_know() -> None:
    text = json.dumps(told("x01"), ensure_ascii=False).replace('"248940.50"', "NaN")
    where = "/Envelope/Body/AddXfj/Jsonstring"
    assert codes(read(envelope("AddXfj", text))) == [("JSON_NOT_WELL_FORMED", where)]


# 7
def test_repeat_marks() -> None:
    for wire, means in (("0", False), ("1", True), ("N", False), ("Y", True), ("y", True), (1, True)):
        assert fields(add(CFXF=wire))["repeat_flag"] is means
    reading = add(CFXF="0", YXFJBH="XF33039920260101686")
    assert fields(reading)["repeats"] == "XF33039920260101686"
    assert reading.records[0].references[0].kind == "episode"


# 8
@pytest.mark.parametrize(
    "wire", ["2026-01-09", "2026/1/9", "20260109", "2026年1月9日", "2026.01.09", "46031"]
)
def test_dates(wire: str) -> None:
    assert fields(add(XFRQ=wire))["opened_on"] == "2026-01-09"


@pytest.mark.parametrize("wire", ["2026-02-30", "昨天", "20261301", "99999999"])
def test_wrong_dates_are_refused(wire: str) -> None:
    for key in ("XFRQ", "ZBSJ", "BLQX"):
        assert codes(add(**{key: wire})) == [("DATE_UNREADABLE", f"Jsonstring/{key}")]


# 9
@pytest.mark.parametrize(
    ("wire", "names", "appended"),
    [
        ("欧阳敏海", ["欧阳敏海"], []),
        ("潘红刚、章娟勇", ["潘红刚", "章娟勇"], []),
        ("潘红刚,章娟勇;王凯强/徐桂 周忠", ["潘红刚", "章娟勇", "王凯强", "徐桂", "周忠"], []),
        ("温州前岸泰餐饮管理有限公司/村委会", ["温州前岸泰餐饮管理有限公司"], ["村委会"]),
        ("徐桂 后洋村村委会", ["徐桂"], ["后洋村村委会"]),
        ("后洋村村委会", ["后洋村村委会"], []),
        ("徐 桂、周忠", ["徐桂", "周忠"], []),
        ("", [], []),
    ],
)
def test_names_complained_of(wire: str, names: list[str], appended: list[str]) -> None:
    found = opposed(wire)
    assert (list(found.names), list(found.appended)) == (names, appended)
    record = add(BXFR=wire).records[0]
    respondents = [p for p in record.parties or () if p.role == "respondent"]
    assert [p.name for p in respondents] == names and all(p.extra["weak"] for p in respondents)
    assert record.data["appended_bodies"] == appended


# 10
@pytest.mark.parametrize(
    ("text", "ok", "code"),
    [
        ('{"Result":"1","Message":""}', True, ""),
        ('{"Result": 1}', True, ""),
        ('{"Result":"0","Message":"E06:信访件已办结"}', False, "E06"),
        ("Result=0;Message=E99 系统繁忙", False, "E99"),
        ("Result=0;E06", False, "E06"),
        ("Result=1;", True, ""),
        ("<html>", None, ""),
        ("", None, ""),
    ],
)
def test_results_of_every_shape(text: str, ok: bool | None, code: str) -> None:
    result = read_result(text, "where", "root")
    assert (result.ok, result.code) == (ok, code)


# 11
def test_the_limit_is_what_is_written() -> None:
    assert fields(add(BLQX="2026-04-30"))["limit_date"] == "2026-04-30"
    assert "limit_date" not in fields(add(BLQX=None))


# 12
def test_numbers_and_booleans_by_mood() -> None:
    plain = add()
    for changed in (
        {"RS": "1", "BBH": "1"},
        {"JTF": 0, "CFXF": 0, "XFXS": 2, "BLZT": 2, "XB": 2, "NRFL": 101, "WTSD": 330399101},
        {"JTF": False, "CFXF": False},
    ):
        reading = add(**changed)
        assert not reading.findings and reading.message_id == plain.message_id
        assert fields(reading) == fields(plain)
    assert fields(add(RS="3人"))["people_count"] == 3


# 13
def test_the_export() -> None:
    reading = read(content("x22"), "x22_export.xlsx")
    ids = [(record.parties or ())[0].id_number for record in reading.records]
    assert ids[:2] == ["330399198312312582", "330399199701032562"]
    assert fields(reading)["opened_on"] == "2026-02-15" and fields(reading, 1)["opened_on"] == "2026-02-18"
    assert fields(reading)["claimed_fen"] == 10688800 and fields(reading, 2)["claimed_fen"] == 1838900
    assert [p.name for p in reading.records[2].parties or ()] == ["吴秀晓", "潘红刚", "章娟勇"]
    assert fields(reading)["cause"] == "相邻关系纠纷" and reading.records[0].data["form"] == "V"
    assert {record.version for record in reading.records} == {(0, 0)}
    assert any(note.code == "TEXT_CUT" for note in reading.notes)
