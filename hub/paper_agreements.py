"""An agreement signed on paper goes to the escrow desk first: its escrow is opened and its account asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

import escrow
from foundation.unit_of_work import UnitOfWork
from hub import choreography, money_terms
from mediation import AgreedInstalment
from schemas.money import Fen


@dataclass(frozen=True)
class PaperParty:
    """Who pays or is paid, as the paper names them."""

    key: str
    kind: Literal["person", "organisation"]
    name: str
    id_number: str = ""


@dataclass(frozen=True)
class PaperAgreement:
    """What the cashier reads off the signed paper. ``paper``: where it lies."""

    mediation_number: str
    cause: str
    signed_on: date
    paper: str
    parties: Sequence[PaperParty]
    instalments: Sequence[AgreedInstalment]
    grace_days: int = 5
    acceleration: bool = True
    needs_confirmation: bool = False


def lodge(uow: UnitOfWork, told: PaperAgreement) -> UUID | None:
    """Open the escrow of an agreement that the office has not entered yet; returns its case.

    The same told again opens nothing. Raises Refused NOT_AUTHORISED, BUSINESS_KEY_CONFLICT, DOCUMENT_REQUIRED, and on
    words that contradict each other.
    """
    terms = _terms(told)
    lodged = escrow.lodge_agreement(uow, terms, told.paper)
    events = list(lodged.events)
    for rail_id in money_terms.account_rails():
        events += escrow.request_subaccount(uow, terms.mediation_number, rail_id).events
    choreography.follow(uow, events)
    return lodged.id


def _terms(told: PaperAgreement) -> escrow.AgreementTerms:
    """The dispute's number comes with the office's entry: until then the registry need not know of it."""
    payees = {each.payee for each in told.instalments}
    return escrow.AgreementTerms(
        dispute=told.mediation_number,
        mediation_number=told.mediation_number,
        agreement_no=f"{told.mediation_number}-1",
        title=told.cause,
        signed_on=told.signed_on,
        parties=tuple(
            escrow.PartyTerms(
                each.key, "PAYEE" if each.key in payees else "PAYER", each.name, each.kind, each.id_number
            )
            for each in told.parties
        ),
        instalments=tuple(
            escrow.InstalmentTerms(
                each.no, each.due_on, Fen(each.fen), each.payer, ((each.payee, Fen(each.fen)),)
            )
            for each in told.instalments
        ),
        grace_days=told.grace_days,
        acceleration=told.acceleration,
        needs_confirmation=told.needs_confirmation,
    )
