"""The court's code tables (codes.toml) by name."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


@cache
def _codes() -> dict[str, Any]:
    return tomllib.loads((HERE / "codes.toml").read_text(encoding="utf-8"))


def table(name: str) -> dict[str, str]:
    """The code table `name`: partner code → our word. Raises KeyError."""
    found: dict[str, str] = _codes()[name]
    return found


NAMESPACE: str = _codes()["namespace"]
"""The one namespace of both dialects."""


def is_organisation_name(name: str) -> bool:
    """Whether a name without a stated kind looks like a body's and not a person's."""
    return len(name) >= 4 and "·" not in name and any(word in name for word in _BODY_WORDS)


_BODY_WORDS = (
    "公司", "医院", "工厂", "鞋厂", "商行", "商店", "超市", "合作社", "委员会", "合伙", "中心", "银行", "学校",
    "大学", "小学", "中学", "幼儿园", "事务所", "经营部", "服务部", "门市部", "工作室", "个体工商户", "酒店", "饭店",
    "集团", "协会", "基金会", "人民政府", "管理局", "街道办", "村委会", "居委会", "诊所", "药房", "厂", "店",
)  # fmt: skip
