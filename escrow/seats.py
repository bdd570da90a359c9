"""A payee's seat, and another person in it: shares hang on the seat, orders on the person who sat in it when drafted."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from escrow import case_state, cases, stops
from escrow.results import Event, refuse, said
from escrow.terms import PartyTerms
from foundation.unit_of_work import UnitOfWork


def seat_of(uow: UnitOfWork, case_id: UUID, seat: str) -> RowMapping:
    """Who sits there now. Raises Refused PAYEE_NOT_AGREED."""
    row = uow.one(
        "SELECT p.* FROM escrow.party p JOIN escrow.escrow_case c ON c.id = p.case_id AND c.version = p.version"
        " WHERE p.case_id = :case AND p.key = :key AND p.role = 'PAYEE' AND p.active",
        case=case_id, key=seat,
    )  # fmt: skip
    if row is None:
        raise refuse("PAYEE_NOT_AGREED", "payee", seat, "a payee of the agreement")
    return row


def proposed(uow: UnitOfWork, case_id: UUID, seat: str, new: PartyTerms) -> dict[str, Any]:
    """What a proposal says of the person who is to take a seat. Raises Refused FIELD_MISSING, PAYEE_NOT_AGREED."""
    said(new.name, "payee.name", expected="a name")
    if not new.accounts or any(not account.number.strip() for account in new.accounts):
        raise refuse("FIELD_MISSING", "payee.accounts", "", "an account to be paid to")
    seat_of(uow, case_id, seat)
    accounts = [vars(each) for each in new.accounts]
    return {
        "seat": seat,
        "name": new.name,
        "kind": new.kind,
        "id_number": new.id_number,
        "accounts": accounts,
    }


def give(
    uow: UnitOfWork, case_id: UUID, body: dict[str, Any], document: str
) -> tuple[RowMapping, UUID, list[Event]]:
    """The new person takes the seat; orders to the old one that have not left are stopped, new ones need approval.

    `body` as `proposed` made it. Returns who sat there, the new person's id, and events.
    """
    old = seat_of(uow, case_id, body["seat"])
    uow.execute("UPDATE escrow.party SET active = false WHERE id = :id", id=old["id"])
    party_id = uow.new_id()
    uow.execute(
        "INSERT INTO escrow.party (id, case_id, version, key, role, kind, name, id_number, since, document)"
        " VALUES (:id, :case, :version, :key, 'PAYEE', :kind, :name, :id_number, :at, :document)",
        id=party_id, case=case_id, version=old["version"], key=old["key"], kind=body["kind"], name=body["name"],
        id_number=body["id_number"], at=uow.now, document=document,
    )  # fmt: skip
    cases.add_accounts(uow, party_id, body["accounts"])
    events = [
        case_state.event(
            uow, case_id, "PAYEE_REPLACED", seat=old["key"], payee=body["name"], before=old["name"]
        )
    ]
    for order in uow.all(
        "SELECT id FROM escrow.payment_order WHERE case_id = :case AND payee = :key AND purpose = 'COMPENSATION'"
        " AND state IN ('DRAFTED', 'CHECKED', 'RELEASED')",
        case=case_id,
        key=old["key"],
    ):
        events += stops.halt(uow, order["id"], "收款人已更换")
    return old, party_id, events
