"""What a rail, a query or a person says about an instruction, and what follows. Only a statement line proves."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from escrow import breaks, case_state, freezes, ledger
from escrow.desk import RailDesk
from escrow.outcomes import ASK_CEILING, Source, Verdict, judge, next_ask, repeat_delay
from escrow.results import Event, Result, beijing_day, refuse
from foundation.unit_of_work import UnitOfWork


def record_outcome(
    uow: UnitOfWork, desk: RailDesk, rail_id: str, number: str, outcome: str, source: Source, *, code: str = "",
    text: str = "", raw: bytes | None = None,
) -> Result:  # fmt: skip
    """Record what was said about our instruction `number`: the outcome moves by its table, or stays with a question.

    `source`: REPLY to the sending, QUERY = answer to our question, REPORT = pushed status, NOTICE = a hint.
    Raises Refused UNKNOWN_ORIGINAL for a number that we never sent.
    """
    attempt = uow.scalar(
        "SELECT id FROM escrow.rail_attempt WHERE rail = :rail AND number = :number",
        rail=rail_id,
        number=number,
    )
    if attempt is None:
        raise refuse("UNKNOWN_ORIGINAL", "number", number, "an order we sent", "park and ask")
    return Result(say(uow, desk, attempt, outcome, source, code=code, text=text, raw=raw), attempt)


def say(
    uow: UnitOfWork, desk: RailDesk, attempt_id: UUID, outcome: str, source: Source, *, code: str = "", text: str = "",
    raw: bytes | None = None,
) -> list[Event]:  # fmt: skip
    """Apply one word to one attempt, under its case's lock."""
    case_id = uow.scalar("SELECT case_id FROM escrow.rail_attempt WHERE id = :id", id=attempt_id)
    if case_id is not None:
        ledger.lock_case(uow, case_id)
    attempt = uow.one("SELECT * FROM escrow.rail_attempt WHERE id = :id FOR UPDATE", id=attempt_id)
    assert attempt is not None
    verdict = judge(attempt["outcome"], outcome, source)
    _note(uow, attempt, outcome, source, verdict.applied, code, text, raw)
    if attempt["source"] == "HISTORY":
        return _history(uow, attempt, verdict.after)
    events = _contradiction(uow, attempt, outcome) if verdict.contradicts else []
    _move_attempt(uow, desk, attempt, verdict, source, code)
    if not verdict.applied or verdict.after is None:
        return events
    return events + _follow(uow, attempt, verdict.after, code, text)


def _note(
    uow: UnitOfWork,
    attempt: RowMapping,
    outcome: str,
    source: str,
    applied: bool,
    code: str,
    text: str,
    raw: bytes | None,
) -> None:
    uow.execute(
        "INSERT INTO escrow.outcome_note (attempt, at, source, outcome, applied, code, text, raw, actor) VALUES"
        " (:attempt, :at, :source, :outcome, :applied, :code, :text, :raw, :by)",
        attempt=attempt["id"], at=uow.now, source=source, outcome=outcome, applied=applied, code=code[:80], text=text[:500],
        raw=raw, by=uow.actor.id,
    )  # fmt: skip


def _history(uow: UnitOfWork, attempt: RowMapping, after: str | None) -> list[Event]:
    """An instruction of the time before: noted; what provably did not leave is there for a freeze again."""
    uow.execute(
        "UPDATE escrow.rail_attempt SET outcome = :after WHERE id = :id", after=after, id=attempt["id"]
    )
    if attempt["case_id"] is None or after not in ("REFUSED", "NOT_SENT"):
        return []
    return freezes.fill(uow, attempt["case_id"])


def _contradiction(uow: UnitOfWork, attempt: RowMapping, outcome: str) -> list[Event]:
    return breaks.found(
        uow, "STATUS", f"word/{attempt['id']}/{outcome}", beijing_day(uow.now), case_id=attempt["case_id"],
        order_id=attempt["order_id"], fen=int(attempt["fen"]), detail={"known": attempt["outcome"], "said": outcome},
    )  # fmt: skip


def _move_attempt(
    uow: UnitOfWork, desk: RailDesk, attempt: RowMapping, verdict: Verdict, source: Source, code: str
) -> None:
    """Write the outcome and when to ask next. What was being sent is sent now, except when it provably was not."""
    delays = [int(s) for s in desk.rail(attempt["rail"]).manifest["unknown"]["ask_after_s"]]
    repeat = verdict.applied and verdict.after == "NOT_SENT"
    left = verdict.applied or source in ("REPLY", "HUB")
    wait = attempt["next_ask"]
    if verdict.after in ("UNKNOWN", "ACCEPTED", "IN_PROCESS"):
        if source != "QUERY" or wait is None:
            wait = next_ask(uow.now, int(attempt["asks"]), delays)
        if uow.now - (attempt["first_sent_at"] or uow.now) >= ASK_CEILING:
            wait = None
    elif verdict.applied:
        wait = None
    if verdict.ask and source in ("NOTICE", "REPORT"):
        wait = uow.now
    uow.execute(
        "UPDATE escrow.rail_attempt SET outcome = :after, outcome_code = CASE WHEN :applied THEN :code ELSE outcome_code END,"
        " was_unknown = was_unknown OR coalesce(:after, '') = 'UNKNOWN', next_ask = :wait,"
        " state = CASE WHEN :repeat THEN 'INTENDED' WHEN :left THEN 'SENT' ELSE state END,"
        " lease_until = CASE WHEN :left THEN NULL ELSE lease_until END,"
        " send_after = CASE WHEN :repeat THEN :later ELSE send_after END WHERE id = :id",
        after=verdict.after, applied=verdict.applied, code=code[:80], wait=wait, repeat=repeat, left=left,
        later=uow.now + repeat_delay(int(attempt["sends"])), id=attempt["id"],
    )  # fmt: skip


def _follow(uow: UnitOfWork, attempt: RowMapping, after: str, code: str, text: str) -> list[Event]:
    order = uow.one(
        "SELECT * FROM escrow.payment_order WHERE id = :id FOR NO KEY UPDATE", id=attempt["order_id"]
    )
    assert order is not None
    if order["state"] not in ("DISPATCHING", "SENT"):
        return []
    if after == "REFUSED":
        events = fail(uow, order, f"{code} {text}".strip() or "渠道拒绝")
        return [_event(uow, order, "ORDER_REFUSED", code=code, text=text), *events]
    _order(uow, order, after)
    if after == "NOT_SENT":
        return _not_sent(uow, order)
    changed = attempt["outcome"] != after
    names = {
        "UNKNOWN": "ORDER_UNKNOWN",
        "DONE": "ORDER_DONE_BY_RAIL",
        "ACCEPTED": "ORDER_ACCEPTED",
        "IN_PROCESS": "ORDER_IN_PROCESS",
    }
    return [_event(uow, order, names[after], code=code, text=text)] if changed else []


def _order(uow: UnitOfWork, order: RowMapping, after: str) -> None:
    uow.execute(
        "UPDATE escrow.payment_order SET state = 'SENT', outcome = :after, was_unknown = was_unknown OR :after = 'UNKNOWN',"
        " moved_at = CASE WHEN state = 'SENT' THEN moved_at ELSE :at END WHERE id = :id",
        after=after, at=uow.now, id=order["id"],
    )  # fmt: skip


def _not_sent(uow: UnitOfWork, order: RowMapping) -> list[Event]:
    """It provably did not leave: the same bytes go again, unless a freeze or a stop wants the money meanwhile."""
    wanted = any(int(row["wanting_fen"]) > 0 for row in freezes.active(uow, order["case_id"]))
    stopped = uow.scalar(
        "SELECT 1 FROM escrow.stop WHERE case_id = :case AND ended_at IS NULL AND amount_fen IS NULL AND (payee = '' OR payee = :payee)"
        " LIMIT 1",
        case=order["case_id"], payee=order["payee"],
    )  # fmt: skip
    if wanted or (stopped and order["purpose"] == "COMPENSATION"):
        return fail(uow, order, "未发出，且有冻结或停付事项")
    uow.execute(
        "UPDATE escrow.payment_order SET state = 'DISPATCHING', moved_at = :at WHERE id = :id",
        at=uow.now,
        id=order["id"],
    )
    return [_event(uow, order, "ORDER_NOT_SENT")]


def recall_unsent(uow: UnitOfWork, order_id: UUID, reason: str) -> list[Event]:
    """An order whose intent is committed but which no worker has taken, or which provably did not leave: it FAILS and
    its money is free for whoever has the better right. One that may have left stays as it is."""
    order = uow.one("SELECT * FROM escrow.payment_order WHERE id = :id FOR NO KEY UPDATE", id=order_id)
    attempt = uow.one("SELECT * FROM escrow.rail_attempt WHERE order_id = :id FOR UPDATE", id=order_id)
    assert order is not None and attempt is not None
    if attempt["state"] != "INTENDED":
        return []
    _note(uow, attempt, "NOT_SENT", "HUB", True, "", reason, None)
    uow.execute("UPDATE escrow.rail_attempt SET outcome = 'NOT_SENT' WHERE id = :id", id=attempt["id"])
    return fail(uow, order, reason)


def fail(uow: UnitOfWork, order: RowMapping, reason: str) -> list[Event]:
    """A definite failure: money in transit goes back to the case, freezes take theirs, the state follows."""
    fen, case_id = int(order["amount_fen"]), order["case_id"]
    parts = [
        (ledger.account(uow, "in_transit", case_id, order["rail"]), fen),
        (ledger.account(uow, "case_escrow", case_id), -fen),
    ]
    ledger.post(
        uow, f"recall/{order['id']}", "RECALL", fen, parts, case_id, ledger.Grounds(order=order["id"])
    )
    uow.execute(
        "UPDATE escrow.payment_order SET state = 'FAILED', outcome = (SELECT outcome FROM escrow.rail_attempt WHERE order_id = :id"
        " ORDER BY attempt DESC LIMIT 1), reason = :reason, moved_at = :at WHERE id = :id",
        reason=reason[:500], at=uow.now, id=order["id"],
    )  # fmt: skip
    uow.execute(
        "UPDATE escrow.rail_attempt SET state = 'SENT', next_ask = NULL WHERE order_id = :id", id=order["id"]
    )
    events = [_event(uow, order, "ORDER_FAILED", reason=reason), *freezes.fill(uow, case_id)]
    if order["purpose"] != "TOP_UP":
        events += case_state.move_if_allowed(uow, case_id, "refused")
    return events + _split_missing(uow, order)


def _split_missing(uow: UnitOfWork, order: RowMapping) -> list[Event]:
    """Refused while the case's money still lies on another account of the holder: ask the holder to move it (S09)."""
    waiting = uow.one(
        "SELECT sum(m.fen) AS fen, min(m.from_account) AS there, b.mirror_fen FROM escrow.place_move m JOIN escrow.bank_account b"
        " ON b.rail = m.rail AND b.number = m.to_account WHERE m.case_id = :case AND m.rail = :rail AND m.credit IS NULL"
        " GROUP BY b.mirror_fen",
        case=order["case_id"], rail=order["rail"],
    )  # fmt: skip
    if waiting is None or int(waiting["mirror_fen"]) >= int(order["amount_fen"]):
        return []
    uow.execute("UPDATE escrow.escrow_case SET split_missing = true WHERE id = :id", id=order["case_id"])
    return [
        _event(uow, order, "BANK_SPLIT_MISSING", account=waiting["there"], waiting_fen=int(waiting["fen"]))
    ]


def _event(uow: UnitOfWork, order: RowMapping, name: str, **more: Any) -> Event:
    return case_state.event(
        uow, order["case_id"], name, order_id=order["id"], number=order["number"], fen=int(order["amount_fen"]),
        purpose=order["purpose"], **more,
    )  # fmt: skip
