"""The courts' case numbers, the office's own numbers, the machine key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.case_numbers import (
    check_mediation_key,
    find_case_numbers,
    find_mediation_numbers,
    legacy_case_year,
    mediation_key,
    normalise_case_number,
    parse_case_number,
    parse_mediation_number,
)

MATCHES = """(2026)浙0399民初903号 （2026）浙0399民诉前调1803号 (2026)浙0399民特15号 (2026)浙03民终127号 (2026)浙民申55号
(2026)最高法民再12号 (2026)浙0399执321号 (2026)浙0399执恢7号 (2026)浙0399财保4号 (2026)浙0399民督2号 (2026)浙0399民保令1号
(2026)浙0399刑初88号 (2026)浙0399司救民2号 (2026)浙0399民初903号之一""".split()
MISSES = """2026浙0399民初903号 (26)浙0399民初903号 (2026)浙399民初903号 (2026)浙0399民初0903号 (2026)浙0399民初号 (2026)浙0399民初903
(2026)浙0399民初字第903号 (2026)温鹿民初903号 (2026)浙0399民调903号 (2026)浙0399民初９０３号 (2026)浙0399民初903号之1""".split()


@pytest.mark.parametrize("text", MATCHES)
def test_matches(text):
    number = parse_case_number(text)
    assert number and normalise_case_number(text).startswith(number.key)


@pytest.mark.parametrize("text", [*MISSES, "(2026)浙0399 民初903号"])
def test_does_not_match(text):
    assert parse_case_number(text) is None


@pytest.mark.parametrize(
    "text", ["(2026)浙0399民初９０３号", "(2026)浙0399 民初903号", "〔2026〕浙0399民初903号"]
)
def test_matches_after_folding(text):
    number = parse_case_number(normalise_case_number(text))
    assert number and number.key == "(2026)浙0399民初903号"


def test_longest_type_word_wins():
    for text, kind in (
        ("民诉前调1", "民诉前调"),
        ("执恢8", "执恢"),
        ("民特监1", "民特监"),
        ("破申2", "破申"),
    ):
        number = parse_case_number(f"(2026)浙0399{text}号")
        assert number and number.type == kind


def test_sub_number_is_not_in_the_key():
    number = parse_case_number("(2026)浙0399民初903号之一")
    assert number and number.sub == "一" and number.key == "(2026)浙0399民初903号"


def test_legacy_numbers_give_a_year_only():
    assert legacy_case_year("(2014)温鹿民初字第83号") == 2014
    assert legacy_case_year("(2026)浙0399民初903号") is None


def test_numbers_in_running_text():
    text = "依据（2026）浙0399民初903号之一、(2026)浙0399执5号，经瓯栖调(2026)云渡0112号调解，见瓯栖调〔2026〕鹿栖0104号"
    assert [n.key for n in find_case_numbers(text)] == ["(2026)浙0399民初903号", "(2026)浙0399执5号"]
    assert [n.text for n in find_mediation_numbers(text)] == [
        "瓯栖调〔2026〕云渡0112号",
        "瓯栖调〔2026〕鹿栖0104号",
    ]


def test_mediation_number_parts():
    number = parse_mediation_number("瓯栖调〔2026〕云渡0112号")
    assert number and (number.county, number.year, number.committee, number.serial) == (
        "瓯栖",
        2026,
        "云渡",
        112,
    )
    assert number.text == "瓯栖调〔2026〕云渡0112号"


def test_machine_key():
    assert mediation_key("330399", 2026, 112) == "MD-330399-2026-000112-0"
    for bad in (("33039", 2026, 10**6), ("33039A", 2026, 1)):
        with pytest.raises(ValueError):
            mediation_key(*bad)


@given(st.integers(0, 999_999), st.integers(2000, 2099), st.integers(0, 15), st.integers(1, 9))
def test_machine_key_sees_one_wrong_digit(serial, year, place, add):
    key = mediation_key("330399", year, serial)
    assert check_mediation_key(key)
    spots = [i for i, c in enumerate(key) if c.isdigit()]
    spot = spots[place]
    assert not check_mediation_key(key[:spot] + str((int(key[spot]) + add) % 10) + key[spot + 1 :])
