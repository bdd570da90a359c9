"""An escrow from a signed agreement to its sub-account, and its end when the agreement is void or replaced."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

from escrow import case_state, ledger, recoveries, stops
from escrow.desk import RailDesk, custody_of
from escrow.results import Result, refuse, said
from escrow.terms import AgreementTerms, check_terms
from foundation.unit_of_work import UnitOfWork
from schemas.canonical import sha256_hex
from schemas.identifiers import uuid_in


def find_case(uow: UnitOfWork, ref: UUID | str) -> UUID:
    """The case by its id, its mediation number or its dispute (the newest). Raises Refused NOT_FOUND."""
    if isinstance(ref, UUID):
        found = uow.scalar("SELECT id FROM escrow.escrow_case WHERE id = :ref", ref=ref)
    else:
        found = uow.scalar(
            "SELECT id FROM escrow.escrow_case WHERE mediation_number = :ref OR dispute = :ref OR id = CAST(:id AS uuid)"
            " ORDER BY created_at DESC LIMIT 1",
            ref=ref,
            id=uuid_in(ref),
        )
    if not isinstance(found, UUID):
        raise refuse("NOT_FOUND", "case", ref)
    return found


def open_escrow(uow: UnitOfWork, terms: AgreementTerms) -> Result:
    """Take a signed agreement into escrow; the state becomes SIGNED.

    The same agreement told again gives the case that is there; the same mediation number with other terms raises
    Refused BUSINESS_KEY_CONFLICT (say `replace_agreement`). Raises Refused on terms that contradict themselves.
    """
    check_terms(terms)
    known = uow.one(
        "SELECT id, terms_digest FROM escrow.escrow_case WHERE mediation_number = :number FOR UPDATE",
        number=terms.mediation_number,
    )
    if known is not None:
        if known["terms_digest"] != terms.digest():
            raise refuse(
                "BUSINESS_KEY_CONFLICT", "terms", terms.mediation_number, "the terms that were signed first"
            )
        return Result(id=known["id"])
    case_id = uow.new_id()
    uow.execute(
        "INSERT INTO escrow.escrow_case (id, dispute, mediation_number, agreement_no, title, agreed_fen, grace_days,"
        " acceleration, needs_confirmation, signed_on, prefixes, terms_digest, created_at) VALUES (:id, :dispute, :number,"
        " :agreement_no, :title, :agreed, :grace, :acceleration, :needs, :signed_on, CAST(:prefixes AS jsonb), :digest, :at)",
        id=case_id, dispute=terms.dispute, number=terms.mediation_number, agreement_no=terms.agreement_no,
        title=terms.title, agreed=int(terms.agreed), grace=terms.grace_days, acceleration=terms.acceleration,
        needs=terms.needs_confirmation, signed_on=terms.signed_on, digest=terms.digest(), at=uow.now,
        prefixes=orjson.dumps(dict(terms.prefixes)).decode(),
    )  # fmt: skip
    _store_terms(uow, case_id, 1, terms)
    events = case_state.move(uow, case_id, "sign")
    events.append(case_state.event(uow, case_id, "ESCROW_SIGNED", agreed_fen=int(terms.agreed)))
    return Result(events, case_id)


def _store_terms(uow: UnitOfWork, case_id: UUID, version: int, terms: AgreementTerms) -> None:
    for party in terms.parties:
        party_id = uow.new_id()
        uow.execute(
            "INSERT INTO escrow.party (id, case_id, version, key, role, kind, name, id_number, since)"
            " VALUES (:id, :case_id, :version, :key, :role, :kind, :name, :id_number, :at)",
            id=party_id, case_id=case_id, version=version, key=party.key, role=party.role, kind=party.kind,
            name=party.name, id_number=party.id_number, at=uow.now,
        )  # fmt: skip
        add_accounts(uow, party_id, [vars(account) for account in party.accounts])
    for each in terms.instalments:
        instalment = uow.new_id()
        uow.execute(
            "INSERT INTO escrow.instalment (id, case_id, version, number, due_on, fen, payer)"
            " VALUES (:id, :case_id, :version, :number, :due_on, :fen, :payer)",
            id=instalment, case_id=case_id, version=version, number=each.number, due_on=each.due_on,
            fen=int(each.fen), payer=each.payer,
        )  # fmt: skip
        uow.execute_many(
            "INSERT INTO escrow.share VALUES (:instalment, :payee, :fen)",
            [{"instalment": instalment, "payee": key, "fen": int(fen)} for key, fen in each.payees],
        )


def add_accounts(uow: UnitOfWork, party_id: UUID, accounts: list[dict[str, Any]]) -> None:
    """Store where a party pays from or is paid to; `accounts` as the fields of PayAccount."""
    uow.execute_many(
        "INSERT INTO escrow.pay_account (id, party, rail, number, name, bank_code, bank_name, extra) VALUES"
        " (:id, :party, :rail, :number, :name, :bank_code, :bank_name, jsonb_build_object('kind', CAST(:kind AS text)))",
        [{"id": uow.new_id(), "party": party_id, **account} for account in accounts],
    )


def record_subaccount(uow: UnitOfWork, desk: RailDesk, case: UUID | str, rail_id: str, number: str) -> Result:
    """Enter the sub-account that the holder opened for a case; the escrow becomes OPEN.

    Told again with the same number: nothing. Raises Refused BUSINESS_KEY_CONFLICT when the case has another one
    on this rail, or the number belongs to another case.
    """
    case_id = find_case(uow, case)
    said(number, "number", expected="the account's number")
    # Statements lock an account before its case: so do we.
    uow.execute(
        "SELECT 1 FROM escrow.bank_account WHERE rail = :rail AND number = :n FOR NO KEY UPDATE",
        rail=rail_id,
        n=number,
    )
    ledger.lock_case(uow, case_id)
    for known in uow.all(
        "SELECT number, case_id, kind FROM escrow.bank_account WHERE rail = :rail AND (case_id = :case_id OR number = :number)",
        rail=rail_id, case_id=case_id, number=number,
    ):  # fmt: skip
        if (known["number"], known["case_id"]) == (number, case_id):
            return Result(id=case_id)
        if known["kind"] != "OTHER":
            raise refuse("BUSINESS_KEY_CONFLICT", "number", number, known["number"])
    uow.execute(
        "INSERT INTO escrow.bank_account (rail, number, custody, kind, case_id) VALUES (:rail, :number, :custody, 'SUB', :case)"
        " ON CONFLICT (rail, number) DO UPDATE SET kind = 'SUB', case_id = excluded.case_id",
        rail=rail_id, number=number, custody=custody_of(uow, desk, rail_id), case=case_id,
    )  # fmt: skip
    uow.execute(
        "UPDATE escrow.account_request SET number = :number WHERE case_id = :case AND rail = :rail",
        number=number, case=case_id, rail=rail_id,
    )  # fmt: skip
    events = case_state.move_if_allowed(uow, case_id, "open_account")
    events.append(case_state.event(uow, case_id, "ESCROW_OPENED", rail=rail_id, account=number))
    return Result(events, case_id)


def request_subaccount(uow: UnitOfWork, case: UUID | str, rail_id: str) -> Result:
    """Note that a sub-account is to be asked for; a worker asks (`claim_account_requests`). Harmless twice."""
    case_id = find_case(uow, case)
    uow.execute(
        "INSERT INTO escrow.account_request (case_id, rail, request_no, asked_at, next_try) VALUES"
        " (:case, :rail, :no, :at, :at) ON CONFLICT (case_id, rail) DO NOTHING",
        case=case_id, rail=rail_id, no=_request_number(case_id, rail_id), at=uow.now,
    )  # fmt: skip
    uow.wake()
    return Result(id=case_id)


def _request_number(case_id: UUID, rail_id: str) -> str:
    """Number of the request for a case's sub-account: a case asks each rail once, each under a number of its own."""
    return f"SUB{sha256_hex(f'{case_id}/{rail_id}'.encode())[:32].upper()}"


def void_agreement(uow: UnitOfWork, case: UUID | str, reason: str, document: str) -> Result:
    """The parties cancelled the agreement in writing, or it was set aside: no more releases; money goes back to its
    source by refund orders, and what was paid is owed back by whom it was paid to. Raises Refused DOCUMENT_REQUIRED,
    ILLEGAL_STATE when it is void already."""
    case_id = find_case(uow, case)
    row = ledger.lock_case(uow, case_id)
    if row["void_at"] is not None:
        raise refuse("ILLEGAL_STATE", "agreement", "VOID", "an agreement in force")
    text = f"{said(reason, 'reason')} · {said(document, 'document', 'DOCUMENT_REQUIRED', 'the paper')}"
    uow.execute(
        "UPDATE escrow.escrow_case SET void_at = :at, void_reason = :text WHERE id = :id",
        at=uow.now,
        text=text,
        id=case_id,
    )
    result = Result([case_state.event(uow, case_id, "AGREEMENT_VOID", reason=text)], case_id)
    result.add(stops.place(uow, case_id, "AGREEMENT_VOID", "RELEASES_HELD", text))
    result.events += recoveries.reckon(uow, case_id)
    return result


def replace_agreement(uow: UnitOfWork, case: UUID | str, terms: AgreementTerms) -> Result:
    """New terms, newly signed, take the place of the old ones for the same case and the same money.

    Raises Refused ILLEGAL_STATE while an order is under way, OVER_AUTHORISED when more was released than the new
    terms give.
    """
    check_terms(terms)
    case_id = find_case(uow, case)
    row = ledger.lock_case(uow, case_id)
    live = uow.scalar(
        "SELECT number FROM escrow.payment_order WHERE case_id = :id AND state IN ('DRAFTED', 'CHECKED', 'RELEASED',"
        " 'DISPATCHING', 'SENT') LIMIT 1",
        id=case_id,
    )
    if live is not None or row["void_at"] is not None:
        raise refuse("ILLEGAL_STATE", "orders", live or "VOID", "no order under way, an agreement in force")
    released = int(case_state.figures(uow, case_id)["released_fen"])
    if released > terms.agreed:
        raise refuse(
            "OVER_AUTHORISED", "instalments", terms.agreed, f"at least {released}, which was released"
        )
    version = int(row["version"]) + 1
    _store_terms(uow, case_id, version, terms)
    uow.execute(
        "UPDATE escrow.escrow_case SET version = :version, agreed_fen = :agreed, terms_digest = :digest,"
        " agreement_no = :agreement_no, grace_days = :grace, acceleration = :acceleration, signed_on = :signed_on,"
        " confirmation = 'NONE' WHERE id = :id",
        version=version, agreed=int(terms.agreed), digest=terms.digest(), agreement_no=terms.agreement_no,
        grace=terms.grace_days, acceleration=terms.acceleration, signed_on=terms.signed_on, id=case_id,
    )  # fmt: skip
    events = [
        case_state.event(uow, case_id, "AGREEMENT_REPLACED", version=version, agreed_fen=int(terms.agreed))
    ]
    events += case_state.allocate(uow, case_id)
    events += case_state.move_if_allowed(uow, case_id, "credit") if released == 0 else []
    return Result(events, case_id)


def note_withdrawal(uow: UnitOfWork, case: UUID | str) -> Result:
    """Another agency withdrew the matter: the agreement is untouched, money in flight is not called back, and a
    person sees MONEY_IN_FLIGHT for as long as some is (stories, S04)."""
    case_id = find_case(uow, case)
    ledger.lock_case(uow, case_id)
    uow.execute(
        "UPDATE escrow.escrow_case SET withdrawn_at = coalesce(withdrawn_at, :at) WHERE id = :id",
        at=uow.now,
        id=case_id,
    )
    flying = int(case_state.figures(uow, case_id)["in_transit_fen"])
    return Result([case_state.event(uow, case_id, "MONEY_IN_FLIGHT", fen=flying)] if flying else [], case_id)
