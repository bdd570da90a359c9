"""What follows from what agencies reported: confirmations, court documents, enforcement, awards, deaths."""

from __future__ import annotations

import logging
from typing import Any

import case_registry
import escrow
import mediation
from foundation.journal import raise_alarm
from foundation.unit_of_work import UnitOfWork
from hub import money_terms
from schemas.findings import Refused
from schemas.state_machine import IllegalMove

log = logging.getLogger("concord.choreography")
Event = dict[str, Any]


def confirmation_result(uow: UnitOfWork, event: Event) -> list[Event]:
    """A court confirmed, refused or revoked: the agreement and the escrow follow; another sum stops releases."""
    for number in office_numbers(uow, event):
        matter = mediation.matter_by_number(uow, number)
        live = mediation.live_agreement(uow, matter["id"]) if matter else None
        if live is not None:
            return confirmed(uow, event, number, live)
    return []


def confirmed(uow: UnitOfWork, event: Event, number: str, live: dict[str, Any]) -> list[Event]:
    moves = {"CONFIRMED": "confirm", "REFUSED": "refuse", "WITHDRAWN": "refuse", "REVOKED": "revoke"}
    events: list[Event] = []
    try:
        events += mediation.move_confirmation(uow, live["id"], moves[event["result"]])
    except IllegalMove:
        log.info("confirmation of %s was already %s", number, live["confirmation"])
        if event.get("said_before"):
            return []
    amount = event.get("amount_fen")
    if event["result"] == "CONFIRMED" and amount is not None and amount != live["total_fen"]:
        raise_alarm(
            uow, "AMOUNT_DIFFERS_FROM_AGREEMENT", number, role="reviewer",
            confirmed_fen=amount, agreed_fen=live["total_fen"],
        )  # fmt: skip
    if escrow.has_case(uow, number):
        events += escrow.confirmation_result(uow, number, event["result"], amount_fen=amount).events
    return events


def court_document(uow: UnitOfWork, event: Event) -> list[Event]:
    """A court's freeze, extension, lifting or deduction acts on the escrow account it names."""
    paper = money_terms.court_document(event)
    try:
        with uow.conn.begin_nested():
            return list(escrow.take_court_document(uow, paper).events)
    except Refused as refused:
        # What the court said stays on record; what the books cannot do with it is for a person, at once.
        raise_alarm(
            uow, "court_document_refused", f"{paper.account}/{paper.document_no}", role="cashier",
            findings=[finding.as_dict() for finding in refused.findings],
        )  # fmt: skip
        return []


def court_document_left(uow: UnitOfWork, event: Event) -> None:
    """A court's document that acts on nothing yet: its account is no case's, or its freeze has not come."""
    raise_alarm(
        uow, event["event"].lower(), f"{event.get('account') or event.get('mediation_number')}/{event['document_no']}",
        role="cashier", refers_to=event.get("refers_to", ""),
    )  # fmt: skip


def enforcement(uow: UnitOfWork, event: Event) -> list[Event]:
    events: list[Event] = []
    for number in office_numbers(uow, event):
        if not escrow.has_case(uow, number):
            continue
        if not (event.get("said_before") and escrow.escrow_case(uow, number)["state"].startswith("ENFORCE")):
            events += escrow.enforcement_filed(uow, number).events
    return events


def withdrawn(uow: UnitOfWork, event: Event) -> list[Event]:
    events: list[Event] = []
    for number in office_numbers(uow, event):
        if event["agency"] == "court" and escrow.has_case(uow, number):
            events += escrow.note_withdrawal(uow, number).events
    return events


def office_numbers(uow: UnitOfWork, event: Event) -> list[str]:
    """Mediation numbers of the office's own cases in the dispute that an event is about."""
    if not event.get("dispute"):
        return []
    record = case_registry.dispute(uow, event["dispute"])
    return [each["native_id"] for each in record["episodes"] if each["agency"] == "mediation"]


def person_checked(uow: UnitOfWork, event: Event) -> list[Event]:
    """A register says that a person has died: no more money goes to that payee until a document is accepted."""
    if event.get("alive") is not False:
        return []
    events: list[Event] = []
    for dispute in event.get("disputes", ()):
        for number in office_numbers(uow, dispute):
            for party in escrow.escrow_detail(uow, number)["parties"] if escrow.has_case(uow, number) else ():
                if party["role"] == "PAYEE" and party["active"] and party["id_number"] == event.get("number"):
                    reason = f"登记机关告知收款人{party['name']}已死亡"
                    events += escrow.place_stop_by_rule(
                        uow,
                        escrow.find_case(uow, number),
                        "PAYEE_DEAD",
                        "PAYEE_DEAD",
                        reason,
                        payee=party["key"],
                    ).events
    return events


def overlap(uow: UnitOfWork, event: Event) -> list[Event]:
    """An award for the same sum as the agreement: that part stops until one title is gone or a person decides."""
    events: list[Event] = []
    for number in office_numbers(uow, event):
        if not escrow.has_case(uow, number):
            continue
        flags = case_registry.dispute(uow, event["dispute"])["flags"]
        # The flag stands for two titles only beside TWO_TRACKS; else it is the escrow's own stop that is shown.
        named = [flag for flag in flags if flag.startswith("OVERLAP:")] if "TWO_TRACKS" in flags else []
        fen = int(named[0].partition(":")[2]) if named else 0
        case = escrow.find_case(uow, number)
        if fen:
            reason = "仲裁裁决与调解协议标的重叠，避免重复给付"
            events += escrow.place_stop_by_rule(uow, case, "OVERLAP", "OVERLAP", reason, fen=fen).events
        else:
            events += escrow.end_stop_by_rule(uow, case, "OVERLAP", "重叠的裁决或仲裁已不存在").events
    return events


def catch_up(uow: UnitOfWork, event: Event) -> list[Event]:
    """Cases that were joined later: what an agency had said before is acted on now, as if it came now."""
    number = event.get("dispute")
    if not number:
        return []
    events: list[Event] = []
    for episode in case_registry.dispute(uow, number)["episodes"]:
        about = {name: episode[name] for name in ("partner", "agency", "native_id", "sub_id")} | {
            "dispute": number
        }
        if episode["confirmation"] and not episode["withdrawn"]:
            said = {**episode["confirmation"], **about, "event": "confirmation_result", "said_before": True}
            events += confirmation_result(uow, said)
        if episode["enforcement"] and episode["open"]:
            events += enforcement(uow, {**about, "event": "enforcement_filed", "said_before": True})
        if episode["awards"]:
            events += overlap(uow, {**about, "event": "award_issued"})
    return events
