"""Fen: whole, exact, and refusing everything else."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.money import Fen, capital_amount, split_evenly
from schemas.wide import read_wide_amount

amounts = st.integers(min_value=-(10**15), max_value=10**15).map(Fen)
positive = st.integers(min_value=0, max_value=10**15).map(Fen)


@pytest.mark.parametrize("value", [1.0, True, False, Decimal("1"), "1", None, Fraction(1)])
def test_refuses_by_type(value):
    with pytest.raises(TypeError):
        Fen(value)


@pytest.mark.parametrize("other", [1.5, True, Decimal("1"), "1"])
def test_refuses_to_count_with_anything_but_whole_numbers(other):
    for operation in (lambda: Fen(1) + other, lambda: Fen(1) - other, lambda: Fen(1) * other):
        with pytest.raises(TypeError):
            operation()


def test_a_float_on_the_left_never_becomes_money_again():
    # Python lets float.__add__ have the first word over any int, so the sum is a float: it goes no further.
    with pytest.raises(TypeError):
        Fen(1.5 + Fen(1))


def test_is_not_divided():
    with pytest.raises(TypeError):
        Fen(10) / 2
    with pytest.raises(TypeError):
        10 / Fen(2)


@given(amounts)
def test_yuan_text_reads_back(fen):
    assert Fen.from_yuan_text(fen.yuan_text()) == fen
    assert Fen.from_yuan_decimal(Decimal(fen.yuan_text())) == fen


@given(amounts, amounts)
def test_sums_stay_fen(a, b):
    assert type(a + b) is Fen and a + b == int(a) + int(b)
    assert type(a - b) is Fen and (a - b) + b == a
    assert type(sum([a, b])) is Fen or not (a or b)
    assert type(-a) is Fen and type(abs(a)) is Fen and type(a * 3) is Fen


@pytest.mark.parametrize(
    "text", ["", "1.", ".5", "1.234", "01.00", "+1", "1e3", "1,000", " 1", "NaN", "１", "-"]
)
def test_yuan_text_is_strict(text):
    with pytest.raises(ValueError):
        Fen.from_yuan_text(text)


def test_yuan_text_takes_one_decimal_and_none():
    assert Fen.from_yuan_text("12345.6") == 1234560
    assert Fen.from_yuan_text("7") == 700


def test_exact_decimals_only():
    with pytest.raises(ValueError):
        Fen.from_yuan_decimal(Decimal("0.001"))
    with pytest.raises(ValueError):
        Fen.from_yuan_decimal(Decimal("NaN"))
    with pytest.raises(TypeError):
        Fen.from_yuan_decimal(0.1)


def test_split_of_the_contract_story():
    parts = split_evenly(Fen.from_yuan_text("92018.00"), 3)
    assert [p.yuan_text() for p in parts] == ["30672.66", "30672.66", "30672.68"]


@given(positive, st.integers(min_value=1, max_value=60))
def test_split_sums_to_the_fen(total, n):
    parts = split_evenly(total, n)
    assert len(parts) == n and sum(parts) == total
    assert len(set(parts[:-1])) <= 1 and 0 <= parts[-1] - parts[0] < n


@pytest.mark.parametrize(("total", "n"), [(100, 0), (-1, 2)])
def test_split_refuses(total, n):
    with pytest.raises(ValueError):
        split_evenly(Fen(total), n)


@pytest.mark.parametrize(
    ("yuan", "capital"),
    [
        ("0", "零元整"),
        ("0.05", "伍分"),
        ("0.50", "伍角整"),
        ("1.05", "壹元零伍分"),
        ("10.50", "壹拾元伍角整"),
        ("30672.66", "叁万零陆佰柒拾贰元陆角陆分"),
        ("32000.00", "叁万贰仟元整"),
        ("100010001.00", "壹亿零壹万零壹元整"),
        ("1001000.10", "壹佰万壹仟元壹角整"),
        ("1234567890123.45", "壹万贰仟叁佰肆拾伍亿陆仟柒佰捌拾玖万零壹佰贰拾叁元肆角伍分"),
    ],
)
def test_capital_amount(yuan, capital):
    assert capital_amount(Fen.from_yuan_text(yuan)) == capital


@given(positive)
def test_capital_amount_reads_back(fen):
    assert read_wide_amount(capital_amount(fen)) == fen


def test_capital_amount_has_bounds():
    for fen in (Fen(-1), Fen(10**18)):
        with pytest.raises(ValueError):
            capital_amount(fen)


def test_shown_as_a_number():
    assert (repr(Fen(5)), str(Fen(5)), f"{Fen(5)}") == ("Fen(5)", "5", "5")
