"""Disputes over REST: list, record on both time axes, timeline, whereabouts, proposals, conflicts, hand-overs."""

from __future__ import annotations

import base64
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

import case_registry
from exchange_api.people import Caller, Work, hub_of, need
from foundation.journal import disclose
from foundation.unit_of_work import UnitOfWork
from hub import choreography, exporting, feedback, seeing
from hub.board_feed import BoardFeed
from schemas.findings import Finding, Refused

router = APIRouter(prefix="/v1", tags=["disputes 纠纷"])
READERS = (
    "intake_clerk", "mediator", "reviewer", "assessor", "administrator", "cashier", "checker", "releaser",
    "supervision_officer", "auditor", "operator",
)  # fmt: skip


NUMBER = "a dispute's number, or an agency's number for it"


class DecisionIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    accept: bool
    reason: str = Field(min_length=1, max_length=500)


class ValueIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    value: str | int | bool | list[str | int] | None
    reason: str = Field(min_length=1, max_length=500)


class FeedbackIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    native_id: str = Field(min_length=1, max_length=60)


def as_json(found: Any) -> Response:
    """An answer written at once: going through a model again costs more than the query."""
    return Response(orjson.dumps(found, default=str, option=orjson.OPT_UTC_Z), media_type="application/json")


def reader_of(uow: UnitOfWork, purpose: str, wish: str = "") -> case_registry.Reader:
    """Who looks and what for: as stated, else as wished where the roles allow it. Raises Refused on another's purpose."""
    try:
        if purpose:
            return case_registry.reader_of(uow.actor, purpose)
        return case_registry.reader_for(uow.actor, wish)
    except case_registry.NotAllowed as error:
        possible = ", ".join(case_registry.purposes_of(uow.actor.roles))
        raise Refused(Finding("NOT_AUTHORISED", "purpose", purpose, possible)) from error


Purpose = Annotated[
    str, Query(max_length=20, description="what for 用途; without it, the first that the roles have")
]


def found_number(uow: UnitOfWork, number: str, reader: case_registry.Reader | None = None) -> str:
    """Our number of the dispute that anybody calls by ``number``, if the reader may know of it. Raises Refused (404)."""
    refs = case_registry.disputes_of(uow, number, reader=reader)
    if not refs:
        raise Refused(Finding("NOT_FOUND", "number", number, NUMBER))
    return refs[0].number


def asked(
    stage: str = Query(default="", max_length=30),
    holder: str = Query(default="", max_length=30),
    town: str = Query(default="", max_length=60),
    flag: str = Query(default="", max_length=60),
    lamp: str = Query(default="", max_length=10),
    agency: str = Query(default="", max_length=30),
    text: str = Query(default="", max_length=60),
) -> case_registry.Filters:
    """What a caller wants listed."""
    return case_registry.Filters(
        stage=stage, holder=holder, town=town, flag=flag, lamp=lamp, agency=agency, text=text
    )


Asked = Annotated[case_registry.Filters, Depends(asked)]


@router.get("/disputes", summary="List, newest move first 纠纷列表", response_model=dict[str, Any])
def disputes(
    uow: Work,
    filters: Asked,
    cursor: str = Query(default="", max_length=200),
    limit: int = Query(default=50, ge=1, le=200),
    purpose: Purpose = "",
) -> Response:
    """At most ``limit`` disputes and the cursor of the next page (null at the end)."""
    need(uow.actor, *READERS)
    reader = reader_of(uow, purpose)
    page = case_registry.find_disputes(uow, filters, reader=reader, after=_after(cursor), limit=limit)
    return as_json({"disputes": page.rows, "cursor": _cursor(page.next)})


@router.get(
    "/disputes/export", summary="The list as a file, watermarked 导出（带水印）", response_class=Response
)
def export(
    uow: Work,
    filters: Asked,
    purpose: Purpose = "",
) -> Response:
    """CSV of at most 2,000 rows. Every row says who took it, when and for what; every dispute in it is written down."""
    need(uow.actor, *READERS)
    found = exporting.export_disputes(uow, filters, reader_of(uow, purpose))
    return Response(found.content, media_type="text/csv", headers=exporting.headers(found))


def _after(cursor: str) -> tuple[datetime, int] | None:
    if not cursor:
        return None
    try:
        at, seq = orjson.loads(base64.urlsafe_b64decode(cursor))
        return datetime.fromisoformat(at), int(seq)
    except (ValueError, TypeError):
        raise Refused(Finding("NOT_FOUND", "cursor", cursor[:40], "a cursor of an earlier page")) from None


def _cursor(after: tuple[datetime, int] | None) -> str | None:
    if after is None:
        return None
    return base64.urlsafe_b64encode(orjson.dumps([after[0].isoformat(), after[1]])).decode()


@router.get("/dispute", summary="One record, by any agency's number 纠纷档案", response_model=dict[str, Any])
def dispute(
    uow: Work,
    number: str = Query(min_length=1, max_length=140),
    as_true_on: date | None = None,
    as_known_on: AwareDatetime | None = None,
    purpose: Purpose = "",
) -> Response:
    """What was true on a day, or what we knew at a moment; without them: now. Each look leaves a line."""
    need(uow.actor, *READERS)
    reader = reader_of(uow, purpose)
    ours = found_number(uow, number, reader)
    found = case_registry.dispute(uow, ours, as_true_on=as_true_on, as_known_on=as_known_on, reader=reader)
    if found is None:
        raise Refused(Finding("NOT_FOUND", "number", number, NUMBER))
    disclose(
        uow, recipient=uow.actor.id, purpose=reader.purpose, subject=ours, fields=["record"], basis="个人信息保护法 第13条第3项"
    )  # fmt: skip
    return as_json(found)


@router.get("/dispute/timeline", summary="What happened, in order 时间线")
def timeline(
    uow: Work, number: str = Query(min_length=1, max_length=140), purpose: Purpose = ""
) -> dict[str, Any]:
    need(uow.actor, *READERS)
    reader = reader_of(uow, purpose)
    return {"timeline": case_registry.timeline(uow, found_number(uow, number, reader), reader=reader)}


@router.get("/whereabouts", summary="Where is it, by agencies' own numbers 去向")
def whereabouts(uow: Work, ref: Annotated[list[str], Query(max_length=20)]) -> dict[str, Any]:
    """``ref`` is ``agency:number``, several times; also finds statements that still wait for their case."""
    need(uow.actor, *READERS)
    references = [(agency, native) for agency, _, native in (each.partition(":") for each in ref)]
    spot = case_registry.whereabouts_of(uow, references, reader_of(uow, ""))
    return {
        "dispute": spot.dispute.number if spot.dispute else None,
        "stage": spot.stage,
        "holder": spot.holder,
        "flags": spot.flags,
    }


@router.get("/proposals", summary="Links for a person to decide 待确认归并")
def proposals(
    uow: Work, number: str = Query(default="", max_length=140), limit: int = Query(default=50, ge=1, le=200)
) -> dict[str, Any]:
    """With both sides and the reasons field by field; ``number`` limits to one dispute."""
    need(uow.actor, "reviewer", "intake_clerk", "administrator", "auditor", "supervision_officer")
    reader = reader_of(uow, "", "link")
    refs = case_registry.disputes_of(uow, number, reader=reader) if number else []
    if number and not refs:
        return {"proposals": []}
    found = case_registry.proposals(uow, dispute=refs[0].id if refs else None, limit=limit, reader=reader)
    return {"proposals": found}


@router.post("/proposals/{proposal_id}/decision", summary="One dispute, or two 确认或否定归并")
def decide(proposal_id: UUID, body: DecisionIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, "reviewer", "administrator")
    seeing.check_registry(uow, "proposal", proposal_id, "link")
    events = case_registry.decide_link(uow, proposal_id, body.accept, body.reason)
    choreography.follow(uow, events)
    return {"proposal": str(proposal_id), "accepted": body.accept}


@router.post("/link-decisions/{decision_id}/undo", summary="Take a decision back 撤销归并决定")
def undo(decision_id: UUID, body: DecisionIn, uow: Work) -> dict[str, Any]:
    """``accept`` must be false: the decision no longer holds; both histories stand as before it."""
    need(uow.actor, "reviewer", "administrator")
    seeing.check_registry(uow, "link_decision", decision_id, "link")
    choreography.follow(uow, case_registry.undo_link(uow, decision_id, body.reason))
    return {"decision": str(decision_id), "undone": True}


@router.get("/conflicts", summary="Values two sources state differently 数据冲突")
def conflicts(uow: Work) -> dict[str, Any]:
    need(uow.actor, *READERS)
    return {"conflicts": case_registry.conflicts(uow, reader=reader_of(uow, ""))}


@router.post("/conflicts/{conflict_id}/decision", summary="Decide a conflict 裁定冲突")
def decide_conflict(conflict_id: UUID, body: ValueIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, "reviewer", "administrator", "supervision_officer")
    seeing.check_registry(uow, "conflict", conflict_id)
    choreography.follow(uow, case_registry.decide_conflict(uow, conflict_id, body.value, body.reason))
    return {"conflict": str(conflict_id), "decided": True}


@router.get("/board", summary="Counts of the county 看板", response_model=dict[str, Any])
def board(uow: Work, county: str = Query(default="", max_length=6)) -> Response:
    need(uow.actor, *READERS)
    return as_json(case_registry.board(uow, uow.actor.region or county))


# Not in the description: it answers as long as one listens, which no client made from a description expects.
@router.get("/board/changes", summary="The board now and after each change 看板实时", include_in_schema=False)
async def board_changes(
    request: Request, actor: Caller, county: str = Query(default="", max_length=6)
) -> StreamingResponse:
    """Server-sent events named ``board``, each with the whole board; ends after ten minutes, then ask again."""
    need(actor, *READERS)
    feed: BoardFeed = request.app.state.board
    return StreamingResponse(feed.watch(actor.region or county), media_type="text/event-stream")


@router.get("/my-work", summary="What waits for me 我的工作")
def my_work(uow: Work) -> dict[str, Any]:
    return {"work": case_registry.my_work(uow, uow.actor.roles)}


@router.post("/feedback", summary="Tell an agency where its case is 反馈去向")
def give_feedback(body: FeedbackIn, uow: Work, request: Request) -> dict[str, Any]:
    """Says where the case is, nothing of the parties' offers."""
    need(uow.actor, "supervision_officer", "mediator", "reviewer")
    return {
        "messages": feedback.tell_whereabouts(uow, body.native_id),
        "by": hub_of(request).settings.environment,
    }


@router.get("/state-hash", summary="SHA-256 of all valid-time facts 状态摘要")
def state_hash(uow: Work) -> dict[str, str]:
    need(uow.actor, "operator", "auditor")
    return {"state_hash": case_registry.state_hash(uow)}
