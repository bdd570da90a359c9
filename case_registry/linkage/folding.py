"""Values of a register folded for comparing: text, sound, numbers, sums. Pure; one value at a time."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from pypinyin import Style, lazy_pinyin

from case_registry.names import body_core, looks_like_body

_HAN = re.compile(r"[\u3400-\u9fff]")
_NOT_WORD = re.compile(r"[^\w\s]|_")
_BLANK = re.compile(r"\s+")
_FORMER = re.compile(r"[(（](?:曾用名|又名|原名|别名|formerly|née|nee)[:： ]?([^)）]+)[)）]")
_CROWD = re.compile(r"等\d*(?:人|户)?$")
_UNITS = (("亿", 100_000_000.0), ("万", 10_000.0), ("千", 1_000.0))
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_SOUNDS = str.maketrans("bfpvcgjkqsxzdtlmnr", "111122222222334556")
_MISSING = frozenset(
    {"", "null", "none", "nan", "n/a", "na", "unknown", "-", "--", "?", "无", "不详", "未知", "/"}
)


def is_missing(text: str) -> bool:
    """Whether a value only says that there is none."""
    return text.strip().lower() in _MISSING


def has_han(text: str) -> bool:
    """Whether the text is written in Chinese characters."""
    return bool(_HAN.search(text))


def fold(text: str) -> str:
    """Text without accents, case, punctuation and double blanks; Chinese text without any blank."""
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(char for char in plain if not unicodedata.combining(char)).lower()
    plain = _BLANK.sub(" ", _NOT_WORD.sub(" ", plain)).strip()
    return plain.replace(" ", "") if _HAN.search(plain) else plain


@lru_cache(maxsize=32_768)
def _syllable(char: str) -> str:
    return lazy_pinyin(char, style=Style.NORMAL)[0]


def sound(folded: str) -> str:
    """How a folded name sounds: pinyin without tones, or for Latin names a key of consonant classes a word."""
    if has_han(folded):
        return " ".join(map(_syllable, folded))
    return " ".join(filter(None, map(_word_sound, folded.split())))


@lru_cache(maxsize=262_144)
def _word_sound(word: str) -> str:
    word = word.replace("ph", "f").replace("gh", "").replace("kn", "n").replace("wr", "r").replace("ck", "k")
    if not word:
        return ""
    classes = word[1:].translate(_SOUNDS)
    kept: list[str] = []
    before = word[0].translate(_SOUNDS)
    for char in classes:
        if char.isdigit() and char != before:
            kept.append(char)
        if char not in "hw":
            before = char
    return word[0] + "".join(kept)[:5]


def person_name(text: str) -> tuple[str, str]:
    """(folded name, folded former name or ""); a body's name without its legal form, a crowd's without 等3人."""
    former = _FORMER.search(text)
    name = _CROWD.sub("", _FORMER.sub("", text).strip())
    if looks_like_body(name) or (len(name) > 6 and has_han(name) and "·" not in name):
        return fold(body_core(name)), ""
    return fold(name), fold(former[1]) if former else ""


def identity(text: str) -> str:
    """An id or code folded: capitals and digits, hidden places as *."""
    plain = unicodedata.normalize("NFKC", text).upper()
    plain = re.sub(r"[×＊•●?？#]", "*", plain)
    return re.sub(r"[^\w*]|_", "", plain)


def digits(text: str) -> str:
    """A phone number as its last eleven digits; "" for fewer than six."""
    found = re.sub(r"\D", "", unicodedata.normalize("NFKC", text))
    return found[-11:] if len(found) >= 6 else ""


def reference(text: str) -> str:
    """A case number folded: no brackets, blanks or leading zeros of its serial."""
    plain = re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", text)).upper()
    return re.sub(r"(?<=\D)0+(?=\d)", "", plain)


@lru_cache(maxsize=262_144)
def amount(text: str) -> float | None:
    """A sum or number as told: 12.5万元, 1,234.50, ¥300; None where there is none."""
    plain = unicodedata.normalize("NFKC", text).replace(",", "")
    found = _NUMBER.search(plain)
    if found is None:
        return None
    value = float(found[0])
    for unit, factor in _UNITS:
        if unit in plain[found.end() : found.end() + 1]:
            return value * factor
    return value
