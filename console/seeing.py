"""Routes about one matter or one escrow: first whether this person may see it, then everything else."""

from __future__ import annotations

from uuid import UUID

from fastapi import Depends

from console.access import Work
from hub import seeing


def _matter(matter_id: UUID, uow: Work) -> None:
    seeing.check_matter(uow, matter_id)


def _matter_shown(matter_id: UUID, uow: Work) -> None:
    # Who scores a dossier sees its handling, not its persons.
    seeing.check_matter(uow, matter_id, "case")


def _agreement(agreement_id: UUID, uow: Work) -> None:
    seeing.check_agreement(uow, agreement_id)


def _case(case_id: UUID, uow: Work) -> None:
    seeing.check_money(uow, "case", case_id)


def _order(order_id: UUID, uow: Work) -> None:
    seeing.check_money(uow, "order", order_id)


def _decision(decision_id: UUID, uow: Work) -> None:
    seeing.check_money(uow, "decision", decision_id)


def _break(break_id: UUID, uow: Work) -> None:
    seeing.check_money(uow, "break", break_id)


MATTER_SEEN, MATTER_SHOWN, AGREEMENT = [Depends(_matter)], [Depends(_matter_shown)], [Depends(_agreement)]
CASE, ORDER, DECISION, BREAK = [Depends(_case)], [Depends(_order)], [Depends(_decision)], [Depends(_break)]
