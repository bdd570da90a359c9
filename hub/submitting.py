"""Takes messages of the open contract: many that arrive together are stored in one commit, each with its own receipt.

What is handed in has been authenticated and checked. A sender's id counts once from the moment it is stored: the same
message again gets the first receipt, byte for byte; another message under the same id is quarantined (rule 2).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from foundation.envelope import vault_of
from foundation.inbox import JOURNAL_DECIDED, outcome_as_dict
from foundation.journal import raise_alarm
from foundation.receipts import ReceiptFacts, ReceiptKey
from foundation.replays import Proof, first_time
from foundation.unit_of_work import UnitOfWork
from schemas.exchange import Outcome
from schemas.findings import Finding

MOST_TOGETHER = 500


@dataclass(frozen=True)
class Given:
    """A message as it came. ``headers``: what proves who sent it. With ``findings`` it is kept as refused, without receipt."""

    partner: str
    operation: str
    content: bytes
    headers: dict[str, str]
    message_id: str = ""
    kind: str = ""
    case_key: str = ""
    sequence: int | None = None
    digest: str = ""
    proof: Proof | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Taken:
    """What the sender is told. ``result``: ACCEPTED, DUPLICATE, QUARANTINED or REFUSED; a receipt with the first two."""

    result: str
    receipt: bytes = b""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class _Row:
    """A row of the inbox to be."""

    id: UUID
    seq: int
    given: Given
    receipt: bytes | None = None
    receipt_no: str | None = None
    state: str = "RECEIVED"
    result: str | None = None


def take(uow: UnitOfWork, key: ReceiptKey, given: Sequence[Given]) -> list[Taken]:
    """Store what was given, in order, each once; what this returns may be told after the commit, not before.

    At most MOST_TOGETHER. Raises ValueError beyond.
    """
    if len(given) > MOST_TOGETHER:
        raise ValueError(f"{len(given)} messages together; at most {MOST_TOGETHER}")
    numbers = uow.scalar(
        "SELECT array_agg(nextval('exchange.inbox_seq_seq')) FROM generate_series(1, :n)", n=len(given)
    )
    replayed = _replayed(uow, given)
    first: dict[tuple[str, str], int] = {}
    for place, each in enumerate(given):
        if not each.findings and place not in replayed:
            first.setdefault((each.partner, each.message_id), place)
    fresh = {place: _received(uow, key, given[place], numbers[place]) for place in first.values()}
    stored = _insert_once(uow, [fresh[place] for _, place in sorted(first.items())])
    known = _known(uow, [pair for pair, place in first.items() if fresh[place].id not in stored])
    for (partner, message_id), place in first.items():
        row = fresh[place]
        if row.id in stored:
            known[partner, message_id] = (row.given.digest, row.receipt or b"")
    answers: list[Taken] = []
    aside: list[_Row] = []
    for place, each in enumerate(given):
        row = fresh.get(place)
        if place in replayed:
            answers.append(replayed[place])
        elif row is not None and row.id in stored:
            answers.append(Taken("ACCEPTED", row.receipt or b""))
        elif each.findings:
            aside.append(_set_aside(uow, each, numbers[place], "REFUSED", each.findings))
            answers.append(Taken("REFUSED", findings=each.findings))
        else:
            answers.append(_again(uow, each, numbers[place], known[each.partner, each.message_id], aside))
    _insert_aside(uow, aside)
    if stored:
        uow.execute("SELECT pg_notify('concord_open', '')")
    return answers


def _replayed(uow: UnitOfWork, given: Sequence[Given]) -> dict[int, Taken]:
    """Places whose signature was seen before: nothing of them is stored, the first one stands."""
    proofs = [(place, each.proof) for place, each in enumerate(given) if each.proof is not None]
    seen = first_time(uow, [proof for _, proof in proofs])
    found: dict[int, Taken] = {}
    for (place, proof), first in zip(proofs, seen, strict=True):
        if not first:
            finding = Finding(
                "NONCE_REPLAYED", proof.path, "seen before", "a signature of its own for each request"
            )
            found[place] = Taken("REFUSED", findings=(finding,))
    return found


def _received(uow: UnitOfWork, key: ReceiptKey, given: Given, number: int) -> _Row:
    receipt_no = f"R{number:010d}"
    facts = ReceiptFacts(
        receipt_no, given.partner, given.message_id, given.kind, uow.now,
        hashlib.sha256(given.content).hexdigest(), given.digest,
    )  # fmt: skip
    return _Row(uow.new_id(), number, given, key.receipt(facts), receipt_no)


def _again(uow: UnitOfWork, given: Given, number: int, before: tuple[str, bytes], aside: list[_Row]) -> Taken:
    """The sender's id is known: the same message, or another one under its id."""
    digest, receipt = before
    if digest == given.digest:
        return Taken("DUPLICATE", receipt)
    finding = Finding(
        "SAME_ID_OTHER_BYTES", "/message_id", given.message_id, "the content first sent under this id"
    )
    aside.append(_set_aside(uow, given, number, "QUARANTINED", (finding,)))
    raise_alarm(uow, "same_id_other_bytes", f"{given.partner}/{given.message_id}", inbox=str(aside[-1].id))
    return Taken("QUARANTINED", findings=(finding,))


def _set_aside(uow: UnitOfWork, given: Given, number: int, state: str, findings: tuple[Finding, ...]) -> _Row:
    outcome = Outcome(given.message_id, state, findings, "", uow.now)  # type: ignore[arg-type]
    return _Row(uow.new_id(), number, given, state=state, result=result_json(outcome))


def result_json(outcome: Outcome, **detail: Any) -> str:
    """What the inbox keeps of a decision, as every other message's."""
    return orjson.dumps({**detail, "outcome": outcome_as_dict(outcome)}, default=str).decode()


_COLUMNS = """id, seq, partner, channel, operation, content, data_key, size, headers, content_hash, received_at, message_id,
    compare_digest, case_key, sequence, state, receipt_no, receipt, result, decided_at, next_try"""
_GIVEN = f"""INSERT INTO exchange.inbox ({_COLUMNS}) OVERRIDING SYSTEM VALUE
SELECT g.id, g.seq, g.partner, 'push', g.operation, g.content, g.data_key, g.size, g.headers::jsonb, g.content_hash, :now, g.message_id,
    g.digest, g.case_key, g.sequence, g.state, g.receipt_no, g.receipt, g.result::jsonb,
    CASE WHEN g.state = 'RECEIVED' THEN NULL ELSE CAST(:now AS timestamptz) END, :now
FROM unnest(CAST(:ids AS uuid[]), CAST(:seqs AS bigint[]), CAST(:partners AS text[]), CAST(:operations AS text[]),
    CAST(:contents AS bytea[]), CAST(:data_keys AS bytea[]), CAST(:sizes AS int[]),
    CAST(:headers AS text[]), CAST(:hashes AS bytea[]), CAST(:messages AS text[]),
    CAST(:digests AS text[]), CAST(:cases AS text[]), CAST(:sequences AS bigint[]), CAST(:states AS text[]),
    CAST(:numbers AS text[]), CAST(:receipts AS bytea[]), CAST(:results AS text[]))
    AS g (id, seq, partner, operation, content, data_key, size, headers, content_hash, message_id, digest, case_key, sequence, state,
          receipt_no, receipt, result)"""


def _values(uow: UnitOfWork, rows: Sequence[_Row]) -> dict[str, Any]:
    given = [row.given for row in rows]
    vault = vault_of(uow)
    locked = [vault.lock(row.given.content, row.id) for row in rows]
    return {
        "now": uow.now,
        "ids": [row.id for row in rows],
        "seqs": [row.seq for row in rows],
        "partners": [each.partner for each in given],
        "operations": [each.operation for each in given],
        "contents": [content for _, content in locked],
        "data_keys": [data_key for data_key, _ in locked],
        "sizes": [len(each.content) for each in given],
        "headers": [orjson.dumps(each.headers).decode() for each in given],
        "hashes": [hashlib.sha256(each.content).digest() for each in given],
        "messages": [each.message_id or None for each in given],
        "digests": [each.digest or None for each in given],
        "cases": [each.case_key for each in given],
        "sequences": [each.sequence for each in given],
        "states": [row.state for row in rows],
        "numbers": [row.receipt_no for row in rows],
        "receipts": [row.receipt for row in rows],
        "results": [row.result for row in rows],
    }


def _insert_once(uow: UnitOfWork, rows: Sequence[_Row]) -> set[UUID]:
    """Store those whose id is new. In the order of ids, so that two processes never wait for each other in a ring."""
    if not rows:
        return set()
    made = uow.all(
        _GIVEN + " ON CONFLICT (partner, message_id) WHERE receipt IS NOT NULL DO NOTHING RETURNING id",
        **_values(uow, rows),
    )
    return {row["id"] for row in made}


def _insert_aside(uow: UnitOfWork, rows: Sequence[_Row]) -> None:
    if rows:
        uow.execute(
            f"WITH decided AS ({_GIVEN} RETURNING *) {JOURNAL_DECIDED}",
            at=uow.now, actor=uow.actor.id, **_values(uow, rows),
        )  # fmt: skip


def _known(uow: UnitOfWork, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, bytes]]:
    """Digest and receipt of messages that were stored before."""
    if not pairs:
        return {}
    rows = uow.all(
        "SELECT i.partner, i.message_id, i.compare_digest, i.receipt FROM unnest(CAST(:p AS text[]), CAST(:m AS text[]))"
        " AS g (partner, message_id) JOIN exchange.inbox i USING (partner, message_id) WHERE i.receipt IS NOT NULL",
        p=[partner for partner, _ in pairs],
        m=[message_id for _, message_id in pairs],
    )
    return {(r["partner"], r["message_id"]): (r["compare_digest"], bytes(r["receipt"])) for r in rows}
