"""Routes about one matter or one escrow: first whether this person may see it, then everything else."""

from __future__ import annotations

from uuid import UUID

from fastapi import Depends

from exchange_api.people import Work
from hub import seeing


def _matter(matter_id: UUID, uow: Work) -> None:
    seeing.check_matter(uow, matter_id)


def _agreement(agreement_id: UUID, uow: Work) -> None:
    seeing.check_agreement(uow, agreement_id)


def _order(order_id: UUID, uow: Work) -> None:
    seeing.check_money(uow, "order", order_id)


def _decision(decision_id: UUID, uow: Work) -> None:
    seeing.check_money(uow, "decision", decision_id)


def _break(break_id: UUID, uow: Work) -> None:
    seeing.check_money(uow, "break", break_id)


def _deposit(deposit_id: UUID, uow: Work) -> None:
    seeing.check_money(uow, "deposit", deposit_id)


def _recovery(recovery_id: UUID, uow: Work) -> None:
    seeing.check_money(uow, "recovery", recovery_id)


MATTER, AGREEMENT, ORDER = [Depends(_matter)], [Depends(_agreement)], [Depends(_order)]
DECISION, BREAK = [Depends(_decision)], [Depends(_break)]
DEPOSIT, RECOVERY = [Depends(_deposit)], [Depends(_recovery)]
