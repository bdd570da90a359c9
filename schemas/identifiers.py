"""Identifiers of persons, bodies, phones, accounts and divisions: normalise, check, compare.

`normalise_…` folds a raw value for comparison (the raw value stays beside it); `check_…` looks at an
already folded value and returns None or the code of a finding. `profile`: "production" refuses the
made-up ranges, "test" refuses everything else, None looks at the form only.
Sources: GB 11643-1999, GB 32100-2015, GB 11714, ISO/IEC 7812. Case numbers: schemas.case_numbers.
"""

import re
import unicodedata
from datetime import date
from typing import Literal
from uuid import UUID

from schemas.code_tables import code_table

Profile = Literal["test", "production"]

_INVISIBLE = re.compile(r"[\s\u200b-\u200f\u2060\ufeff]+")
_MIDDLE_DOTS = str.maketrans(dict.fromkeys("•‧∙⋅・･●", "·"))
_RESIDENT = re.compile(r"[1-9]\d{5}\d{8}\d{3}[0-9X]", re.ASCII)
_PROVINCES = frozenset(
    str(10 * region + place)
    for region, last in enumerate((5, 3, 7, 6, 4, 5, 1, 3, 1), start=1)
    for place in range(0 if region == 5 else 1, last + 1)
)
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_MASKED = re.compile(r"[0-9*]{17}[0-9X*]", re.ASCII)
_CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT = re.compile(r"[0-9A-HJ-NPQRTUWXY]{2}\d{6}[0-9A-HJ-NPQRTUWXY]{10}", re.ASCII)
_MOBILE = re.compile(r"1[3-9]\d{9}", re.ASCII)
_TEST_MOBILE = re.compile(r"100\d{8}", re.ASCII)
_LANDLINE = re.compile(r"0\d{2,3}[2-9]\d{6,7}", re.ASCII)
_SYNTHETIC_DIVISION = "330399"


def normalise_code(text: str) -> str:
    """Fold a code: NFKC, no blanks, no invisible characters, no middle dots, capital Latin letters."""
    folded = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return folded.translate(_MIDDLE_DOTS).replace("·", "").upper()


normalise_id = normalise_code
"""Fold a resident id or credit code."""


def normalise_name(text: str) -> str:
    """Fold a name: NFKC, every blank out, the ideographic too; one form of the middle dot, which stays."""
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).translate(_MIDDLE_DOTS)


def unreadable_characters(name: str) -> str:
    """The characters of a name that no reader can show: private use, replacement, control, surrogates."""
    return "".join(c for c in name if unicodedata.category(c) in ("Co", "Cn", "Cc", "Cs") or c == "\ufffd")


def resident_check_digit(first17: str) -> str:
    """The check character for 17 digits of a resident id (GB 11643-1999)."""
    return "10X98765432"[sum(int(d) * w for d, w in zip(first17, _ID_WEIGHTS, strict=True)) % 11]


def check_resident_id(text: str, *, today: date | None = None, profile: Profile | None = None) -> str | None:
    """Check a folded resident id of 18 places.

    `today`: refuses birth dates after it and ages above 130. Returns None, "ID_FORMAT" (form, province,
    the old 15-place form too), "ID_BIRTH_DATE", "ID_CHECK_DIGIT" or "PROFILE_RANGE".
    """
    if not _RESIDENT.fullmatch(text) or text[:2] not in _PROVINCES:
        return "ID_FORMAT"
    born = birth_date(text)
    if born is None or (today is not None and not (today.year - 130, today.month) <= (born.year, born.month)):
        return "ID_BIRTH_DATE"
    if today is not None and born > today:
        return "ID_BIRTH_DATE"
    if resident_check_digit(text[:17]) != text[17]:
        return "ID_CHECK_DIGIT"
    return _profile_code(text.startswith(_SYNTHETIC_DIVISION), profile)


def _profile_code(synthetic: bool, profile: Profile | None) -> str | None:
    return "PROFILE_RANGE" if profile is not None and synthetic != (profile == "test") else None


def birth_date(resident_id: str) -> date | None:
    """The birth date in a resident id of 18 places, None when there is no such day."""
    try:
        return date(int(resident_id[6:10]), int(resident_id[10:12]), int(resident_id[12:14]))
    except ValueError:
        return None


def gender_of(resident_id: str) -> str:
    """The GB/T 2261.1 code that the 17th place of a resident id tells: "1" male, "2" female."""
    return "1" if int(resident_id[16]) % 2 else "2"


def is_old_resident_id(text: str) -> bool:
    """Whether it is the 15-place form: taken from old files as unchecked, never a key for linking."""
    return bool(re.fullmatch(r"[1-9]\d{14}", text, re.ASCII))


def is_masked_id(text: str) -> bool:
    """Whether a folded value is a resident id with hidden places (330399********0012 and its like)."""
    return bool(_MASKED.fullmatch(text)) and "*" in text and any(c.isdigit() for c in text)


def masked_ids_agree(one: str, other: str) -> bool:
    """Whether two ids of equal length agree wherever both show a place; a hidden place agrees with any."""
    return len(one) == len(other) and all(a == b or "*" in (a, b) for a, b in zip(one, other, strict=True))


def mask_id(text: str) -> str:
    """The masked form for screens and logs: first 6 and last 4 places."""
    return text[:6] + "*" * (len(text) - 10) + text[-4:] if len(text) > 10 else "*" * len(text)


def credit_check_character(first17: str) -> str:
    """The check character of a unified social credit code for its first 17 places (GB 32100-2015)."""
    total = sum(_CREDIT_ALPHABET.index(c) * pow(3, i, 31) for i, c in enumerate(first17))
    return _CREDIT_ALPHABET[-total % 31]


def check_credit_code(text: str, *, profile: Profile | None = None) -> str | None:
    """Check a folded unified social credit code.

    Returns None, "ID_FORMAT", "ID_CHECK_DIGIT" or "PROFILE_RANGE". The inner check is apart:
    `credit_code_inner_ok`, a warning at most.
    """
    if not _CREDIT.fullmatch(text):
        return "ID_FORMAT"
    if credit_check_character(text[:17]) != text[17]:
        return "ID_CHECK_DIGIT"
    return _profile_code(text[2:8] == _SYNTHETIC_DIVISION, profile)


def credit_code_inner_ok(text: str) -> bool:
    """Whether the organisation code inside a credit code has its own check right (GB 11714); else warn."""
    body, check = text[8:16], text[16]
    total = sum(int(c, 36) * w for c, w in zip(body, (3, 7, 9, 10, 5, 8, 4, 2), strict=True))
    return check == "0123456789X0"[11 - total % 11] if total % 11 != 0 else check == "0"


def normalise_phone(text: str) -> str:
    """Fold one phone number: NFKC, no separators, no country code."""
    digits = re.sub(r"[\s()\-.\u2010-\u2015]+", "", unicodedata.normalize("NFKC", text))
    return re.sub(r"^(?:\+86|0086|86(?=1\d{10}$))", "", digits)


def split_phones(text: str) -> list[str]:
    """The folded phone numbers of a field that holds several (; , / 、 and blanks part them)."""
    parts = re.split(r"[;,/、\s]+", unicodedata.normalize("NFKC", text).strip())
    return [normalise_phone(part) for part in parts if part]


def check_mobile(text: str, *, profile: Profile | None = None) -> str | None:
    """Check a folded mobile number. Returns None, "PHONE_FORMAT" or "PROFILE_RANGE" (100… is made up)."""
    synthetic = bool(_TEST_MOBILE.fullmatch(text))
    if not synthetic and not _MOBILE.fullmatch(text):
        return "PHONE_FORMAT"
    return _profile_code(synthetic, profile)


def check_phone(text: str, *, profile: Profile | None = None) -> str | None:
    """Check a folded phone of a party: a mobile, or a landline with area code. Service numbers never are."""
    return None if _LANDLINE.fullmatch(text) else check_mobile(text, profile=profile)


def luhn(digits: str) -> bool:
    """Whether the last digit is right by Luhn (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if place % 2 else 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def check_card(text: str, *, profile: Profile | None = None) -> str | None:
    """Check a folded card number of 16–19 digits.

    Returns None, "ACCOUNT_FORMAT", "CARD_CHECK_DIGIT" or "PROFILE_RANGE".
    """
    if not re.fullmatch(r"[1-9]\d{15,18}", text, re.ASCII):
        return "ACCOUNT_FORMAT"
    if not luhn(text):
        return "CARD_CHECK_DIGIT"
    return _profile_code(text.startswith("99"), profile)


def check_account(text: str, *, profile: Profile | None = None) -> str | None:
    """Check a folded bank account, which is no card: 10–32 digits, no Luhn; the bank's answer decides."""
    if not re.fullmatch(r"\d{10,32}", text, re.ASCII):
        return "ACCOUNT_FORMAT"
    return _profile_code(text.startswith("99"), profile)


def check_bank_code(text: str, *, profile: Profile | None = None) -> str | None:
    """Check a folded bank code (联行号, 12 digits). Its check digit is not computed: look the code up."""
    if not re.fullmatch(r"\d{12}", text, re.ASCII):
        return "ACCOUNT_FORMAT"
    return _profile_code("3399" in text, profile)


def check_division(text: str, *, on: date | None = None, profile: Profile | None = None) -> str | None:
    """Check a division code of 6, 9 or 12 digits against the tables, at the day of the fact.

    Returns None, "ID_FORMAT", "PROFILE_RANGE" or "CODE_UNKNOWN" (not in the table, or not on that day).
    """
    if not re.fullmatch(r"\d{6}(?:\d{3}){0,2}", text, re.ASCII):
        return "ID_FORMAT"
    code = text[:9] if len(text) == 12 else text
    row = code_table("division").get(code) or code_table("division_synthetic").get(code)
    if row is None or (on is not None and not row.valid_on(on)):
        return "CODE_UNKNOWN"
    return _profile_code(text.startswith(_SYNTHETIC_DIVISION), profile)


def is_uuid(text: str) -> bool:
    """Whether a text is one of our own ids (RFC 9562), in any of its written forms."""
    return uuid_in(text) is not None


def uuid_in(text: str) -> UUID | None:
    """The id that a text is, None where it is none: a column of ids is asked for an id, so that its index serves."""
    try:
        return UUID(text)
    except ValueError:
        return None
