"""The watch on the screen: clocks extended or paused, risk noted and graded, hand-overs between agencies."""

from __future__ import annotations

from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response

import case_registry
from console.access import need
from console.acts import Act, Taken
from console.texts import say
from console.words import words
from hub import seeing
from schemas.findings import Finding

router = APIRouter()
WATCH = ("supervision_officer", "reviewer")
HANDS = ("supervision_officer", "reviewer", "intake_clerk", "mediator")
# Words of agencies that hold no dispute.
NO_HOLDERS = {"-", "decision", "registry_check", "supervision"}
GRADES = ("BLUE", "YELLOW", "ORANGE", "RED")


def _end(act: Act, place: str, notice: str) -> Response:
    number = act.told.text("number", required=True)
    act.told.check()
    return act.done(f"/disputes/{quote(number)}#{place}", notice)


@router.post("/clocks/{clock_id}")
def clock(clock_id: UUID, act: Taken) -> Response:
    """Extend, suspend or let go on, as the clock's row of the deadline table allows."""
    need(act.uow.actor, *WATCH)
    what = act.told.choice("what", ("extend", "suspend", "resume"))
    reason = act.told.reason()
    amount = act.told.whole("amount", 1, 400, 1) if what == "extend" else 0
    ground = act.told.text("ground", most=40)
    act.told.check()
    seeing.check_registry(act.uow, "clock", clock_id, seeing.WATCH)
    if what == "extend":
        events = case_registry.extend_clock(act.uow, clock_id, amount, reason)
    elif what == "suspend":
        # The row says what may pause it; the code goes first in the reason.
        events = case_registry.suspend_clock(act.uow, clock_id, f"{ground}: {reason}")
    else:
        events = case_registry.resume_clock(act.uow, clock_id, reason)
    act.follow(events)
    return _end(act, "clocks", say("时限已更新，理由已记录"))


@router.post("/factors/{dispute_id}/notes")
def note(dispute_id: UUID, act: Taken) -> Response:
    """Record what only people can state of a risk."""
    need(act.uow.actor, "supervision_officer", "mediator")
    indicator, _, step = act.told.text("indicator", required=True).partition("/")
    reason = act.told.reason()
    source, until = act.told.text("source"), act.told.day("until")
    act.told.check()
    seeing.check_registry(act.uow, "dispute", dispute_id, seeing.WATCH)
    act.follow(
        case_registry.note_indicator(
            act.uow, dispute_id, indicator, step or "recorded", reason, source, until
        )
    )
    return _end(act, "factor", say("已记录，等级随之更新"))


@router.post("/factors/{dispute_id}/withdrawals")
def withdraw(dispute_id: UUID, act: Taken) -> Response:
    """Take a note back, with the reason; what it did to the grade stays in the log."""
    need(act.uow.actor, "supervision_officer", "mediator")
    reason, note_id = act.told.reason(), act.told.whole("note", 1, 999_999_999, 0)
    act.told.check()
    seeing.check_registry(act.uow, "dispute", dispute_id, seeing.WATCH)
    seeing.check_registry(act.uow, "note", note_id, seeing.WATCH)
    act.follow(case_registry.withdraw_indicator(act.uow, note_id, reason))
    return _end(act, "factor", say("已撤回，等级随之更新"))


@router.post("/factors/{dispute_id}/grade")
def grade(dispute_id: UUID, act: Taken) -> Response:
    """Set the grade by hand until a day, or take the factor off the list."""
    need(act.uow.actor, "supervision_officer")
    seeing.check_registry(act.uow, "dispute", dispute_id, seeing.WATCH)
    reason = act.told.reason()
    if act.told.text("what") == "strike":
        act.told.check()
        act.follow(case_registry.strike_off_factor(act.uow, dispute_id, reason))
        return _end(act, "factor", say("已移出名单"))
    chosen = act.told.choice("grade", GRADES)
    code = act.told.choice("code", words()["override"])
    until = act.told.day("until", required=True)
    second, document = act.told.text("second", most=64), act.told.text("document")
    act.told.check()
    assert until is not None
    events = case_registry.override_grade(
        act.uow, dispute_id, chosen, code, reason, until, second=second, document=document
    )
    act.follow(events)
    return _end(act, "factor", say("等级已调整，到期自动恢复"))


@router.post("/hand-overs")
def draft(act: Taken) -> Response:
    """Draft a hand-over; another person sends it."""
    need(act.uow.actor, *HANDS)
    agencies = set(words()["agency"]) - NO_HOLDERS
    number = act.told.text("number", required=True)
    away, to = act.told.choice("from", agencies), act.told.choice("to", agencies)
    reason = act.told.reason()
    act.told.check()
    seeing.check_dispute(act.uow, number, seeing.WATCH)
    case_registry.draft_referral(act.uow, number, away, to, reason, urgent=act.told.ticked("urgent"))
    return _end(act, "hand-overs", say("移送已拟稿，须由另一人发出"))


@router.post("/hand-overs/{referral_id}")
def move(referral_id: UUID, act: Taken) -> Response:
    """Send it, note its receipt, take it up under a case, return it or recall it."""
    need(act.uow.actor, *HANDS)
    what = act.told.choice("what", ("send", "receipt", "take_up", "return", "recall"))
    detail = act.told.text("detail", most=500, required=what not in ("send", ""))
    act.told.check()
    seeing.check_registry(act.uow, "referral", referral_id, seeing.WATCH)
    if what == "send":
        events = case_registry.send_referral(act.uow, referral_id)
    elif what == "receipt":
        events = case_registry.referral_receipt(act.uow, referral_id, detail)
    elif what == "take_up":
        partner, _, native_id = detail.partition("|")
        events = case_registry.take_up_referral(act.uow, referral_id, partner, native_id)
    elif what == "return":
        events = case_registry.return_referral(act.uow, referral_id, detail)
    else:
        events = case_registry.recall_referral(act.uow, referral_id, detail)
    act.follow(events)
    act.follow(case_registry.refresh_disputes(act.uow, [_number(act)]))
    return _end(act, "hand-overs", say("移送状态已更新"))


def _number(act: Act) -> str:
    number = act.told.text("number", required=True)
    if not number:
        act.told.findings.append(Finding("FIELD_MISSING", "number"))
    act.told.check()
    return number
