"""What one room does because of another: one table, event → action.

Rooms return events and know nothing of each other; this is the only place that joins them. Everything that
follows from a message or an act happens in its transaction.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

import case_registry
import escrow
import mediation
from foundation.journal import raise_alarm
from foundation.unit_of_work import UnitOfWork
from hub import money_terms, notices, office_records
from schemas.state_machine import IllegalMove

log = logging.getLogger("concord.choreography")
Event = dict[str, Any]
MOST_STEPS = 500


def follow(uow: UnitOfWork, events: Iterable[Event], inbox_id: UUID | None = None) -> int:
    """Carry out what follows from events, and what follows from that; returns how many events there were.

    Raises RuntimeError when it does not come to an end: a loop in the table is a fault of ours.
    """
    waiting = deque(events)
    touched: set[str] = set()
    count = 0
    while waiting:
        event = waiting.popleft()
        count += 1
        if count > MOST_STEPS:
            raise RuntimeError(f"choreography does not end: {event.get('event')}")
        for action in ACTIONS.get(event["event"], ()):
            waiting.extend(action(uow, event) or ())
        if event.get("mediation_number") and "case_id" in event:
            touched.add(event["mediation_number"])
        if not waiting:
            for number in sorted(touched):
                waiting.extend(_summarise(uow, number))
            touched.clear()
        _publish(uow, event, inbox_id)
    return count


def _publish(uow: UnitOfWork, event: Event, inbox_id: UUID | None) -> None:
    """Tell subscribers that something happened: names and numbers, no personal data."""
    shown = {
        name: event[name]
        for name in (
            "dispute",
            "dispute_id",
            "mediation_number",
            "stage",
            "holder",
            "number",
            "state",
            "after",
        )
        if event.get(name) is not None
    }
    uow.publish(str(event["event"]).lower(), inbox=inbox_id, **shown)


# -- the office ------------------------------------------------------------------------------------------


def _tell_matter(uow: UnitOfWork, event: Event) -> list[Event]:
    return office_records.tell_matter(uow, event["matter"])


def _matter_number(uow: UnitOfWork, event: Event) -> str:
    found = mediation.matter(uow, event["matter"])
    assert found is not None
    return str(found["mediation_number"])


def _taken_up(uow: UnitOfWork, event: Event) -> None:
    notices.tell(uow, "taken_up", _matter_number(uow, event))


def _moved(uow: UnitOfWork, event: Event) -> None:
    if event["move"] == "fail":
        notices.tell(uow, "failed", _matter_number(uow, event), outcome="FAILED")


def _open_escrow(uow: UnitOfWork, event: Event) -> list[Event]:
    """A signed agreement opens an escrow, or takes the place of the former terms."""
    terms = money_terms.terms_of(uow, event["matter"])
    if terms is None:
        return []
    if event.get("replaces"):
        return list(escrow.replace_agreement(uow, terms.mediation_number, terms).events)
    events = list(escrow.open_escrow(uow, terms).events)
    for rail_id in money_terms.account_rails():
        events += escrow.request_subaccount(uow, terms.mediation_number, rail_id).events
    return events


def _agreed(uow: UnitOfWork, event: Event) -> None:
    if not event.get("told_before"):
        notices.tell(uow, "agreed", _matter_number(uow, event), outcome="AGREED")


def _void_escrow(uow: UnitOfWork, event: Event) -> list[Event]:
    number = _matter_number(uow, event)
    if escrow.has_case(uow, number):
        return list(
            escrow.void_agreement(uow, number, event["reason"], f"agreement {event['agreement']}").events
        )
    return []


def _confirmation_moved(uow: UnitOfWork, event: Event) -> None:
    if event["move"] == "apply":
        number = _matter_number(uow, event)
        notices.tell(uow, "confirmation_application", number, outcome="CONFIRMATION_APPLICATION")


# -- what agencies reported ------------------------------------------------------------------------------


def _confirmation_result(uow: UnitOfWork, event: Event) -> list[Event]:
    """A court confirmed, refused or revoked: the agreement and the escrow follow; another sum stops releases."""
    for number in _office_numbers(uow, event):
        matter = mediation.matter_by_number(uow, number)
        live = mediation.live_agreement(uow, matter["id"]) if matter else None
        if live is not None:
            return _confirmed(uow, event, number, live)
    return []


def _confirmed(uow: UnitOfWork, event: Event, number: str, live: dict[str, Any]) -> list[Event]:
    moves = {"CONFIRMED": "confirm", "REFUSED": "refuse", "WITHDRAWN": "refuse", "REVOKED": "revoke"}
    events: list[Event] = []
    try:
        events += mediation.move_confirmation(uow, live["id"], moves[event["result"]])
    except IllegalMove:
        log.info("confirmation of %s was already %s", number, live["confirmation"])
    amount = event.get("amount_fen")
    if event["result"] == "CONFIRMED" and amount is not None and amount != live["total_fen"]:
        raise_alarm(
            uow, "AMOUNT_DIFFERS_FROM_AGREEMENT", number, role="reviewer",
            confirmed_fen=amount, agreed_fen=live["total_fen"],
        )  # fmt: skip
    if escrow.has_case(uow, number):
        events += escrow.confirmation_result(uow, number, event["result"], amount_fen=amount).events
    return events


def _court_document(uow: UnitOfWork, event: Event) -> list[Event]:
    """A court's freeze, extension, lifting or deduction acts on the escrow account it names."""
    return list(escrow.take_court_document(uow, money_terms.court_document(event)).events)


def _enforcement(uow: UnitOfWork, event: Event) -> list[Event]:
    events: list[Event] = []
    for number in _office_numbers(uow, event):
        if escrow.has_case(uow, number):
            events += escrow.enforcement_filed(uow, number).events
    return events


def _withdrawn(uow: UnitOfWork, event: Event) -> list[Event]:
    events: list[Event] = []
    for number in _office_numbers(uow, event):
        if event["agency"] != "mediation" and escrow.has_case(uow, number):
            events += escrow.note_withdrawal(uow, number).events
    return events


def _office_numbers(uow: UnitOfWork, event: Event) -> list[str]:
    """Mediation numbers of the office's own cases in the dispute that an event is about."""
    if not event.get("dispute"):
        return []
    record = case_registry.dispute(uow, event["dispute"])
    return [each["native_id"] for each in record["episodes"] if each["agency"] == "mediation"]


# -- money -----------------------------------------------------------------------------------------------


def _summarise(uow: UnitOfWork, mediation_number: str) -> list[Event]:
    """The registry shows what the escrow says of itself."""
    if not escrow.has_case(uow, mediation_number):
        return []
    refs = case_registry.disputes_of(uow, mediation_number)
    if not refs:
        return []
    whole = escrow.escrow_case(uow, mediation_number)
    summary = {
        name: value for name, value in whole.items() if name in ("state", "flags") or name.endswith("_fen")
    }
    return list(case_registry.escrow_summary(uow, refs[0].id, summary))


def _completed(uow: UnitOfWork, event: Event) -> None:
    """All is paid and proved: the agencies are told, with the sum."""
    notices.tell(
        uow, "performed", event["mediation_number"], outcome="PERFORMED", paid_fen=event.get("released_fen"),
        mark=str(event.get("version", "")),
    )  # fmt: skip


def _defaulted(uow: UnitOfWork, event: Event) -> None:
    summary = escrow.escrow_case(uow, event["mediation_number"])
    notices.tell(
        uow, "defaulted", event["mediation_number"], outcome="DEFAULTED", paid_fen=summary["released_fen"]
    )


def _late_money(uow: UnitOfWork, event: Event) -> None:
    notices.tell(
        uow, "late_money", event["mediation_number"], received_fen=event.get("fen"), received_on=uow.now.isoformat(),
        mark=str(event.get("fen")),
    )  # fmt: skip


ACTIONS: dict[str, tuple[Callable[[UnitOfWork, Event], Iterable[Event] | None], ...]] = {
    "matter_accepted": (_tell_matter, _taken_up),
    "matter_moved": (_tell_matter, _moved),
    "agreement_signed": (_tell_matter, _open_escrow, _agreed),
    "agreement_void": (_tell_matter, _void_escrow),
    "confirmation_moved": (_confirmation_moved,),
    "confirmation_result": (_confirmation_result,),
    "hold_ordered": (_court_document,),
    "enforcement_filed": (_enforcement,),
    "withdrawal": (_withdrawn,),
    "ESCROW_COMPLETED": (_completed,),
    "ESCROW_DEFAULTED": (_defaulted,),
    "LATE_MONEY": (_late_money,),
}


def notice_delivered(uow: UnitOfWork, row: RowMapping) -> None:
    """A partner acknowledged a notice: one less is owed for its dispute."""
    number = row["body"].get("mediation_number")
    if number:
        follow(uow, notices.count_owed(uow, number))
