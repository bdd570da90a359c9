"""Agreements: drafted with their instalments, signed by all, set aside, replaced, put before the court, printed."""

from __future__ import annotations

import calendar
from datetime import date
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

import mediation
from console.access import Work, need
from console.acts import Act, Form, Taken
from console.filled import Filled, Incomplete
from console.matters import READERS, found_matter
from console.pages import page
from console.seeing import AGREEMENT, MATTER_SEEN
from console.texts import say
from console.words import words
from foundation.unit_of_work import UnitOfWork
from hub import seeing
from schemas.findings import Finding, Refused
from schemas.money import Fen, split_evenly

router = APIRouter(prefix="/matters")
AGREE = ("mediator", "reviewer")
MOST = 120
COLUMNS = ("due_on", "yuan", "payer", "payee")
# The page on paper brings its own style; nothing else may run there.
PRINT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def _asked(
    uow: UnitOfWork, matter_id: UUID, told: Filled | None, rows: list[dict[str, str]], replaces: str
) -> dict[str, Any]:
    found = found_matter(uow, matter_id)
    sides = {each["role"]: each["key"] for each in reversed(found["parties"])}
    blank = {"payer": sides.get("respondent", ""), "payee": sides.get("applicant", "")}
    return {"matter": found, "told": told, "rows": rows or [blank], "blank": blank, "replaces": replaces}


@router.get("/{matter_id}/agreements/new", dependencies=MATTER_SEEN)
def ask(
    request: Request, matter_id: UUID, uow: Work, replaces: str = Query(default="", max_length=36)
) -> HTMLResponse:
    need(uow.actor, *AGREE)
    return page(request, "agreement_new.html", **_asked(uow, matter_id, None, [], replaces))


@router.post("/{matter_id}/agreements/new", dependencies=MATTER_SEEN)
def more(request: Request, matter_id: UUID, uow: Work, told: Form) -> HTMLResponse:
    """The same form with a row more, or with the sum shared evenly over months; nothing is stored."""
    need(uow.actor, *AGREE)
    rows = told.rows(*COLUMNS, most=MOST)
    asked = _asked(uow, matter_id, told, rows, told.text("replaces", most=36))
    if told.text("more") == "split":
        asked["rows"] = _evenly(told, asked["blank"]) or rows
    elif len(rows) < MOST:
        asked["rows"] = [*rows, dict(rows[-1] if rows else asked["blank"], due_on="", yuan="")]
    return page(request, "agreement_new.html", findings=told.findings, **asked)


def _evenly(told: Filled, blank: dict[str, str]) -> list[dict[str, str]]:
    """The sum over so many months from a first day on; the last part takes what is left over."""
    total, count = told.fen("total"), told.whole("parts", 1, MOST, 2)
    first = told.day("first_due", required=True)
    if told.findings or first is None:
        return []
    parts = split_evenly(Fen(total), count)
    return [
        {**blank, "due_on": _months_on(first, i).isoformat(), "yuan": part.yuan_text()} for i, part in enumerate(parts)
    ]  # fmt: skip


def _months_on(day: date, months: int) -> date:
    """The same day some months later, or that month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


@router.post("/{matter_id}/agreements", dependencies=MATTER_SEEN)
def draft(matter_id: UUID, act: Taken) -> Response:
    """Store the draft; faults are shown beside what was filled in."""
    need(act.uow.actor, *AGREE)
    try:
        _draft(act, matter_id)
    except Refused as refused:
        rows = Filled(act.told.fields).rows(*COLUMNS, most=MOST)
        asked = _asked(act.uow, matter_id, act.told, rows, act.told.text("replaces", most=36))
        raise Incomplete("agreement_new.html", refused.findings, **asked) from None
    return act.done(f"/matters/{matter_id}#agreements", say("协议草稿已保存，可以打印核对后签署"))


def _draft(act: Act, matter_id: UUID) -> None:
    told = act.told
    keys = {each["key"] for each in found_matter(act.uow, matter_id)["parties"]}
    instalments = []
    for row in told.rows(*COLUMNS, most=MOST):
        if not row["due_on"] and not row["yuan"]:
            continue
        due_on, fen = told.row_day(row, "due_on"), told.row_fen(row, "yuan")
        payer, payee = told.row_choice(row, "payer", keys), told.row_choice(row, "payee", keys)
        if payer and payer == payee:
            told.findings.append(Finding("CODE_UNKNOWN", f"payee[{row['no']}]", payee))
        if due_on and fen:
            instalments.append(mediation.AgreedInstalment(len(instalments) + 1, due_on, fen, payer, payee))
    total = told.fen("total")
    terms = told.text("terms", most=8000, required=True)
    grace = told.whole("grace_days", 0, 60, 5)
    replaces = told.id("replaces")
    told.check()
    new = mediation.NewAgreement(
        total,
        terms,
        tuple(instalments),
        grace,
        told.ticked("acceleration"),
        told.ticked("needs_confirmation"),
    )
    mediation.draft_agreement(act.uow, matter_id, new, replaces=replaces)


def _matter_of(act: Act) -> str:
    """The matter's page, to which each act on one of its agreements comes back."""
    matter_id = act.told.id("matter")
    return f"/matters/{matter_id}#agreements" if matter_id else "/matters"


@router.post("/agreements/{agreement_id}/sign", dependencies=AGREEMENT)
def sign(agreement_id: UUID, act: Taken) -> Response:
    """All signatures at once: every applicant and respondent, the mediator, the seal (Mediation Law 29)."""
    need(act.uow.actor, *AGREE)
    told = act.told
    signed = set(told.many("signed"))
    signatures = []
    for row in told.rows("signer", "name", "method", most=70):
        if row["signer"] in signed:
            method = told.row_choice(row, "method", words()["method"])
            signatures.append(mediation.Signature(row["signer"], row["name"][:140] or row["signer"], method))
    told.check()
    act.follow(mediation.sign_agreement(act.uow, agreement_id, tuple(signatures)))
    return act.done(_matter_of(act), say("协议已签署，托管已开立"))


@router.post("/agreements/{agreement_id}/void", dependencies=AGREEMENT)
def void(agreement_id: UUID, act: Taken) -> Response:
    need(act.uow.actor, *AGREE)
    reason = act.told.reason()
    act.told.check()
    act.follow(mediation.void_agreement(act.uow, agreement_id, reason))
    return act.done(_matter_of(act), say("协议已撤销"))


@router.post("/agreements/{agreement_id}/confirmation", dependencies=AGREEMENT)
def confirmation(agreement_id: UUID, act: Taken) -> Response:
    """Both parties apply to the court together; the court is told."""
    need(act.uow.actor, *AGREE)
    act.follow(mediation.move_confirmation(act.uow, agreement_id, "apply"))
    return act.done(_matter_of(act), say("司法确认申请已登记并发往法院"))


@router.get("/agreements/{agreement_id}/print", dependencies=AGREEMENT)
def paper(agreement_id: UUID, uow: Work) -> HTMLResponse:
    need(uow.actor, *READERS)
    seeing.note_look(uow, str(mediation.number_of(uow, agreement=agreement_id)), "matter")
    return HTMLResponse(
        mediation.agreement_html(uow, agreement_id), headers={"Content-Security-Policy": PRINT_POLICY}
    )
