"""Loads the office's own mediation records from a csv: matters, agreements in force, their escrows and numbers.

Columns: mediation_no, type, committee, mediator, accepted_on, occurred_on, town, applicants, applicant_ids,
applicant_phones, respondents, respondent_ids, claimed_yuan, agreed_yuan, agreed_on, subaccount,
instalments(date:fen), and any column ``<rail>_out_biz_no`` or ``<rail>_e2e_prefix`` with a number that was
allotted to the case on that way to pay. Several people in one cell are joined by ``|``. A row that cannot be
read is refused with its number and reason; the others are loaded. The same file again changes nothing.
"""

from __future__ import annotations

import csv
import io
import tomllib
from datetime import UTC, date, datetime, time
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

import escrow
import mediation
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub import choreography, money_terms
from hub.pipeline import Hub
from schemas.findings import Finding, Refused
from schemas.identifiers import check_credit_code
from schemas.money import Fen

BODY_ENDINGS = ("公司", "有限合伙）", "中心", "医院", "委员会", "合作社", "厂", "店")
NUMBER_COLUMNS = ("_out_biz_no", "_e2e_prefix")


@lru_cache(maxsize=1)
def causes() -> dict[str, str]:
    """Words of the office's type codes."""
    told = tomllib.loads((Path(__file__).parent / "data" / "office_types.toml").read_text(encoding="utf-8"))
    found: dict[str, str] = told["cause"]
    return found


def import_records(hub: Hub, text: str) -> dict[str, Any]:
    """Load all rows; each in a transaction of its own."""
    counts: dict[str, Any] = {"rows": 0, "new": 0, "known": 0, "agreements": 0, "escrows": 0, "refused": []}
    for line, row in enumerate(csv.DictReader(io.StringIO(text)), start=2):
        counts["rows"] += 1
        try:
            with unit_of_work(hub.engine) as uow:
                _load(uow, hub, row, counts)
        except Refused as refused:
            counts["refused"].append({"row": line, "text": str(refused)})
        except (KeyError, ValueError) as error:
            counts["refused"].append({"row": line, "text": f"{type(error).__name__}: {error}"})
    return counts


def _load(uow: UnitOfWork, hub: Hub, row: dict[str, str], counts: dict[str, Any]) -> None:
    if mediation.matter_by_number(uow, row["mediation_no"]) is not None:
        counts["known"] += 1
        return
    matter_id, events = mediation.accept_matter(uow, _matter(row))
    choreography.follow(uow, events)
    counts["new"] += 1
    if row.get("agreed_on") and row.get("agreed_yuan"):
        _agreed(uow, hub, row, matter_id, counts)
    _numbers(uow, row)


def _agreed(uow: UnitOfWork, hub: Hub, row: dict[str, str], matter_id: UUID, counts: dict[str, Any]) -> None:
    matter = mediation.matter(uow, matter_id)
    assert matter is not None
    agreement = mediation.draft_agreement(uow, matter_id, _agreement(row))
    signers = [mediation.Signature(party["key"], party["name"]) for party in matter["parties"]]
    signers += [
        mediation.Signature("mediator", row["mediator"]),
        mediation.Signature("seal", row["committee"], "seal"),
    ]
    signed_at = datetime.combine(date.fromisoformat(row["agreed_on"]), time(8), UTC)
    signed = mediation.sign_agreement(uow, agreement, tuple(signers), signed_at=signed_at)
    # An old agreement was told to the agencies when it was signed; only the record and the escrow follow.
    choreography.follow(uow, [{**event, "told_before": True} for event in signed])
    counts["agreements"] += 1
    if row.get("subaccount"):
        desk = escrow.RailDesk(hub.keys)
        for rail_id in money_terms.account_rails():
            opened = escrow.record_subaccount(uow, desk, row["mediation_no"], rail_id, row["subaccount"])
            choreography.follow(uow, opened.events)
        counts["escrows"] += 1


def _numbers(uow: UnitOfWork, row: dict[str, str]) -> None:
    """A whole payment number that was allotted is a payment that was sent: callbacks about it must be known.

    It pays the first instalment; of a case whose agreement is not on record yet, too.
    """
    case = row["mediation_no"] if escrow.has_case(uow, row["mediation_no"]) else None
    for column, number in row.items():
        if not number or not column.endswith("_out_biz_no"):
            continue
        rail = money_terms.rail_named(column.removesuffix("_out_biz_no"))
        parts = _instalments(row)
        if rail is None:
            continue
        if not parts:
            raise Refused(
                Finding("FIELD_MISSING", "instalments(date:fen)", "", f"the sum of {column} {number}")
            )
        escrow.import_sent_instruction(uow, rail.id, number, parts[0][1], case=case)


def _instalments(row: dict[str, str]) -> list[tuple[date, int]]:
    """Due days and sums; one instalment of the whole on the day of signing where no other is named."""
    cell = row.get("instalments(date:fen)") or ""
    if not cell and row.get("agreed_on") and row.get("agreed_yuan"):
        cell = f"{row['agreed_on']}:{int(Fen.from_yuan_text(row['agreed_yuan']))}"
    split = [part.partition(":") for part in cell.split("|") if part]
    return [(date.fromisoformat(day.strip()), int(fen)) for day, _, fen in split]


def _matter(row: dict[str, str]) -> mediation.NewMatter:
    parties = [*_people(row, "applicant", "A"), *_people(row, "respondent", "R")]
    numbers = {
        column.removesuffix(ending): value
        for column, value in row.items()
        for ending in NUMBER_COLUMNS
        if value and column.endswith(ending)
    }
    return mediation.NewMatter(
        committee=row["committee"],
        mediator=row["mediator"],
        cause=causes().get(row["type"], row["type"]),
        accepted_on=date.fromisoformat(row["accepted_on"]),
        parties=tuple(parties),
        place=row.get("town", ""),
        occurred_on=date.fromisoformat(row["occurred_on"]) if row.get("occurred_on") else None,
        claimed_fen=int(Fen.from_yuan_text(row["claimed_yuan"])) if row.get("claimed_yuan") else None,
        mediation_number=row["mediation_no"],
        payment_numbers=numbers,
    )


def _people(row: dict[str, str], role: str, letter: str) -> list[mediation.MatterParty]:
    names = [name.strip() for name in row[f"{role}s"].split("|") if name.strip()]
    ids = [each.strip() for each in row.get(f"{role}_ids", "").split("|")]
    phones = [each.strip() for each in row.get(f"{role}_phones", "").split("|")]
    made = []
    for place, name in enumerate(names):
        identifier = ids[place] if place < len(ids) else ""
        organisation = name.endswith(BODY_ENDINGS) or (identifier and check_credit_code(identifier) is None)
        made.append(
            mediation.MatterParty(
                key=f"{letter}{place + 1}",
                role=role,
                kind="organisation" if organisation else "person",
                name=name,
                id_number=identifier or None,
                phone=(phones[place] if place < len(phones) else "") or None,
            )
        )
    return made


def _agreement(row: dict[str, str]) -> mediation.NewAgreement:
    total = int(Fen.from_yuan_text(row["agreed_yuan"]))
    split = _instalments(row)
    if sum(fen for _, fen in split) != total:
        cell = row["instalments(date:fen)"]
        raise Refused(Finding("AMOUNT_MISMATCH", "instalments(date:fen)", cell, f"parts that sum to {total}"))
    parts = [
        mediation.AgreedInstalment(no, day, fen, "R1", "A1") for no, (day, fen) in enumerate(split, start=1)
    ]
    return mediation.NewAgreement(total, f"给付人民币{Fen(total).yuan_text()}元。", tuple(parts))
