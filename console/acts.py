"""A form that was sent: genuine, taken once, and ending on a page with one sentence on what was done."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, HTTPException, Request
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from console.access import ForgedForm, Reader, Work, genuine, go
from console.filled import Filled
from foundation.unit_of_work import UnitOfWork
from hub import choreography

MOST_BYTES = 1_000_000
MOST_FIELDS = 3_000


class SentBefore(Exception):
    """This very form was taken before; ``target`` and ``notice`` are its first answer."""

    def __init__(self, target: str, notice: str) -> None:
        super().__init__(target)
        self.target = target
        self.notice = notice


async def fields(request: Request) -> FormData:
    """The fields of a form. Raises HTTPException 413 above the limit."""
    if int(request.headers.get("content-length") or MOST_BYTES + 1) > MOST_BYTES:
        raise HTTPException(413, "表单超过大小上限")
    return await request.form(max_fields=MOST_FIELDS)


Fields = Annotated[FormData, Depends(fields)]


def form(request: Request, _actor: Reader, told: Fields) -> Filled:
    """A genuine form of this session that only asks for another look (one more row). Raises ForgedForm."""
    genuine(request, str(told.get("token") or ""))
    return Filled(told)


class Act:
    """A form that changes something: its unit of work, its fields, and its one answer.

    ``uow`` acts for the person who is logged in; ``told`` reads the fields. Everything the form does is
    committed together with the note that it was taken, or not at all.
    """

    def __init__(self, uow: UnitOfWork, told: Filled, key: UUID) -> None:
        self.uow = uow
        self.told = told
        self._key = key

    def follow(self, events: list[dict[str, Any]]) -> None:
        """Carry out what follows from the events of a room."""
        choreography.follow(self.uow, events)

    def done(self, target: str, notice: str) -> RedirectResponse:
        """End on ``target`` with ``notice``; the same form sent again gets this answer and does nothing."""
        self.uow.execute(
            "UPDATE exchange.form_sent SET target = :target, notice = :notice WHERE id = :id",
            target=target,
            notice=notice,
            id=self._key,
        )
        return go(target, notice)


def act(request: Request, uow: Work, told: Annotated[Filled, Depends(form)]) -> Act:
    """Take a form once. Raises ForgedForm, and SentBefore when it was taken already (a second click)."""
    try:
        key = UUID(told.text("once"))
    except ValueError:
        raise ForgedForm from None
    # A second click waits here until the first is decided, then finds its answer.
    taken = uow.execute(
        "INSERT INTO exchange.form_sent (id, actor, at, path) VALUES (:id, :actor, :at, :path) ON CONFLICT DO NOTHING",
        id=key,
        actor=uow.actor.id,
        at=uow.now,
        path=request.url.path,
    )
    if taken.rowcount != 1:
        before = uow.one("SELECT target, notice FROM exchange.form_sent WHERE id = :id", id=key)
        raise SentBefore(before["target"] if before else "/", before["notice"] if before else "")
    return Act(uow, told, key)


Form = Annotated[Filled, Depends(form)]
Taken = Annotated[Act, Depends(act)]
