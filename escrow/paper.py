"""An agreement signed on paper that reaches the escrow desk before the office has entered it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import RowMapping

from escrow import case_state, cases, ledger
from escrow.results import Result, need_role, refuse, said
from escrow.terms import AgreementTerms, InstalmentTerms, PartyTerms, check_terms
from foundation.unit_of_work import UnitOfWork
from schemas.money import Fen


def lodge_agreement(uow: UnitOfWork, terms: AgreementTerms, paper: str) -> Result:
    """Open the escrow of a signed agreement that the office has not entered yet, so that the payer can pay.

    `paper`: where the signed paper lies. Accounts to be paid to are not taken from here: they come with the office's
    entry, and until then no compensation is paid out. The same agreement again gives the case that is there. Raises
    Refused NOT_AUTHORISED, DOCUMENT_REQUIRED, BUSINESS_KEY_CONFLICT.
    """
    need_role(uow, "lodge")
    paper = said(paper, "paper", "DOCUMENT_REQUIRED", "where the signed paper lies")
    parties = tuple(replace(party, accounts=()) for party in terms.parties)
    made = cases.open_escrow(uow, replace(terms, parties=parties))
    if made.events:
        uow.execute(
            "UPDATE escrow.escrow_case SET paper = :paper, lodged_by = :by WHERE id = :id",
            paper=paper, by=uow.actor.id, id=made.id,
        )  # fmt: skip
    return made


def awaits_entry(uow: UnitOfWork, mediation_number: str) -> bool:
    """Whether the desk took this agreement on paper and the office has not entered it yet."""
    return bool(
        uow.scalar(
            "SELECT paper <> '' AND entered_at IS NULL FROM escrow.escrow_case WHERE mediation_number = :number",
            number=mediation_number,
        )
    )


def enter_agreement(uow: UnitOfWork, terms: AgreementTerms) -> Result:
    """The office has entered what the desk took on paper: its numbers and accounts are taken over.

    Raises Refused BUSINESS_KEY_CONFLICT naming what differs from the paper.
    """
    check_terms(terms)
    case = ledger.lock_case(uow, cases.find_case(uow, terms.mediation_number))
    _same_words(uow, case, terms)
    uow.execute(
        "UPDATE escrow.escrow_case SET dispute = :dispute, agreement_no = :no, title = :title, prefixes = prefixes ||"
        " CAST(:prefixes AS jsonb), terms_digest = :digest, entered_at = :at WHERE id = :id",
        dispute=terms.dispute, no=terms.agreement_no, title=terms.title, prefixes=orjson.dumps(dict(terms.prefixes)).decode(),
        digest=terms.digest(), at=uow.now, id=case["id"],
    )  # fmt: skip
    rows = uow.all(
        "SELECT id, key FROM escrow.party WHERE case_id = :id AND version = :version AND active",
        id=case["id"], version=case["version"],
    )  # fmt: skip
    seats = {row["key"]: row["id"] for row in rows}
    for party in terms.parties:
        cases.add_accounts(uow, seats[party.key], [vars(account) for account in party.accounts])
    return Result([case_state.event(uow, case["id"], "AGREEMENT_ENTERED", paper=case["paper"])], case["id"])


def _same_words(uow: UnitOfWork, case: RowMapping, terms: AgreementTerms) -> None:
    """What stands on the paper: who, how much, when, under which conditions."""
    before, now = _words(_stored(uow, case)), _words(terms)
    different = sorted(name for name in now if before[name] != now[name])
    if different:
        raise refuse(
            "BUSINESS_KEY_CONFLICT", different[0], f"{', '.join(different)} of {terms.mediation_number}",
            f"the words of the paper that the escrow desk took: {case['paper']}",
        )  # fmt: skip


def _words(terms: AgreementTerms) -> dict[str, Any]:
    return {
        "signed_on": terms.signed_on,
        "parties": sorted((each.key, each.role, each.kind, each.name, each.id_number) for each in terms.parties),
        "instalments": [
            (each.number, each.due_on, int(each.fen), each.payer, sorted((key, int(fen)) for key, fen in each.payees))
            for each in terms.instalments
        ],
        "grace_days": terms.grace_days,
        "acceleration": terms.acceleration,
        "needs_confirmation": terms.needs_confirmation,
    }  # fmt: skip


def _stored(uow: UnitOfWork, case: RowMapping) -> AgreementTerms:
    at = {"id": case["id"], "version": case["version"]}
    parties = uow.all(
        "SELECT * FROM escrow.party WHERE case_id = :id AND version = :version AND active", **at
    )
    shares: dict[int, list[tuple[str, Fen]]] = {}
    instalments = uow.all(
        "SELECT * FROM escrow.instalment WHERE case_id = :id AND version = :version ORDER BY number", **at
    )
    for row in uow.all(
        "SELECT i.number, s.payee, s.fen FROM escrow.share s JOIN escrow.instalment i ON i.id = s.instalment"
        " WHERE i.case_id = :id AND i.version = :version", **at,
    ):  # fmt: skip
        shares.setdefault(row["number"], []).append((row["payee"], Fen(row["fen"])))
    return AgreementTerms(
        case["dispute"], case["mediation_number"], case["agreement_no"], case["title"], case["signed_on"],
        tuple(PartyTerms(p["key"], p["role"], p["name"], p["kind"], p["id_number"]) for p in parties),
        tuple(
            InstalmentTerms(i["number"], i["due_on"], Fen(i["fen"]), i["payer"], tuple(shares[i["number"]]))
            for i in instalments
        ),
        grace_days=case["grace_days"], acceleration=case["acceleration"], needs_confirmation=case["needs_confirmation"],
    )  # fmt: skip
