"""Every example of the petition office's contract against its side file."""

from __future__ import annotations

import json

import pytest

from schemas.exchange import Reading
from tests.connectors.petition_side import EXAMPLES, FILES, expected_of, fields, read, report_of, told


def read_file(name: str) -> Reading:
    return read((EXAMPLES / name).read_bytes(), name)


def test_every_example_has_a_side_file() -> None:
    assert len(FILES) == 22
    assert all((EXAMPLES / f"{name}.expect.json").exists() for name in FILES)


@pytest.mark.parametrize("name", FILES)
def test_example(name: str) -> None:
    expected, reading = expected_of(name), read_file(name)
    wanted = [{key: str(value) for key, value in each.items()} for each in expected.get("report", [])]
    assert report_of(reading.findings) == wanted
    if "stored" in expected:
        assert reading.refused and not reading.records
    if "accepted_records" in expected:
        assert reading.parts - reading.meta["refused_rows"] == expected["accepted_records"]
        assert len(reading.records) == expected["accepted_records"]
    if "reply" in expected:
        assert reading.reply_hint["reply"] == expected["reply"]
    if "action" in expected:
        assert reading.meta["action"] == expected["action"]
    for record, parsed in zip(reading.records, expected.get("parsed", ()), strict=False):
        claims = {claim.field: claim.value for claim in record.claims}
        first = (record.parties or ())[0]
        assert (record.native_id, first.name, first.id_number) == (
            parsed["native_id"],
            parsed["name"],
            parsed["id"],
        )
        assert claims.get("claimed_fen") == parsed["amount_fen"]
        assert claims["opened_on"] == parsed["date"]


def test_later_version_outweighs_earlier_whatever_came_first() -> None:
    first, second, old = (read_file(n).records[0] for n in ("x01_add_1.xml", "x07_update.xml", FILES[7]))
    assert first.native_id == second.native_id == old.native_id
    assert second.version > old.version > first.version
    assert fields(read_file("x07_update.xml"))["holder"] == "瓯栖县司法局云渡镇司法所"


def test_repeats_name_what_they_repeat() -> None:
    repeat = read_file("x09_repeat.xml")
    assert fields(repeat)["repeat_flag"] is True
    assert [r.value for r in repeat.records[0].references] == ["XF33039920260101686"]
    unmarked = read_file("x10_repeat_unmarked.xml")
    assert fields(unmarked)["repeat_flag"] is False and not unmarked.records[0].references


def test_revoked_petition_is_withdrawn_for_good() -> None:
    effect = expected_of("x11_revoke.xml")["effect"]
    (record,) = read_file("x11_revoke.xml").records
    assert (record.kind, record.native_id) == ("withdrawal", effect["native_id"])
    assert record.event_at == "2026-04-02T09:30:00+08:00"
    assert record.version > read_file("x07_update.xml").records[0].version


def test_group_is_named_and_counted() -> None:
    reading = read_file("x12_group.xml")
    parties = reading.records[0].parties or ()
    assert [p.name for p in parties] == ["章雪刚", "温州前岸泰餐饮管理有限公司"]
    assert parties[0].extra["and_others"] == 6 and parties[0].id_number == told("x12")["SFZH"]
    assert fields(reading)["people_count"] == 7 and fields(reading)["group_flag"] is True


def test_attachment_text_is_gb18030() -> None:
    (record,) = read_file("x04_add_4.xml").records
    (document,) = record.data["documents"]
    assert document["name"] == "申诉材料.txt" and document["bytes"] == 8
    assert document["text"] == "情况说明"


def test_same_version_is_told_by_its_parsed_content() -> None:
    from tests.connectors.petition_side import add, envelope

    first = add()
    shuffled = dict(reversed(told("x01").items()))
    again = read(envelope("AddXfj", json.dumps(shuffled, indent=3)))
    assert (again.message_id, again.compare_digest) == (first.message_id, first.compare_digest)
    other = add(ZRDW="另一单位")
    assert other.message_id == first.message_id == "XF33039920260103156:1:A"
    assert other.compare_digest != first.compare_digest
    assert other.meta["id_path"] == "Jsonstring/BBH"
