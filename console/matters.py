"""The office's matters: the list, accepting one, its parties and accounts, and moving it on."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

import case_registry
import escrow
import mediation
from console.access import Work, go, need
from console.acts import Act, Form, Taken
from console.filled import Filled, Incomplete
from console.pages import page
from console.parties import ROLES, account_of, parties_of, wallet_kinds
from console.seeing import MATTER_SEEN, MATTER_SHOWN
from console.texts import say
from console.words import words
from foundation.unit_of_work import UnitOfWork
from hub import seeing
from schemas.code_tables import code_table
from schemas.findings import Finding, Refused

router = APIRouter(prefix="/matters")
OFFICE = ("intake_clerk", "mediator", "reviewer")
READERS = (
    *OFFICE, "assessor", "administrator", "cashier", "checker", "releaser", "supervision_officer", "auditor", "operator",
)  # fmt: skip
SHOWN = 200
MOST_PARTIES = 60
MATTER = next(machine for machine in mediation.MACHINES if machine.name == "matter")


@router.get("")
def matters(
    request: Request,
    uow: Work,
    state: str = Query(default="", max_length=20),
    number: str = Query(default="", max_length=60),
) -> Response:
    """The newest matters; a mediation number leads straight to its matter."""
    need(uow.actor, *READERS)
    found = mediation.matter_by_number(uow, number.strip()) if number.strip() else None
    if found is not None and seeing.check_number(uow, found["mediation_number"], kind="case"):
        return go(f"/matters/{found['id']}")
    seen = seeing.rows(uow, kind="case")
    rows = mediation.matters(uow, state=state, limit=SHOWN, seen=seen) if not number.strip() else []
    return page(
        request, "matters.html", rows=rows, state=state, number=number.strip(), cut=len(rows) == SHOWN,
        may=uow.actor.has(*OFFICE),
    )  # fmt: skip


def _asked(told: Filled | None, uow: UnitOfWork) -> dict[str, Any]:
    """What the form of a new matter shows: as it was filled in, at least an applicant and a respondent."""
    names = ("party_role", "party_kind", "party_name", "party_id", "party_phone", "party_address")
    rows = told.rows(*names, most=MOST_PARTIES) if told else []
    for role in ("applicant", "respondent")[len(rows) :]:
        rows.append({"party_role": role, "party_kind": "person", "no": str(len(rows) + 1)})
    categories = [each for each in code_table("dispute_category").values() if not each.parent]
    sources = [each for each in code_table("intake_source").values() if each.parent]
    return {
        "told": told, "rows": rows, "today": uow.now.date(), "categories": categories, "sources": sources,
        "media": list(code_table("intake_medium").values()), "party_roles": ROLES,
    }  # fmt: skip


@router.get("/new")
def ask(request: Request, uow: Work) -> HTMLResponse:
    need(uow.actor, *OFFICE)
    return page(request, "matter_new.html", **_asked(None, uow))


@router.post("/new")
def one_more_party(request: Request, uow: Work, told: Form) -> HTMLResponse:
    """The same form with a row more; nothing is stored."""
    need(uow.actor, *OFFICE)
    asked = _asked(told, uow)
    if len(asked["rows"]) < MOST_PARTIES:
        last = str(len(asked["rows"]) + 1)
        asked["rows"].append({"party_role": "respondent", "party_kind": "person", "no": last})
    return page(request, "matter_new.html", **asked)


@router.post("")
def accept(act: Taken) -> Response:
    """Accept a matter; faults are shown beside what was filled in."""
    need(act.uow.actor, *OFFICE)
    try:
        matter_id = _accept(act)
    except Refused as refused:
        raise Incomplete("matter_new.html", refused.findings, **_asked(act.told, act.uow)) from None
    return act.done(f"/matters/{matter_id}", say("已受理，调解案号已生成"))


def _accept(act: Act) -> UUID:
    told, uow = act.told, act.uow
    accepted_on = told.day("accepted_on", required=True)
    occurred_on = told.day("occurred_on")
    parties = parties_of(told, MOST_PARTIES)
    fields = {name: told.text(name, most=140, required=True) for name in ("committee", "mediator", "cause")}
    more = {name: told.text(name, most=140) for name in ("place", "referral")}
    codes = {
        name: told.choice(name, [*code_table(table), ""])
        for name, table in (("category", "dispute_category"), ("source", "intake_source"), ("medium", "intake_medium"))
    }  # fmt: skip
    narrative = told.text("narrative", most=4000)
    claimed = told.fen("claimed", required=False) or None
    if accepted_on and occurred_on and occurred_on > accepted_on:
        told.findings.append(Finding("WRONG_DATE_ORDER", "occurred_on", str(occurred_on), f"≤ {accepted_on}"))
    told.check()
    assert accepted_on is not None
    matter_id, events = mediation.accept_matter(
        uow,
        mediation.NewMatter(
            **fields, **more, **codes, accepted_on=accepted_on, occurred_on=occurred_on, claimed_fen=claimed,
            narrative=narrative, parties=parties,
        ),
    )  # fmt: skip
    act.follow(events)
    return matter_id


def found_matter(uow: UnitOfWork, matter_id: UUID) -> dict[str, Any]:
    """A matter of this office. Raises Refused NOT_FOUND."""
    found = mediation.matter(uow, matter_id)
    if found is None:
        raise Refused(Finding("NOT_FOUND", "matter", str(matter_id)))
    return found


@router.get("/{matter_id}", dependencies=MATTER_SHOWN)
def matter(request: Request, matter_id: UUID, uow: Work) -> HTMLResponse:
    """One matter: what it is about, parties and accounts, agreements, and what may be done now. Each look leaves a line."""
    need(uow.actor, *READERS)
    found = found_matter(uow, matter_id)
    number = found["mediation_number"]
    if not seeing.check_number(uow, number):
        found = {**found, "parties": [], "agreements": [], "narrative": ""}
    whole = bool(found["parties"])
    seeing.note_look(uow, number, "matter" if whole else "handling")
    refs = case_registry.disputes_of(uow, number, reader=seeing.reader(uow))
    agreements = [{**each, "text": mediation.signed_text(uow, each["id"])} for each in found["agreements"]]
    signed = any(each["state"] == "SIGNED" for each in agreements)
    return page(
        request, "matter.html", matter=found, agreements=agreements, signed=signed,
        names={each["key"]: each["name"] for each in found["parties"]},
        dispute=refs[0].number if refs else "", case=escrow.find_case(uow, number) if whole and escrow.has_case(uow, number) else None,
        moves=[move.event for move in MATTER.moves if move.state == found["state"] and move.event in words()["matter_move"]],
        may=uow.actor.has(*OFFICE), may_agree=uow.actor.has("mediator", "reviewer"), wallets=wallet_kinds(),
        categories=code_table("dispute_category"), sources=code_table("intake_source"), media=code_table("intake_medium"),
        signers=_signers(found),
    )  # fmt: skip


def _signers(found: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Who must sign (Mediation Law 29): key, role, name and the usual way."""
    sides = [each for each in found["parties"] if each["role"] in ("applicant", "respondent")]
    return [
        *((each["key"], each["role"], each["name"], "handwritten") for each in sides),
        ("mediator", "mediator", found["mediator"], "handwritten"),
        ("seal", "seal", found["committee"], "seal"),
    ]


@router.post("/{matter_id}/moves", dependencies=MATTER_SEEN)
def move(matter_id: UUID, act: Taken) -> Response:
    """Begin mediation, end it without agreement, withdraw, close, reopen."""
    need(act.uow.actor, *OFFICE)
    event = act.told.choice("event", words()["matter_move"])
    reason = act.told.text("reason", required=event not in ("mediate", "close", ""))
    act.told.check()
    act.follow(mediation.move_matter(act.uow, matter_id, event, reason=reason))
    return act.done(f"/matters/{matter_id}", say("案卷状态已更新"))


@router.post("/{matter_id}/parties/{key}/account", dependencies=MATTER_SEEN)
def account(matter_id: UUID, key: str, act: Taken) -> Response:
    """A party's account, until an agreement is signed; afterwards two persons change it at the escrow."""
    need(act.uow.actor, *OFFICE)
    found = found_matter(act.uow, matter_id)
    if any(each["state"] == "SIGNED" for each in found["agreements"]):
        raise Refused(Finding("ILLEGAL_STATE", "account", "SIGNED", "an agreement that is not signed yet"))
    told = account_of(act.told, wallet_kinds())
    act.told.check()
    mediation.set_account(act.uow, matter_id, key, told)
    return act.done(f"/matters/{matter_id}#parties", say("账户已登记"))


@router.get("/by-number/{number:path}")
def by_number(number: str, uow: Work) -> Response:
    """For links that know only the mediation number."""
    need(uow.actor, *READERS)
    found = mediation.matter_by_number(uow, number)
    if found and not seeing.check_number(uow, number, kind="case"):
        found = None
    return go(f"/matters/{found['id']}" if found else f"/matters?number={quote(number)}")
