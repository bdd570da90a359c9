"""Days as registers write them: whole or in part, in several forms. Pure."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, timedelta
from functools import lru_cache

_MONTHS = {
    name: number
    for number, names in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
    for name in (names,)
}
_YMD = re.compile(r"^(\d{4})\s*[-/.年]\s*(\d{1,2})(?:\s*[-/.月]\s*(\d{1,2}))?(?!\d)")
_DMY = re.compile(r"^(\d{1,2})\s*[-/.]\s*(\d{1,2})\s*[-/.]\s*(\d{4})(?!\d)")
_COMPACT = re.compile(r"^(\d{4})(\d{2})(\d{2})(?:\d{4,6})?$")
_WORDS = re.compile(
    r"(?:(\d{1,2})(?:st|nd|rd|th)?[\s.-]+)?([a-z]{3,9})\.?[\s,-]+(?:(\d{1,2})(?:st|nd|rd|th)?,?\s+)?(\d{4})"
)
_YEAR = re.compile(r"(?<!\d)(\d{4})(?!\d)")
_EXCEL = date(1899, 12, 30)
Day = tuple[int, int, int]
"""Year, month, day; 0 for what is not told."""
NO_DAY: Day = (0, 0, 0)


@lru_cache(maxsize=262_144)
def read_day(text: str) -> Day:
    """A day from text; month first is never assumed unless the other reading is no day. NO_DAY where none is found."""
    plain = unicodedata.normalize("NFKC", text).strip().lower()
    if found := _YMD.match(plain):
        return _checked(int(found[1]), int(found[2]), int(found[3] or 0))
    if found := _DMY.match(plain):
        day, month = int(found[1]), int(found[2])
        return _checked(int(found[3]), month, day) if month <= 12 else _checked(int(found[3]), day, month)
    if found := _COMPACT.match(plain):
        return _checked(int(found[1]), int(found[2]), int(found[3]))
    if re.fullmatch(r"[2-7]\d{4}(?:\.\d+)?", plain):  # a sheet's own count of days, from 1954 on
        told = _EXCEL + timedelta(days=int(float(plain)))
        return told.year, told.month, told.day
    if (found := _WORDS.search(plain)) and (month := _MONTHS.get(found[2][:3], 0)):
        return _checked(int(found[4]), month, int(found[1] or found[3] or 0))
    if found := _YEAR.search(plain):
        return int(found[1]), 0, 0
    return NO_DAY


def _checked(year: int, month: int, day: int) -> Day:
    if not 1 <= month <= 12:
        return year, 0, 0
    return (year, month, day) if 0 <= day <= 31 else (year, month, 0)


def ordinal(told: Day) -> int:
    """Days since the year 1; the middle of the month or year where only that is told; 0 for NO_DAY."""
    year, month, day = told
    if not year:
        return 0
    try:
        return date(year, month or 7, day or 15).toordinal()
    except ValueError:
        return date(year, month, 28).toordinal()
