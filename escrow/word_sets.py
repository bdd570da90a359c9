"""Many words about many instructions: what most of them say moves them alike, and is written at once.

A word that needs more than that (a refusal, a doubt, a contradiction, an instruction of the time before) goes the way
of `words.say`, one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from escrow import case_state, ledger, words
from escrow.desk import RailDesk
from escrow.outcomes import judge, next_ask
from escrow.results import Event, Result
from foundation.unit_of_work import UnitOfWork
from schemas.findings import Finding, Refused

_PLAIN = ("ACCEPTED", "IN_PROCESS", "DONE")
_NAMES = {"DONE": "ORDERS_DONE_BY_RAIL", "ACCEPTED": "ORDERS_ACCEPTED", "IN_PROCESS": "ORDERS_IN_PROCESS"}


@dataclass(frozen=True)
class Word:
    """What was said of one of our numbers."""

    number: str
    outcome: str
    code: str = ""
    text: str = ""


def record_many(uow: UnitOfWork, desk: RailDesk, rail_id: str, said: Sequence[Word], source: Any) -> Result:
    """Record words as `words.record_outcome` does; a number that we never sent is a finding, and the rest stands.

    Plain words are told of once a case and outcome (ORDERS_ACCEPTED …, with `orders`)."""
    rows = uow.all(
        "SELECT a.id, a.number, a.case_id, a.order_id, a.outcome, a.asks, a.source, o.state AS order_state FROM escrow.rail_attempt a"
        " LEFT JOIN escrow.payment_order o ON o.id = a.order_id WHERE a.rail = :rail AND a.number = ANY(:numbers)",
        rail=rail_id, numbers=[word.number for word in said],
    )  # fmt: skip
    ledger.lock_cases(uow, {row["case_id"] for row in rows if row["case_id"] is not None})
    # Read again under the locks: another word may have come between.
    known = {
        row["number"]: row
        for row in uow.all(
            "SELECT a.*, o.state AS order_state FROM escrow.rail_attempt a LEFT JOIN escrow.payment_order o ON o.id = a.order_id"
            " WHERE a.rail = :rail AND a.number = ANY(:numbers) ORDER BY a.id FOR UPDATE OF a",
            rail=rail_id, numbers=[row["number"] for row in rows],
        )
    }  # fmt: skip
    result = Result()
    plain: list[tuple[Word, Any]] = []
    times = (
        {number: sum(1 for word in said if word.number == number) for number in known}
        if len(known) < len(said)
        else {}
    )
    for word in said:
        row = known.get(word.number)
        if row is None:
            result.findings.append(
                Finding(
                    "UNKNOWN_ORIGINAL", "number", word.number, "an order we sent", "park and ask", scope="row"
                )
            )
        elif times.get(word.number, 1) == 1 and _is_plain(row, word, source):
            plain.append((word, row))
        else:
            _alone(uow, desk, row, word, source, result)
    result.events += _write(uow, desk, rail_id, plain, source)
    return result


def _is_plain(row: Any, word: Word, source: Any) -> bool:
    if (
        word.outcome not in _PLAIN
        or row["source"] != "HUB"
        or row["order_state"] not in ("DISPATCHING", "SENT")
    ):
        return False
    verdict = judge(row["outcome"], word.outcome, source)
    return verdict.applied and not verdict.ask and row["outcome"] != "UNKNOWN"


def _alone(uow: UnitOfWork, desk: RailDesk, row: Any, word: Word, source: Any, result: Result) -> None:
    try:
        with uow.conn.begin_nested():
            told = words.say(uow, desk, row["id"], word.outcome, source, code=word.code, text=word.text)
        result.events += told
    except Refused as refused:
        result.findings += refused.findings


def _write(
    uow: UnitOfWork, desk: RailDesk, rail_id: str, plain: Sequence[tuple[Word, Any]], source: Any
) -> list[Event]:
    if not plain:
        return []
    delays = [int(s) for s in desk.rail(rail_id).manifest["unknown"]["ask_after_s"]]
    told = {
        "ids": [row["id"] for _, row in plain], "outcomes": [word.outcome for word, _ in plain],
        "codes": [word.code[:80] for word, _ in plain], "texts": [word.text[:500] for word, _ in plain],
        "waits": [None if word.outcome == "DONE" else next_ask(uow.now, int(row["asks"]), delays) for word, row in plain],
        "at": uow.now,
    }  # fmt: skip
    spread = (
        " FROM unnest(CAST(:ids AS uuid[]), CAST(:outcomes AS text[]), CAST(:codes AS text[]), CAST(:texts AS text[]),"
        " CAST(:waits AS timestamptz[])) AS w (id, outcome, code, text, wait)"
    )
    uow.execute(
        "INSERT INTO escrow.outcome_note (attempt, at, source, outcome, applied, code, text, actor) SELECT w.id, :at, :source,"
        f" w.outcome, true, w.code, w.text, :by{spread}",
        source=source, by=uow.actor.id, **told,
    )  # fmt: skip
    uow.execute(
        "UPDATE escrow.rail_attempt a SET outcome = w.outcome, outcome_code = w.code, next_ask = w.wait, state = 'SENT',"
        f" lease_until = NULL{spread} WHERE a.id = w.id",
        **{name: value for name, value in told.items() if name != "at"},
    )
    uow.execute(
        "UPDATE escrow.payment_order o SET state = 'SENT', outcome = w.outcome, moved_at = CASE WHEN o.state = 'SENT'"
        f" THEN o.moved_at ELSE :at END{spread} JOIN escrow.rail_attempt a ON a.id = w.id WHERE o.id = a.order_id",
        **told,
    )
    return _events(uow, plain)


def _events(uow: UnitOfWork, plain: Sequence[tuple[Word, Any]]) -> list[Event]:
    counted: dict[tuple[Any, str], list[int]] = {}
    for word, row in plain:
        if row["outcome"] != word.outcome:
            counted.setdefault((row["case_id"], word.outcome), []).append(int(row["fen"]))
    return [
        case_state.event(uow, case_id, _NAMES[outcome], orders=len(fens), fen=sum(fens))
        for (case_id, outcome), fens in counted.items()
    ]
