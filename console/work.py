"""My work: what waits for the person who is logged in, by role."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

import case_registry
import escrow
from console.access import Work, need
from console.acts import Taken
from console.exchange import partner_names
from console.pages import page
from console.texts import say
from foundation.conditions import every_row
from foundation.journal import close_alarm
from foundation.staff import staff_names
from hub import seeing

router = APIRouter()
MONEY = ("cashier", "checker", "releaser")
# Where a task of the registry is done; {ref} is the proposal or conflict, {dispute} the dispute's number.
DONE_AT = {
    "proposals": "/proposals/{ref}",
    "conflicts": "/disputes/{dispute}#conflicts",
    "lamps": "/disputes/{dispute}#clocks",
    "gaps": "/disputes/{dispute}#hand-overs",
    "factors": "/disputes/{dispute}#factor",
    "supervision": "/supervision/{ref}",
}


@router.get("/")
def my_work(request: Request, uow: Work) -> HTMLResponse:
    """Tasks by kind, each with the way to where it is done; orders and decisions to sign; alarms."""
    tasks: dict[str, list[dict[str, Any]]] = {}
    for row in case_registry.my_work(uow, uow.actor.roles):
        href = DONE_AT[row["task"]].format(**row)
        tasks.setdefault(row["task"], []).append({**row, "href": href})
    money = uow.actor.has(*MONEY)
    seen = seeing.rows(uow, seeing.MONEY) if money else every_row
    return page(
        request,
        "work.html",
        tasks=tasks,
        orders=escrow.orders_to_sign(uow, seen=seen) if money else [],
        decisions=decisions_to_confirm(uow) if money else [],
        breaks=escrow.list_breaks(uow, seen=seen) if money else [],
        suspense=escrow.open_suspense(uow, seen=seen) if uow.actor.has("cashier") else [],
        alarms=_alarms(uow),
        people=staff_names(uow),
    )


def decisions_to_confirm(uow: Work) -> list[dict[str, Any]]:
    """Proposals of others that this person may confirm."""
    if "confirm" not in escrow.acts_of(uow):
        return []
    seen = seeing.rows(uow, seeing.MONEY)
    return [row for row in escrow.list_decisions(uow, seen=seen) if row["proposed_by"] != uow.actor.id]


def _alarms(uow: Work) -> list[dict[str, Any]]:
    rows = uow.all("SELECT * FROM exchange.alarm WHERE closed_at IS NULL ORDER BY at DESC LIMIT 200")
    names = partner_names()
    found = []
    for row in rows:
        if uow.actor.has(row["role"], "operator"):
            partner, slash, rest = row["subject"].partition("/")
            known = slash and partner in names
            found.append({**row, "subject": f"{names[partner]} {rest}" if known else row["subject"]})
    return found


@router.post("/alarms/{alarm_id}/close")
def close(alarm_id: UUID, act: Taken) -> Response:
    """Close an alarm, with the reason why nothing more is to be done."""
    row = act.uow.one("SELECT role FROM exchange.alarm WHERE id = :id", id=alarm_id)
    need(act.uow.actor, row["role"] if row else "operator", "operator")
    reason = act.told.reason()
    act.told.check()
    done = close_alarm(act.uow, alarm_id, reason)
    return act.done("/", say("告警已关闭") if done else say("这条告警已由他人关闭"))
