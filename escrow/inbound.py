"""What comes in from a rail, in the form its folder read it: replies, reports, notices, returns, statements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Literal

from escrow import cases, rail_words, register, returns, statements, word_sets, words
from escrow.desk import RailDesk
from escrow.dispatch import Claim, ask_now
from escrow.outcomes import Source
from escrow.rails import Advice, Incoming
from escrow.results import Result
from escrow.statement_checks import refuse_statements
from foundation.unit_of_work import UnitOfWork
from foundation.wire import Wire, WireReply
from schemas.findings import Refused

CALL_TIMEOUT_S = 10.0
MANY = 20  # words of one message from which they are written at once
Told = Literal["REPORT", "REPLY", "QUERY"]


def carry(wire: Wire, base_url: str, claim: Claim) -> WireReply:
    """Carry a claimed call over the wire; no database is open meanwhile. Never raises for network trouble."""
    return wire.request(
        claim.request.method, base_url.rstrip("/") + "/" + claim.request.path.lstrip("/"), headers=claim.request.headers,
        content=claim.request.body or None, timeout_s=CALL_TIMEOUT_S,
    )  # fmt: skip


def take_reply(uow: UnitOfWork, desk: RailDesk, claim: Claim, reply: WireReply) -> Result:
    """Record what became of a claimed call. A call that maybe arrived leaves its order UNKNOWN, one that provably did
    not leave us is repeated with the same bytes; a question that got no answer changes nothing."""
    operation = claim.request.operation
    if reply.outcome != "ANSWERED":
        if operation != "order":
            return Result(id=claim.attempt)
        return words.record_outcome(
            uow, desk, claim.rail, claim.number, reply.outcome, "REPLY", text=reply.error
        )
    context = desk.context(uow, claim.rail, claim.request.request_id)
    incoming = Incoming(reply.content, "reply", operation, claim.number, reply.status or 0, "", reply.headers)
    advice = desk.rail(claim.rail).verify(incoming, context)
    source: Told = "QUERY" if operation == "ask" else "REPLY"
    result = take_advice(uow, desk, claim.rail, advice, source=source, raw=reply.content)
    if advice.kind == "subaccount" and advice.subaccount and claim.case_id is not None:
        result.add(cases.record_subaccount(uow, desk, claim.case_id, claim.rail, advice.subaccount))
    if operation == "order" and not any(one.number == claim.number for one in advice.outcomes):
        result.add(
            words.record_outcome(
                uow, desk, claim.rail, claim.number, "UNKNOWN", "REPLY", text="reply says nothing of it"
            )
        )
    return result


def take_advice(
    uow: UnitOfWork, desk: RailDesk, rail_id: str, advice: Advice, *, source: Told = "REPORT",
    raw: bytes | None = None, stored_as: str = "",
) -> Result:  # fmt: skip
    """Take what a rail made of a message. `source`: REPORT for what is pushed, pulled or filed; `stored_as`: where
    the raw message lies. Findings of the rail and of the books are in the result; with one of scope "message" nothing
    of it is posted.

    Statements prove; returns are announced; outcomes are words; a notice only makes us ask; a file of our own
    instructions enters what was sent.
    """
    result = Result(findings=list(advice.findings))
    blocked = any(each.scope == "message" for each in advice.findings)
    if advice.kind == "statement":
        if blocked:
            refused = refuse_statements(uow, rail_id, advice.statements, advice.findings)
            result.events += refused.events
        else:
            result.add(
                statements.take_statements(
                    uow, desk, rail_id, advice.statements, advice.lines, source=stored_as
                )
            )
        return result
    if advice.kind == "own":
        if not blocked:
            _try(uow, result, partial(register.import_file, uow, rail_id, advice.sent))
        return result
    if not blocked:
        rail_words.note(uow, rail_id, advice.outcomes)
    if advice.kind == "notice":
        _notice(uow, desk, rail_id, replace(advice, outcomes=()) if blocked else advice, result, raw)
        return result
    _outcomes(uow, desk, rail_id, advice, source, raw, result)
    if not blocked:
        _returns(uow, desk, rail_id, advice, source, result)
    for number in advice.ask:
        ask_now(uow, rail_id, number)
    return result


def _outcomes(
    uow: UnitOfWork,
    desk: RailDesk,
    rail_id: str,
    advice: Advice,
    source: Source,
    raw: bytes | None,
    result: Result,
) -> None:
    def word(number: str, said: str, code: str, text: str) -> Callable[[], Result]:
        return lambda: words.record_outcome(
            uow, desk, rail_id, number, said, source, code=code, text=text, raw=raw
        )

    if len(advice.outcomes) >= MANY:
        told = [
            word_sets.Word(
                one.number, "UNKNOWN" if one.outcome == "NOT_SENT" and one.number in advice.ask else one.outcome,
                one.reason_code or one.rail_status, one.reason,
            )
            for one in advice.outcomes
        ]  # fmt: skip
        # The raw message is kept once, where it lies, and not with each of its words.
        result.add(word_sets.record_many(uow, desk, rail_id, told, source))
    for one in advice.outcomes if len(advice.outcomes) < MANY else ():
        # Where the rail itself is not sure that nothing left, ask before anything is repeated.
        said = "UNKNOWN" if one.outcome == "NOT_SENT" and one.number in advice.ask else one.outcome
        _try(uow, result, word(one.number, said, one.reason_code or one.rail_status, one.reason))
    batch = advice.batch
    if batch is not None and batch.batch_id:
        for number in _of_batch(uow, rail_id, batch.batch_id, {one.number for one in advice.outcomes}):
            _try(
                uow, result, word(number, batch.outcome, batch.reason_code or batch.rail_status, batch.reason)
            )


def _of_batch(uow: UnitOfWork, rail_id: str, batch_id: str, named: set[str]) -> list[str]:
    """Numbers of an instruction file that the report does not name: nothing was said of them unless it says so."""
    rows = uow.all(
        "SELECT number FROM escrow.rail_attempt WHERE rail = :rail AND batch_no = :batch ORDER BY number LIMIT 10000",
        rail=rail_id, batch=batch_id,
    )  # fmt: skip
    return [row["number"] for row in rows if row["number"] not in named]


def _returns(
    uow: UnitOfWork, desk: RailDesk, rail_id: str, advice: Advice, source: Source, result: Result
) -> None:
    for back in advice.returns:
        if source == "QUERY":
            # The answer says that it was paid and came back.
            _try(uow, result, partial(words.record_outcome, uow, desk, rail_id, back.number, "DONE", source))
        _try(uow, result, partial(returns.take_advice, uow, rail_id, back))


def _notice(
    uow: UnitOfWork, desk: RailDesk, rail_id: str, advice: Advice, result: Result, raw: bytes | None
) -> None:
    """A hint: noted, nothing moves, and what it is about is asked now."""
    for one in advice.outcomes:
        if not one.number:
            continue  # an answer that names none of our orders
        note = partial(words.record_outcome, uow, desk, rail_id, one.number, one.outcome, "NOTICE")
        _try(uow, result, partial(note, code=one.rail_status, text=one.reason, raw=raw))
    for number in advice.ask:
        ask_now(uow, rail_id, number)


def _try(uow: UnitOfWork, result: Result, act: Callable[[], Result]) -> None:
    """One row that is refused does not keep the others back, and leaves nothing behind."""
    try:
        with uow.conn.begin_nested():
            done = act()
        result.add(done)
    except Refused as refused:
        result.findings += refused.findings
