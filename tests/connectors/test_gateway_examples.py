"""The provincial gateway's examples and habits: replies in every shape, read or refused."""

from __future__ import annotations

import json
import random
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.provincial_gateway import mapping, tokens
from schemas.exchange import Known, RawMessage, Reading
from tests.connectors.habit_table import check_habit_table

FOLDER = Path(mapping.__file__).parent / "examples"
NOW = datetime(2026, 4, 1, 1, 0, tzinfo=UTC)
FILES = sorted(path.name for path in FOLDER.iterdir() if not path.name.endswith(".expect.json"))


def read(raw: bytes, question: dict[str, Any] | None = None) -> Reading:
    headers = {mapping.QUESTION_HEADER: json.dumps(question)} if question else {}
    return mapping.read(RawMessage("provincial_gateway", "reply", "person", raw, NOW, headers), Known())


def reply(data: Any, **more: Any) -> Reading:
    return read(json.dumps({"code": "00", "msg": None, "data": data, **more}, ensure_ascii=False).encode())


def expected_of(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.expect.json").read_text("utf-8"))["expected"]


def codes(reading: Reading) -> list[tuple[str, str]]:
    return [(each.code, each.path) for each in reading.findings]


PERSON = {"xm": "周忠", "gmsfhm": "330399198805160222", "swbs": "0"}


def test_every_example_is_there() -> None:
    assert len(FILES) == 8


@pytest.mark.parametrize("name", FILES)
def test_example(name: str) -> None:
    expected = expected_of(name)
    reading = read((FOLDER / name).read_bytes())
    wanted = [{key: str(value) for key, value in each.items()} for each in expected.get("report", [])]
    assert [each.as_dict() for each in reading.findings] == wanted
    assert len(reading.records) == expected.get("accepted_records", 0)
    if "action" in expected:
        assert reading.meta["action"] == expected["action"]


def test_sign_vectors() -> None:
    first, second = (
        expected_of(name)["sign_vector"] for name in ("g01_token_by_key.json", "g02_token_by_sec.json")
    )
    assert tokens.sign(first["appKey"], first["appSecret"], first["requestTime"]) == first["sign"]
    refresh = json.loads((FOLDER / "g01_token_by_key.json").read_bytes())["datas"]["refreshSecret"]
    assert tokens.sign(first["appKey"], refresh, second["requestTime"]) == second["sign"]


@pytest.mark.parametrize(
    "data",
    [
        [PERSON],
        PERSON,
        json.dumps([PERSON]),
        json.dumps(PERSON),
        [{key.upper(): value for key, value in PERSON.items()}],
        [{"Xm": "周忠", "GmsfHm": "330399198805160222", "SWBS": 0}],
    ],
)  # fmt: skip
def test_habits_1_and_2_data_in_every_form_and_keys_in_every_case(data: Any) -> None:
    (record,) = reply(data).records
    assert (record.kind, record.data["name"], record.data["alive"]) == ("person_check", "周忠", True)


@pytest.mark.parametrize("more", [{"dataCount": "1"}, {"dataCount": 99}, {"dataCount": "none"}, {}])
def test_habit_3_data_count_decides_nothing(more: dict[str, Any]) -> None:
    assert len(reply([PERSON], **more).records) == 1


@pytest.mark.parametrize("data", [None, "", "无数据", [], "[]", {}])
def test_habit_6_no_data_with_code_00_ends_the_walk(data: Any) -> None:
    reading = reply(data)
    assert not reading.findings and not reading.records
    assert reading.meta["page_end"] is True


def test_no_data_about_a_question_is_an_answer_too() -> None:
    question = {"subject": "person", "name": "周忠", "number": "330399198805160222", "page": 1}
    raw = (FOLDER / "g07_page_end.json").read_bytes()
    (record,) = read(raw, question).records
    assert (record.data["found"], record.data["alive"]) == (False, None)
    assert not read(raw, {**question, "page": 4}).records


@pytest.mark.parametrize("msg", [None, "", "成功"])
def test_habit_7_msg_may_be_null_or_empty(msg: str | None) -> None:
    assert not reply([PERSON], msg=msg).findings


@pytest.mark.parametrize(("swbs", "alive"), [("1", False), (1, False), ("0", True), ("", None), (None, None)])
def test_habit_8_dead_alive_or_not_told(swbs: Any, alive: bool | None) -> None:
    (record,) = reply([{**PERSON, "swbs": swbs}]).records
    assert record.data["alive"] is alive


def test_habit_10_lost_characters_are_noted() -> None:
    reading = reply([{**PERSON, "xm": "项鑫?"}])
    assert reading.records[0].data["name_uncertain"] is True
    assert [note.code for note in reading.notes] == ["NAME_CHARACTERS"]


def test_company() -> None:
    (record,) = reply(
        [{"QYMC": "温州双溪泰农业开发有限公司", "TYSHXYDM": "91330399MAT9T4YK0G", "DJZT": "存续"}]
    ).records
    assert (record.data["subject"], record.data["status"], record.data["alive"]) == ("company", "存续", None)


@pytest.mark.parametrize(
    ("row", "code", "path"),
    [
        ({**PERSON, "gmsfhm": "330399198805160223"}, "ID_CHECK_DIGIT", "/data/0/gmsfhm"),
        ({**PERSON, "gmsfhm": "ABC"}, "ID_FORMAT", "/data/0/gmsfhm"),
        ({**PERSON, "swbs": "2"}, "CODE_UNKNOWN", "/data/0/swbs"),
        ({**PERSON, "xm": ""}, "SCHEMA_VIOLATION", "/data/0/xm"),
        ({**PERSON, "xm": ["a"]}, "SCHEMA_VIOLATION", "/data/0"),
        ({**PERSON, "xm": "a\x00"}, "SCHEMA_VIOLATION", "/data/0"),
        ({"XM": "周忠"}, "SCHEMA_VIOLATION", "/data/0/gmsfhm"),
    ],
)
def test_a_wrong_row_is_refused_alone(row: dict[str, Any], code: str, path: str) -> None:
    reading = reply([row, PERSON])
    assert codes(reading) == [(code, path)]
    assert reading.findings[0].scope == "row" and len(reading.records) == 1


@pytest.mark.parametrize(
    ("raw", "code", "path"),
    [
        (b"", "JSON_NOT_WELL_FORMED", "/"),
        (b"{", "JSON_NOT_WELL_FORMED", "/"),
        (b"[]", "SCHEMA_VIOLATION", "/"),
        (b"{}", "SCHEMA_VIOLATION", "/code"),
        (b'{"code": 0}', "SCHEMA_VIOLATION", "/code"),
        (b'{"code": "00", "data": 7}', "SCHEMA_VIOLATION", "/data"),
        (b'{"code": "00", "data": [1]}', "SCHEMA_VIOLATION", "/data"),
        (b'{"code": "00", "data": "{"}', "JSON_NOT_WELL_FORMED", "/data"),
        (b'{"code": "00", "datas": null}', "SCHEMA_VIOLATION", "/datas/requestSecret"),
        (b"\xef\xbb\xbf<html></html>", "NOT_JSON", "/"),
    ],
)
def test_replies_that_are_wrong(raw: bytes, code: str, path: str) -> None:
    assert codes(read(raw)) == [(code, path)]


def test_mutations_never_raise() -> None:
    chance = random.Random(5)
    for _ in range(500):
        mutant = bytearray((FOLDER / chance.choice(FILES)).read_bytes())
        for _ in range(chance.randint(1, 5)):
            at = chance.randrange(len(mutant))
            mutant[at : at + chance.randint(0, 3)] = bytes([chance.randrange(256)])
        reading = read(bytes(mutant))
        assert not (reading.refused and reading.records)


def test_habit_table_is_whole() -> None:
    table = tomllib.loads((FOLDER.parent / "examples.toml").read_text("utf-8"))
    check_habit_table(table, 10, FOLDER)
