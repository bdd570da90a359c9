"""Asks the registers whether payees are alive before money goes to them (gateway contract, habit 8).

Each question has a matter and a purpose, is covered by a sharing agreement and leaves a line in the disclosure log
before it is asked; the answer comes in through the same inbox as every message, and what follows from it stands in the
choreography.
"""

from __future__ import annotations

import logging
from typing import Any

import escrow
from connectors import Connector, all_connectors
from foundation import inbox, outbox
from foundation.unit_of_work import unit_of_work
from foundation.wire import Wire
from hub import sharing
from hub.pipeline import Hub, process
from hub.sending import connector_context, keep_state
from schemas.findings import Refused

log = logging.getLogger("concord.payees")
PAYING = ("FUNDED", "PART_FUNDED", "RELEASING")
MOST = 500
PURPOSE = "核实收款人是否健在"


def check_payees(hub: Hub) -> dict[str, Any]:
    """Ask about every payee of a case from which money may still go; returns counts."""
    registers = [each for each in all_connectors().values() if each.has("checks_persons") and each.client]
    payees = _payees(hub)
    counts = {"payees": len(payees), "asked": 0, "away": 0}
    wire = Wire()
    try:
        for adapter in registers:
            for payee in payees:
                counts["asked" if _ask(hub, wire, adapter, payee) else "away"] += 1
    finally:
        wire.close()
    return counts


def _payees(hub: Hub) -> list[dict[str, str]]:
    """Persons who are to be paid, each once a case: name, number, mediation number."""
    found = []
    with unit_of_work(hub.engine) as uow:
        for state in PAYING:
            for case in escrow.list_cases(uow, state=state, limit=MOST):
                for party in escrow.escrow_detail(uow, case["mediation_number"])["parties"]:
                    if (
                        party["role"] == "PAYEE"
                        and party["active"]
                        and party["kind"] == "person"
                        and party["id_number"]
                    ):
                        found.append(
                            {
                                "name": party["name"],
                                "number": party["id_number"],
                                "matter": case["mediation_number"],
                                "operator": uow.actor.id,
                                "purpose": PURPOSE,
                            }
                        )
    return found[:MOST]


def _ask(hub: Hub, wire: Wire, adapter: Connector, payee: dict[str, str]) -> bool:
    with unit_of_work(hub.engine) as uow:
        context = connector_context(hub, uow, adapter)
        try:
            # Written down before it leaves: a question that went out is in the log whatever happens next.
            asked_of = sharing.shared_view(
                uow, adapter.id, "payee", dict(payee), "PAYEE_CHECK", subject=payee["matter"]
            ).record
        except Refused:
            sharing.not_shared(uow, adapter.id, "payee", "PAYEE_CHECK")
            return False
    assert adapter.client is not None
    try:
        asked = adapter.client.ask(wire, context, "person", asked_of)
    except (
        Exception
    ) as error:  # away, over its quota, stopped: said by its own page, asked again by the next run
        log.warning("%s could not be asked: %s", adapter.id, error)
        with unit_of_work(hub.engine) as uow:
            keep_state(uow, adapter.id, context.state)
            outbox.note_partner(uow, adapter.id, ok=False, error=str(error))
        return False
    with unit_of_work(hub.engine) as uow:
        keep_state(uow, adapter.id, context.state)
        outbox.note_partner(uow, adapter.id, ok=True)
        stored = [inbox.store_in(uow, message) for message in asked.messages]
    for each in stored:
        process(hub, each.id)
    return True
