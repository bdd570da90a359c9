"""Dates and amounts in every habit that the partners have: read exactly, or not at all."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Literal

from schemas.findings import Finding, Scope
from schemas.money import Fen, capital_amount

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_TIME = r"(?P<h>\d{1,2}):(?P<mi>\d{1,2})(?::(?P<s>\d{1,2})(?:\.(?P<f>\d{1,9}))?)?"
_ZONE = r"(?P<z>Z|[+-]\d{2}:?\d{2})?"
_DATE_FORMS = tuple(
    re.compile(form, re.ASCII | re.IGNORECASE)
    for form in (
        rf"(?P<y>\d{{4}})(?P<sep>[-/.])(?P<m>\d{{1,2}})(?P=sep)(?P<d>\d{{1,2}})(?:[T ]\s*{_TIME}\s*{_ZONE})?",
        r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})",
        r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})(?P<h>\d{2})(?P<mi>\d{2})(?P<s>\d{2})(?P<f>\d{3})?",
        rf"(?P<d>\d{{1,2}})-?(?P<mon>[A-Z]{{3}})-?(?P<rr>\d{{2}}|\d{{4}})(?: {_TIME})?",
        r"(?P<y>\d{4})年(?P<m>\d{1,2})月(?P<d>\d{1,2})日?"
        r"(?:\s*(?P<h>\d{1,2})[时点:](?:(?P<mi>\d{1,2})分?(?:(?P<s>\d{1,2})秒)?)?)?",
    )
)
_CHINESE_DATE = re.compile(
    r"([〇零一二三四五六七八九]{4})年([一二三四五六七八九十]{1,3})月([一二三四五六七八九十]{1,3})日"
)
_HAN_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_FORMAL = str.maketrans("〇一二两三四五六七八九十百千萬圆正块毛", "零壹贰贰叁肆伍陆柒捌玖拾佰仟万元整元角")
_ABOUT = re.compile(r"[余多约几数近]|左右|以上|以下|上下|不足|不到|以内")
_PLAIN = re.compile(r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?", re.ASCII)
_MIXED = re.compile(
    r"(?:(?P<yi>\d+(?:\.\d+)?)亿)?(?:(?P<wan>\d+(?:\.\d+)?)万)?(?:(?P<qian>\d+(?:\.\d+)?)千)?"
    r"(?:(?P<bai>\d+)百)?(?P<yuan>\d+)?元?(?:(?P<jiao>\d)角)?(?:(?P<fen>\d)分)?",
    re.ASCII,
)
_UNITS = {"yi": 10**8, "wan": 10**4, "qian": 1000, "bai": 100, "yuan": 1}


class Unreadable(ValueError):
    """The text cannot be read. `finding(path)` makes the finding for it."""

    def __init__(self, code: str, text: str, expected: str) -> None:
        super().__init__(f"{code}: {text!r}")
        self.code = code
        self.text = text
        self.expected = expected

    def finding(self, path: str, scope: Scope = "row") -> Finding:
        """The finding DATE_UNREADABLE, AMOUNT_UNREADABLE or AMOUNT_UNQUANTIFIED at `path`."""
        return Finding(self.code, path, self.text, self.expected, scope=scope)


class Unquantified(Unreadable):
    """An amount said only roughly, such as 3万余元: keep the text, count nothing, refuse nothing."""

    def __init__(self, text: str) -> None:
        super().__init__("AMOUNT_UNQUANTIFIED", text, "an exact amount")


@dataclass(frozen=True)
class WideDate:
    """A date or a time (with Beijing time where the text names no zone), its precision and its raw text."""

    value: date | datetime
    precision: Literal["day", "minute", "second"]
    text: str

    @property
    def day(self) -> date:
        """The calendar day, in the zone of the text."""
        return self.value.date() if isinstance(self.value, datetime) else self.value

    @property
    def iso(self) -> str:
        """ISO text: a date for precision "day", else a time with its zone."""
        return self.value.isoformat()


def _unreadable_date(text: str) -> Unreadable:
    return Unreadable("DATE_UNREADABLE", text, "a calendar date")


def read_wide_date(text: str) -> WideDate:
    """Read a date or time in any habit of the partners.

    2026-04-02, 2026-4-2T09:42:32, 2026.04.02, 2026/4/2 9:05, 20260402, 20260402180007,
    20JAN21 (years 50–99 are 19xx), 2026年4月2日9时5分, 二〇二六年四月二日, full-width digits.
    Raises Unreadable (DATE_UNREADABLE), also for days that do not exist.
    """
    folded = " ".join(unicodedata.normalize("NFKC", text).split())
    for form in _DATE_FORMS:
        if match := form.fullmatch(folded):
            return _from_parts(match.groupdict(), text)
    if match := _CHINESE_DATE.fullmatch(folded.replace("○", "〇")):
        year = int("".join(str(_HAN_DIGITS[c]) for c in match[1]))
        return _from_parts(
            {"y": str(year), "m": str(_han_small(match[2])), "d": str(_han_small(match[3]))}, text
        )
    raise _unreadable_date(text)


def _han_small(text: str) -> int:
    tens, ten, ones = text.rpartition("十")
    if not ten:
        return _HAN_DIGITS[ones] if len(ones) == 1 else 99
    return (_HAN_DIGITS.get(tens, 9) if tens else 1) * 10 + (_HAN_DIGITS.get(ones, 99) if ones else 0)


def _from_parts(parts: dict[str, str | None], text: str) -> WideDate:
    try:
        if parts.get("mon"):
            short = parts["rr"] or ""
            year = int(short) if len(short) == 4 else int(short) + (1900 if int(short) >= 50 else 2000)
            month = _MONTHS.index((parts["mon"] or "").upper()) + 1
        else:
            year, month = int(parts["y"] or ""), int(parts["m"] or "")
        day = date(year, month, int(parts["d"] or ""))
        if not parts.get("h"):
            return WideDate(day, "day", text)
        micro = int((parts.get("f") or "0").ljust(6, "0")[:6])
        moment = datetime(
            day.year, day.month, day.day,
            int(parts["h"] or ""), int(parts.get("mi") or 0), int(parts.get("s") or 0), micro,
            tzinfo=_zone(parts.get("z")),
        )  # fmt: skip
        return WideDate(moment, "second" if parts.get("s") else "minute", text)
    except (ValueError, OverflowError):
        raise _unreadable_date(text) from None


def _zone(text: str | None) -> timezone:
    if not text:
        return BEIJING
    if text in "Zz":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-offset if text[0] == "-" else offset)


def read_excel_date(serial: int | float | Decimal | str) -> WideDate:
    """Read an Excel serial number (1900 system, with its false 29 February 1900) to the second.

    Raises Unreadable for numbers before 1900-03-01 or after 9999-12-31 and for anything that is no number.
    """
    text = str(serial)
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        raise _unreadable_date(text) from None
    if isinstance(serial, bool) or not number.is_finite() or not 61 <= number < 2_958_466:
        raise _unreadable_date(text)
    day = date(1899, 12, 30) + timedelta(days=int(number))
    seconds = int(((number % 1) * 86_400).to_integral_value())
    if not seconds:
        return WideDate(day, "day", text)
    moment = datetime(day.year, day.month, day.day, tzinfo=BEIJING) + timedelta(seconds=seconds)
    return WideDate(moment, "second", text)


def read_epoch_millis(value: int | str) -> WideDate:
    """Read Unix milliseconds (13 digits). Raises Unreadable."""
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch(r"\d{12,13}", text, re.ASCII):
        raise _unreadable_date(text)
    moment = datetime.fromtimestamp(int(text) // 1000, tz=BEIJING).replace(
        microsecond=int(text) % 1000 * 1000
    )
    return WideDate(moment, "second", text)


def read_wide_amount(value: str | int | Decimal, unit: Literal["元", "万元"] = "元") -> Fen | None:
    """Read an amount in any habit of the partners; "" gives None (not told).

    12345.60, 12,345.60, ¥300, 12.5万元, 3万5千元, 叁万贰仟元整, 十二万元; a JSON number as int or Decimal.
    `unit`: what a bare number counts. Raises Unquantified for 3万余元 and its like, Unreadable
    (AMOUNT_UNREADABLE) for negative sums, odd commas, fractions of a fen and anything else.
    """
    if isinstance(value, bool | float) or not isinstance(value, str | int | Decimal):
        raise TypeError(f"an amount is text, int or Decimal, not {type(value).__name__}")
    text = (
        value if isinstance(value, str) else format(value, "f") if isinstance(value, Decimal) else str(value)
    )
    folded = "".join(unicodedata.normalize("NFKC", text).split())
    if not folded:
        return None
    body = re.sub(r"^(?:人民币|RMB|CNY|[¥￥])", "", folded, flags=re.IGNORECASE)
    if _PLAIN.fullmatch(body):
        return _exact(Decimal(body.replace(",", "")) * (10_000 if unit == "万元" else 1), text)
    if _ABOUT.search(body):
        raise Unquantified(text)
    return _with_units(body, text)


def _amount_unreadable(text: str) -> Unreadable:
    return Unreadable("AMOUNT_UNREADABLE", text, "non-negative yuan amount")


def _exact(yuan: Decimal, text: str) -> Fen:
    if yuan >= 10**14:
        raise _amount_unreadable(text)
    try:
        return Fen.from_yuan_decimal(yuan)
    except ValueError:
        raise _amount_unreadable(text) from None


def _with_units(body: str, text: str) -> Fen:
    body = re.sub(r"(?<=[元角分])[整正]$", "", body.replace("圆", "元").replace("块", "元"))
    plain = body.removesuffix("元")
    if _PLAIN.fullmatch(plain):
        return _exact(Decimal(plain.replace(",", "")), text)
    match = _MIXED.fullmatch(body)
    if match and any(match.groups()):
        return _exact(_mixed_sum(match, text), text)
    return _from_capitals(body, text)


def _mixed_sum(match: re.Match[str], text: str) -> Decimal:
    parts = [(name, Decimal(match[name])) for name in _UNITS if match[name]]
    total, bound = Decimal(0), Decimal(10**14)
    for position, (name, number) in enumerate(parts):
        amount = number * _UNITS[name]
        fraction_inside = number % 1 and (position + 1 < len(parts) or match["jiao"] or match["fen"])
        if amount >= bound or fraction_inside:
            raise _amount_unreadable(text)
        total, bound = total + amount, Decimal(_UNITS[name])
    # 3万5 means 35,000 to one reader and 30,005 to another
    if len(parts) > 1 and parts[-1][0] == "yuan" and "元" not in match[0] and parts[-1][1] < 10:
        raise _amount_unreadable(text)
    return total + Decimal(match["jiao"] or 0) / 10 + Decimal(match["fen"] or 0) / 100


def _from_capitals(body: str, text: str) -> Fen:
    formal = body.translate(_FORMAL)
    if not re.search("[零壹贰叁肆伍陆柒捌玖拾]", formal):
        raise _amount_unreadable(text)
    if "元" not in formal and not formal.endswith(("角", "分")):
        formal += "元"
    if formal.startswith("拾"):
        formal = "壹" + formal
    fen = _capital_value(formal)
    if fen is None:
        raise _amount_unreadable(text)
    written = capital_amount(fen).removesuffix("整")
    # Zeros may be written where the rule leaves them free, but never left out where they tell places apart.
    rest = iter(formal)
    if formal.replace("零", "") != written.replace("零", "") or not all(
        any(c == d for d in rest) for c in written.split("元")[0]
    ):
        raise _amount_unreadable(text)
    return fen


def _capital_value(formal: str) -> Fen | None:
    digits = {c: i for i, c in enumerate("零壹贰叁肆伍陆柒捌玖")}
    places = {"拾": 10, "佰": 100, "仟": 1000}
    total = section = digit = cents = 0
    for c in formal:
        if c in digits:
            digit = digits[c]
        elif c in places:
            section, digit = section + digit * places[c], 0
        elif c == "万":
            total, section, digit = total + (section + digit) * 10_000, 0, 0
        elif c == "亿":
            total, section, digit = (total + section + digit) * 10**8, 0, 0
        elif c == "元":
            total, section, digit = total + section + digit, 0, 0
        elif c in "角分":
            cents, digit = cents + digit * (10 if c == "角" else 1), 0
        else:
            return None
    if digit or section or total >= 10**14:
        return None
    return Fen(total * 100 + cents)
