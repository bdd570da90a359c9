"""The five-agency history as flat rows for linking, with the truth beside it: `rows(disputes, seed)`.

    python -m benchmarks.link_history DISPUTES SEED OUT.csv

One row a message. `sandbox.history` tells the disputes and makes the clerks' errors; here records are told again,
retyped by hand into lists, and written in the forms of each house (link_history.toml). Nothing here knows the linker.
"""

from __future__ import annotations

import csv
import sys
import tomllib
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

from sandbox.history import Told, generate
from schemas.claims import PartyClaim

RATES: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
COLUMNS = (
    "record", "source", "kind", "state", "number", "case_number", "refers_to",
    "applicants", "applicant_ids", "applicant_phones", "respondents", "respondent_ids", "respondent_phones",
    "cause", "amount", "opened_on", "occurred_on", "place", "body", "mediator",
)  # fmt: skip
TRUTH = ("dispute", "native", "errors")
"""Columns of the truth, beside the row: the dispute, the record's own number in its agency, the errors made."""
_EXCEL_EPOCH = date(1899, 12, 30)
Row = dict[str, str]


def rows(disputes: int, seed: int) -> Iterator[Row]:
    """Rows of COLUMNS and TRUTH, in the order in which the disputes happened to be numbered."""
    share = RATES["messages"]
    serial = 0
    for told in generate(disputes, seed):
        chance = Random(f"{seed}|row|{serial}")
        facts = {claim.field: claim.value for claim in told.record.claims}
        writings = [_row(told, facts, chance)]
        if chance.random() < share["again"]:
            writings.append(_again(told, facts, writings[0], chance))
        if chance.random() < share["sheet"]:
            writings.append(_sheet(told, facts, writings[0], chance))
        for row in writings:
            serial += 1
            yield {"record": f"r{serial}", **row}


def _row(told: Told, facts: dict[str, Any], chance: Random) -> Row:
    parties = told.record.parties or ()
    row = {
        "source": told.agency, "kind": str(facts.get("proceeding_kind", "")), "state": str(facts.get("state", "")),
        "number": told.record.native_id, "case_number": str(facts.get("case_number") or ""),
        "refers_to": "|".join(ref.value for ref in told.record.references),
        "cause": str(facts.get("cause") or ""), "amount": str(facts.get("claimed_text") or ""),
        "place": str(facts.get("place_text") or ""), "body": str(facts.get("organisation") or ""),
        "mediator": str(facts.get("mediator") or ""), "dispute": told.dispute.key,
        "native": f"{told.agency}:{told.record.native_id}", "errors": "|".join(told.errors),
    }  # fmt: skip
    for role in ("applicant", "respondent"):
        side = [party for party in parties if party.role == role]
        row[f"{role}s"] = "|".join(party.name for party in side)
        row[f"{role}_ids"] = "|".join(_number(party) for party in side)
        row[f"{role}_phones"] = "|".join(party.phone or "" for party in side)
    for name in ("opened_on", "occurred_on"):
        row[name] = _day(facts.get(name), told.agency, chance, row)
    return row


def _number(party: PartyClaim) -> str:
    return party.id_number or party.masked_id or party.credit_code or ""


def _note(row: Row, error: str) -> None:
    row["errors"] = f"{row['errors']}|{error}".strip("|")


def _day(told: Any, house: str, chance: Random, row: Row) -> str:
    if not told:
        return ""
    day, forms = date.fromisoformat(str(told)), RATES["forms"]
    form = forms[house]
    if chance.random() < forms["other_form"]:
        form = chance.choice(("iso", "chinese", "compact", "dotted", "slashed"))
        _note(row, "date_form")
    if chance.random() < forms["month_only"]:
        _note(row, "month_only")
        return f"{day:%Y-%m}"
    return {
        "iso": day.isoformat(), "chinese": f"{day.year}年{day.month}月{day.day}日", "compact": f"{day:%Y%m%d}",
        "dotted": f"{day.year}.{day.month}.{day.day}", "slashed": f"{day.year}/{day.month}/{day.day}",
        "excel": str((day - _EXCEL_EPOCH).days),
    }[form]  # fmt: skip


def _again(told: Told, facts: dict[str, Any], first: Row, chance: Random) -> Row:
    rates, row = RATES["again"], dict(first)
    row["errors"] = f"{row['errors']}|again".strip("|")
    if row["state"] not in ("OPEN", "REGISTERED", "REFERRED"):
        first["state"] = "REGISTERED" if told.agency == "petition" else "OPEN"
    if chance.random() < rates["phone_dropped"]:
        row["applicant_phones"] = row["respondent_phones"] = ""
    if chance.random() < rates["id_dropped"]:
        row["applicant_ids"] = row["respondent_ids"] = ""
    if row["amount"] and chance.random() < rates["amount_changed"]:
        row["amount"] = f"{told.dispute.claimed_fen * chance.choice((80, 90, 120, 150)) // 10_000}.00"
        _note(row, "amount_changed")
    if chance.random() < rates["opened_shifted"]:
        shifted = date.fromisoformat(str(facts["opened_on"])) + timedelta(days=chance.choice((1, 2, 7)))
        row["opened_on"] = _day(shifted, told.agency, chance, row)
    return row


def _sheet(told: Told, facts: dict[str, Any], first: Row, chance: Random) -> Row:
    rates, row = RATES["sheet"], dict(first)
    row |= {
        "source": f"{told.agency}_list",
        "state": "",
        "refers_to": "",
        "occurred_on": "",
        "mediator": "",
        "number": "",
    }
    _note(row, "sheet")
    number = first["case_number"] or first["number"]
    row["case_number"] = _retyped(number, chance, row)
    phones, numbers = row["applicant_phones"].split("|")[:1], row["applicant_ids"].split("|")[:1]
    row["applicant_phones"] = phones[0] if chance.random() < rates["phone_told"] else ""
    masked = (
        f"{numbers[0][:6]}********{numbers[0][-4:]}" if len(numbers[0]) == 18 and numbers[0][0] == "3" else ""
    )
    row["applicant_ids"] = masked if chance.random() < rates["id_masked"] else ""
    row["respondent_ids"] = row["respondent_phones"] = ""
    if "|" in row["applicants"] and chance.random() < rates["name_cut"]:
        names = row["applicants"].split("|")
        row["applicants"] = f"{names[0]}等{len(names)}人"
        _note(row, "name_cut")
    if chance.random() < rates["respondent_missing"]:
        row["respondents"] = ""
        _note(row, "respondent_missing")
    if row["amount"].replace(".", "").isdigit() and chance.random() < rates["amount_in_wan"]:
        row["amount"] = f"{float(row['amount']) / 10_000:.2f}万元"
        _note(row, "amount_in_wan")
    row["opened_on"] = _day(facts.get("opened_on"), "sheet", chance, row)
    return row


def _retyped(number: str, chance: Random, row: Row) -> str:
    rates = RATES["sheet"]
    if chance.random() < rates["number_missing"]:
        _note(row, "number_missing")
        return ""
    if chance.random() < rates["number_mistyped"]:
        places = [place for place, char in enumerate(number) if char.isdigit()][-4:]
        place = chance.choice(places)
        number = number[:place] + str((int(number[place]) + chance.randint(1, 9)) % 10) + number[place + 1 :]
        _note(row, "number_mistyped")
    if chance.random() < 0.5:  # the list writes brackets of another width
        return number.replace("(", "（").replace(")", "）")
    return number.replace("〔", "[").replace("〕", "]")


def write(disputes: int, seed: int, out: Path) -> int:
    """Write rows and truth as one CSV. Returns the number of rows."""
    count = 0
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, (*COLUMNS, *TRUTH), lineterminator="\n")
        writer.writeheader()
        for row in rows(disputes, seed):
            writer.writerow(row)
            count += 1
    return count


if __name__ == "__main__":
    print(write(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])), "rows")
