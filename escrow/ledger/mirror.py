"""The escrow's own books in Python: accounts by name, entries through one SQL function (escrow.md, "Ledger").

A debit is positive, a credit negative. Locks: every act locks its cases first, in the order of their ids, and
reaches the ledger's accounts last; `escrow.post_entry` locks those in one order too, so no two acts wait in a ring.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.exc import IntegrityError

from escrow.results import refuse
from foundation.unit_of_work import UnitOfWork


@dataclass(frozen=True)
class Grounds:
    """What an entry rests on: a statement line, an order, a court's document, a decision; `custody`: where it lies."""

    line: UUID | None = None
    order: UUID | None = None
    document: UUID | None = None
    decision: UUID | None = None
    custody: UUID | None = None


def account(uow: UnitOfWork, kind: str, case_id: UUID | None = None, key: str = "") -> UUID:
    """The ledger account of that kind, case and key; made when it is not there."""
    found = _find(uow, kind, case_id, key)
    if found is None:
        uow.execute(
            "INSERT INTO escrow.account (id, kind, case_id, key) VALUES (:id, :kind, :case_id, :key)"
            " ON CONFLICT (kind, case_id, key) DO NOTHING",
            id=uow.new_id(), kind=kind, case_id=case_id, key=key,
        )  # fmt: skip
        found = _find(uow, kind, case_id, key)
    assert found is not None
    return found


def _find(uow: UnitOfWork, kind: str, case_id: UUID | None, key: str) -> UUID | None:
    found: UUID | None = uow.scalar(
        "SELECT id FROM escrow.account WHERE kind = :kind AND key = :key"
        " AND case_id IS NOT DISTINCT FROM CAST(:case_id AS uuid)",
        kind=kind, key=key, case_id=case_id,
    )  # fmt: skip
    return found


def balance(uow: UnitOfWork, kind: str, case_id: UUID | None = None, key: str | None = None) -> int:
    """What accounts of that kind hold, in fen: of a case, and of one key unless `key` is None."""
    held: int = uow.scalar(
        "SELECT coalesce(sum(balance), 0)::bigint FROM escrow.account WHERE kind = :kind"
        " AND case_id IS NOT DISTINCT FROM CAST(:case_id AS uuid) AND (CAST(:key AS text) IS NULL OR key = :key)",
        kind=kind, case_id=case_id, key=key,
    )  # fmt: skip
    return held


def post(
    uow: UnitOfWork,
    key: str,
    kind: str,
    fen: int,
    parts: Sequence[tuple[UUID, int]],
    case_id: UUID | None = None,
    grounds: Grounds | None = None,
) -> UUID:
    """Post one entry; returns its id.

    `key`: business key, for ever; the same key with the same body gives the entry that is there. `fen`: the
    entry's sum; `parts`: (account, signed fen) that sum to zero. Raises Refused: BUSINESS_KEY_CONFLICT naming the
    field that differs, MONEY_SHORT when an account would fall below zero.
    """
    rests = grounds or Grounds()
    try:
        posted: UUID = uow.scalar(
            "SELECT escrow.post_entry(:id, :key, :kind, :case_id, :custody, :line, :order_id, :document, :decision,"
            " :fen, :at, :actor, CAST(:accounts AS uuid[]), CAST(:amounts AS bigint[]))",
            id=uow.new_id(), key=key, kind=kind, case_id=case_id, custody=rests.custody, line=rests.line,
            order_id=rests.order, document=rests.document, decision=rests.decision, fen=fen, at=uow.now,
            actor=uow.actor.id, accounts=[each for each, _ in parts], amounts=[amount for _, amount in parts],
        )  # fmt: skip
    except IntegrityError as error:
        raise refusal(error, key) from error
    return posted


def refusal(error: IntegrityError, key: str) -> Exception:
    """What the database refused, in the words of the room; the error itself where it has none."""
    diag = getattr(error.orig, "diag", None)
    code, text = (
        str(getattr(diag, "message_detail", "") or ""),
        str(getattr(diag, "message_primary", "") or ""),
    )
    if text.startswith("BUSINESS_KEY_CONFLICT"):
        return refuse("BUSINESS_KEY_CONFLICT", f"entry.{code}", key, "the body that was posted first")
    if code == "NEGATIVE_BALANCE":
        return refuse("MONEY_SHORT", "ledger", text, "a balance of 0 or more")
    return error


def lock_cases(uow: UnitOfWork, case_ids: Iterable[UUID]) -> dict[UUID, RowMapping]:
    """Lock cases in the order of their ids and return their rows; everything that moves money comes through here."""
    rows = uow.all(
        "SELECT * FROM escrow.escrow_case WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE",
        ids=sorted(set(case_ids)),
    )
    return {row["id"]: row for row in rows}


def lock_case(uow: UnitOfWork, case_id: UUID) -> RowMapping:
    """Lock one case. Raises Refused NOT_FOUND."""
    rows = lock_cases(uow, [case_id])
    if case_id not in rows:
        raise refuse("NOT_FOUND", "case_id", case_id)
    return rows[case_id]


def free(uow: UnitOfWork, case_id: UUID) -> int:
    """Fen of a case that no freeze, order or stop holds: what a new order may take."""
    row = uow.one("SELECT free_fen, stopped_fen FROM escrow.v_figures WHERE case_id = :id", id=case_id)
    assert row is not None
    return max(0, int(row["free_fen"]) - int(row["stopped_fen"]))


def holding(uow: UnitOfWork, case_id: UUID, custody: UUID) -> int:
    """Fen of a case that lie at one custody account."""
    return int(
        uow.scalar(
            "SELECT coalesce(sum(fen), 0) FROM escrow.v_holding WHERE case_id = :case_id AND custody = :custody",
            case_id=case_id, custody=custody,
        )
    )  # fmt: skip
