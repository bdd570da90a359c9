"""Dates and amounts of every habit, and what is not read."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.money import Fen
from schemas.wide import (
    BEIJING,
    Unquantified,
    Unreadable,
    read_epoch_millis,
    read_excel_date,
    read_wide_amount,
    read_wide_date,
)


@pytest.mark.parametrize(
    ("text", "iso", "precision"),
    [
        ("2026-04-02", "2026-04-02", "day"),
        ("2026-4-2", "2026-04-02", "day"),
        ("2026-4-2T09:42:32", "2026-04-02T09:42:32+08:00", "second"),
        ("20JAN21", "2021-01-20", "day"),
        ("20-JAN-21", "2021-01-20", "day"),
        ("01FEB76", "1976-02-01", "day"),
        ("2026.04.02", "2026-04-02", "day"),
        ("2026/4/2", "2026-04-02", "day"),
        ("2026-04-02 18:00:07", "2026-04-02T18:00:07+08:00", "second"),
        ("2026-04-02 10:30", "2026-04-02T10:30:00+08:00", "minute"),
        ("2026-04-02T09:42:32+08:00", "2026-04-02T09:42:32+08:00", "second"),
        ("2026-04-02T01:42:32Z", "2026-04-02T01:42:32+00:00", "second"),
        ("2026-04-02T09:42:32.123", "2026-04-02T09:42:32.123000+08:00", "second"),
        ("20260402", "2026-04-02", "day"),
        ("20260402180007", "2026-04-02T18:00:07+08:00", "second"),
        ("20260402180007123", "2026-04-02T18:00:07.123000+08:00", "second"),
        ("2026年4月2日", "2026-04-02", "day"),
        ("2026年4月2日9时5分", "2026-04-02T09:05:00+08:00", "minute"),
        ("二〇二六年十二月三十一日", "2026-12-31", "day"),
        ("２０２６－０４－０２", "2026-04-02", "day"),
        (" 2026-04-02 ", "2026-04-02", "day"),
    ],
)
def test_dates(text, iso, precision):
    found = read_wide_date(text)
    assert (found.iso, found.precision, found.text) == (iso, precision, text)
    assert found.day.year == int(iso[:4])


@pytest.mark.parametrize(
    "text",
    ["2026-02-30", "2026-13-01", "2026-04-02T25:00:00", "20FEB30X", "31XXX26", "", "2026", "2026年4月", "昨天",
     "二〇二六年十三月一日", "2026-04/02", "26-4-2", "0000-00-00", "99999999", "2026-04-02T09:42:32+99:00"],
)  # fmt: skip
def test_dates_not_read(text):
    with pytest.raises(Unreadable) as caught:
        read_wide_date(text)
    finding = caught.value.finding("/x")
    assert (finding.code, finding.path, finding.found, finding.scope) == (
        "DATE_UNREADABLE",
        "/x",
        text,
        "row",
    )


@given(st.dates())
def test_dates_read_back(day):
    for text in (day.isoformat(), f"{day:%Y%m%d}".zfill(8), f"{day.year:04d}年{day.month}月{day.day}日"):
        assert read_wide_date(text).value == day


@given(st.text(max_size=20))
def test_dates_never_fail_otherwise(text):
    try:
        read_wide_date(text)
    except Unreadable:
        pass


def test_excel_serial_numbers():
    assert read_excel_date(46114).value == date(2026, 4, 2)
    assert read_excel_date("46114.5").iso == "2026-04-02T12:00:00+08:00"
    assert read_excel_date(Decimal(61)).value == date(1900, 3, 1)
    for bad in (60, 0, -1, "x", True, 2_958_466, "NaN"):
        with pytest.raises(Unreadable):
            read_excel_date(bad)


def test_epoch_millis():
    assert read_epoch_millis(1775000000123).iso == "2026-04-01T07:33:20.123000+08:00"
    for bad in ("12", True, "x"):
        with pytest.raises(Unreadable):
            read_epoch_millis(bad)


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("12345.60", 1234560),
        ("12,345.60", 1234560),
        ("¥300", 30000),
        ("人民币300元整", 30000),
        ("12.5万元", 12500000),
        ("12.5 万元", 12500000),
        ("3万5千元", 3500000),
        ("3万5000元", 3500000),
        ("1.2345亿元", 12345000000),
        ("300元5角", 30050),
        ("叁万贰仟元整", 3200000),
        ("十二万元", 12000000),
        ("两万五千元", 2500000),
        ("三千五百元", 350000),
        ("壹拾万零柒仟元伍角叁分", 10700053),
        ("壹拾万柒仟元零伍角叁分", 10700053),
        ("伍角", 50),
        ("１２３４．５", 123450),
        (123, 12300),
        (Decimal("12.5"), 1250),
        ("0", 0),
        ("", None),
        ("  ", None),
    ],
)
def test_amounts(text, fen):
    assert read_wide_amount(text) == fen


def test_amounts_in_another_unit():
    assert read_wide_amount("12.5", unit="万元") == Fen(12500000)
    assert read_wide_amount("12.5元", unit="万元") == Fen(1250)


@pytest.mark.parametrize("text", ["3万余元", "约3万元", "几千元", "三万元左右", "10万以上"])
def test_rough_amounts_are_kept_as_text(text):
    with pytest.raises(Unquantified) as caught:
        read_wide_amount(text)
    assert caught.value.finding("/x").code == "AMOUNT_UNQUANTIFIED"


@pytest.mark.parametrize(
    "text",
    ["-300.00", "1,23,4", "12,34.5", ",123", "1e5", "三万五", "3万5", "12.345", "+5", "abc", "元", "万元", "整", ".5", "5.",
     "NaN", "1/2", "3万50000元", "叁万伍佰元", "一二三元", "1.5万3千元", "1" * 40],
)  # fmt: skip
def test_amounts_not_read(text):
    with pytest.raises(Unreadable) as caught:
        read_wide_amount(text)
    assert type(caught.value) is Unreadable and caught.value.finding("/x").code == "AMOUNT_UNREADABLE"


def test_a_float_is_refused_by_type():
    for value in (1.5, True):
        with pytest.raises(TypeError):
            read_wide_amount(value)


@given(st.integers(0, 10**13))
def test_amounts_read_back(fen):
    text = Fen(fen).yuan_text()
    yuan, cents = text.split(".")
    assert read_wide_amount(text) == fen == read_wide_amount(f"{int(yuan):,}.{cents}元")


@given(st.text(alphabet="0123456789.,-万千百亿元角分整壹贰叁零十两约 ", max_size=12))
def test_amounts_never_fail_otherwise(text):
    try:
        read_wide_amount(text)
    except Unreadable:
        pass


def test_beijing_is_eight_hours_ahead():
    assert BEIJING.utcoffset(None).total_seconds() == 8 * 3600
