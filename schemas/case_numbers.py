"""Case numbers: the courts' 案号, the mediation office's own numbers, and the petition form.

Sources: 关于人民法院案件案号的若干规定 (最高人民法院 2015) arts. 2–3, 10, 13; the office's habit for its own.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from schemas.code_tables import code_table
from schemas.identifiers import Profile, normalise_code

_BRACKETS = str.maketrans("〔〕[]【】（）", "()()()()")
_PROVINCES = "京津冀晋内辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川黔云藏陕甘青宁新军兵"
_MEDIATION_TAIL = r"调〔(?P<year>20\d{2})〕(?P<committee>[\u4e00-\u9fff]{1,8})(?P<serial>\d{4})号"
_MEDIATION = re.compile(r"(?P<county>[\u4e00-\u9fff]{1,6})" + _MEDIATION_TAIL, re.ASCII)
_LEGACY = re.compile(r"\((?P<year>(?:19|20)\d{2})\)[\u4e00-\u9fff]{1,12}字第\d{1,6}(?:-\d{1,3})?号", re.ASCII)


@dataclass(frozen=True)
class CaseNumber:
    """A court's case number taken apart. `sub` is of one paper in the case, not of the case."""

    year: int
    court: str
    type: str
    serial: int
    sub: str = ""

    @property
    def key(self) -> str:
        """The case's key: without the sub-number, with plain brackets."""
        return f"({self.year}){self.court}{self.type}{self.serial}号"


@dataclass(frozen=True)
class MediationNumber:
    """The office's own number taken apart: county short name, year, committee short name, serial."""

    county: str
    year: int
    committee: str
    serial: int

    @property
    def text(self) -> str:
        """The number as it is written on paper and stored."""
        return f"{self.county}调〔{self.year}〕{self.committee}{self.serial:04d}号"


@cache
def _court_form() -> re.Pattern[str]:
    # The longest type word wins: 民诉前调 before 民…, 执恢 before 执, 民特监 before 民特.
    tokens = "|".join(sorted(map(re.escape, code_table("court_case_token")), key=len, reverse=True))
    return re.compile(
        rf"\((?P<year>20\d{{2}})\)(?P<court>最高法|[{_PROVINCES}](?:\d{{4}}|\d{{2}})?)(?P<type>{tokens})"
        r"(?P<serial>[1-9]\d{0,7})号(?:之(?P<sub>[一二三四五六七八九十]{1,3}))?",
        re.ASCII,
    )


def normalise_case_number(text: str) -> str:
    """Fold a case number for comparison: NFKC, no blanks, every kind of bracket becomes ( )."""
    return normalise_code(text).translate(_BRACKETS)


def parse_case_number(text: str) -> CaseNumber | None:
    """Take apart a court's case number of 2016 or later; None when it is none.

    Full-width round brackets are taken as the courts print them; fold everything else first.
    """
    match = _court_form().fullmatch(text.replace("（", "(").replace("）", ")"))
    return _case_number(match) if match else None


def _case_number(match: re.Match[str]) -> CaseNumber:
    return CaseNumber(
        int(match["year"]), match["court"], match["type"], int(match["serial"]), match["sub"] or ""
    )


def legacy_case_year(text: str) -> int | None:
    """The year of a folded case number in the grammar before 2016, else None. Keep its text."""
    match = _LEGACY.fullmatch(text)
    return int(match["year"]) if match else None


def check_case_number(text: str, *, profile: Profile | None = None) -> str | None:
    """Check a folded case number; 浙0399 and 浙99 are made up.

    Returns None, "CASE_NUMBER_FORMAT" or "PROFILE_RANGE".
    """
    number = parse_case_number(text)
    if number is None:
        return "CASE_NUMBER_FORMAT"
    synthetic = number.court in ("浙0399", "浙99")
    return "PROFILE_RANGE" if profile is not None and synthetic != (profile == "test") else None


def find_case_numbers(text: str) -> Iterator[CaseNumber]:
    """All case numbers inside a free text, in order."""
    for match in _court_form().finditer(normalise_case_number(text)):
        yield _case_number(match)


def parse_mediation_number(text: str) -> MediationNumber | None:
    """Take apart the office's own number, such as 瓯栖调〔2026〕云渡0112号; None when it is none."""
    match = _MEDIATION.fullmatch(text)
    return _mediation_number(match) if match else None


def _mediation_number(match: re.Match[str]) -> MediationNumber:
    return MediationNumber(match["county"], int(match["year"]), match["committee"], int(match["serial"]))


@cache
def _mediation_in_text() -> re.Pattern[str]:
    # In running text nothing parts the county's name from the word before it, so only known names count.
    rows = [*code_table("division").values(), *code_table("division_synthetic").values()]
    names = {re.sub("[县市区]$", "", row.name_zh) for row in rows if len(row.code) == 6}
    return re.compile(f"(?P<county>{'|'.join(sorted(names))})" + _MEDIATION_TAIL, re.ASCII)


def find_mediation_numbers(text: str) -> Iterator[MediationNumber]:
    """All of the office's numbers inside a free text, whatever kind of brackets stands there."""
    folded = unicodedata.normalize("NFKC", text).translate(_BRACKETS).replace(" ", "")
    folded = re.sub(r"\((20\d{2})\)", r"〔\1〕", folded, flags=re.ASCII)
    for match in _mediation_in_text().finditer(folded):
        yield _mediation_number(match)


def mod_11_10(digits: str) -> int:
    """The check digit of ISO 7064 MOD 11,10 for a text of digits."""
    product = 10
    for digit in digits:
        product = (((int(digit) + product) % 10) or 10) * 2 % 11
    return (11 - product) % 10


def mediation_key(division: str, year: int, serial: int) -> str:
    """The machine key of a mediation case: MD-330399-2026-000112-0 (division, year, serial, check digit)."""
    body = f"{division:>06}{year:04d}{serial:06d}"
    if len(body) != 16 or not body.isascii() or not body.isdigit():
        raise ValueError("a mediation key takes a division of 6 digits, a year and a serial below 10^6")
    return f"MD-{body[:6]}-{body[6:10]}-{body[10:]}-{mod_11_10(body)}"


def check_mediation_key(text: str) -> bool:
    """Whether it is a mediation key with the right check digit."""
    match = re.fullmatch(r"MD-(\d{6})-(\d{4})-(\d{6})-(\d)", text, re.ASCII)
    return bool(match) and mod_11_10(match[1] + match[2] + match[3]) == int(match[4]) if match else False


def check_petition_number(text: str) -> Literal["ID_FORMAT", "DATE_UNREADABLE"] | None:
    """Check a folded petition number, XF + division + 11 digits.

    Returns None, "ID_FORMAT", or "DATE_UNREADABLE" for a month that does not exist: the contract promises
    digits only, so that one is a note and no refusal.
    """
    match = re.fullmatch(r"XF\d{6}(\d{4})(\d{2})\d{5}", text, re.ASCII)
    if match is None:
        return "ID_FORMAT"
    return None if 1 <= int(match[2]) <= 12 else "DATE_UNREADABLE"
