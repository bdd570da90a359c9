"""Names, versions and matters: what is equal, near, and another thing altogether."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from case_registry.matter import (
    compare_days,
    compare_families,
    compare_sums,
    days_in_text,
    families,
    plates_in_text,
)
from case_registry.names import (
    body_agreement,
    body_core,
    is_hidden,
    name_weight,
    person_agreement,
    person_names,
)
from case_registry.versions import version_key


@pytest.mark.parametrize(("one", "other", "how"), [
    ("周忠", "周忠", "exact"), ("章芳", "张芳", "sound"), ("古丽娜尔买买提", "古丽娜尔·买买提", "near"),
    ("欧阳敏海", "欧阳敏诲", "near"), ("叶?", "叶䶮", "near"), ("王敏波", "王敏渡", "near"), ("王敏", "王波", "none"),
    ("蔡某", "蔡红", "surname"), ("欧阳某", "欧阳敏海", "surname"), ("欧某", "欧阳敏海", "none"), ("某某", "周忠", "none"),
])  # fmt: skip
def test_persons(one: str, other: str, how: str) -> None:
    assert person_agreement(one, other) == how == person_agreement(other, one)


def test_former_names_crowds_and_blanks() -> None:
    assert person_names("章霞晨（曾用名：陈小明）") == ("章霞晨", "陈小明")
    assert person_names(" 夏磊艳　") == ("夏磊艳",)
    assert person_names("章雪刚等7人") == ("章雪刚",)
    assert is_hidden("张某某") and is_hidden("王*") and not is_hidden("王五")


def test_bodies() -> None:
    assert (
        body_core("温州白泉盛鞋业")
        == body_core("温州市白泉盛鞋业有限公司")
        == body_core("温州白泉盛鞋业公司")
    )
    assert body_core("温州南屏恒医院（有限合伙）") == "温州南屏恒医院"
    assert body_agreement(body_core("温州石坦鑫鞋业有限公司"), body_core("温州石坦兴鞋业有限公司")) == "near"
    assert body_agreement("温州甲鞋业", "温州乙制衣") == "none"


def test_common_surnames_say_little() -> None:
    assert name_weight("王芳") < name_weight("王芳华") < name_weight("诸葛芳华")


def test_families_and_days() -> None:
    assert families("机动车交通事故责任纠纷") == {"TRAFFIC"}
    assert families("WAGE") == families("追索劳动报酬纠纷") == {"LABOUR"}
    assert compare_families(families("民间借贷纠纷"), families("买卖合同纠纷")) == "different"
    assert compare_families(families("健康权纠纷"), families("机动车交通事故责任纠纷")) == "near"
    assert compare_families((), families("离婚纠纷")) == "unknown"
    assert days_in_text("于2026年3月6日在江蓠镇，2026-2-30，2026.1.5") == (date(2026, 3, 6), date(2026, 1, 5))
    assert plates_in_text("浙C·12345 与浙CD12345") == ("浙C12345", "浙CD12345")
    assert compare_sums((100_00,), (100_00, 5)) == "equal"
    assert (compare_sums((100,), (96,)), compare_sums((100,), (90,)), compare_sums((), (1,))) == (
        "near",
        "different",
        "unknown",
    )
    assert compare_days((date(2026, 1, 1),), (date(2026, 1, 2),)) == "equal"
    assert compare_days((date(2026, 1, 1),), (date(2026, 3, 2),)) == "different"


versions = st.lists(
    st.one_of(st.integers(-5, 10**18), st.text("0123456789-T:Zab", max_size=6)), max_size=3
).map(tuple)


def _order(version: tuple[str | int, ...]) -> list[tuple[int, int, str]]:
    return [(0, v, "") if isinstance(v, int) else (1, 0, v) for v in version]


@given(versions, versions)
def test_version_keys_order_as_tuples_do(one: tuple[str | int, ...], other: tuple[str | int, ...]) -> None:
    assert (version_key(one) < version_key(other)) == (_order(one) < _order(other))


def test_version_keys_refuse_what_no_partner_writes() -> None:
    with pytest.raises(ValueError, match="control"):
        version_key(("a\x1fb",))
    with pytest.raises(ValueError, match="19 digits"):
        version_key((10**19,))
