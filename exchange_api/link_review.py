"""The review of links over REST: pairs to decide, answers and their taking back, estimates, audits, the floor."""

from __future__ import annotations

import secrets
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

import case_registry
from exchange_api.disputes import as_json
from exchange_api.people import Work, need
from foundation.journal import disclose_many
from foundation.unit_of_work import UnitOfWork
from hub import choreography

router = APIRouter(prefix="/v1", tags=["link review 归并判断"])
LOOK = ("reviewer", "intake_clerk", "administrator", "auditor", "supervision_officer")
DECIDE = ("reviewer", "administrator")
BANDS = len(case_registry.review_rules()["bands"])


class ReasonIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=500)


class AnswerIn(ReasonIn):
    answer: Literal["SAME", "DIFFERENT", "LATER"]
    version: str = Field(min_length=1, max_length=40, description="of the pair, as it was shown")


class FloorIn(ReasonIn):
    wanted: float = Field(ge=0.5, le=0.9999, description="share of right ones among what is left out")
    score: float = Field(description="the floor that the estimates showed")


class DrawIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    pairs: int = Field(ge=1, le=500, description="of each kind")


def _reader(uow: UnitOfWork) -> case_registry.Reader:
    return case_registry.reader_for(uow.actor, "link")


@router.get(
    "/link-reviews",
    summary="Pairs to decide, in the order that serves 待判归并",
    response_model=dict[str, Any],
)
def listed(
    uow: Work,
    county: str = Query(default="", max_length=6),
    kind: str = Query(default="", max_length=40, description="a kind of proceeding of either side"),
    band: int | None = Query(default=None, ge=0, le=BANDS, description="place among the bands of score"),
    limit: int = Query(default=50, ge=1, le=200),
) -> Response:
    """Red lamps first, then yellow ones, then open ones, the oldest first; what you put off comes last."""
    need(uow.actor, *LOOK)
    asked, reader = case_registry.AskedReviews(county, kind, band), _reader(uow)
    return as_json(
        {
            "reviews": case_registry.reviews(uow, asked, reader=reader, limit=limit),
            "counts": case_registry.review_counts(uow, asked, reader=reader),
        }
    )


@router.get(
    "/link-reviews/estimates",
    summary="How good linking is, by people's answers 归并质量",
    response_model=dict[str, Any],
)
def estimates(uow: Work, wanted: float | None = Query(default=None, ge=0.5, le=0.9999)) -> Response:
    """A figure with too few answers is null; each has its 95 % interval."""
    need(uow.actor, *LOOK)
    return as_json(case_registry.link_estimates(uow, wanted))


@router.get(
    "/link-reviews/{item}",
    summary="One pair side by side, with reasons 两案对照",
    response_model=dict[str, Any],
)
def one(item: UUID, uow: Work) -> Response:
    """For who may decide, it comes later for others for some minutes. Each look leaves a line for either record."""
    need(uow.actor, *LOOK)
    reader = _reader(uow)
    found = case_registry.review_pair(uow, item, reader=reader, hold=uow.actor.has(*DECIDE))
    looked_at = found.pop("looked_at")
    disclose_many(
        uow, recipient=uow.actor.id, purpose=reader.purpose, subjects=looked_at, fields=["record"],
        basis="个人信息保护法 第13条第3项",
    )  # fmt: skip
    return as_json(found)


@router.post("/link-reviews/{item}/answer", summary="Same, different, or cannot tell 判断一对")
def answer(item: UUID, body: AnswerIn, uow: Work) -> dict[str, Any]:
    """409 when somebody answered before, or what the agencies say has changed since ``version``."""
    need(uow.actor, *DECIDE)
    events = case_registry.answer_review(
        uow, item, body.answer, body.reason, body.version, reader=_reader(uow)
    )
    choreography.follow(uow, events)
    return {"review": str(item), "answer": body.answer}


@router.post("/link-answers/take-back", summary="Take your last answer back 撤销上一个决定")
def take_back(body: ReasonIn, uow: Work) -> dict[str, Any]:
    """``review``: the question that is open again, null where the signs are gone meanwhile."""
    need(uow.actor, *DECIDE)
    item, events = case_registry.take_back_review(uow, body.reason)
    choreography.follow(uow, events)
    return {"review": item and str(item)}


@router.post("/link-audits", summary="Draw pairs at random into the review 随机抽取核查", status_code=201)
def draw(body: DrawIn, uow: Work) -> dict[str, Any]:
    """What was drawn is not told apart in the list; ``population`` counts the pairs there are."""
    need(uow.actor, *DECIDE)
    found = case_registry.draw_link_audit(uow, body.pairs, secrets.randbits(62))
    return {**found, "draw": str(found["draw"])}


@router.get(
    "/link-floors", summary="Floors of proposals, newest first 提请下限", response_model=dict[str, Any]
)
def floors(uow: Work) -> Response:
    need(uow.actor, *LOOK)
    return as_json({"floors": case_registry.link_floors(uow)})


@router.post("/link-floors", summary="Adopt the floor that the answers bear out 采用下限", status_code=201)
def adopt(body: FloorIn, uow: Work) -> dict[str, Any]:
    """409 when the answers bear out none, or another one than ``score`` by now."""
    need(uow.actor, *DECIDE)
    return {"version": case_registry.adopt_link_floor(uow, body.wanted, body.reason, body.score)}


@router.post(
    "/link-floors/{version}/take-back", summary="Put the floor before into force again 恢复前一个下限"
)
def floor_back(version: int, body: ReasonIn, uow: Work) -> dict[str, Any]:
    """What was held back meanwhile is proposed now."""
    need(uow.actor, *DECIDE)
    made, events = case_registry.take_back_link_floor(uow, version, body.reason)
    choreography.follow(uow, events)
    return {"version": made, "proposed": sum(event["event"] == "proposal_made" for event in events)}
