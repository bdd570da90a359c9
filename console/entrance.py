"""Log in, log out, language."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from console.access import COOKIE, genuine, hub_of
from console.pages import page
from foundation.staff import SESSION_LIFE, log_in, log_out
from foundation.unit_of_work import unit_of_work

router = APIRouter()


def _inside(target: str) -> str:
    """Only a path of this console may follow a log-in."""
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) else "/"


@router.get("/login")
def ask(request: Request, target: str = Query(default="/", max_length=300)) -> HTMLResponse:
    return page(request, "login.html", target=_inside(target), wrong=False)


@router.post("/login")
def enter(
    request: Request,
    id: Annotated[str, Form(max_length=64)],
    password: Annotated[str, Form(max_length=200)],
    target: Annotated[str, Form(max_length=300)] = "/",
) -> Response:
    with unit_of_work(hub_of(request).engine) as uow:
        token = log_in(uow, id, password)
    if token is None:
        return page(request, "login.html", target=_inside(target), wrong=True, status=401)
    answer = RedirectResponse(_inside(target), status_code=303)
    answer.set_cookie(
        COOKIE, token, max_age=int(SESSION_LIFE.total_seconds()), httponly=True, samesite="strict",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return answer


@router.post("/logout")
def leave(request: Request, token: Annotated[str, Form(max_length=64)] = "") -> Response:
    genuine(request, token)
    with unit_of_work(hub_of(request).engine) as uow:
        log_out(uow, request.cookies.get(COOKIE, ""))
    answer = RedirectResponse("/login", status_code=303)
    answer.delete_cookie(COOKIE)
    return answer


@router.get("/language/{name}")
def language(name: str, target: str = Query(default="/", max_length=300)) -> Response:
    answer = RedirectResponse(_inside(target), status_code=303)
    answer.set_cookie("language", "en" if name == "en" else "zh", max_age=365 * 86400, samesite="lax")
    return answer
