"""XML, JSON and zip from outside: what is refused, and as what."""

import io
import struct
import time
import zipfile
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.findings import Refused
from schemas.xml_safe import parse_json_strict, parse_xml
from schemas.zip_safe import ZipLimits, read_zip_safe


def codes(call, *args, **kwargs):
    with pytest.raises(Refused) as caught:
        call(*args, **kwargs)
    return [(f.code, f.path) for f in caught.value.findings]


BOMB = b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><l>&b;</l>'


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (BOMB, "XML_DTD_FORBIDDEN"),
        (b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "XML_DTD_FORBIDDEN"),
        (b"<!-- x --><?pi y?>\n<!doctype a><a/>", "XML_DTD_FORBIDDEN"),
        ('<?xml version="1.0" encoding="UTF-8"?><a>案</a>'.encode("gb18030"), "ENCODING_MISMATCH"),
        ('<?xml version="1.0" encoding="UTF-16"?><a/>'.encode("utf-16"), "ENCODING_MISMATCH"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?><a/>', "ENCODING_MISMATCH"),
        (b'<?xml version="1.0" encoding="GB18030"?><a>\xff\xff</a>', "ENCODING_MISMATCH"),
        (b"<a>", "XML_NOT_WELL_FORMED"),
        (b"", "XML_NOT_WELL_FORMED"),
        (b"<a>&nbsp;</a>", "XML_NOT_WELL_FORMED"),
        (b"<a/><b/>", "XML_NOT_WELL_FORMED"),
        (b"<a>\x00</a>", "XML_NOT_WELL_FORMED"),
        (b"<a>" * 150 + b"</a>" * 150, "TOO_DEEP"),
        (b"<a>" * 5000 + b"</a>" * 5000, "TOO_DEEP"),
    ],
)
def test_xml_refusals(raw, code):
    assert codes(parse_xml, raw) == [(code, "/")]


def test_xml_too_large_is_seen_first():
    assert codes(parse_xml, b"<a" + b" " * 100, max_bytes=50, path_root="/body") == [("TOO_LARGE", "/body")]


@pytest.mark.parametrize("encoding", ["UTF-8", "GB18030", "GBK"])
def test_xml_in_its_declared_encoding(encoding):
    text = f'<?xml version="1.0" encoding="{encoding}"?><a b="案">号<!DOCTYPE_no_></a>'.replace(
        "<!DOCTYPE_no_>", ""
    )
    root = parse_xml(text.encode(encoding))
    assert (root.text, root.get("b")) == ("号", "案")


def test_xml_keeps_text_that_only_looks_like_a_doctype():
    assert parse_xml(b"<a><![CDATA[<!DOCTYPE a>]]></a>").text == "<!DOCTYPE a>"
    assert parse_xml(b"\xef\xbb\xbf<a/>").tag == "a"


@pytest.mark.parametrize(
    ("raw", "code", "path"),
    [
        (b"not json", "JSON_NOT_WELL_FORMED", "/"),
        (b"", "JSON_NOT_WELL_FORMED", "/"),
        (b'{"a": NaN}', "JSON_NOT_WELL_FORMED", "/"),
        (b'{"a": -Infinity}', "JSON_NOT_WELL_FORMED", "/"),
        (b'{"a": "\\ud800"}', "JSON_NOT_WELL_FORMED", "/"),
        (b'{"a":1,}', "JSON_NOT_WELL_FORMED", "/"),
        (b'{"a":1,"b":{"c":1,"c":2}}', "JSON_DUPLICATE_KEY", "/c"),
        (b'{"a":1,"a":1}', "JSON_DUPLICATE_KEY", "/a"),
        (b"[" * 200 + b"]" * 200, "TOO_DEEP", "/"),
        (b'{"a":' * 100_000, "TOO_DEEP", "/"),
        ('{"a":"案"}'.encode("gb18030"), "ENCODING_MISMATCH", "/"),
        (b'{"a": ' + b"9" * 5000 + b"}", "JSON_NOT_WELL_FORMED", "/"),
        (b'{"a": 0.' + b"9" * 500 + b"}", "JSON_NOT_WELL_FORMED", "/"),
    ],
)
def test_json_refusals(raw, code, path):
    assert codes(parse_json_strict, raw) == [(code, path)]


def test_json_says_whether_the_doubled_key_differs():
    with pytest.raises(Refused) as caught:
        parse_json_strict(b'{"a":1,"a":2}', path_root="Jsonstring")
    finding = caught.value.findings[0]
    assert (finding.path, finding.found) == ("Jsonstring/a", "key twice with different values")


def test_json_numbers_are_exact():
    value = parse_json_strict(b'{"a": 0.1, "b": 12, "s": "[[[{{{", "e": 1E2}')
    assert value == {"a": Decimal("0.1"), "b": 12, "s": "[[[{{{", "e": Decimal("1E2")}
    assert isinstance(value["a"], Decimal)


def test_json_size():
    assert codes(parse_json_strict, b" " * 20, max_bytes=10) == [("TOO_LARGE", "/")]


@given(st.binary(max_size=200))
def test_nothing_but_refused_comes_out(raw):
    for read in (parse_xml, parse_json_strict, read_zip_safe):
        try:
            read(raw)
        except Refused:
            pass


def zipped(*entries, method=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/x", "\\x", "..\\x", "C:\\x", "c:x", "a\\..\\..\\x"]
)
def test_zip_slip(name):
    info = zipfile.ZipInfo("placeholder")
    info.filename = name
    assert codes(read_zip_safe, zipped((info, b"1"))) == [("ARCHIVE_UNSAFE", "zip:entry[1]/name")]


def test_zip_order_and_folders():
    raw = zipped(("b.xml", b"1"), ("dir/", b""), ("dir/a.xml", b"2"), ("案.xml", b"3"))
    assert read_zip_safe(raw) == [("b.xml", b"1"), ("dir/a.xml", b"2"), ("案.xml", b"3")]


def test_zip_names_of_old_hosts():
    raw = zipped(("AA.xml", b"1")).replace(b"AA.xml", "案".encode("gb18030") + b".xml")
    assert read_zip_safe(raw)[0][0] == "案.xml"


def test_zip_bombs():
    bomb = zipped(("a", b"0" * 5_000_000))
    assert codes(read_zip_safe, bomb) == [("ARCHIVE_UNSAFE", "zip:entry[1]")]
    many = zipped(*((str(i), b"") for i in range(20)))
    assert codes(read_zip_safe, many, ZipLimits(entries=10)) == [("ARCHIVE_UNSAFE", "zip:")]
    stored = zipped(("a", b"x" * 60), ("b", b"y" * 60), method=zipfile.ZIP_STORED)
    assert codes(read_zip_safe, stored, ZipLimits(total_bytes=100)) == [("ARCHIVE_UNSAFE", "zip:entry[2]")]


def test_zip_that_lies_about_its_size():
    raw = zipped(("a", b"0" * 5000))
    at = raw.index(b"PK\x01\x02") + 24
    lying = raw[:at] + struct.pack("<I", 10) + raw[at + 4 :]
    assert codes(read_zip_safe, lying) == [("ARCHIVE_UNSAFE", "zip:entry[1]")]


def test_zip_links_doubles_and_secrets():
    link = zipfile.ZipInfo("l")
    link.external_attr = 0o120777 << 16
    assert codes(read_zip_safe, zipped((link, b"/etc/passwd"))) == [("ARCHIVE_UNSAFE", "zip:entry[1]")]
    with pytest.warns(UserWarning):
        double = zipped(("a", b"1"), ("a", b"2"))
    assert codes(read_zip_safe, double) == [("ARCHIVE_UNSAFE", "zip:entry[2]/name")]
    raw = bytearray(zipped(("a", b"1")))
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    assert codes(read_zip_safe, bytes(raw)) == [("ARCHIVE_UNSAFE", "zip:entry[1]")]


def test_zip_broken():
    raw = zipped(("a", b"hello" * 100))
    start = raw.index(b"a", 30) + 1
    spoilt = raw[:start] + b"\xff" * 8 + raw[start + 8 :]
    assert codes(read_zip_safe, spoilt) == [("ARCHIVE_UNSAFE", "zip:entry[1]")]
    assert codes(read_zip_safe, raw[:-30]) == [("ARCHIVE_UNSAFE", "zip:")]


def test_bounded_time():
    started = time.monotonic()
    codes(parse_xml, b"<a>" * 1_000_000)
    codes(parse_json_strict, b"[" * 4_000_000)
    assert time.monotonic() - started < 5
