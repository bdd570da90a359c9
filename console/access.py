"""Log-in for pages: a session cookie, a token in every form, and roles."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Form, Request
from fastapi.responses import RedirectResponse

from foundation.actors import Actor
from foundation.staff import session_actor
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub.pipeline import Hub

COOKIE = "concord_session"


class LogInFirst(Exception):
    """Nobody is logged in; the page sends to the log-in page and back."""


class NotAllowed(Exception):
    """The person's roles do not allow this; ``needed`` names those that do."""

    def __init__(self, *needed: str) -> None:
        super().__init__(", ".join(needed))
        self.needed = needed


class ForgedForm(Exception):
    """A form came without the token of this session."""


def hub_of(request: Request) -> Hub:
    found: Hub = request.app.state.hub
    return found


def form_token(session: str) -> str:
    """The token that every form of a session carries (against forged requests)."""
    return hashlib.sha256(b"form:" + session.encode()).hexdigest()[:32]


def reader(request: Request) -> Actor:
    """The person who is logged in. Raises LogInFirst."""
    token = request.cookies.get(COOKIE, "")
    actor = None
    if token:
        with unit_of_work(hub_of(request).engine) as uow:
            actor = session_actor(uow, token)
    if actor is None:
        raise LogInFirst
    request.state.actor = actor
    request.state.form_token = form_token(token)
    return actor


def work(request: Request, actor: Annotated[Actor, Depends(reader)]) -> Iterator[UnitOfWork]:
    """One unit of work for a page or a form, committed before the answer leaves."""
    with unit_of_work(hub_of(request).engine, actor) as uow:
        yield uow


def genuine(request: Request, token: Annotated[str, Form()] = "") -> None:
    """Refuse a form that does not come from a page of this session. Raises ForgedForm."""
    if not hmac.compare_digest(token, form_token(request.cookies.get(COOKIE, ""))):
        raise ForgedForm


Reader = Annotated[Actor, Depends(reader)]
Work = Annotated[UnitOfWork, Depends(work, scope="function")]
Genuine = Depends(genuine)


def need(actor: Actor, *roles: str) -> None:
    """Raise NotAllowed unless the person holds one of the roles."""
    if not actor.has(*roles):
        raise NotAllowed(*roles)


def back(path: str, notice: str) -> RedirectResponse:
    """To a page, with one sentence on what was done; a second click of the browser repeats nothing."""
    mark = "&" if "?" in path else "?"
    return RedirectResponse(f"{path}{mark}notice={quote(notice)}", status_code=303)
