"""Values of registers as linking reads and compares them: forms of days, sums, ids, names. Pure."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from case_registry.linkage.days import NO_DAY, Day, read_day
from case_registry.linkage.fields import Several, single
from case_registry.linkage.folding import amount, fold, identity, person_name, reference, sound
from case_registry.linkage.people import People, Side
from tests.case_registry.make import resident


@pytest.mark.parametrize(("text", "day"), [
    ("1850-03-07", (1850, 3, 7)), ("1850/3/7", (1850, 3, 7)), ("2025年3月7日", (2025, 3, 7)), ("2025.3.7", (2025, 3, 7)),
    ("20250307", (2025, 3, 7)), ("07/03/1850", (1850, 3, 7)), ("25/03/1850", (1850, 3, 25)), ("03/25/1850", (1850, 3, 25)),
    ("7 March 1850", (1850, 3, 7)), ("March 7, 1850", (1850, 3, 7)), ("7th Mar. 1850", (1850, 3, 7)), ("1850", (1850, 0, 0)),
    ("c. 1850", (1850, 0, 0)), ("1850-03", (1850, 3, 0)), ("2025年3月", (2025, 3, 0)), ("45717", (2025, 3, 1)),
    ("2025-03-07 10:00:00", (2025, 3, 7)), ("20250307101500", (2025, 3, 7)), ("不详", NO_DAY), ("12345", NO_DAY), ("", NO_DAY),
])  # fmt: skip
def test_days_in_many_forms(text: str, day: Day) -> None:
    assert read_day(text) == day


@pytest.mark.parametrize(("text", "value"), [
    ("12.5万元", 125_000.0), ("1,234.50", 1234.5), ("¥300", 300.0), ("3万余元", 30_000.0), ("1.2亿", 120_000_000.0), ("无", None),
])  # fmt: skip
def test_sums_as_told(text: str, value: float | None) -> None:
    assert amount(text) == value


def test_folding() -> None:
    assert fold("  O'Brien-Smith, Sir ") == "o brien smith sir" and fold("Müller") == "muller"
    assert fold("王\u3000 磊") == "王磊"
    assert sound(fold("陈伟")) == sound(fold("陳偉")) == sound(fold("程炜")).replace("cheng", "chen")
    assert sound("clifford") == sound("cliford") and sound("smith") != sound("jones")
    assert (
        reference("（2025）浙0399民初012号")
        == reference("(2025)浙0399民初12号")
        == reference("〔2025〕浙0399民初12号")
    )
    assert identity("330399 1980 0102×××4") == "33039919800102***4"
    assert person_name("王磊（曾用名：王石）") == ("王磊", "王石")
    assert person_name("温州白泉盛鞋业有限公司")[0] == person_name("温州白泉盛鞋业公司")[0]


def levels(kind: str, *pairs: tuple[str, str]) -> list[str]:
    """The level that each pair of values gets, "" for not told."""
    field = single("x", kind, ["x"])
    one, other = (field.prepare(pl.DataFrame({"x": [pair[k] for pair in pairs]})) for k in (0, 1))
    rows = np.arange(len(pairs))
    return [field.levels[k - 1] if k else "" for k in field.compare(one, other, rows, rows)]


def test_names_by_character_sound_and_letter() -> None:
    assert levels(
        "name", ("陈伟", "陈 伟"), ("陈伟", "陳偉"), ("陈伟强", "陈伟刚"), ("陈伟", "林芳"), ("Thomas", "thomas"), ("Thomas", "Tomas"),
        ("Catherine", "Katherine"), ("J", "John"), ("Thomas Clifford", "Clifford Thomas"), ("John", "Elizabeth"), ("", "John"),
    ) == [
        "equal", "same sound or words", "one slip", "different", "equal", "same sound or words", "one slip", "part of the other",
        "same sound or words", "different", "",
    ]  # fmt: skip


def test_days_ids_codes_sums() -> None:
    assert levels(
        "date", ("1850-03-07", "7 March 1850"), ("1850-03-07", "1850-03-08"), ("1850-03-07", "1850-07-03"), ("1850-03-07", "1850"),
        ("1850-03-07", "1850-11-25"), ("1850-03-07", "1712-11-25"), ("1850-03-07", "1950-03-19"),
    ) == ["equal", "one slip", "one slip", "as far as told", "same year", "different", "different"]  # fmt: skip
    whole = resident(3)
    shown = whole[:6] + "*" * 8 + whole[-4:]
    assert levels("id", (whole, whole), (whole, shown), (whole, resident(5)), (whole, whole[:-1] + "7")) == [
        "equal", "shown places agree", "different", "one slip"]  # fmt: skip
    assert levels("code", ("TQ13 8DF", "tq138df"), ("TQ13 8DF", "TQ13 8HU"), ("TQ13 8DF", "SW1A 1AA")) == [
        "equal", "same head", "different"]  # fmt: skip
    assert levels("amount", ("12.5万元", "125000"), ("125000", "124999"), ("100", "104"), ("100", "900")) == [
        "equal", "rounded", "within 5 %", "different"]  # fmt: skip
    assert levels("moment", ("2025-03-07", "20250309"), ("2025-03-07", "2025-09-01"), ("2025-03-07", "2015-09-01")) == [
        "3 days", "6 months", "further"]  # fmt: skip


def test_several_values_agree_in_one() -> None:
    field = Several("numbers", ("a", "b"), is_phone=False)
    found = field.prepare(pl.DataFrame({"a": ["民初1号|民初2号", "民初3号", ""], "b": ["", "民初2号", ""]}))
    i, j = np.array([0, 0]), np.array([1, 2])
    assert field.compare(found, found, i, j).tolist() == [1, 0]


def people(one: tuple[str, str, str, str], other: tuple[str, str, str, str]) -> str:
    """The level of two rows, each: applicants, their ids, their phones, respondents."""
    field = People("parties", (Side("a", "n", "p"), Side("r")))
    frame = pl.DataFrame(dict(zip("anpr", map(list, zip(one, other, strict=True)), strict=True)))
    found = field.prepare(frame)
    level = field.compare(found, found, np.array([0]), np.array([1]))[0]
    return field.levels[level - 1] if level else ""


def test_sets_of_people_without_regard_to_side() -> None:
    number, other = resident(1), resident(2)
    shown = number[:6] + "*" * 8 + number[-4:]
    assert people(("周忠", number, "", "林芳"), ("林芳", "", "", "周忠")) == "two by name"
    assert (
        people(("周忠", number, "", "林芳"), ("周忠", shown, "", "林芳")) == "one by id or phone, one by name"
    )
    assert people(("周忠", number, "", "林芳"), ("周忠", other, "", "林芳")) == "same name, other id"
    assert (
        people(("周忠", "", "10057700037", "林芳"), ("周忠", "", "10057700037", ""))
        == "one by id or phone, no other told"
    )
    assert people(("周忠", "", "", "林芳"), ("周忠", "", "", "陈霞秀")) == "one by name, the other differs"
    assert people(("周忠|王磊（曾用名：王石）", "|", "", ""), ("王石|周忠", "|", "", "")) == "two by name"
    assert people(
        ("周忠", number, "", "温州白泉盛鞋业有限公司"), ("朱福", other, "", "温州白泉盛鞋业公司")
    ) == ("one by name, the other differs")
    assert people(("周忠", "", "", ""), ("", "", "", "")) == ""
