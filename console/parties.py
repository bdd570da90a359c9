"""Parties and their accounts as a form tells them, checked as identifiers are."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import escrow
import mediation
from console.filled import Filled
from hub import money_terms
from schemas.findings import Finding
from schemas.identifiers import (
    check_account,
    check_bank_code,
    check_card,
    check_credit_code,
    check_phone,
    check_resident_id,
    normalise_code,
    normalise_phone,
)

# Role → first letter of the key by which agreement and signatures name the party.
ROLES = {"applicant": "A", "respondent": "R", "third_party": "T", "representative": "P"}
KINDS = ("person", "organisation")


def parties_of(told: Filled, most: int) -> tuple[mediation.MatterParty, ...]:
    """The parties of a new matter; a row without a name is left out. Notes findings on ``told``."""
    names = ("party_role", "party_kind", "party_name", "party_id", "party_phone", "party_address")
    counts: dict[str, int] = {}
    found = []
    for row in told.rows(*names, most=most):
        if not row["party_name"]:
            continue
        role = told.row_choice(row, "party_role", ROLES) or "applicant"
        kind = told.row_choice(row, "party_kind", KINDS) or "person"
        counts[role] = counts.get(role, 0) + 1
        found.append(
            mediation.MatterParty(
                key=f"{ROLES[role]}{counts[role]}", role=role, kind=kind, name=row["party_name"][:140],
                id_number=_id_number(told, row, kind), phone=_phone(told, row), address=row["party_address"][:500] or None,
            )
        )  # fmt: skip
    return tuple(found)


def _id_number(told: Filled, row: dict[str, str], kind: str) -> str | None:
    text = normalise_code(row["party_id"])
    if not text:
        return None
    wrong = check_credit_code(text) if kind == "organisation" else check_resident_id(text)
    if wrong and wrong != "INNER_CHECK":
        told.findings.append(Finding(wrong, f"party_id[{row['no']}]", text))
    return text


def _phone(told: Filled, row: dict[str, str]) -> str | None:
    text = normalise_phone(row["party_phone"])
    if not text:
        return None
    wrong = check_phone(text)
    if wrong:
        told.findings.append(Finding(wrong, f"party_phone[{row['no']}]", text))
    return text


def account_of(told: Filled, wallets: Collection[str]) -> dict[str, Any]:
    """Where a party pays from or is paid to: a bank account, a wallet, or both. Notes findings on ``told``."""
    number = normalise_code(told.text("account", most=34))
    bank_code = normalise_code(told.text("bank_code", most=14))
    wallet = told.text("wallet", most=128)
    if not number and not wallet:
        told.findings.append(Finding("FIELD_MISSING", "account"))
    if number:
        wrong = check_card(number) if number.startswith(("62", "9955")) else check_account(number)
        if wrong:
            told.findings.append(Finding(wrong, "account", number))
    if bank_code and (wrong := check_bank_code(bank_code)):
        told.findings.append(Finding(wrong, "bank_code", bank_code))
    found = {
        "name": told.text("name", most=140), "account": number, "bank_code": bank_code,
        "bank_name": told.text("bank_name", most=140), "wallet": wallet,
        "wallet_type": told.choice("wallet_type", wallets) if wallet else "",
    }  # fmt: skip
    return {name: value for name, value in found.items() if value}


def wallet_kinds() -> list[str]:
    """Kinds of wallet that the ways to pay can reach, as their manifests say."""
    kinds = [kind for rail in escrow.all_rails().values() for kind in rail.manifest["payee"]["kinds"]]
    return [kind for kind in kinds if kind not in money_terms.BANK_KINDS]
