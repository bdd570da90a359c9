"""Decisions about the record: one dispute or two, taking such a word back, and which of two values holds."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

import case_registry
from console.access import Work, need
from console.acts import Taken
from console.filled import Filled
from console.pages import page
from console.texts import say
from foundation.journal import disclose
from foundation.unit_of_work import UnitOfWork
from hub import seeing
from schemas.claims import JsonValue
from schemas.findings import Finding, Refused

router = APIRouter()
LOOK = ("reviewer", "intake_clerk", "administrator", "auditor", "supervision_officer")
DECIDE = ("reviewer", "administrator")
SETTLE = ("reviewer", "administrator", "supervision_officer")
# What is shown of both sides beside each other, in this order.
COMPARED = (
    "case_number", "cause", "claimed_fen", "agreed_fen", "occurred_on", "opened_on", "place_text", "organisation",
    "mediator", "narrative",
)  # fmt: skip


@router.get("/proposals/{proposal_id}")
def proposal(request: Request, proposal_id: UUID, uow: Work) -> HTMLResponse:
    """Two records side by side, the reasons field by field, and the decision."""
    need(uow.actor, *LOOK)
    reader = case_registry.reader_for(uow.actor, "link")
    found = next(
        (
            each
            for each in case_registry.proposals(uow, limit=500, reader=reader)
            if each["id"] == proposal_id
        ),
        None,
    )
    if found is None:
        raise Refused(Finding("NOT_FOUND", "proposal", str(proposal_id)))
    sides = [_side(uow, found[side], reader) for side in ("one", "other")]
    names = [name for name in COMPARED if any(name in side["values"] for side in sides)]
    return page(
        request, "proposal.html", proposal=found, sides=sides, names=names, may=uow.actor.has(*DECIDE)
    )  # fmt: skip


def _side(uow: UnitOfWork, told: dict[str, Any], reader: case_registry.Reader) -> dict[str, Any]:
    """One side: the dispute it stands in now, and what its own case says."""
    record = case_registry.dispute(uow, told["dispute"], reader=reader)
    assert record is not None
    # Each look leaves a line, a look beside another record too.
    disclose(
        uow, recipient=uow.actor.id, purpose=reader.purpose, subject=record["number"], fields=["record"],
        basis="个人信息保护法 第13条第3项",
    )  # fmt: skip
    own = [each for each in record["episodes"] if each["native_id"] == told["native_id"]]
    values: dict[str, Any] = {}
    for each in own:
        values |= {name: value["value"] for name, value in each["fields"].items()}
    return {**told, "record": record, "values": values, "kinds": [each["proceeding_kind"] for each in own]}


@router.post("/proposals/{proposal_id}")
def decide(proposal_id: UUID, act: Taken) -> Response:
    need(act.uow.actor, *DECIDE)
    verdict = act.told.choice("verdict", ("same", "different"))
    reason = act.told.reason()
    act.told.check()
    seeing.check_registry(act.uow, "proposal", proposal_id, "link")
    same = verdict == "same"
    act.follow(case_registry.decide_link(act.uow, proposal_id, same, reason))
    return act.done("/", say("已确认为同一纠纷") if same else say("已确认为不同纠纷"))


@router.post("/link-decisions/{decision_id}/undo")
def undo(decision_id: UUID, act: Taken) -> Response:
    need(act.uow.actor, *DECIDE)
    reason = act.told.reason()
    number = act.told.text("number", required=True)
    act.told.check()
    seeing.check_registry(act.uow, "link_decision", decision_id, "link")
    act.follow(case_registry.undo_link(act.uow, decision_id, reason))
    return act.done(f"/disputes/{quote(number)}", say("已撤销归并决定，两份档案各自恢复"))


@router.post("/conflicts/{conflict_id}")
def settle(conflict_id: UUID, act: Taken) -> Response:
    """One of the sources' values holds, or a third one; the decision is kept with its reason."""
    need(act.uow.actor, *SETTLE)
    found = next(
        (
            each
            for each in case_registry.conflicts(
                act.uow, limit=500, reader=case_registry.reader_of(act.uow.actor)
            )
            if each["id"] == conflict_id
        ),
        None,
    )
    if found is None:
        raise Refused(Finding("NOT_FOUND", "conflict", str(conflict_id)))
    reason = act.told.reason()
    value = _chosen(act.told, found)
    act.told.check()
    act.follow(case_registry.decide_conflict(act.uow, conflict_id, value, reason))
    return act.done(f"/disputes/{quote(found['dispute'])}#record", say("已裁定，理由已记入档案"))


def _chosen(told: Filled, conflict: dict[str, Any]) -> JsonValue:
    voices = conflict["voices"]
    choice = told.choice("voice", [*map(str, range(len(voices))), "other"])
    if choice != "other":
        value: JsonValue = voices[int(choice)]["value"] if choice else None
        return value
    if conflict["field"].endswith("_fen"):
        return told.fen("other")
    if conflict["field"] == "people_count":
        return told.whole("other", 1, 100_000, 1)
    return told.text("other", required=True)
