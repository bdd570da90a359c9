"""Log-in for pages: a session cookie, a token in every form, and roles."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse

from foundation.actors import Actor
from foundation.staff import session_actor
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub.pipeline import Hub

COOKIE = "concord_session"
# One sentence on what was done, shown by the next page and then gone.
NOTICE = "concord_notice"


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


Reader = Annotated[Actor, Depends(reader)]
Work = Annotated[UnitOfWork, Depends(work, scope="function")]


def genuine(request: Request, token: str) -> None:
    """Refuse a form that does not come from a page of this session. Raises ForgedForm."""
    if not hmac.compare_digest(token.encode(), form_token(request.cookies.get(COOKIE, "")).encode()):
        raise ForgedForm


def need(actor: Actor, *roles: str) -> None:
    """Raise NotAllowed unless the person holds one of the roles."""
    if not actor.has(*roles):
        raise NotAllowed(*roles)


def go(path: str, notice: str = "") -> RedirectResponse:
    """To a page, with one sentence on what was done."""
    answer = RedirectResponse(path, status_code=303)
    if notice:
        answer.set_cookie(NOTICE, quote(notice), max_age=60, httponly=True, samesite="strict")
    return answer


def came_from(request: Request) -> str:
    """The page of this console from which a request came, ``/`` when there is none."""
    told = urlsplit(request.headers.get("referer", ""))
    if told.netloc != request.url.netloc or not told.path.startswith("/") or told.path == "/login":
        return "/"
    return told.path + (f"?{told.query}" if told.query else "")
