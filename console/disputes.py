"""Disputes on the screen: the list, one record with its sources, proposals to decide."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, Response

import case_registry
from console.access import Genuine, Work, back, need
from console.pages import page
from foundation.journal import disclose
from hub import choreography
from schemas.findings import Finding, Refused

router = APIRouter()
READERS = (
    "intake_clerk", "mediator", "reviewer", "assessor", "administrator", "cashier", "checker", "releaser",
    "supervision_officer", "auditor", "operator",
)  # fmt: skip
SEES_SEALED = ("supervision_officer", "auditor")
STAGES = (
    "IN_PETITION", "MEDIATING", "MEDIATION_FAILED", "AGREED", "CONFIRMED", "CONFIRMATION_REFUSED", "IN_COURT",
    "IN_ARBITRATION", "AWARDED", "ENFORCEMENT", "CLOSED",
)  # fmt: skip


@router.get("/disputes")
def disputes(
    request: Request,
    uow: Work,
    stage: str = Query(default="", max_length=30),
    holder: str = Query(default="", max_length=30),
    flag: str = Query(default="", max_length=60),
    lamp: str = Query(default="", max_length=10),
    text: str = Query(default="", max_length=60),
    after: str = Query(default="", max_length=60),
) -> HTMLResponse:
    need(uow.actor, *READERS)
    filters = case_registry.Filters(
        stage=stage, holder=holder, flag=flag, lamp=lamp, text=text, sealed=uow.actor.has(*SEES_SEALED)
    )
    start: tuple[datetime, int] | None = None
    if after:
        at, _, seq = after.rpartition("~")
        try:
            start = (datetime.fromisoformat(at), int(seq))
        except ValueError:
            raise Refused(Finding("CODE_UNKNOWN", "after", after, "a page mark of this list")) from None
    found = case_registry.find_disputes(uow, filters, after=start)
    following = f"{found.next[0].isoformat()}~{found.next[1]}" if found.next else ""
    return page(
        request, "disputes.html", rows=found.rows, following=following, filters=filters, stages=STAGES,
        board=case_registry.board(uow) if not after else None,
    )  # fmt: skip


@router.get("/disputes/{number:path}")
def dispute(
    request: Request,
    number: str,
    uow: Work,
    true_on: date | None = None,
    known_on: date | None = None,
) -> HTMLResponse:
    """One record: every value with who said it; episodes, clocks, links, money, time line."""
    need(uow.actor, *READERS)
    refs = case_registry.disputes_of(uow, number)
    if not refs:
        raise Refused(Finding("NOT_FOUND", "number", number, "纠纷编号或任一单位的案件编号"))
    moment = datetime.combine(known_on, datetime.max.time()).astimezone() if known_on else None
    found = case_registry.dispute(uow, refs[0].number, as_true_on=true_on, as_known_on=moment)
    if found["sealed"] and not uow.actor.has(*SEES_SEALED):
        raise Refused(Finding("NOT_FOUND", "number", number, "纠纷编号或任一单位的案件编号"))
    disclose(
        uow, recipient=uow.actor.id, purpose="read", subject=refs[0].number, fields=["record"],
        basis="个人信息保护法 第13条第3项",
    )  # fmt: skip
    office = [each["native_id"] for each in found["episodes"] if each["agency"] == "mediation"]
    lines = case_registry.timeline(uow, refs[0].number)
    return page(request, "dispute.html", dispute=found, timeline=lines, office=office, true_on=true_on, known_on=known_on)


@router.get("/proposals/{proposal_id}")
def proposal(request: Request, proposal_id: UUID, uow: Work) -> HTMLResponse:
    """Two records side by side, the reasons field by field, and the decision."""
    need(uow.actor, "reviewer", "intake_clerk", "administrator", "auditor", "supervision_officer")
    found = next((each for each in case_registry.proposals(uow, limit=500) if each["id"] == proposal_id), None)
    if found is None:
        raise Refused(Finding("NOT_FOUND", "proposal", str(proposal_id), "待确认的归并建议（可能已由他人办理）"))
    sides = [case_registry.dispute(uow, found[side]["dispute"]) for side in ("one", "other")]
    return page(request, "proposal.html", proposal=found, sides=sides)


@router.post("/proposals/{proposal_id}", dependencies=[Genuine])
def decide(
    proposal_id: UUID,
    uow: Work,
    verdict: Annotated[str, Form(pattern="^(same|different)$")],
    reason: Annotated[str, Form(max_length=500)],
) -> Response:
    need(uow.actor, "reviewer", "administrator")
    choreography.follow(uow, case_registry.decide_link(uow, proposal_id, verdict == "same", reason))
    return back("/", "已确认为同一纠纷" if verdict == "same" else "已确认为不同纠纷")


@router.post("/link-decisions/{decision_id}/undo", dependencies=[Genuine])
def undo(decision_id: UUID, uow: Work, reason: Annotated[str, Form(max_length=500)], number: Annotated[str, Form()]) -> Response:
    need(uow.actor, "reviewer", "administrator")
    choreography.follow(uow, case_registry.undo_link(uow, decision_id, reason))
    return back(f"/disputes/{number}", "已撤销归并决定，两份档案各自恢复")


@router.post("/conflicts/{conflict_id}", dependencies=[Genuine])
def settle(
    conflict_id: UUID,
    uow: Work,
    value: Annotated[str, Form(max_length=4000)],
    reason: Annotated[str, Form(max_length=500)],
    number: Annotated[str, Form()],
) -> Response:
    need(uow.actor, "reviewer", "administrator", "supervision_officer")
    import orjson

    choreography.follow(uow, case_registry.decide_conflict(uow, conflict_id, orjson.loads(value), reason))
    return back(f"/disputes/{number}", "已裁定，理由已记入档案")
