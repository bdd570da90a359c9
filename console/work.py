"""My work: what waits for the person who is logged in, by role."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, Response

import case_registry
import escrow
from console.access import Genuine, Work, back, need
from console.pages import page
from foundation.journal import close_alarm

router = APIRouter()


@router.get("/")
def my_work(request: Request, uow: Work) -> HTMLResponse:
    tasks = case_registry.my_work(uow, uow.actor.roles)
    orders = escrow.orders_to_sign(uow)
    alarms = [
        dict(row)
        for row in uow.all("SELECT * FROM exchange.alarm WHERE closed_at IS NULL ORDER BY at DESC LIMIT 200")
        if uow.actor.has(row["role"], "operator")
    ]
    return page(request, "work.html", tasks=tasks, orders=orders, alarms=alarms)


@router.post("/alarms/{alarm_id}/close", dependencies=[Genuine])
def close(alarm_id: UUID, uow: Work, reason: Annotated[str, Form(max_length=500)]) -> Response:
    row = uow.one("SELECT role FROM exchange.alarm WHERE id = :id", id=alarm_id)
    need(uow.actor, row["role"] if row else "operator", "operator")
    done = close_alarm(uow, alarm_id, reason)
    return back("/", "告警已关闭" if done else "这条告警已由他人关闭")
