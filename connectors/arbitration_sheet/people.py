"""Applicants and respondents of a ledger row: several in one cell, one id for the first of them."""

from __future__ import annotations

import re
from typing import Literal, Protocol

from connectors.arbitration_sheet.ledger import Row
from schemas.claims import PartyClaim
from schemas.identifiers import (
    check_credit_code,
    check_resident_id,
    is_masked_id,
    is_old_resident_id,
    normalise_id,
    split_phones,
)

ID, CODE, PHONE = "身份证号码", "统一社会信用代码", "联系电话"
_GENDERS = {"男": "1", "女": "2"}
_SEPARATORS = re.compile(r"[、,，;；\n]")
_BODY_WORD = re.compile(
    r"公司|厂|店|行$|院|所$|社|中心|学校|局$|委员会|合伙|企业|集团|超市|酒店|个体|工程|实业|贸易"
)
_EXPECTED = {
    "ID_FORMAT": "18 characters",
    "ID_CHECK_DIGIT": "right check character",
    "ID_BIRTH_DATE": "a calendar date in places 7 to 14",
}


class Reports(Protocol):
    """Where findings and notes of a row go."""

    def refuse(self, code: str, path: str, found: str, expected: str) -> None: ...

    def note(self, code: str, path: str, found: str, expected: str) -> None: ...


def names_in(text: str) -> list[str]:
    """Names of a cell, blanks out."""
    return [name for part in _SEPARATORS.split(text) if (name := "".join(part.split()))]


def applicants(row: Row, reports: Reports) -> list[PartyClaim]:
    """The applicants; sex, id number and telephone are the first one's."""
    ids = [normalise_id(part) for part in _SEPARATORS.split(row.text(ID)) if part.strip()]
    phones = split_phones(row.text(PHONE)) if row.text(PHONE) else []
    made = []
    for place, name in enumerate(names_in(row.text("申请人"))):
        number = _resident(ids[place], row, reports) if place < len(ids) else None
        first = place == 0
        made.append(
            PartyClaim(
                role="applicant",
                kind="person" if number or not _BODY_WORD.search(name) else "organisation",
                name=name,
                key=f"applicant:{place + 1}",
                id_number=number if number and not is_masked_id(number) else None,
                masked_id=number if number and is_masked_id(number) else None,
                phone=phones[0] if first and phones else None,
                gender=_GENDERS.get(row.text("性别")) if first else None,
            )
        )
    return made


def _resident(number: str, row: Row, reports: Reports) -> str | None:
    if is_masked_id(number):
        return number
    if is_old_resident_id(number):
        # From an old file only: kept as unchecked, it links nothing.
        reports.note("ID_FORMAT", row.path(ID), number, "18 characters")
        return None
    code = check_resident_id(number)
    if code:
        reports.refuse(code, row.path(ID), row.text(ID), _EXPECTED.get(code, ""))
        return None
    return number


def respondents(row: Row, reports: Reports) -> list[PartyClaim]:
    """The respondents; the code is the first one's, a company's or a person's own id number."""
    number = normalise_id(row.text(CODE))
    kind = _kind_of_number(number, row, reports) if number else None
    made = []
    for place, name in enumerate(names_in(row.text("被申请人"))):
        stated = kind if place == 0 else None
        person = stated == "person" or (stated is None and not _is_body(name))
        made.append(
            PartyClaim(
                role="respondent",
                kind="person" if person else "organisation",
                name=name,
                key=f"respondent:{place + 1}",
                id_number=number if stated == "person" and not is_masked_id(number) else None,
                masked_id=number if stated == "person" and is_masked_id(number) else None,
                credit_code=number if stated == "organisation" else None,
            )
        )
    return made


def _kind_of_number(number: str, row: Row, reports: Reports) -> Literal["person", "organisation"] | None:
    if is_masked_id(number) or check_resident_id(number) is None:
        return "person"
    code = check_credit_code(number)
    if code is None:
        return "organisation"
    looks_resident = number[:17].isdigit() and len(number) == 18
    if looks_resident and not number.startswith(("9", "5", "1")):
        code = check_resident_id(number) or code
    reports.refuse(code, row.path(CODE), row.text(CODE), _EXPECTED.get(code, ""))
    return None


def _is_body(name: str) -> bool:
    """Habit 9: companies lose 有限公司, so a long name without a middle dot is one."""
    return bool(_BODY_WORD.search(name)) or (len(name) > 4 and "·" not in name)
