"""Likelihood of escalation on the screen: the disputes that are likeliest to escalate, with reasons and hit rate.

Each look leaves a line for every dispute shown. What one dispute's likelihood is stands on its own page.
"""

from __future__ import annotations

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

import case_registry
from console.access import Work, need
from console.pages import page
from foundation.journal import disclose_many
from hub import seeing
from schemas.findings import Finding, Refused

router = APIRouter(prefix="/escalation")
READERS = ("supervision_officer", "reviewer", "auditor")
BANDS = ("HIGH", "RAISED")


@router.get("")
def likeliest(request: Request, uow: Work, band: str = Query(default="", max_length=10)) -> HTMLResponse:
    """The likeliest that this person may see; only a sentence where no back-test of the weights counts."""
    need(uow.actor, *READERS)
    if band and band not in BANDS:
        raise Refused(Finding("CODE_UNKNOWN", "band", band, ", ".join(BANDS)))
    reader = seeing.reader(uow, seeing.WATCH)
    found = case_registry.likeliest_escalations(uow, reader, band=band)
    disclose_many(
        uow, recipient=uow.actor.id, purpose=reader.purpose, subjects=[row["number"] for row in found["disputes"]],
        fields=["escalation"], basis=seeing.BASIS,
    )  # fmt: skip
    return page(request, "escalation.html", found=found, band=band, bands=BANDS)
