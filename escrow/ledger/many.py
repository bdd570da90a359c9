"""Many plain entries through one call: each is posted as `mirror.post` does, by the same function of the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from escrow.ledger.mirror import Grounds, refusal
from foundation.unit_of_work import UnitOfWork


@dataclass(frozen=True)
class Pair:
    """One entry of two parts: `fen` from account `debit` to account `credit`; see `post` for the rest."""

    key: str
    kind: str
    fen: int
    debit: UUID
    credit: UUID
    case_id: UUID
    grounds: Grounds = field(default_factory=Grounds)


def post_many(uow: UnitOfWork, pairs: Sequence[Pair]) -> None:
    """Post entries in their order, all or none. Raises what `post` raises, of the first that is refused."""
    if not pairs:
        return
    try:
        uow.execute(
            "SELECT escrow.post_entries(CAST(:ids AS uuid[]), CAST(:keys AS text[]), CAST(:kinds AS text[]),"
            " CAST(:cases AS uuid[]), CAST(:custodies AS uuid[]), CAST(:lines AS uuid[]), CAST(:orders AS uuid[]),"
            " CAST(:fens AS bigint[]), :at, :actor, CAST(:debits AS uuid[]), CAST(:credits AS uuid[]))",
            ids=[uow.new_id() for _ in pairs],
            keys=[each.key for each in pairs],
            kinds=[each.kind for each in pairs],
            cases=[each.case_id for each in pairs],
            custodies=[each.grounds.custody for each in pairs],
            lines=[each.grounds.line for each in pairs],
            orders=[each.grounds.order for each in pairs],
            fens=[each.fen for each in pairs],
            at=uow.now,
            actor=uow.actor.id,
            debits=[each.debit for each in pairs],
            credits=[each.credit for each in pairs],
        )
    except IntegrityError as error:
        raise refusal(error, pairs[0].key) from error
