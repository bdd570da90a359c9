"""Court messages that nobody has shown yet: every code, errors in several rows, unknown elements, limits."""

from __future__ import annotations

import os
import re
import time

import pytest

from connectors.court_feed.tables import table
from schemas.claims import CONFIRMATION_RESULTS, EPISODE_FIELDS, EPISODE_STATES, PROCEEDING_KINDS
from tests.connectors.court_side import (
    FILES,
    codes,
    content,
    fields,
    notice,
    push,
    read,
    text,
    zipped,
)

CASE = text("c10").replace("刑事案件>", "民事案件>").replace("<刑事案件 ", "<民事案件 ")
BASIC = "/民事案件/案件列表/R[1]/民事案件基本信息"
B_ROWS = text("c09").replace("<count>5<", "<count>4<")


def test_every_code_of_the_contract_is_known_and_nothing_is_said_in_foreign_words() -> None:
    for code, kind in table("case_type").items():
        reading = read(CASE.replace("<案件类型代码>0301<", f"<案件类型代码>{code}<"))
        assert reading.records and fields(reading)["proceeding_kind"] in PROCEEDING_KINDS, kind
    for code, state in table("stage").items():
        told = fields(read(CASE.replace("<案件进展阶段代码>02<", f"<案件进展阶段代码>{code}<")))
        assert told["state"] == state and state in EPISODE_STATES and set(told) <= set(EPISODE_FIELDS)
    for code, result in table("ruling").items():
        (record,) = read(text("c16").replace("<裁定结果代码>2<", f"<裁定结果代码>{code}<")).records
        assert record.data["result"] == result and result in CONFIRMATION_RESULTS
    for code, basis in table("basis").items():
        told_basis = text("c20").replace("<执行依据类型代码>03<", f"<执行依据类型代码>{code}<")
        assert read(told_basis).records[0].data["basis_kind"] == basis


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("<案件类型代码>0301<", "<案件类型代码>7777<", f"{BASIC}/案件类型代码"),
        ("<案件进展阶段代码>02<", "<案件进展阶段代码>99<", f"{BASIC}/案件进展阶段代码"),
        ("<有效状态代码>1<", "<有效状态代码>x<", f"{BASIC}/有效状态代码"),
        ("<当事人类型代码>1<", "<当事人类型代码>9<", "/民事案件/案件列表/R[1]/当事人/R[1]/当事人类型代码"),
        ("<诉讼地位代码>02<", "<诉讼地位代码>08<", "/民事案件/案件列表/R[1]/当事人/R[2]/诉讼地位代码"),
        ("<证件类型代码>50<", "<证件类型代码>51<", "/民事案件/案件列表/R[1]/当事人/R[2]/证件类型代码"),
    ],
)
def test_unknown_codes_refuse_the_row(old: str, new: str, path: str) -> None:
    assert old in CASE
    assert codes(read(CASE.replace(old, new, 1))) == [("CODE_UNKNOWN", path)]


def test_unknown_codes_elsewhere() -> None:
    hold = read(text("c17").replace("<措施代码>01<", "<措施代码>09<"))
    assert codes(hold) == [("CODE_UNKNOWN", "/协助执行/协助执行记录/R[1]/措施代码")]
    row = read(B_ROWS.replace("<C_AJLB>9901<", "<C_AJLB>1234<", 1))
    assert codes(row) == [("CODE_UNKNOWN", "/resource/data/T_SQTJ_AJ[1]/C_AJLB")]
    assert len(row.records) == 3 and not row.refused
    word = read(B_ROWS.replace("<C_AJZT>调解中<", "<C_AJZT>暂缓<", 1))
    assert not word.findings and [n.code for n in word.notes] == ["CODE_UNKNOWN"]
    assert "state" not in fields(word)


def test_only_the_wrong_rows_of_a_batch_are_refused_and_each_says_all_that_is_wrong() -> None:
    told = text("c01")
    told = told.replace("<立案日期>2026-01-30<", "<立案日期>2026-02-31<", 1)
    told = told.replace("<诉讼标的金额>141457.00<", "<诉讼标的金额>-1<", 1)
    told = told.replace("330399198805160222", "330399198805160223", 1)
    reading = read(told)
    assert codes(reading) == [
        ("ID_CHECK_DIGIT", "/民事案件/案件列表/R[1]/当事人/R[1]/证件号码"),
        ("AMOUNT_UNREADABLE", "/民事案件/案件列表/R[2]/民事案件基本信息/诉讼标的金额"),
        ("DATE_UNREADABLE", "/民事案件/案件列表/R[2]/民事案件基本信息/立案日期"),
    ]
    assert (reading.parts, reading.meta["refused_rows"], len(reading.records)) == (19, 2, 17)
    assert not reading.refused


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        ("330399196410061774", "ID_CHECK_DIGIT"),
        ("33039919641006177", "ID_FORMAT"),
        ("ABC", "ID_FORMAT"),
        ("330399196413061773", "ID_BIRTH_DATE"),
        ("330399209910061770", "ID_BIRTH_DATE"),
        ("330399641006177", "ID_FORMAT"),
    ],
)
def test_wrong_resident_ids(wire: str, code: str) -> None:
    reading = read(CASE.replace("330399196410061773", wire))
    assert [f.code for f in reading.findings] == [code]
    assert reading.findings[0].found == wire


def test_masked_id_is_no_id_and_a_wrong_credit_code_is_refused() -> None:
    masked = read(CASE.replace("330399196410061773", "330399********1773")).records[0].parties or ()
    assert masked[0].id_number is None and masked[0].masked_id == "330399********1773"
    wrong = read(CASE.replace("91330399MAE7T7J908", "91330399MAE7T7J909"))
    assert codes(wrong) == [("ID_CHECK_DIGIT", "/民事案件/案件列表/R[1]/当事人/R[2]/证件号码")]


def test_the_range_of_ids_follows_the_environment() -> None:
    reading = read(CASE, profile="production")
    assert {f.code for f in reading.findings} == {"PROFILE_RANGE"}


@pytest.mark.parametrize(
    ("old", "new", "path", "found"),
    [
        ("<案号>(2026)浙0399民初926号</案号>", "", f"{BASIC}/案号", "absent"),
        ("<更新人>", "<新元素>1</新元素><更新人>", f"{BASIC}/新元素", "unknown element"),
        ("<记录数>1<", "<记录数>-1<", "/民事案件/批次信息/记录数", "-1"),
        ("<记录数>1<", "<记录数>一<", "/民事案件/批次信息/记录数", "一"),
        (
            "<案件标识>339920269905003760</案件标识>",
            '<案件标识 xsi:nil="true"/>',
            f"{BASIC}/案件标识",
            "xsi:nil",
        ),
        ("<当事人>", '<当事人 x="1">', "/民事案件/案件列表/R[1]/当事人/@x", "unknown attribute"),
        ("<立案日期>", "正文<立案日期>", BASIC, "text between elements"),
        ("<立案日期>", "<立案日期><b/>", f"{BASIC}/立案日期", "elements inside"),
        ("<案情摘要>", "<案情摘要>" + "长" * 4000, f"{BASIC}/案情摘要", "100 characters"),
    ],
)
def test_what_the_machine_contract_refuses(old: str, new: str, path: str, found: str) -> None:
    assert old in CASE
    reading = read(CASE.replace(old, new, 1))
    assert codes(reading) == [("SCHEMA_VIOLATION", path)]
    assert reading.findings[0].found == found and reading.refused


def test_wrong_root_and_namespace() -> None:
    other = read(CASE.replace("2009/data", "2010/data"))
    assert codes(other) == [("SCHEMA_VIOLATION", "/民事案件")]
    assert codes(read("<x/>")) == [("SCHEMA_VIOLATION", "/")]
    assert codes(read("")) == [("XML_NOT_WELL_FORMED", "/")]
    assert codes(read("<a>")) == [("XML_NOT_WELL_FORMED", "/")]
    assert codes(read('<!DOCTYPE a SYSTEM "http://localhost/x"><a/>')) == [("XML_DTD_FORBIDDEN", "/")]


def test_comments_inside_a_value_change_nothing() -> None:
    told = CASE.replace("<案件标识>3399", "<案件标识>33<!-- x -->99").replace(
        "<立案日期>", "<?x y?><立案日期>"
    )
    assert read(told).records == read(CASE).records


def test_blank_keys_refuse_the_row() -> None:
    reading = read(CASE.replace("<案件标识>339920269905003760<", "<案件标识> <"))
    assert codes(reading) == [("SCHEMA_VIOLATION", f"{BASIC}/案件标识")]


def test_a_row_that_is_no_longer_valid_is_withdrawn() -> None:
    episode, gone = read(CASE.replace("<有效状态代码>1<", "<有效状态代码>0<")).records
    assert (gone.kind, gone.sub_id, gone.version) == ("withdrawal", episode.sub_id, episode.version)


def test_counts_in_every_kind() -> None:
    for name in ("c03", "c15", "c17", "c20"):
        told = re.sub("<记录数>[0-9]+<", "<记录数>7<", text(name))
        root = re.search(r"<(\w+) xmlns", told)
        assert root and codes(read(told)) == [("COUNT_MISMATCH", f"/{root[1]}/批次信息/记录数")]
    huge = re.sub("<记录数>[0-9]+<", f"<记录数>{'9' * 5000}<", text("c03"))
    assert [f.code for f in read(huge).findings] == ["COUNT_MISMATCH"]


def test_dialect_b_withdraws_too_and_party_rows_stand_for_themselves() -> None:
    told = B_ROWS.replace("<count>4<", "<count>6<").replace(
        "</data>",
        "<T_AJ_CX><C_BH>1</C_BH><C_AJBS>339920269905003688</C_AJBS><DT_CXSJ>2026-4-2 9:05:00</DT_CXSJ>"
        "<C_CXYY>重复立案</C_CXYY><DT_UPDATETIME>2026-04-02 09:06:00</DT_UPDATETIME></T_AJ_CX>"
        "<T_SQTJ_DSR><C_BH>P</C_BH><C_AJBS>339920269901002329</C_AJBS><N_XH>1</N_XH><C_DSRMC>金明信</C_DSRMC>"
        "<C_SSDW>01</C_SSDW><C_ZJHM>330399195905105383</C_ZJHM>"
        "<DT_UPDATETIME>2026-02-06 18:30:00</DT_UPDATETIME></T_SQTJ_DSR></data>",
    )
    reading = read(told)
    assert codes(reading) == [("ID_CHECK_DIGIT", "/resource/data/T_SQTJ_DSR[1]/C_ZJHM")]
    assert (reading.parts, reading.meta["refused_rows"]) == (6, 1)
    assert [r.kind for r in reading.records] == ["episode"] * 4 + ["withdrawal"]
    assert (reading.records[0].parties or ())[0].name == "金明信"
    assert reading.records[4].data["reason_code"] == "FILED_TWICE"


def test_parts_of_a_batch_keep_the_archives_order_and_one_bad_part_refuses_all() -> None:
    archive = FILES[6]
    kinds = [(r.kind, r.sub_id, r.path[:12]) for r in read(content("c07"), archive).records]
    assert [kind for kind, _, _ in kinds] == ["episode", "withdrawal", "episode"]
    assert [path for _, _, path in kinds] == ["zip:entry[1]", "zip:entry[2]", "zip:entry[3]"]
    bad = zipped({"b.xml": content("c17"), "a.xml": content("c24")})
    assert codes(read(bad, "x.zip")) == [("SCHEMA_VIOLATION", f"zip:entry[2]{BASIC}/案号")]
    assert codes(read(zipped({"a.zip": zipped({"b.xml": b"<a/>"})}), "x.zip")) == [
        ("ARCHIVE_UNSAFE", "zip:entry[1]")
    ]
    assert codes(read(zipped({}), "x.zip")) == [("SCHEMA_VIOLATION", "zip:")]
    bomb = zipped({"a.xml": b" " * 9_000_000})
    assert [f.code for f in read(bomb, "x.zip").findings] == ["ARCHIVE_UNSAFE"]
    many = zipped({f"{n}.xml": b"<a/>" for n in range(201)})
    assert [f.code for f in read(many, "x.zip").findings] == ["ARCHIVE_UNSAFE"]
    assert [f.code for f in read(content("c07")[:200], archive).findings] == ["ARCHIVE_UNSAFE"]


def test_a_pushed_batch_and_an_urgent_notice() -> None:
    batch = read(push("AJXX1-1", content("c07")))
    assert (batch.message_id, batch.parts, batch.reply_hint) == ("AJXX1-1", 3, {"operation": "ReceiveBatch"})
    assert batch.compare_digest == read(content("c07"), FILES[6]).compare_digest
    urgent = read(notice("N1", text("c17")))
    assert (urgent.message_id, urgent.case_key) == ("N1", "339920269902002566")
    assert urgent.meta["urgent"] is True and urgent.records == read(content("c17")).records
    again = read(notice("N1", text("c18")))
    assert again.compare_digest != urgent.compare_digest
    assert again.meta["id_path"] == "/Envelope/Body/ReceiveNotice/noticeId"
    declared = text("c17").replace('encoding="UTF-8"', 'encoding="GB18030"')
    assert read(notice("N2", declared)).records == urgent.records


@pytest.mark.parametrize(
    ("raw", "code", "path"),
    [
        (push("B1", b"no zip"), "ARCHIVE_UNSAFE", "zip:"),
        (push("B1", content("c07"), content="@@"), "BASE64_INVALID", "/Envelope/Body/ReceiveBatch/content"),
        (push("B1", content("c07"), md5="0" * 32), "DIGEST_MISMATCH", "/Envelope/Body/ReceiveBatch/md5"),
        (push("", content("c07")), "SCHEMA_VIOLATION", "/Envelope/Body/ReceiveBatch/batchNo"),
        (notice("N1", "<a>"), "XML_NOT_WELL_FORMED", "/"),
        (notice("N1", text("c12")), "XML_DTD_FORBIDDEN", "/"),
        (
            push("B1", b"").replace("urn:ouqi-court:receiver:2019", "urn:x"),
            "SCHEMA_VIOLATION",
            "/Envelope/Body/ReceiveBatch",
        ),
        (
            push("B1", b"").replace("ReceiveBatch", "ReceiveAll"),
            "SCHEMA_VIOLATION",
            "/Envelope/Body/ReceiveAll",
        ),
    ],
)
def test_wrong_envelopes(raw: str, code: str, path: str) -> None:
    assert codes(read(raw)) == [(code, path)]


def test_an_action_that_contradicts_the_body_is_refused() -> None:
    headers = {"soapaction": '"urn:ouqi-court:receiver:2019#ReceiveNotice"'}
    assert codes(read(push("B1", content("c07")), headers=headers)) == [("SCHEMA_VIOLATION", "SOAPAction")]


@pytest.mark.slow
def test_a_large_batch_is_read_within_the_limits() -> None:
    noise = os.urandom(11_000_000)
    begun = time.monotonic()
    reading = read(push("BIG", noise))
    assert codes(reading) == [("ARCHIVE_UNSAFE", "zip:")] and time.monotonic() - begun < 5
    row = B_ROWS[B_ROWS.index("<T_SQTJ_AJ>") : B_ROWS.index("</T_SQTJ_AJ>") + 12]
    head = B_ROWS[: B_ROWS.index("<T_SQTJ_AJ>")].replace("<count>4<", "<count>9000<")
    many = read(head + row * 9000 + "</data></resource>")
    assert len(many.records) == 9000 and time.monotonic() - begun < 20
    assert codes(read(CASE + " " * 11_000_000)) == [("TOO_LARGE", "/")]


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ('"ajbs": "339920269901002329",', "", "/content/list/0/ajbs"),
        ('"zt": null,', '"zt": 5,', "/content/list/0/zt"),
        ('"total": 13,', '"total": "13",', "/content/total"),
        ('"zt": null,', '"zt": null, "neu": 1,', "/content/list/0/neu"),
        ('"code": 200,', "", "/code"),
    ],
)
def test_list_pages_against_their_contract(old: str, new: str, path: str) -> None:
    page = text("c05")
    assert old in page
    assert codes(read(page.replace(old, new, 1))) == [("SCHEMA_VIOLATION", path)]


def test_list_pages_that_are_no_json() -> None:
    assert [f.code for f in read('{"code":NaN}').findings] == ["JSON_NOT_WELL_FORMED"]
    assert [f.code for f in read('{"code":1,"code":2,"msg":""}').findings] == ["JSON_DUPLICATE_KEY"]
    assert [f.code for f in read("[1,2]").findings] == ["SCHEMA_VIOLATION"]
    closed = read('{"code":401,"msg":"token 无效","content":null}')
    assert not closed.findings and closed.meta["code"] == 401 and not closed.records
