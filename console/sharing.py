"""Sharing agreements, who saw a person's data, and differences with partners, on the screen."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, Response

from console.access import Work, need
from console.acts import Taken, form
from console.exchange import partner_names
from console.filled import Filled
from console.pages import page
from console.texts import say
from hub import anti_entropy, seeing, sharing_register
from hub.sharing_terms import vocabulary
from hub.who_saw import who_saw
from schemas.findings import Refused

router = APIRouter(prefix="/exchange")
WATCHERS = ("operator", "auditor", "administrator", "supervision_officer")
# Agreements hold no personal data; whoever connects a partner reads under what it is connected.
READS_AGREEMENTS = (*WATCHERS, "partner_engineer")
READS_THE_LOG = ("auditor", "supervision_officer")


@router.get("/sharing")
def agreements(request: Request, uow: Work, partner: str = Query(default="", max_length=40)) -> HTMLResponse:
    """Every agreement with its terms, the masks, and how it stands today."""
    need(uow.actor, *READS_AGREEMENTS)
    rows = [each for each in sharing_register.listed(uow) if partner in ("", each.agreement.partner)]
    return page(
        request, "sharing.html", rows=rows, words_of_law=vocabulary(), names=partner_names(),
        soon=sharing_register.WARN_DAYS, reads_log=uow.actor.has(*READS_THE_LOG),
    )  # fmt: skip


@router.post("/sharing/{agreement}/stop")
def stop(agreement: str, act: Taken) -> Response:
    """Stop an agreement, or let it go on."""
    need(act.uow.actor, "supervision_officer", "operator")
    what = act.told.choice("stopped", ("yes", "no"))
    reason = act.told.reason()
    act.told.check()
    sharing_register.stop(act.uow, agreement, reason, stopped=what == "yes")
    return act.done("/exchange/sharing", say("共享已停止，即刻生效") if what == "yes" else say("共享已恢复"))


@router.get("/who-saw")
def ask_who(request: Request, uow: Work) -> HTMLResponse:
    """The form; what is asked comes in its body, so that no number stands in an address."""
    need(uow.actor, *READS_THE_LOG)
    return page(request, "who_saw.html", rows=None, findings=(), asked={}, names=partner_names())


@router.post("/who-saw")
def who(request: Request, uow: Work, told: Annotated[Filled, Depends(form)]) -> HTMLResponse:
    """Every disclosure about one person."""
    need(uow.actor, *READS_THE_LOG)
    asked = {name: told.text(name) for name in ("number", "name", "phone")}
    told.check()
    try:
        rows, findings = who_saw(uow, **asked, reader=seeing.reader(uow, seeing.WATCH)), ()
    except Refused as refused:
        rows, findings = None, refused.findings
    return page(request, "who_saw.html", rows=rows, findings=findings, asked=asked, names=partner_names())


@router.get("/differences")
def differences(
    request: Request, uow: Work, partner: str = Query(default="", max_length=40), gone: bool = False
) -> HTMLResponse:
    """What the nightly comparisons found, and what was done about it."""
    need(uow.actor, *WATCHERS)
    return page(
        request, "differences.html", rows=anti_entropy.differences(uow, partner, gone=gone), gone=gone,
        comparisons=anti_entropy.comparisons(uow, 20), names=partner_names(),
    )  # fmt: skip
