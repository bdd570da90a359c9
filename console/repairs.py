"""Forms of the exchange log that put things right: a mended copy, many messages again."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.access import hub_of, need
from console.acts import Taken
from console.texts import say
from hub.repairing import MOST_AT_ONCE, repair, replay_many
from schemas.findings import Finding, Refused

router = APIRouter(prefix="/exchange")
MOST_TEXT = 200_000
COUNTED = {
    "accepted": say("采纳"),
    "duplicate": say("与先前报文相同"),
    "quarantined": say("仍被隔离"),
    "refused": say("仍被拒收"),
    "left": say("已生效，未动"),
    "failed": say("本方故障，稍后重试"),
}


@router.post("/in/{inbox_id}/repair")
def repair_in(request: Request, inbox_id: UUID, act: Taken) -> Response:
    """A mended copy of a refused or quarantined message; the message itself stays as it came."""
    need(act.uow.actor, "operator")
    reason = act.told.reason()
    content = act.told.text("content", most=MOST_TEXT).replace("\r\n", "\n").encode()
    act.told.check()
    told = repair(hub_of(request), inbox_id, content, reason, act.uow.actor)
    taken = told["result"] in ("accepted", "duplicate")
    return act.done(
        f"/exchange/in/{told['inbox']}", say("修正件已采纳") if taken else say("修正件仍未通过，见下方问题")
    )


@router.post("/replay")
def replay_listed(request: Request, act: Taken) -> Response:
    """Apply the ticked messages again, in the order they came."""
    need(act.uow.actor, "operator")
    reason = act.told.reason()
    act.told.check()
    ids = [UUID(each) for each in act.told.many("message")]
    if not ids:
        raise Refused(Finding("SCHEMA_VIOLATION", "message", "none", f"1 to {MOST_AT_ONCE} ticked messages"))
    counts = replay_many(hub_of(request), ids, reason, act.uow.actor)
    told = "、".join(f"{COUNTED.get(name, name)} {count}" for name, count in sorted(counts.items()))
    return act.done("/exchange?way=in", told)
