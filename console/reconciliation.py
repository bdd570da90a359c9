"""Reconciliation on the screen: runs, breaks with their owners, accounts proved to the fen, open items by name."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

import escrow
from console.access import Work, need
from console.acts import Taken
from console.orders import MONEY, READERS
from console.pages import page
from console.seeing import BREAK
from console.texts import say
from foundation.staff import staff_names
from hub import seeing
from schemas.code_tables import code_table

router = APIRouter(prefix="/escrow")


@router.get("/reconciliation")
def reconciliation(request: Request, uow: Work, closed: bool = Query(default=False)) -> HTMLResponse:
    """Ledger against holders; every difference has a kind, an owner and a limit."""
    need(uow.actor, *READERS)
    seen, whole = seeing.rows(uow, seeing.MONEY), seeing.unplaced(uow, seeing.MONEY)
    breaks = escrow.list_breaks(uow, open_only=not closed, limit=200, seen=seen)
    for each in breaks:
        each["where"] = _where(each["subject"])
        each["order"] = each["where"]["number"] if each["where"]["what"] == "order" else ""
        # A fee of the holder, or a debit that nobody ordered, can be booked to a case by two persons.
        each["line"] = (
            each["subject"].partition("line/")[2] if each["kind"] in ("FEE", "UNEXPECTED_DEBIT") else ""
        )
    return page(
        request, "reconciliation.html", breaks=breaks, closed=closed, runs=escrow.recon_runs(uow) if whole else [],
        custody=escrow.custody_accounts(uow) if whole else [], items=escrow.list_listed_items(uow, seen=seen), whole=whole,
        violations=escrow.prove(uow),
        kinds=code_table("break_type"), acts=escrow.acts_of(uow), people=staff_names(uow), now=uow.now,
        rails={rail.id: rail.name_zh for rail in escrow.all_rails().values()},
    )  # fmt: skip


def _where(subject: str) -> dict[str, str]:
    """``day/<rail>/<account>/2026-04-01`` in parts; of other subjects the kind and the id."""
    what, *rest = subject.split("/")
    if what in ("day", "closing", "opening", "hold") and len(rest) > 1:
        return {"what": what, "rail": rest[0], "number": rest[1]}
    return {"what": what, "rail": "", "number": rest[0] if rest else ""}


@router.post("/breaks/{break_id}/own", dependencies=BREAK)
def own(break_id: UUID, act: Taken) -> Response:
    """Take a break as one's own."""
    need(act.uow.actor, *MONEY)
    escrow.own_break(act.uow, break_id)
    return act.done("/escrow/reconciliation", say("差异已由您认领"))


@router.post("/breaks/{break_id}/close", dependencies=BREAK)
def close(break_id: UUID, act: Taken) -> Response:
    """Close a break with the paper or the entry that explains it."""
    need(act.uow.actor, *MONEY)
    document, entry = act.told.text("document"), act.told.id("entry")
    act.told.check()
    act.follow(escrow.close_break(act.uow, break_id, entry=entry, document=document).events)
    return act.done("/escrow/reconciliation", say("差异已了结，依据已记录"))


@router.post("/lines/{line_id}/fee")
def fee(line_id: UUID, act: Taken) -> Response:
    """Propose that an unposted debit is a holder's fee that a case bears."""
    need(act.uow.actor, "cashier", "checker")
    case, reason = act.told.text("case", required=True), act.told.reason()
    act.told.check()
    seeing.check_money(act.uow, "line", line_id)
    seeing.check_money(act.uow, "case", case)
    act.follow(escrow.propose_fee(act.uow, line_id, case, reason).events)
    return act.done("/escrow/decisions", say("已提出，等待第二人确认"))
