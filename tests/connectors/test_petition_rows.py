"""Petitions that nobody has shown yet: every code, several things wrong, lists, revoking, wrong envelopes."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from schemas.claims import EPISODE_STATES
from tests.connectors.petition_side import (
    add,
    codes,
    content,
    envelope,
    fields,
    read,
    told,
)


def test_every_code_of_the_contract() -> None:
    for code in ("01", "02", "03", "04", "05", "09"):
        reading = add(BLZT=code)
        assert fields(reading)["state"] in EPISODE_STATES
        assert [r.kind for r in reading.records] == ["episode"] + (["withdrawal"] if code == "09" else [])
        assert reading.parts == 1
    for code in ("01", "02", "03", "04", "05"):
        assert add(XFXS=code).records[0].data["form"]
    for key, wrong in (
        ("XFXS", "88"),
        ("XB", "3"),
        ("JTF", "2"),
        ("CFXF", "X"),
        ("BLZT", "06"),
        ("CZLX", "Z"),
    ):
        assert codes(add(**{key: wrong})) == [("CODE_UNKNOWN", f"Jsonstring/{key}")], key
    for key, wrong in (("NRFL", "12"), ("WTSD", "3303")):
        assert codes(add(**{key: wrong})) == [("CODE_UNKNOWN", f"Jsonstring/{key}")]


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"NEU": 1}, "Jsonstring/NEU"),
        ({"XFJBH": "XF1"}, "Jsonstring/XFJBH"),
        ({"NR": "长" * 4001}, "Jsonstring/NR"),
        ({"RS": "许多"}, "Jsonstring/RS"),
        ({"RS": -1}, "Jsonstring/RS"),
        ({"BBH": "二"}, "Jsonstring/BBH"),
        ({"ZZ": {"a": 1}}, "Jsonstring/ZZ"),
        ({"FJ": [{}] * 6}, "Jsonstring/FJ"),
        ({"FJ": [{"WJM": "a", "WJNR": "YWJj", "X": 1}]}, "Jsonstring/FJ/0/X"),
        ({"FJ": [{"WJM": "a"}]}, "Jsonstring/FJ/0/WJNR"),
        ({"FJ": ["a"]}, "Jsonstring/FJ/0"),
    ],
)
def test_what_the_machine_contract_refuses(changed: dict[str, Any], path: str) -> None:
    assert codes(add(**changed)) == [("SCHEMA_VIOLATION", path)]


def test_attachments_within_their_limits() -> None:
    big = base64.b64encode(b"x" * (3 * 1024 * 1024 + 1)).decode()
    assert codes(add(FJ=[{"WJM": "a", "WJNR": big}])) == [("TOO_LARGE", "Jsonstring/FJ/0/WJNR")]
    three = b"y" * (3 * 1024 * 1024)
    text, digest = base64.b64encode(three).decode(), hashlib.md5(three).hexdigest().upper()
    whole = [{"WJM": f"{n}.bin", "WJNR": text, "MD5": digest} for n in range(4)]
    reading = add(FJ=whole)
    assert not reading.findings and len(reading.records[0].data["documents"]) == 4
    wrong_size = add(FJ=[{"WJM": "a.txt", "WJNR": "YWJj", "WJDX": 9}])
    assert not wrong_size.findings and [n.code for n in wrong_size.notes] == ["COUNT_MISMATCH"]


def test_several_things_wrong_are_all_told() -> None:
    reading = add(XFXS="88", XFRQ="2026-02-30", SFZH="1", SJJE="-1")
    assert sorted(code for code, _ in codes(reading)) == [
        "AMOUNT_UNREADABLE",
        "CODE_UNKNOWN",
        "DATE_UNREADABLE",
        "ID_FORMAT",
    ]


def test_a_bad_row_of_a_list_leaves_the_others() -> None:
    text = content("x06").decode().replace('"XFRQ": "20260218"', '"XFRQ": "20260231"')
    reading = read(text)
    assert codes(reading) == [("DATE_UNREADABLE", "GetXfjListResult/Rows/1/XFRQ")]
    assert (reading.parts, reading.meta["refused_rows"], len(reading.records)) == (6, 1, 5)
    assert (reading.meta["total"], reading.meta["page_index"]) == (18, 1)


def test_revoking() -> None:
    def revoke(**keys: Any) -> Any:
        return read(envelope("RevokeXfj", json.dumps(keys)))

    number = "XF33039920260102344"
    assert codes(revoke(XFJBH=number)) == [("SCHEMA_VIOLATION", "Jsonstring/CHSJ")]
    assert codes(revoke(XFJBH="x", CHSJ="2026-04-02")) == [("SCHEMA_VIOLATION", "Jsonstring/XFJBH")]
    assert codes(revoke(XFJBH=number, CHSJ="2026-02-30")) == [("DATE_UNREADABLE", "Jsonstring/CHSJ")]
    assert codes(revoke(XFJBH=number, CHSJ="2026-04-02", A=1)) == [("SCHEMA_VIOLATION", "Jsonstring/A")]
    assert revoke(XFJBH=number, CHSJ="2026-04-02").records[0].data["reason"] == ""


def test_narrative_tells_when_where_and_what() -> None:
    found = fields(add())
    assert (found["occurred_on"], found["place_text"], found["cause"]) == (
        "2026-01-05",
        "云渡镇",
        "相邻关系纠纷",
    )
    hints = add(NR="见瓯栖调〔2026〕云渡0112号及(2026)浙0399民初903号").records[0].references
    assert [(r.kind, r.value, r.strength) for r in hints] == [
        ("mediation_number", "瓯栖调〔2026〕云渡0112号", "hint"),
        ("case_number", "(2026)浙0399民初903号", "hint"),
    ]
    handed = fields(add(ZRDW="瓯栖县江蓠镇人民调解委员会"))
    assert handed["holder"] == handed["organisation"] == "瓯栖县江蓠镇人民调解委员会"


@pytest.mark.parametrize(
    ("raw", "code", "path"),
    [
        (envelope("AddXfj", "[1]"), "JSON_NOT_WELL_FORMED", "/Envelope/Body/AddXfj/Jsonstring"),
        (envelope("AddXfj", ""), "JSON_NOT_WELL_FORMED", "/Envelope/Body/AddXfj/Jsonstring"),
        (envelope("AddXfj", "{}", "Other"), "SCHEMA_VIOLATION", "/Envelope/Body/AddXfj/Jsonstring"),
        (envelope("DropXfj", "{}"), "SCHEMA_VIOLATION", "/Envelope/Body/DropXfj"),
        (envelope("FeedbackXfj", "{}"), "SCHEMA_VIOLATION", "/Envelope/Body/FeedbackXfj"),
        (envelope("AddXfj", "{}").replace("tempuri", "other"), "SCHEMA_VIOLATION", "/Envelope/Body/AddXfj"),
        ("<!DOCTYPE x><x/>", "XML_DTD_FORBIDDEN", "/"),
        ("<x/>", "SCHEMA_VIOLATION", "/"),
        ("", "XML_NOT_WELL_FORMED", "/"),
    ],
)
def test_wrong_envelopes(raw: str, code: str, path: str) -> None:
    assert codes(read(raw)) == [(code, path)]


def test_a_bare_text_is_read_as_what_it_is() -> None:
    assert read(json.dumps(told("x01"))).records == read(content("x01")).records
    assert read(json.dumps(told("x11"))).records[0].kind == "withdrawal"
