"""Routes about one matter or one escrow: first whether this person may see it, then everything else."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from console.access import Reader, Work, genuine
from console.acts import fields
from hub import seeing


async def _genuine(request: Request, _actor: Reader) -> None:
    """A form that no page of this session sent is refused before anything is looked up. Raises ForgedForm."""
    if request.method == "POST":
        told = await fields(request)
        genuine(request, str(told.get("token") or ""))


Genuine = Annotated[None, Depends(_genuine)]


def _matter(matter_id: UUID, _form: Genuine, uow: Work) -> None:
    seeing.check_matter(uow, matter_id)


def _matter_shown(matter_id: UUID, _form: Genuine, uow: Work) -> None:
    # Who scores a dossier sees its handling, not its persons.
    seeing.check_matter(uow, matter_id, "case")


def _agreement(agreement_id: UUID, _form: Genuine, uow: Work) -> None:
    seeing.check_agreement(uow, agreement_id)


def _case(case_id: UUID, _form: Genuine, uow: Work) -> None:
    seeing.check_money(uow, "case", case_id)


def _order(order_id: UUID, _form: Genuine, uow: Work) -> None:
    seeing.check_money(uow, "order", order_id)


def _decision(decision_id: UUID, _form: Genuine, uow: Work) -> None:
    seeing.check_money(uow, "decision", decision_id)


def _break(break_id: UUID, _form: Genuine, uow: Work) -> None:
    seeing.check_money(uow, "break", break_id)


MATTER_SEEN, MATTER_SHOWN, AGREEMENT = [Depends(_matter)], [Depends(_matter_shown)], [Depends(_agreement)]
CASE, ORDER, DECISION, BREAK = [Depends(_case)], [Depends(_order)], [Depends(_decision)], [Depends(_break)]
