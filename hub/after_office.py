"""What follows when the office accepts, moves, signs or sets aside (called by the choreography's table)."""

from __future__ import annotations

from typing import Any

import escrow
import mediation
from foundation.unit_of_work import UnitOfWork
from hub import money_terms, notices, office_records

Event = dict[str, Any]


def tell_matter(uow: UnitOfWork, event: Event) -> list[Event]:
    return office_records.tell_matter(uow, event["matter"])


def matter_number(uow: UnitOfWork, event: Event) -> str:
    found = mediation.matter(uow, event["matter"])
    assert found is not None
    return str(found["mediation_number"])


def taken_up(uow: UnitOfWork, event: Event) -> None:
    notices.tell(uow, "taken_up", matter_number(uow, event))


def moved(uow: UnitOfWork, event: Event) -> None:
    if event["move"] == "fail":
        notices.tell(uow, "failed", matter_number(uow, event), outcome="FAILED")


def open_escrow(uow: UnitOfWork, event: Event) -> list[Event]:
    """A signed agreement opens an escrow, meets the one opened on its paper, or takes the place of the former terms."""
    terms = money_terms.terms_of(uow, event["matter"])
    if terms is None:
        return []
    if event.get("replaces"):
        return list(escrow.replace_agreement(uow, terms.mediation_number, terms).events)
    if escrow.awaits_entry(uow, terms.mediation_number):
        return list(escrow.enter_agreement(uow, terms).events)
    events = list(escrow.open_escrow(uow, terms).events)
    for rail_id in money_terms.account_rails():
        events += escrow.request_subaccount(uow, terms.mediation_number, rail_id).events
    return events


def agreed(uow: UnitOfWork, event: Event) -> None:
    if not event.get("told_before"):
        notices.tell(uow, "agreed", matter_number(uow, event), outcome="AGREED")


def void_escrow(uow: UnitOfWork, event: Event) -> list[Event]:
    number = matter_number(uow, event)
    if escrow.has_case(uow, number):
        return list(
            escrow.void_agreement(uow, number, event["reason"], f"agreement {event['agreement']}").events
        )
    return []


def confirmation_moved(uow: UnitOfWork, event: Event) -> None:
    if event["move"] == "apply":
        number = matter_number(uow, event)
        notices.tell(uow, "confirmation_application", number, outcome="CONFIRMATION_APPLICATION")
