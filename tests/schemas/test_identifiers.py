"""Every row of identifier_examples.csv, the examples of the rules, and the profiles of made-up ranges."""

import csv
from datetime import date
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import case_numbers as cn
from schemas import identifiers as ids

CHECKS = {
    "resident_id": (ids.normalise_id, ids.check_resident_id),
    "uscc": (ids.normalise_id, ids.check_credit_code),
    "mobile": (ids.normalise_phone, ids.check_mobile),
    "bank_card": (ids.normalise_code, ids.check_card),
    "court_case_no": (cn.normalise_case_number, cn.check_case_number),
    "mediation_no": (
        str,
        lambda text: None if cn.parse_mediation_number(text) else "MEDIATION_NUMBER_FORMAT",
    ),
    "petition_no": (ids.normalise_code, cn.check_petition_number),
    "bank_code": (ids.normalise_code, ids.check_bank_code),
    "division": (ids.normalise_code, ids.check_division),
}
ROWS = list(
    csv.DictReader(
        files("schemas").joinpath("data", "identifier_examples.csv").read_text("utf-8").splitlines()
    )
)


def test_the_table_is_whole():
    assert len(ROWS) == 86 and {row["kind"] for row in ROWS} == set(CHECKS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['kind']}-{row['value']}")
def test_example(row):
    fold, check = CHECKS[row["kind"]]
    for value, verdict in ((row["value"], row["verdict_raw"]), (fold(row["value"]), row["verdict_folded"])):
        code = check(value)
        assert (code is None) == (verdict in ("valid", "synthetic")), (value, code)
    if row["verdict_folded"] == "synthetic":
        assert check(fold(row["value"]), profile="production") == "PROFILE_RANGE"
        assert check(fold(row["value"]), profile="test") is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("330399199001010012", None),
        ("330399198512310020", None),
        ("330399201202290030", None),
        ("810000199001010019", None),
        ("330399199001010011", "ID_CHECK_DIGIT"),
        ("330399199002300014", "ID_BIRTH_DATE"),
        ("33039919900101001X", "ID_CHECK_DIGIT"),
        ("160399199001010012", "ID_FORMAT"),
        ("３３０３９９199001010012", "ID_FORMAT"),
    ],
)
def test_resident_id(text, code):
    assert ids.check_resident_id(text) == code


def test_resident_id_against_today():
    today = date(2026, 4, 1)
    future = "33039920270101001"
    old = "33039918900101001"
    for first17 in (future, old):
        text = first17 + ids.resident_check_digit(first17)
        assert ids.check_resident_id(text) is None
        assert ids.check_resident_id(text, today=today) == "ID_BIRTH_DATE"
    assert ids.check_resident_id("330399201202290030", today=today) is None


PROFILES = [
    (ids.check_resident_id, "330399199001010012", "110101199003070134"),
    (ids.check_credit_code, "91330399MA0000015L", None),
    (ids.check_mobile, "10057700777", "13800000000"),
    (ids.check_card, "9955000033040000009", "6222000000000000005"),
    (ids.check_account, "9900339900000100000", "1203000000000000"),
    (ids.check_bank_code, "402339900017", "102333000012"),
    (cn.check_case_number, "(2026)浙0399民初903号", "(2026)浙0302民初903号"),
    (cn.check_case_number, "(2025)浙99民终77号", "(2025)浙03民终77号"),
    (ids.check_division, "330399", "330302"),
]


@pytest.mark.parametrize(("check", "made_up", "real"), PROFILES)
def test_profiles_refuse_each_others_ranges(check, made_up, real):
    assert check(made_up) is None
    assert check(made_up, profile="test") is None
    assert check(made_up, profile="production") == "PROFILE_RANGE"
    if real:
        if check is ids.check_card:
            real = next(c for c in (real[:-1] + str(d) for d in range(10)) if ids.luhn(c))
        if check is ids.check_resident_id:
            real = real[:17] + ids.resident_check_digit(real[:17])
        assert check(real) is None
        assert check(real, profile="production") is None
        assert check(real, profile="test") == "PROFILE_RANGE"


@given(
    st.dates(min_value=date(1900, 1, 1), max_value=date(2026, 1, 1)), st.integers(0, 999), st.integers(0, 17)
)
def test_one_digit_off_is_seen(born, sequence, place):
    first17 = f"330399{born:%Y%m%d}{sequence:03d}"
    text = first17 + ids.resident_check_digit(first17)
    assert ids.check_resident_id(text) is None
    other = "5" if text[place] != "5" else "6"
    assert ids.check_resident_id(text[:place] + other + text[place + 1 :]) is not None


def test_masked_ids():
    full = "330399199001010012"
    for masked in ("330399********0012", "330399199001******", "**************0012"):
        assert ids.is_masked_id(masked) and ids.masked_ids_agree(masked, full)
        assert ids.check_resident_id(masked) == "ID_FORMAT"
    assert not ids.masked_ids_agree("330399********0013", full)
    assert not ids.is_masked_id(full) and not ids.is_masked_id("*" * 18)
    assert ids.mask_id(full) == "330399********0012" and ids.mask_id("123") == "***"


def test_old_resident_id():
    assert ids.is_old_resident_id("330399880910157") and not ids.is_old_resident_id("330399199001010012")
    assert ids.gender_of("330399199001010012") == "1" and ids.gender_of("330399198512310020") == "2"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("91330399MA0000015L", None),
        ("91330399MA2TET0022", None),
        ("513303990000000192", None),
        ("52330399MA0000015M", None),
        ("91330399MA0000015M", "ID_CHECK_DIGIT"),
        ("91330399MAO0000015", "ID_FORMAT"),
    ],
)
def test_credit_code(text, code):
    assert ids.check_credit_code(text) == code
    if code is None:
        assert ids.credit_code_inner_ok(text)


def test_inner_check_only_warns():
    assert ids.check_credit_code("91330399MA5AQNG14X") is None
    assert not ids.credit_code_inner_ok("91330399MA5AQNG14X")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("10057700777、0577-88000000", ["10057700777", "057788000000"]),
        ("+86 10057700777", ["+86", "10057700777"]),
        ("008610057700777;8610057700777", ["10057700777", "10057700777"]),
        ("", []),
    ],
)
def test_split_phones(text, numbers):
    if "+86 " in text:
        assert ids.normalise_phone(text) == "10057700777"
    else:
        assert ids.split_phones(text) == numbers


def test_phones_that_are_no_mobiles():
    assert ids.check_phone("057788000000") is None
    assert ids.check_phone("12348") == "PHONE_FORMAT"
    assert ids.check_mobile("057788000000") == "PHONE_FORMAT"


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ("9900000000000000010", None),
        ("9900990000000004", None),
        ("9900990000000005", "CARD_CHECK_DIGIT"),
        ("9900000000000000011", "CARD_CHECK_DIGIT"),
        ("12345", "ACCOUNT_FORMAT"),
    ],
)
def test_card(card, code):
    assert ids.check_card(card) == code


def test_accounts_need_no_luhn():
    assert ids.check_account("9900339900000011") is None
    assert ids.check_account("123") == "ACCOUNT_FORMAT"


@pytest.mark.parametrize(
    ("raw", "folded"),
    [
        ("古丽娜尔·买买提", "古丽娜尔·买买提"),
        ("古丽娜尔•买买提", "古丽娜尔·买买提"),
        ("王　五 ", "王五"),
        ("温州南屏恒医院（有限合伙）", "温州南屏恒医院(有限合伙)"),
        ("王\u200b五", "王五"),
    ],
)
def test_names(raw, folded):
    assert ids.normalise_name(raw) == folded == ids.normalise_name(folded)


def test_unreadable_characters():
    assert ids.unreadable_characters("叶䶮") == ""
    assert ids.unreadable_characters("叶\ue000\ufffd") == "\ue000\ufffd"


def test_division_by_day():
    assert ids.check_division("330322") is None
    assert ids.check_division("330322", on=date(2026, 1, 1)) == "CODE_UNKNOWN"
    assert ids.check_division("330322", on=date(2014, 1, 1)) is None
