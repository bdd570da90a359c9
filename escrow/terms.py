"""What an agreement says about money: parties, accounts, instalments. Checked before anything is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from schemas.canonical import digest
from schemas.findings import Finding, Refused
from schemas.money import Fen

MAX_INSTALMENTS = 120
MAX_PARTIES = 200
GRACE_DAYS = 5  # deadlines.csv ES10: the agreement's own number rules


@dataclass(frozen=True)
class PayAccount:
    """Where a party pays from or is paid to.

    `rail`: id of the way to pay; `number`: card, account or log-in there; `name`: as the holder knows it;
    `bank_code`: 12 digits where the rail wants them; `kind`: one of the rail's payee kinds.
    """

    rail: str
    number: str
    name: str
    bank_code: str = ""
    bank_name: str = ""
    kind: str = ""


@dataclass(frozen=True)
class PartyTerms:
    """A party of the agreement. `key` is stable inside the agreement and names the payee's seat."""

    key: str
    role: Literal["PAYER", "PAYEE"]
    name: str
    kind: Literal["person", "organisation"] = "person"
    id_number: str = ""
    accounts: tuple[PayAccount, ...] = ()


@dataclass(frozen=True)
class InstalmentTerms:
    """One due part. `payees`: (seat, fen) pairs that sum to `fen`; `due_on`: last day on which it may be paid in."""

    number: int
    due_on: date
    fen: Fen
    payer: str
    payees: tuple[tuple[str, Fen], ...]


@dataclass(frozen=True)
class AgreementTerms:
    """Everything an escrow needs of a signed agreement.

    `dispute`: the registry's dispute number. `prefixes`: rail → how this case's instruction numbers begin; a rail
    without one gets a prefix from a sequence. `needs_confirmation`: no release before judicial confirmation.
    `acceleration`: after a default the rest falls due at once.
    """

    dispute: str
    mediation_number: str
    agreement_no: str
    title: str
    signed_on: date
    parties: tuple[PartyTerms, ...]
    instalments: tuple[InstalmentTerms, ...]
    prefixes: Mapping[str, str] = field(default_factory=dict)
    grace_days: int = GRACE_DAYS
    acceleration: bool = False
    needs_confirmation: bool = False

    @property
    def agreed(self) -> Fen:
        """The sum of all instalments."""
        return Fen(sum(int(each.fen) for each in self.instalments))

    def digest(self) -> str:
        """SHA-256 of all terms: the same agreement told twice is one escrow."""
        return digest(self)


def check_terms(terms: AgreementTerms) -> None:
    """Raise Refused naming every field that contradicts another."""
    wrong = [*_check_parties(terms), *_check_instalments(terms)]
    for name in ("dispute", "mediation_number", "agreement_no"):
        if not getattr(terms, name).strip():
            wrong.append(Finding("FIELD_MISSING", name, "", "a number"))
    if not 0 <= terms.grace_days <= 30:
        wrong.append(Finding("LIMIT_EXCEEDED", "grace_days", str(terms.grace_days), "0 to 30"))
    if wrong:
        raise Refused.of(wrong)


def _check_parties(terms: AgreementTerms) -> list[Finding]:
    wrong: list[Finding] = []
    keys = [party.key for party in terms.parties]
    if len(set(keys)) != len(keys) or not 2 <= len(keys) <= MAX_PARTIES:
        wrong.append(
            Finding("FIELD_MISSING", "parties", f"{len(keys)} parties", "two or more, each with its own key")
        )
    for at, party in enumerate(terms.parties):
        if not party.name.strip() or not party.key.strip():
            wrong.append(Finding("FIELD_MISSING", f"parties[{at}].name", party.name, "a name and a key"))
        # A payee's account may follow later (old records name none): no order is drafted before it is there.
        for index, account in enumerate(party.accounts):
            if not account.number.strip() or not account.rail:
                path = f"parties[{at}].accounts[{index}].number"
                wrong.append(Finding("FIELD_MISSING", path, account.number, "an account number and its rail"))
    return wrong


def _check_instalments(terms: AgreementTerms) -> list[Finding]:
    wrong: list[Finding] = []
    roles = {party.key: party.role for party in terms.parties}
    numbers = [each.number for each in terms.instalments]
    if numbers != list(range(1, len(numbers) + 1)) or not 1 <= len(numbers) <= MAX_INSTALMENTS:
        wrong.append(Finding("FIELD_MISSING", "instalments", str(numbers[:10]), "numbered 1, 2, 3 …"))
    for at, each in enumerate(terms.instalments):
        path = f"instalments[{at}]"
        if each.fen <= 0:
            wrong.append(Finding("AMOUNT_UNREADABLE", f"{path}.fen", str(each.fen), "more than 0"))
        shares = sum(int(fen) for _, fen in each.payees)
        if shares != each.fen or any(fen <= 0 for _, fen in each.payees):
            wrong.append(Finding("PARTS_NOT_SUM", f"{path}.payees", str(shares), str(each.fen)))
        if len({key for key, _ in each.payees}) != len(each.payees):
            wrong.append(Finding("FIELD_MISSING", f"{path}.payees", "a payee twice", "each payee once"))
        if roles.get(each.payer) != "PAYER":
            wrong.append(Finding("PAYEE_NOT_AGREED", f"{path}.payer", each.payer, "a payer of the agreement"))
        for key, _ in each.payees:
            if roles.get(key) != "PAYEE":
                wrong.append(Finding("PAYEE_NOT_AGREED", f"{path}.payees", key, "a payee of the agreement"))
        if at and each.due_on < terms.instalments[at - 1].due_on:
            wrong.append(Finding("WRONG_DATE_ORDER", f"{path}.due_on", each.due_on.isoformat(), "in order"))
    return wrong
