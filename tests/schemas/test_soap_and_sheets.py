"""Envelopes and sheets from outside: within limits, exact, refused with a place."""

from __future__ import annotations

import base64
import io
import os
import zipfile
from decimal import Decimal

import openpyxl
import pytest

from schemas.findings import Refused
from schemas.sheet_safe import is_sheet, read_sheets_safe
from schemas.soap import SOAP12, action_contradicts, read_envelope, write_envelope, write_fault

BIG = 30_000_000


def code_of(raw: bytes, **more: object) -> tuple[str, str]:
    with pytest.raises(Refused) as refused:
        read_envelope(raw, max_bytes=BIG, **more)  # type: ignore[arg-type]
    return refused.value.findings[0].code, refused.value.findings[0].path


def test_what_is_written_is_read() -> None:
    raw = write_envelope("Told", "urn:t", (("a", "x < y & \x00"), ("b", None), ("c", "")))
    envelope = read_envelope(raw, max_bytes=BIG)
    assert (envelope.name, envelope.namespace) == ("Told", "urn:t")
    assert (envelope.text("a"), envelope.text("b"), envelope.text("c")) == ("x < y & \ufffd", None, "")
    fault = read_envelope(write_fault("Client", "CTX-1", "<d>1</d>"), max_bytes=BIG)
    assert fault.name == "Fault" and fault.payload.findtext("detail/d") == "1"


def test_a_text_of_20_mb_goes_through_and_comments_do_not_show() -> None:
    content = os.urandom(15_000_000)
    text = base64.b64encode(content).decode()
    raw = write_envelope("Told", "urn:t", (("a", text), ("b", "short")))
    envelope = read_envelope(raw, max_bytes=BIG)
    assert base64.b64decode(envelope.text("a") or "") == content and envelope.text("b") == "short"
    split = read_envelope(raw.replace(b"<b>sho", b"<b>sh<!-- x -->o"), max_bytes=BIG)
    assert split.text("b") == "short"


def test_what_is_no_envelope() -> None:
    good = write_envelope("Told", "urn:t", ())
    assert code_of(b"<a/>") == ("SCHEMA_VIOLATION", "/")
    assert code_of(good.replace(b"schemas.xmlsoap", b"schemas.other")) == ("SCHEMA_VIOLATION", "/Envelope")
    assert code_of(good.replace(b"soap:Body", b"soap:Bodies")) == ("SCHEMA_VIOLATION", "/Envelope/Body")
    assert code_of(good.replace(b'<Told xmlns="urn:t"></Told>', b"<a/><b/>")) == (
        "SCHEMA_VIOLATION",
        "/Envelope/Body",
    )
    must = b'<soap:Header><x:H xmlns:x="urn:x" soap:mustUnderstand="1"/></soap:Header><soap:Body>'
    headed = good.replace(b"<soap:Body>", must)
    assert code_of(headed) == ("SCHEMA_VIOLATION", "/Envelope/Header/H")
    assert read_envelope(headed, max_bytes=BIG, understood=("urn:x",)).name == "Told"
    assert code_of(good, versions=(SOAP12,))[1] == "/Envelope"
    with pytest.raises(Refused):
        read_envelope(good, max_bytes=10)


def test_actions() -> None:
    assert not action_contradicts(None, "Ask") and not action_contradicts(' "" ', "Ask")
    assert not action_contradicts('"urn:t#Ask"', "Ask") and not action_contradicts("http://t/Ask", "Ask")
    assert action_contradicts('"urn:t#Other"', "Ask")


def sheet(rows: list[list[object]], merged: str = "") -> bytes:
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    for row in rows:
        page.append(row)
    if merged:
        page.merge_cells(merged)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_numbers_are_exact_and_merged_areas_told() -> None:
    (read,) = read_sheets_safe(sheet([["a", 1.8389, 3.0, 10057710767, True], ["b"]], "A1:A2"))
    assert read.rows[0] == ("a", Decimal("1.8389"), 3, 10057710767, True)
    assert read.merged == ((1, 1, 2, 1),)


def with_merged(raw: bytes, ref: str) -> bytes:
    """The sheet with another merged area written into it: no library would make this one."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry).replace(b'ref="A1:A2"', f'ref="{ref}"'.encode()))
    return out.getvalue()


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (sheet([["=1+1"]]), "SCHEMA_VIOLATION"),
        (with_merged(sheet([["x"], ["y"]], "A1:A2"), "A1:XFD1048576"), "MEMBER_LIMIT"),
        (with_merged(sheet([["x"], ["y"]], "A1:A2"), "nowhere"), "SCHEMA_VIOLATION"),
        (sheet([["x"] * 101]), "MEMBER_LIMIT"),
        (b"no zip", "ARCHIVE_UNSAFE"),
        (sheet([["x"]])[:400], "ARCHIVE_UNSAFE"),
    ],
)
def test_sheets_that_are_refused(raw: bytes, code: str) -> None:
    with pytest.raises(Refused) as refused:
        read_sheets_safe(raw)
    assert refused.value.findings[0].code == code


def test_what_looks_like_a_sheet() -> None:
    assert is_sheet(sheet([["x"]])) and not is_sheet(b"PK\x03\x04 some other archive")
