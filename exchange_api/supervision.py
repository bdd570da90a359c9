"""Supervision 督办 over REST: cases with their file, the table of acts with their proofs, gaps, times; indicators entered."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, HTTPException, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

import case_registry
from exchange_api.people import Work, need
from foundation.journal import disclose
from foundation.unit_of_work import UnitOfWork
from hub import choreography, seeing, supervising

router = APIRouter(prefix="/v1", tags=["supervision 督办"])
READERS = ("supervision_officer", "reviewer", "auditor", "mediator")
DOES = ("supervision_officer",)
NOTES = ("supervision_officer", "mediator")
MOST_TEXT = 4_000
Proof = str | bool | int | list[Annotated[str, Field(max_length=500)]]


class CaseIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    number: str = Field(min_length=1, max_length=140, description="the dispute, by anybody's number")
    level: str = Field(pattern="^L[123]$")
    agency: str = Field(min_length=1, max_length=30)
    organisation: str = Field(default="", max_length=140)
    reason: str = Field(min_length=1, max_length=40, description="a code of the table")
    why: str = Field(min_length=1, max_length=MOST_TEXT)


class ActIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    event: str = Field(min_length=1, max_length=40, description="an act of the table, such as urge or close")
    proof: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")], Proof] = Field(
        default_factory=dict, max_length=12, json_schema_extra={"additionalProperties": False}
    )


class IndicatorIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    number: str = Field(min_length=1, max_length=140, description="the dispute, by anybody's number")
    indicator: str = Field(pattern="^U[0-9]{2}$")
    step: str = Field(default="recorded", max_length=40, description="a word of the indicator's table")
    reason: str = Field(min_length=1, max_length=500)
    source: str = Field(default="", max_length=200)
    until: date | None = Field(default=None, description="the last day on which it counts")


class ReasonIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=500)


@router.get("/supervision", summary="Cases, red and high ones first 督办件")
def cases(
    uow: Work,
    state: str = Query(default="open", max_length=20, description='"open", a state, or empty for all'),
    level: str = Query(default="", max_length=2),
    agency: str = Query(default="", max_length=30),
    limit: int = Query(default=50, ge=1, le=200),
) -> dict[str, Any]:
    need(uow.actor, *READERS)
    reader = seeing.reader(uow, seeing.WATCH)
    found = case_registry.supervision_cases(
        uow, state=state, level=level, agency=agency, limit=limit, reader=reader
    )
    return {"cases": found}


@router.get("/supervision/table", summary="States, acts and their proofs 督办状态表")
def table(uow: Work) -> dict[str, Any]:
    """The one state table: what may be done in which state, what it must prove, whose act it is; levels and codes."""
    need(uow.actor, *READERS)
    machine = next(each for each in case_registry.MACHINES if each.name == "supervision_case")
    kinds = ("reason", "suspend", "send_back", "withdraw", "result")
    return {
        "start": machine.initial,
        "moves": [
            {"state": m.state, "event": m.event, "next": m.next, "guard": m.guard} for m in machine.moves
        ],
        "proofs": case_registry.SUPERVISION_PROOF,
        "sides": case_registry.SUPERVISION_SIDE,
        "by_clock": list(supervising.BY_CLOCK),
        "levels": {
            name: {"zh": each.zh, "en": each.en} for name, each in case_registry.supervision_levels().items()
        },
        "codes": {kind: list(case_registry.supervision_codes(kind)) for kind in kinds},
    }


@router.get("/supervision/gaps", summary="Gaps between agencies 移送脱管")
def gaps(uow: Work, limit: int = Query(default=50, ge=1, le=200)) -> dict[str, Any]:
    need(uow.actor, *READERS)
    return {"gaps": case_registry.open_gaps(uow, limit, seeing.reader(uow, seeing.WATCH))}


@router.get("/supervision/times", summary="What it took, agency by agency 督办用时")
def times(uow: Work, days: int = Query(default=365, ge=1, le=3660)) -> dict[str, Any]:
    """In workdays, without suspensions and objections."""
    need(uow.actor, *READERS)
    reader, until = seeing.reader(uow, seeing.WATCH), uow.now + timedelta(seconds=1)
    return {"times": case_registry.supervision_times(uow, uow.now - timedelta(days=days), until, reader)}


@router.get("/supervision/{case_id}", summary="One case with its file 督办卷")
def case(case_id: UUID, uow: Work, response: Response) -> dict[str, Any]:
    """Its clocks, its file with every proof, the acts that its state allows. Each look leaves a line. ``ETag``: how the
    case stands, for ``If-Match`` of an act."""
    need(uow.actor, *READERS)
    reader = seeing.reader(uow, seeing.WATCH)
    found = case_registry.supervision_case(uow, case_id, reader)
    disclose(uow, recipient=uow.actor.id, purpose=reader.purpose, subject=found["dispute"], fields=["supervision"],
             basis=seeing.BASIS)  # fmt: skip
    response.headers["ETag"] = _tag(found)
    return found


def _tag(found: dict[str, Any]) -> str:
    return f'"{supervising.standing(found)}"'


def _stands(uow: UnitOfWork, case_id: UUID, response: Response) -> dict[str, Any]:
    found = case_registry.supervision_case(uow, case_id)
    response.headers["ETag"] = _tag(found)
    names = ("id", "number", "state", "level", "dispute", "agency", "acts")
    return {name: found[name] for name in names}


@router.post("/supervision", status_code=201, summary="Draft a case 拟督办件")
def draft(body: CaseIn, uow: Work, response: Response) -> dict[str, Any]:
    """On a dispute; at L1 and L2 another person issues it (act ``issue``). One draft a dispute: the same again is 409."""
    need(uow.actor, *DOES)
    made = supervising.open_case(
        uow, body.number, body.level, body.agency, body.reason, body.why, body.organisation
    )
    response.headers["Location"] = f"/v1/supervision/{made}"
    return _stands(uow, made, response)


@router.post("/supervision/{case_id}/acts", summary="One act with its proof 督办动作")
def act(
    case_id: UUID,
    body: ActIn,
    uow: Work,
    response: Response,
    if_match: Annotated[str, Header(max_length=60)] = "",
) -> dict[str, Any]:
    """Issue, sign for, urge, verify (``start_verify``, ``pass``), send back, copy, close …: the table says what each must
    prove. ``If-Match``: only while the case stands as it was read (412 otherwise). 409 says what is missing."""
    need(uow.actor, *DOES)
    as_read = "" if if_match == "*" else if_match.strip('"')
    try:
        supervising.act(uow, case_id, body.event, body.proof, as_read)
    except supervising.MovedOn:
        raise HTTPException(412, "the case has moved since it was read: read it again") from None
    return _stands(uow, case_id, response)


@router.get("/indicators/table", summary="Indicators that people enter 可记录的指标")
def indicator_table(uow: Work) -> dict[str, Any]:
    """With the words that are their steps; an indicator without words is counted."""
    need(uow.actor, *READERS)
    return {"indicators": case_registry.noted_indicators()}


@router.get("/indicators", summary="What was entered of a dispute 已记录的指标")
def indicators(uow: Work, number: str = Query(min_length=1, max_length=140)) -> dict[str, Any]:
    """Those that count, those withdrawn and those that are over, newest first."""
    need(uow.actor, *READERS)
    seeing.check_dispute(uow, number, seeing.WATCH)
    return {"indicators": case_registry.indicator_notes(uow, number)}


@router.post("/indicators", status_code=201, summary="Enter an indicator 记录指标")
def enter(body: IndicatorIn, uow: Work) -> dict[str, Any]:
    """What only people can state: a bypass petition (U03), a threat (U05), self-harm (U06), spread online (U20) and others
    of the table. With its reason, its source and, where one is set, its last day; the grade follows at once."""
    need(uow.actor, *NOTES)
    seeing.check_dispute(uow, body.number, seeing.WATCH)
    events = case_registry.note_indicator(
        uow, body.number, body.indicator, body.step, body.reason, body.source, body.until
    )
    choreography.follow(uow, events)
    return dict(case_registry.indicator_notes(uow, body.number, 1)[0])


@router.post("/indicators/{note}/withdraw", summary="Withdraw it 撤回指标")
def withdraw(note: Annotated[int, Path(ge=1, le=2**53)], body: ReasonIn, uow: Work) -> dict[str, Any]:
    """It no longer counts; what it did to the grade stays in the log."""
    need(uow.actor, *NOTES)
    seeing.check_registry(uow, "note", note, seeing.WATCH)
    choreography.follow(uow, case_registry.withdraw_indicator(uow, note, body.reason))
    return {"indicator": note, "withdrawn": True}
