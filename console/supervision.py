"""Supervision 督办 on the screen: the list with gaps and times, one case with its file, each act with its proof."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

import case_registry
from console.access import Work, need
from console.acts import Taken
from console.exchange import partner_names
from console.filled import Filled
from console.pages import page
from console.texts import say
from console.watch import NO_HOLDERS
from console.words import words
from foundation.journal import disclose
from foundation.staff import staff_names
from hub import seeing, supervising

router = APIRouter(prefix="/supervision")
READERS = ("supervision_officer", "reviewer", "auditor", "mediator")
DOES = ("supervision_officer",)
STATES = ("open", "DRAFT", "REPORTED", "CLOSED", "ESCALATED", "WITHDRAWN")
PERIOD = timedelta(days=365)
MOST_TEXT = 4_000


def agencies() -> list[str]:
    """Kinds of agency that a case can be addressed to."""
    return [code for code in words()["agency"] if code not in NO_HOLDERS]


@router.get("")
def cases(
    request: Request,
    uow: Work,
    state: str = Query(default="open", max_length=20),
    level: str = Query(default="", max_length=2),
    agency: str = Query(default="", max_length=30),
) -> HTMLResponse:
    """Cases, red and high ones first; open gaps between agencies; what supervision took, agency by agency."""
    need(uow.actor, *READERS)
    reader = seeing.reader(uow, seeing.WATCH)
    return page(
        request, "supervision.html", state=state, level=level, agency=agency, states=STATES, agencies=agencies(),
        rows=case_registry.supervision_cases(uow, state=state, level=level, agency=agency, reader=reader),
        gaps=case_registry.open_gaps(uow, reader=reader), names=partner_names(),
        times=case_registry.supervision_times(uow, uow.now - PERIOD, uow.now + timedelta(seconds=1), reader),
    )  # fmt: skip


@router.get("/{case_id}")
def case(request: Request, case_id: UUID, uow: Work) -> HTMLResponse:
    """One case: what it is about, its clocks, its file, and the acts that its state allows. Each look leaves a line."""
    need(uow.actor, *READERS)
    reader = seeing.reader(uow, seeing.WATCH)
    found = case_registry.supervision_case(uow, case_id, reader)
    disclose(uow, recipient=uow.actor.id, purpose=reader.purpose, subject=found["dispute"], fields=["supervision"],
             basis="个人信息保护法 第13条第3项")  # fmt: skip
    acts = [each for each in [*found["acts"], "copy_to"] if each not in supervising.BY_CLOCK]
    return page(
        request, "supervision_case.html", case=found, acts=acts, proofs=case_registry.SUPERVISION_PROOF,
        sides=case_registry.SUPERVISION_SIDE, choices=_choices(uow), people=staff_names(uow), names=partner_names(),
        does=uow.actor.has(*DOES), codes=case_registry.supervision_codes,
    )  # fmt: skip


def _choices(uow: Work) -> dict[str, list[str]]:
    """For fields with a list: what may be chosen. Codes are words of their groups, agencies and people by name."""
    held = agencies()
    return {"agency": held, "to_agency": held, "other_agency": held, "verifier_agency": ["supervision", *held],
            "verifier": sorted(staff_names(uow)), "to": sorted(partner_names())}  # fmt: skip


@router.post("")
def draft(act: Taken) -> Response:
    """Draft a case on a dispute; at the upper levels another person issues it."""
    need(act.uow.actor, *DOES)
    number = act.told.text("number", required=True)
    level = act.told.choice("level", case_registry.supervision_levels())
    agency = act.told.choice("agency", agencies())
    code = act.told.choice("code", case_registry.supervision_codes("reason"))
    why, organisation = act.told.reason(), act.told.text("organisation")
    act.told.check()
    made = supervising.open_case(act.uow, number, level, agency, code, why, organisation)
    return act.done(f"/supervision/{made}", say("督办已拟稿，须交办后生效"))


@router.post("/{case_id}")
def move(case_id: UUID, act: Taken) -> Response:
    """One act on a case, with its proof."""
    need(act.uow.actor, *DOES)
    what = act.told.choice(
        "what", [e for e in case_registry.SUPERVISION_PROOF if e not in supervising.BY_CLOCK]
    )
    proof = _proof(act.told, what)
    act.told.check()
    supervising.act(act.uow, case_id, what, proof)
    return act.done(f"/supervision/{case_id}", say("督办已更新，证明材料已入卷"))


def _proof(told: Filled, what: str) -> dict[str, Any]:
    wanted = case_registry.SUPERVISION_PROOF.get(what, {})
    return {
        name: told.ticked(name) if kind.startswith("flag") else told.text(name, most=MOST_TEXT)
        for name, kind in wanted.items()
    }
