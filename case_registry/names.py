"""Names of people and bodies: folding, sound, hidden names, and how much an equal name says.

A common surname says little, so weights are bits of surprise from `data/surnames.csv` (rounded shares of
the population, from memory: good for weighing, not for statistics). The table is fixed, never counted
from our own rows: a weight that moved with the data would make linking depend on arrival.
"""

from __future__ import annotations

import csv
import math
import re
from functools import cache, lru_cache
from importlib.resources import files

from pypinyin import Style, lazy_pinyin
from rapidfuzz.distance import Levenshtein

from schemas.identifiers import normalise_name

_FORMER = re.compile(r"[(\[](?:曾用名|又名|原名|别名)[:：]?([^)\]]+)[)\]]")
_CROWD = re.compile(r"等\d*(?:人|户)?$")
_BODY_FORM = re.compile(
    r"\((?:有限合伙|普通合伙|特殊普通合伙|个体工商户|个人独资)\)$"
    r"|(?:股份有限公司|有限责任公司|有限公司|集团公司|公司|集团)$"
)
_PROVINCE_WORD = re.compile(r"^([\u4e00-\u9fff]{2,3})省")
_CITY_WORD = re.compile(r"^((?:浙江)?[\u4e00-\u9fff]{2})市")
_BODY_WORDS = re.compile(
    r"公司|集团|医院|银行|商行|合作社|委员会|事务所|服务部|经营部|中心|学校|工厂|厂$|店$|政府|局$|站$|所$"
)
_DOUBLE = frozenset(
    "欧阳 诸葛 司马 上官 司徒 东方 独孤 南宫 夏侯 尉迟 皇甫 公孙 慕容 令狐 长孙 宇文 轩辕 端木 百里 呼延".split()
)
_UNLISTED_PER_MILLE = 0.5
_GIVEN_ONE, _GIVEN_TWO = 1 / 400, 1 / 20_000


@lru_cache(maxsize=65536)
def person_names(text: str) -> tuple[str, ...]:
    """The folded name, then former names that stand in brackets behind it (曾用名)."""
    folded = normalise_name(text)
    former = [normalise_name(part) for match in _FORMER.findall(folded) for part in re.split("[、,]", match)]
    name = _CROWD.sub("", _FORMER.sub("", folded))
    return tuple(dict.fromkeys([name, *former]))


@lru_cache(maxsize=65536)
def body_core(text: str) -> str:
    """An organisation's name without its legal form and with short place words: what is left when a clerk
    shortens 有限公司."""
    name = normalise_name(text).replace("（", "(").replace("）", ")")
    name = _CITY_WORD.sub(r"\1", _PROVINCE_WORD.sub(r"\1", name))
    for _ in range(2):
        shorter = _BODY_FORM.sub("", name)
        if len(shorter) < 3:
            break
        name = shorter
    return name


def looks_like_body(name: str) -> bool:
    """Whether a name whose kind nobody told is one of an organisation."""
    return bool(_BODY_WORDS.search(name))


def is_hidden(name: str) -> bool:
    """Whether the name was made anonymous (张某, 李某某, 王*): it may never link by itself."""
    return "某" in name or "*" in name or "×" in name


@lru_cache(maxsize=65536)
def sound(name: str) -> str:
    """The name's sound: pinyin without tones, one syllable after another, `?` for what cannot be read."""
    return " ".join(_syllable(char) for char in name if char != "·")


@lru_cache(maxsize=32768)
def _syllable(char: str) -> str:
    if char in "?？\ufffd":
        return "?"
    return lazy_pinyin(char, style=Style.NORMAL)[0]


def surname(name: str) -> str:
    """The surname of a Chinese name; the first character where no double surname is known."""
    return name[:2] if name[:2] in _DOUBLE else name[:1]


@lru_cache(maxsize=65536)
def name_weight(name: str) -> float:
    """Bits that an equal personal name is worth: rare surname and long given name say more."""
    first = surname(name)
    given = len(name) - len(first)
    share = _surnames().get(first, _UNLISTED_PER_MILLE) / 1000
    return round(-math.log2(share * (_GIVEN_TWO if given >= 2 else _GIVEN_ONE)), 2)


@cache
def _surnames() -> dict[str, float]:
    text = files("case_registry").joinpath("data/surnames.csv").read_text("utf-8")
    return {row["surname"]: float(row["per_mille"]) for row in csv.DictReader(text.splitlines())}


def person_agreement(one: str, other: str) -> str:
    """How two folded personal names agree: "exact", "sound", "near", "surname" (one is hidden) or "none".

    A `?` (a character lost on an old system) agrees with anything, and makes the agreement "near".
    """
    if is_hidden(one) or is_hidden(other):
        return "surname" if surname(one) == surname(other) else "none"
    if one == other:
        return "exact"
    if _wildcard_equal(one, other):
        return "near"
    if len(one) == len(other) and sound(one) == sound(other):
        return "sound"
    if min(len(one), len(other)) >= 3 and Levenshtein.distance(one, other, score_cutoff=1) <= 1:
        return "near"
    return "none"


def _wildcard_equal(one: str, other: str) -> bool:
    if len(one) != len(other) or ("?" not in one and "?" not in other):
        return False
    return all(a == b or "?" in (a, b) for a, b in zip(one, other, strict=True))


def body_agreement(one: str, other: str) -> str:
    """How two cores of organisations' names agree: "exact", "near" (contained, or one character off) or "none"."""
    if one == other:
        return "exact"
    if min(len(one), len(other)) >= 5 and (one in other or other in one):
        return "near"
    if min(len(one), len(other)) >= 6 and Levenshtein.distance(one, other, score_cutoff=1) <= 1:
        return "near"
    return "none"
