"""Disputes on the screen: the list with its board, and one record with its sources."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse

import case_registry
import escrow
import mediation
from console.access import Reader, Work, go, need
from console.pages import page
from console.texts import say
from foundation.journal import disclose
from foundation.staff import staff_names
from hub import exporting
from hub.board_feed import BoardFeed
from schemas.findings import Finding, Refused
from schemas.identifiers import is_uuid

router = APIRouter()
READERS = (
    "intake_clerk", "mediator", "reviewer", "assessor", "administrator", "cashier", "checker", "releaser",
    "supervision_officer", "auditor", "operator",
)  # fmt: skip
SEES_MESSAGES = ("operator", "auditor", "administrator")
FILTERS = ("stage", "holder", "lamp", "grade", "flag", "town")


def what_is_asked(
    stage: str = Query(default="", max_length=30),
    holder: str = Query(default="", max_length=30),
    lamp: str = Query(default="", max_length=10),
    grade: str = Query(default="", max_length=10),
    flag: str = Query(default="", max_length=60),
    town: str = Query(default="", max_length=60),
    text: str = Query(default="", max_length=60),
) -> case_registry.Filters:
    """What a person wants listed."""
    return case_registry.Filters(
        stage=stage, holder=holder, lamp=lamp, grade=grade, flag=flag, town=town, text=text.strip()
    )


Asked = Annotated[case_registry.Filters, Depends(what_is_asked)]


@router.get("/disputes")
def disputes(
    request: Request,
    uow: Work,
    asked: Asked,
    after: str = Query(default="", max_length=60),
) -> Response:
    """The list, newest move first. A number that somebody calls a dispute by leads straight to it."""
    need(uow.actor, *READERS)
    text = asked.text
    reader = case_registry.reader_of(uow.actor)
    named = case_registry.disputes_of(uow, text, reader=reader) if text else []
    if len(named) == 1:
        return go(f"/disputes/{quote(named[0].number)}")
    filters = replace(asked, text=text if len(text) > 1 else "")
    try:
        found = case_registry.find_disputes(uow, filters, reader=reader, after=_mark(after))
        care = say("搜索词至少两个字") if len(text) == 1 else ""
    except case_registry.NotAllowed:
        found, care = case_registry.Page([], None), say("搜索词至少两个字")
    chosen = {name: getattr(filters, name) for name in FILTERS}
    return page(
        request, "disputes.html", rows=found.rows, text=text, chosen=chosen, care=care,
        following=_link({**chosen, "text": text, "after": _as_text(found.next)}) if found.next else "",
        link=lambda **more: _link({**chosen, "text": text, **more}),
        taken=_link({**chosen, "text": text}).replace("/disputes", "/disputes-export", 1),
        board=case_registry.board(uow, uow.actor.region) if not after else None, later=bool(after),
    )  # fmt: skip


@router.get("/disputes-export")
def export(
    uow: Work,
    asked: Asked,
) -> Response:
    """The list under these filters as a file, every row marked with who took it, when and for what."""
    need(uow.actor, *READERS)
    try:
        found = exporting.export_disputes(uow, asked, case_registry.reader_of(uow.actor))
    except case_registry.NotAllowed:
        raise Refused(Finding("FIELD_MISSING", "text", asked.text, "at least two characters")) from None
    return Response(found.content, media_type="text/csv", headers=exporting.headers(found))


@router.get("/board/changes")
async def board_changes(
    request: Request, actor: Reader, county: str = Query(default="", max_length=6)
) -> Response:
    """The board now and after each change, as server-sent events."""
    need(actor, *READERS)
    feed: BoardFeed = request.app.state.board
    return StreamingResponse(feed.watch(actor.region or county), media_type="text/event-stream")


def _mark(text: str) -> tuple[datetime, int] | None:
    if not text:
        return None
    at, _, seq = text.rpartition("~")
    try:
        return datetime.fromisoformat(at), int(seq)
    except ValueError:
        raise Refused(Finding("CODE_UNKNOWN", "after", text)) from None


def _as_text(mark: tuple[datetime, int] | None) -> str:
    return f"{mark[0].isoformat()}~{mark[1]}" if mark else ""


def _link(values: dict[str, str]) -> str:
    told = urlencode({name: value for name, value in values.items() if value})
    return f"/disputes?{told}" if told else "/disputes"


@router.get("/disputes/{number:path}")
def dispute(
    request: Request,
    number: str,
    uow: Work,
    true_on: str = Query(default="", max_length=10),
    known_on: str = Query(default="", max_length=10),
) -> HTMLResponse:
    """One record: every value with who said it; episodes, clocks, links, money, time line. Each look leaves a line."""
    need(uow.actor, *READERS)
    for name, day in (("true_on", true_on), ("known_on", known_on)):
        _check_day(name, day)
    reader = case_registry.reader_of(uow.actor)
    refs = case_registry.disputes_of(uow, number, reader=reader)
    found = case_registry.dispute(
        uow, refs[0].number if refs else number, as_true_on=true_on or None, as_known_on=known_on or None,
        reader=reader,
    )  # fmt: skip
    if found is None:
        raise Refused(Finding("NOT_FOUND", "dispute_number", number, "a dispute's number"))
    disclose(
        uow, recipient=uow.actor.id, purpose=reader.purpose, subject=found["number"], fields=["record"],
        basis="个人信息保护法 第13条第3项",
    )  # fmt: skip
    lines = case_registry.timeline(uow, found["number"], reader=reader)
    return page(
        request, "dispute.html", dispute=found, timeline=lines, office=_office(uow, found), true_on=true_on,
        known_on=known_on, past=bool(true_on or known_on), people=staff_names(uow), rules=_rules(found),
        indicators=case_registry.noted_indicators(), notes=_notes(uow, found, reader),
        messages=_messages(uow, found, lines),
        today=uow.now.date(), supervised=case_registry.supervision_cases(uow, dispute=found["id"], reader=reader),
    )  # fmt: skip


def _check_day(name: str, text: str) -> None:
    try:
        if text:
            date.fromisoformat(text)
    except ValueError:
        raise Refused(Finding("DATE_UNREADABLE", name, text, "2026-04-01")) from None


def _office(uow: Work, found: dict[str, Any]) -> list[dict[str, Any]]:
    """The office's own cases of the dispute: matter and escrow, where there are any."""
    numbers = dict.fromkeys(each["native_id"] for each in found["episodes"] if each["agency"] == "mediation")
    shown = []
    for number in numbers:
        matter = mediation.matter_by_number(uow, number)
        case = escrow.find_case(uow, number) if escrow.has_case(uow, number) else None
        shown.append({"number": number, "matter": matter["id"] if matter else None, "case": case})
    return shown


def _notes(uow: Work, found: dict[str, Any], reader: case_registry.Reader) -> list[dict[str, Any]]:
    """What was entered of indicators, for those who see the dispute's persons: reasons name them."""
    seen = case_registry.sees_behind(uow, reader, "dispute", found["id"])
    return case_registry.indicator_notes(uow, found["id"]) if seen else []


def _rules(found: dict[str, Any]) -> dict[str, Any]:
    """The rows of the deadline table that clocks of this dispute run by, the newest form of each."""
    table = case_registry.deadline_rules()
    return {each["rule"]: table[each["rule"]][-1] for each in found["clocks"] if each["rule"] in table}


def _messages(uow: Work, found: dict[str, Any], lines: list[dict[str, Any]]) -> set[str]:
    """Which of the messages that the page names this person may open in the exchange log."""
    if not uow.actor.has(*SEES_MESSAGES):
        return set()
    named = {str(field["said_by"].get("message") or "") for field in found["fields"].values()}
    named |= {str(value["message"]) for each in found["episodes"] for value in each["fields"].values()}
    named |= {line["ref"] for line in lines if line["what"] == "told"}
    ids = [each for each in named if is_uuid(each)]
    rows = uow.all("SELECT id FROM exchange.inbox WHERE id = ANY(CAST(:ids AS uuid[]))", ids=ids)
    return {str(row["id"]) for row in rows}
