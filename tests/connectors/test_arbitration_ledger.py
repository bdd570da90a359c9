"""The labour court's ledger: its habits in csv and xlsx, rows refused alone, files that are wrong."""

from __future__ import annotations

import io
import random
import zipfile
from datetime import UTC, datetime
from typing import Any

import openpyxl
import pytest

from connectors.arbitration_sheet import mapping
from connectors.arbitration_sheet.ledger import COLUMNS
from schemas.exchange import Known, RawMessage, Reading

NOW = datetime(2026, 4, 1, 1, 0, tzinfo=UTC)
FOLDER = mapping.HERE / "examples"
ROW = {
    "序号": 1, "立案号": "瓯栖劳人仲案〔2026〕318号", "申请人": "项军琳", "性别": "女", "身份证号码": "33039919550614590x",
    "联系电话": "10057700777", "被申请人": "温州鹿栖兴医院（有限合伙）", "统一社会信用代码": "", "案由": "劳动争议",
    "立案时间": "2026/01/16", "争议金额(元)": "22,639.01", "处理结果": "", "结案时间": "", "结案方式": "", "备注": "",
}  # fmt: skip


def read(raw: bytes, filename: str = "ledger.csv") -> Reading:
    return mapping.read(RawMessage("arbitration_sheet", "file", "", raw, NOW, filename=filename), Known())


def csv_of(
    *rows: dict[str, Any], title: str = "", total: str = "", header: tuple[str, ...] = COLUMNS
) -> bytes:
    lines = [title + "," * (len(header) - 1)] if title else []
    lines.append(",".join(header))
    lines += [",".join(f'"{row.get(name, "")}"' for name in header) for row in rows]
    if total:
        lines.append(
            ",".join(
                "合计" if n == 0 else total if name.startswith("争议") else ""
                for n, name in enumerate(header)
            )
        )
    return "\r\n".join(lines).encode("gb18030")


def xlsx_of(*rows: dict[str, Any], header: tuple[str, ...] = COLUMNS) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append([*header[:-1], header[-1] + " "])
    for row in rows:
        sheet.append([row.get(name, "") for name in header])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def one(**changed: Any) -> Reading:
    return read(csv_of({**ROW, **changed}))


def fields(reading: Reading) -> dict[str, Any]:
    return {claim.field: claim.value for claim in reading.records[0].claims}


def codes(reading: Reading) -> list[tuple[str, str, str]]:
    return [(each.code, each.path, each.scope) for each in reading.findings]


@pytest.mark.parametrize(
    "number",
    [
        "瓯栖劳人仲案〔2026〕318号",
        "瓯栖劳人仲案[2026]318号",
        "瓯栖劳人仲案（2026）318号",
        " 瓯栖劳人仲案【2026】318号 ",
    ],
)
def test_row_key_is_the_number_with_folded_brackets(number: str) -> None:
    assert one(立案号=number).records[0].native_id == "瓯栖劳人仲案(2026)318号"


@pytest.mark.parametrize(
    ("stated", "fen"), [("22,639.01", 2263901), ("22639.01", 2263901), ("0", 0), ("3万元", 3_000_000)]
)
def test_money_forms_of_the_csv(stated: str, fen: int) -> None:
    assert fields(one(**{"争议金额(元)": stated}))["claimed_fen"] == fen


@pytest.mark.parametrize(
    ("number", "fen"), [(22639.01, 2263901), (55790, 5579000), (0.1 + 0.2, 30), (1234567890.12, 123456789012)]
)
def test_floats_become_exact_fen(number: float, fen: int) -> None:
    assert fields(read(xlsx_of({**ROW, "争议金额(元)": number}), "a.xlsx"))["claimed_fen"] == fen


@pytest.mark.parametrize("number", [1.001, -1, 1e20])
def test_numbers_that_are_no_sum(number: float) -> None:
    reading = read(xlsx_of({**ROW, "争议金额(元)": number}), "a.xlsx")
    assert codes(reading) == [("AMOUNT_UNREADABLE", "row 2/争议金额(元)", "row")]


def test_excel_dates_and_formulas() -> None:
    row = {**ROW, "立案时间": 46038, "争议金额(元)": 1}
    assert fields(read(xlsx_of(row), "a.xlsx"))["opened_on"] == "2026-01-16"
    reading = read(xlsx_of({**row, "争议金额(元)": "=1+1"}), "a.xlsx")
    assert ("SCHEMA_VIOLATION", "row 2/争议金额(元)", "row") in codes(reading)
    assert ("SCHEMA_VIOLATION", "row 2/备注", "row") in codes(one(备注="=cmd()"))


def test_several_applicants_share_one_id_which_is_the_first_ones() -> None:
    reading = one(申请人="项波秀、张秀霞")
    first, second, respondent = reading.records[0].parties or ()
    assert (first.name, first.id_number) == ("项波秀", "33039919550614590X")
    assert (second.name, second.id_number, second.phone) == ("张秀霞", None, None)
    assert respondent.kind == "organisation"


@pytest.mark.parametrize(
    ("name", "code", "kind"),
    [("温州后垟恒农业开发", "", "organisation"), ("朱建刚", "330399197708022464", "person"), ("朱建刚", "", "person"),
     ("温州双溪泰农业开发有限公司", "91330399MAT9T4YK0G", "organisation"), ("古丽娜尔·买买提", "", "person"),
     ("前岸鞋厂", "", "organisation")],
)  # fmt: skip
def test_kind_of_respondent(name: str, code: str, kind: str) -> None:
    """Habit 9: no code in half of the rows, no 有限公司, and now and then a person's own number."""
    respondent = (one(被申请人=name, 统一社会信用代码=code).records[0].parties or ())[-1]
    assert respondent.kind == kind
    assert (respondent.id_number or respondent.credit_code or "") == code


@pytest.mark.parametrize(
    ("code", "word", "state"),
    [
        ("", "", "OPEN"),
        ("01", "调解", "CLOSED"),
        ("02", "裁决", "AWARDED"),
        ("04", "撤诉", "WITHDRAWN"),
        ("4", "", "WITHDRAWN"),
        ("", "裁决", "AWARDED"),
    ],
)
def test_states(code: str, word: str, state: str) -> None:
    assert (
        fields(one(结案方式=code, 处理结果=word, 结案时间="2026.02.27" if code or word else ""))["state"]
        == state
    )


def test_a_closed_row_beats_an_open_one_and_a_later_ledger_an_earlier() -> None:
    closed = one(结案方式="01", 结案时间="2026.02.27").records[0]
    weeks = [
        read(csv_of(ROW), f"台账{day}.csv").records[0] for day in ("20260302", "2026-03-09", "2026年3月16日")
    ]
    assert closed.version > weeks[0].version
    assert [week.version[-1] for week in weeks] == ["2026-03-02", "2026-03-09", "2026-03-16"]


WRONG = [
    ("立案号", "", "SCHEMA_VIOLATION"), ("申请人", "", "SCHEMA_VIOLATION"), ("被申请人", " ", "SCHEMA_VIOLATION"),
    ("身份证号码", "ABC", "ID_FORMAT"), ("身份证号码", "330399195506145901", "ID_CHECK_DIGIT"),
    ("身份证号码", "330399195502300014", "ID_BIRTH_DATE"), ("统一社会信用代码", "91330399MAT9T4YK0H", "ID_CHECK_DIGIT"),
    ("统一社会信用代码", "330399197708022465", "ID_CHECK_DIGIT"), ("统一社会信用代码", "无", "ID_FORMAT"),
    ("立案时间", "2026/02/30", "DATE_UNREADABLE"), ("结案时间", "上周", "DATE_UNREADABLE"),
    ("争议金额(元)", "-1", "AMOUNT_UNREADABLE"), ("争议金额(元)", "1.001", "AMOUNT_UNREADABLE"),
    ("争议金额(元)", "NaN", "AMOUNT_UNREADABLE"), ("争议金额(元)", "", "SCHEMA_VIOLATION"), ("结案方式", "03", "CODE_UNKNOWN"),
    ("处理结果", "和解", "CODE_UNKNOWN"),
]  # fmt: skip


@pytest.mark.parametrize(("column", "text", "code"), WRONG)
def test_a_wrong_row_is_refused_alone(column: str, text: str, code: str) -> None:
    good = {**ROW, "立案号": "瓯栖劳人仲案〔2026〕1号"}
    reading = read(csv_of(good, {**ROW, column: text}, title="台账"))
    assert codes(reading) == [(code, f"row 4/{column}", "row")]
    assert len(reading.records) == 1 and reading.parts == 2
    assert reading.findings[0].action == "reject the row"


def test_masked_old_and_approximate_values_are_taken_with_care() -> None:
    masked = one(身份证号码="330399********590X")
    assert (masked.records[0].parties or ())[0].masked_id == "330399********590X"
    old = one(身份证号码="330399550614590")
    assert (old.records[0].parties or ())[0].id_number is None
    about = one(**{"争议金额(元)": "3万余元"})
    assert fields(about)["claimed_text"] == "3万余元" and "claimed_fen" not in fields(about)
    assert [note.code for note in (*old.notes, *about.notes)] == ["ID_FORMAT", "AMOUNT_UNQUANTIFIED"]


def test_total_row() -> None:
    assert not read(csv_of(ROW, title="台账", total="22639.01")).findings
    assert not read(csv_of(ROW, total='"22,639.01"')).findings
    wrong = read(csv_of(ROW, title="台账", total="22639.02"))
    assert codes(wrong) == [("AMOUNT_MISMATCH", "row 4/争议金额(元)", "message")]


def test_remark_with_a_mediation_number_is_a_hint() -> None:
    (reference,) = one(备注="原瓯栖调[2026]南屏0630号").records[0].references
    assert (reference.value, reference.strength) == ("瓯栖调〔2026〕南屏0630号", "hint")


def test_extra_and_missing_columns() -> None:
    extra = read(csv_of({**ROW, "经办人": "甲"}, header=(*COLUMNS, "经办人")))
    assert [note.path for note in extra.notes] == ["header/经办人"] and len(extra.records) == 1
    missing = read(csv_of(ROW, header=tuple(name for name in COLUMNS if name != "案由")))
    assert codes(missing) == [("SCHEMA_VIOLATION", "row 1/案由", "message")]


def zip_of(**parts: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/"), content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "SCHEMA_VIOLATION"),
        (b"a,b\n1,2", "SCHEMA_VIOLATION"),
        (csv_of(ROW).decode("gb18030").encode("utf-8"), "ENCODING_MISMATCH"),
        (csv_of(ROW).decode("gb18030").encode("utf-8-sig"), "ENCODING_MISMATCH"),
        (csv_of(ROW).decode("gb18030").encode("utf-16"), "ENCODING_MISMATCH"),
        (csv_of({**ROW, "备注": "a\x00b"}), "SCHEMA_VIOLATION"),
        (b"PK\x03\x04broken", "ARCHIVE_UNSAFE"),
        (zip_of(a=b"x"), "SCHEMA_VIOLATION"),
        (zip_of(bomb=b"0" * 30_000_000), "ARCHIVE_UNSAFE"),
        (zip_of(xl__workbook_xml=b"x"), "SCHEMA_VIOLATION"),
        (b"\xd0\xcf\x11\xe0" + b"0" * 100, "SCHEMA_VIOLATION"),
        (b"," * (21 * 1024 * 1024), "TOO_LARGE"),
    ],
)  # fmt: skip
def test_files_that_are_wrong(raw: bytes, code: str) -> None:
    reading = read(raw)
    assert [each[0] for each in codes(reading)] == [code]
    assert reading.refused


def test_entities_in_a_workbook_are_refused() -> None:
    book = xlsx_of(ROW)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("sheet1.xml"):
                content = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>' + content
            new.writestr(name, content)
    assert [each[0] for each in codes(read(out.getvalue()))] == ["XML_DTD_FORBIDDEN"]


@pytest.mark.parametrize("name", ["a20_ledger.csv", "a21_ledger.xlsx"])
def test_mutations_never_raise(name: str) -> None:
    raw = (FOLDER / name).read_bytes()
    chance = random.Random(3)
    for _ in range(300):
        mutant = bytearray(raw)
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(mutant))
            if chance.random() < 0.5:
                mutant[at] = chance.randrange(256)
            else:
                del mutant[at : at + chance.randint(1, 20)]
        reading = read(bytes(mutant), name)
        assert not (reading.refused and reading.records)
