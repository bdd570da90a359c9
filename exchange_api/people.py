"""Who calls: log-in, and the person or program behind a request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from pydantic import BaseModel, Field

from exchange_api.problem import Forbidden, NotLoggedIn
from foundation.actors import Actor
from foundation.staff import log_in, log_out, session_actor
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub.pipeline import Hub


def hub_of(request: Request) -> Hub:
    """The hub of this process, put on the application at its start."""
    found: Hub = request.app.state.hub
    return found


def bearer(authorization: Annotated[str, Header()] = "") -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NotLoggedIn
    return token


def caller(request: Request, token: Annotated[str, Depends(bearer)]) -> Actor:
    """The person who is logged in. Raises NotLoggedIn."""
    with unit_of_work(hub_of(request).engine) as uow:
        actor = session_actor(uow, token)
    if actor is None:
        raise NotLoggedIn
    return actor


def work(request: Request, token: Annotated[str, Depends(bearer)]) -> Iterator[UnitOfWork]:
    """One unit of work per request, by the person who calls; committed before the answer leaves. Raises NotLoggedIn.

    Who calls is looked up in it: a transaction of its own would cost as much as the answer."""
    with unit_of_work(hub_of(request).engine) as uow:
        actor = session_actor(uow, token)
        if actor is None:
            raise NotLoggedIn
        uow.actor = actor
        yield uow


# The default scope ends after the answer; "function" ends before it, so an answer means: stored.
Caller = Annotated[Actor, Depends(caller)]
Work = Annotated[UnitOfWork, Depends(work, scope="function")]


def need(actor: Actor, *roles: str) -> None:
    """Raise Forbidden unless the person holds one of the roles."""
    if not actor.has(*roles):
        raise Forbidden(*roles)


class LogIn(BaseModel):
    id: str = Field(max_length=64)
    password: str = Field(max_length=200)


class Session(BaseModel):
    token: str
    id: str
    name: str
    roles: list[str]


router = APIRouter(prefix="/v1/session", tags=["session 登录"])


@router.post("", summary="Log in 登录")
def begin(body: LogIn, request: Request) -> Session:
    """Open a session of 12 hours; send its token as ``Authorization: Bearer``."""
    with unit_of_work(hub_of(request).engine) as uow:
        token = log_in(uow, body.id, body.password)
        actor = session_actor(uow, token) if token else None
    if token is None or actor is None:
        raise NotLoggedIn
    return Session(token=token, id=actor.id, name=actor.name, roles=sorted(actor.roles))


@router.delete("", summary="Log out 退出", status_code=204)
def end(request: Request, token: Annotated[str, Depends(bearer)]) -> None:
    """End the session."""
    with unit_of_work(hub_of(request).engine) as uow:
        log_out(uow, token)
