"""Suspense and what two persons decide: one proposes, another confirms what he saw."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

import escrow
from console.access import Work, hub_of, need
from console.acts import Taken
from console.orders import MONEY, READERS
from console.pages import page
from console.seeing import DECISION
from console.texts import say
from foundation.staff import staff_names
from hub import payments, seeing
from schemas.findings import Finding, Refused

router = APIRouter(prefix="/escrow")
MOST_PARTS = 20


@router.get("/suspense")
def suspense(request: Request, uow: Work) -> HTMLResponse:
    """Credits that nobody could match, with the cases that they may be for."""
    need(uow.actor, *READERS)
    waiting = {row["subject"] for row in escrow.list_decisions(uow, limit=500) if row["kind"] == "SPLIT"}
    rows = escrow.open_suspense(uow, seen=seeing.rows(uow, seeing.MONEY))
    for row in rows:
        row["proposed"] = str(row["line"]) in waiting
        row["parts"] = _suggested(row)
    return page(
        request, "suspense.html", rows=rows, total=sum(int(row["open_fen"]) for row in rows), acts=escrow.acts_of(uow),
        rails={rail.id: rail.name_zh for rail in escrow.all_rails().values()},
    )  # fmt: skip


def _suggested(row: dict[str, object]) -> list[tuple[str, int | None]]:
    """Rows of the form: the proposed cases where they fill the credit to the fen, and two blank ones."""
    hints = row["proposals"] if isinstance(row["proposals"], list) else []
    told = [(hint["mediation_number"], int(hint["fen"])) for hint in hints]
    fits = told if told and sum(fen for _, fen in told) == row["open_fen"] else told[:1]
    return [*fits, *[("", None)] * max(1, 3 - len(fits))]


@router.post("/suspense/{line_id}")
def propose(line_id: UUID, act: Taken) -> Response:
    """Propose whose a credit is: parts that sum to it to the fen."""
    need(act.uow.actor, "cashier", "checker")
    told = act.told
    parts: list[tuple[UUID | str, int]] = []
    for row in told.rows("case", "yuan", most=MOST_PARTS):
        if row["case"]:
            parts.append((row["case"], told.row_fen(row, "yuan")))
    reason = told.reason()
    told.check()
    if not escrow.open_suspense(act.uow, seen=seeing.rows(act.uow, seeing.MONEY), line=line_id):
        raise Refused(Finding("NOT_FOUND", "line", str(line_id)))
    for case, _ in parts:
        seeing.check_money(act.uow, "case", case)
    act.follow(escrow.propose_split(act.uow, line_id, parts, reason).events)
    return act.done("/escrow/decisions", say("认领已提出，等待第二人确认"))


@router.get("/decisions")
def decisions(request: Request, uow: Work) -> HTMLResponse:
    """What waits for a second person, and what was decided last."""
    need(uow.actor, *READERS)
    seen = seeing.rows(uow, seeing.MONEY)
    decided = [
        row
        for state in ("CONFIRMED", "REJECTED")
        for row in escrow.list_decisions(uow, state=state, limit=500, seen=seen)
    ]
    decided.sort(key=lambda row: row["decided_at"], reverse=True)
    return page(
        request, "decisions.html", waiting=escrow.list_decisions(uow, seen=seen), decided=decided[:50], acts=escrow.acts_of(uow),
        people=staff_names(uow), numbers=_numbers(uow),
    )  # fmt: skip


def _numbers(uow: Work) -> dict[str, str]:
    """Mediation numbers by case id, for the parts of a split."""
    return {
        str(row["id"]): str(row["mediation_number"])
        for row in escrow.list_cases(uow, limit=1000, seen=seeing.rows(uow, seeing.MONEY))
    }


@router.post("/decisions/{decision_id}/confirm", dependencies=DECISION)
def confirm(request: Request, decision_id: UUID, act: Taken) -> Response:
    """The second person; what was proposed is done. ``digest``: of the words that the page showed."""
    need(act.uow.actor, "checker", "releaser")
    digest = act.told.text("digest", most=64, required=True)
    act.told.check()
    act.follow(
        escrow.confirm_decision(act.uow, payments.desk_of(hub_of(request)), decision_id, digest).events
    )
    return act.done("/escrow/decisions", say("已确认并办理"))


@router.post("/decisions/{decision_id}/reject", dependencies=DECISION)
def reject(decision_id: UUID, act: Taken) -> Response:
    need(act.uow.actor, *MONEY)
    reason = act.told.reason()
    act.told.check()
    act.follow(escrow.reject_decision(act.uow, decision_id, reason).events)
    return act.done("/escrow/decisions", say("已否决"))
