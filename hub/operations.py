"""The open contract's operations, one table: name → plain function. REST and SOAP are thin over it, so both mean the same.

``submit``, ``correction`` and ``withdrawal`` are taken together in batches (hub/submitting.py); the others are here, and
further ones are added to OPERATIONS: an element pair in contract/operations.xsd, a path in exchange_api/open_contract/rest.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import RowMapping

import case_registry
from foundation.directory import Partner
from foundation.unit_of_work import UnitOfWork
from hub import sharing
from hub.batches import batch, batch_results
from hub.evidence import evidence
from hub.pages import MOST_A_PAGE, moment, read_cursor, write_cursor
from schemas.findings import Finding, Refused

Plain = dict[str, Any]
# Operation that takes a message → the kind that the message must be of.
TAKES = {"submit": "record", "correction": "correction", "withdrawal": "withdrawal"}
# What every answer to a query has.
_SHOWN = ("dispute", "stage", "holder", "own")
# A message is listed so long after it came: an earlier number may be committed a little later than the next one.
SETTLED = timedelta(seconds=5)


def status(uow: UnitOfWork, caller: Partner, asked: Plain) -> Plain:
    """What became of one of the caller's messages, by ``receipt_no`` or ``message_id``. Raises Refused: NOT_FOUND."""
    found = statuses(uow, [(caller.id, asked)])[0]
    if found is None:
        raise unknown(asked)
    return found


def unknown(asked: Plain) -> Refused:
    """The refusal of a message that the caller has not sent."""
    name = "receipt_no" if "receipt_no" in asked else "message_id"
    return Refused(
        Finding(
            "NOT_FOUND",
            f"/{name}",
            str(asked.get(name, ""))[:100],
            "a message that you sent and we receipted",
        )
    )


_MESSAGES = """
SELECT g.place, i.id, i.receipt_no, i.message_id, i.case_key, i.sequence, i.state, i.received_at, i.decided_at, i.result,
    i.receipt, i.next_try FROM unnest(CAST(:p AS text[]), CAST(:by AS text[]), CAST(:n AS bigint[])) WITH ORDINALITY
    AS g (partner, message_id, seq, place) JOIN exchange.inbox i ON {join} AND i.receipt IS NOT NULL"""
_BY_ID = _MESSAGES.format(join="i.partner = g.partner AND i.message_id = g.message_id")
_BY_NUMBER = _MESSAGES.format(join="i.seq = g.seq AND i.partner = g.partner")


def _rows(uow: UnitOfWork, asked: Sequence[tuple[str, Plain]]) -> list[RowMapping | None]:
    found: list[RowMapping | None] = [None] * len(asked)
    for sql, wanted in ((_BY_ID, "message_id"), (_BY_NUMBER, "receipt_no")):
        places = [place for place, (_, which) in enumerate(asked) if wanted in which]
        if not places:
            continue
        numbers = [_number(asked[place][1].get("receipt_no", "")) for place in places]
        rows = uow.all(
            sql,
            p=[asked[place][0] for place in places],
            by=[str(asked[place][1].get("message_id", "")) for place in places],
            n=numbers,
        )
        for row in rows:
            found[places[row["place"] - 1]] = row
    return found


def _number(receipt_no: str) -> int:
    digits = receipt_no[1:]
    return (
        int(digits)
        if receipt_no[:1] == "R" and digits.isascii() and digits.isdigit() and len(digits) < 19
        else -1
    )


def statuses(uow: UnitOfWork, asked: Sequence[tuple[str, Plain]]) -> list[Plain | None]:
    """The status of many messages in one look: (partner, which) each; None where there is no such message."""
    return [None if row is None else _status(row) for row in _rows(uow, asked)]


def _status(row: RowMapping) -> Plain:
    result = row["result"] or {}
    waits = row["state"] == "RECEIVED" and row["next_try"] > row["received_at"]
    told: Plain = {
        "receipt_no": row["receipt_no"],
        "message_id": row["message_id"],
        "case_key": row["case_key"],
    }
    if row["sequence"] is not None:
        told["sequence"] = row["sequence"]
    told["state"] = "WAITING" if waits else row["state"]
    if result.get("parked"):
        told["state"] = "PARKED"
    told["received_at"] = moment(row["received_at"])
    if row["decided_at"] is not None:
        told["decided_at"] = moment(row["decided_at"])
    told["disputes"] = list(result.get("disputes", ()))[:100]
    findings = result.get("outcome", {}).get("findings", ())
    told["findings"] = [
        {name: each[name] for name in ("code", "path", "found", "expected", "action")}
        for each in findings[:100]
    ]
    return told


def receipt(uow: UnitOfWork, caller: Partner, asked: Plain) -> bytes:
    """The receipt's very bytes. Raises Refused: NOT_FOUND."""
    row = _rows(uow, [(caller.id, asked)])[0]
    if row is None:
        raise unknown(asked)
    return bytes(row["receipt"])


def query(uow: UnitOfWork, caller: Partner, asked: Plain) -> Plain:
    """Where a dispute stands in which the caller has a case of its own; its own proceedings beside it.

    Raises Refused: NOT_FOUND, also where there is such a dispute and the caller has no part in it; NOT_SHARED without a
    sharing agreement in force.
    """
    number = str(asked.get("number", ""))
    found = case_registry.dispute(uow, number, viewer=caller.id)
    own = [each for each in found["episodes"] if each["partner"] == caller.id] if found else []
    if found is None or not own:
        raise Refused(Finding("NOT_FOUND", "/number", number[:100], "a dispute in which you have a case"))
    told: Plain = {"dispute": found["number"], "stage": found["stage"]}
    if found["stage_since"] is not None:
        told["stage_since"] = moment(found["stage_since"])
    told["holder"] = found["holder"]
    told["own"] = [
        {"case_key": each["native_id"], "proceeding": each["sub_id"], "proceeding_kind": each["proceeding_kind"],
         "state": each["state"]}
        for each in own[:1000]
    ]  # fmt: skip
    seen = sharing.shared_view(
        uow, caller.id, "whereabouts", told, "PROGRESS", subject=found["number"]
    ).record
    if short := [name for name in _SHOWN if name not in seen]:
        # The answer has these in both protocols: an agreement without them does not cover a query.
        raise Refused(
            Finding("NOT_SHARED", "sharing", ", ".join(short), "an agreement that covers the whole answer")
        )
    return seen


def missing(uow: UnitOfWork, caller: Partner, asked: Plain) -> Plain:
    """Numbers of the caller's cases that did not come within their time, oldest first, a page at a time."""
    after = read_cursor(str(asked.get("cursor", "")), 3)
    rows = uow.all(
        "SELECT case_key, sequence, since FROM exchange.missing_message WHERE partner = :p AND came_at IS NULL"
        " AND (CAST(:s AS timestamptz) IS NULL OR (since, case_key, sequence) > (CAST(:s AS timestamptz), :c, :n))"
        " ORDER BY since, case_key, sequence LIMIT :most",
        p=caller.id,
        s=after[0] if after else None,
        c=after[1] if after else "",
        n=int(after[2]) if after else 0,
        most=MOST_A_PAGE + 1,
    )
    told: Plain = {
        "gaps": [
            {"case_key": row["case_key"], "sequence": row["sequence"], "since": moment(row["since"])}
            for row in rows[:MOST_A_PAGE]
        ]
    }
    if len(rows) > MOST_A_PAGE:
        last = rows[MOST_A_PAGE - 1]
        told["next_cursor"] = write_cursor(moment(last["since"]), last["case_key"], str(last["sequence"]))
    return told


def messages(uow: UnitOfWork, caller: Partner, asked: Plain) -> Plain:
    """The caller's receipted messages in the order in which they came, a page at a time; each SETTLED after it came."""
    after = read_cursor(str(asked.get("cursor", "")), 1)
    most = min(max(int(asked.get("limit", MOST_A_PAGE)), 1), MOST_A_PAGE)
    rows = uow.all(
        "SELECT * FROM exchange.inbox WHERE partner = :p AND receipt IS NOT NULL AND seq > :after"
        " AND received_at < :settled ORDER BY seq LIMIT :most",
        p=caller.id,
        after=int(after[0]) if after else 0,
        settled=uow.now - SETTLED,
        most=most + 1,
    )
    told: Plain = {"messages": [_status(row) for row in rows[:most]]}
    if len(rows) > most:
        told["next_cursor"] = write_cursor(str(rows[most - 1]["seq"]))
    return told


# Operations that read; each gets the open unit of work, the caller and what was asked.
OPERATIONS: dict[str, Callable[[UnitOfWork, Partner, Plain], Plain | bytes]] = {
    "status": status,
    "receipt": receipt,
    "query": query,
    "missing": missing,
    "messages": messages,
    "evidence": evidence,
    "batch_status": batch,
    "batch_results": batch_results,
}
