"""What a page says when something does not go: never a trace, always what was wrong and where to go on."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

import case_registry
from console.access import ForgedForm, LogInFirst, NotAllowed, came_from, go
from console.acts import SentBefore
from console.filled import Incomplete
from console.pages import page
from console.texts import say
from schemas.findings import Refused
from schemas.state_machine import IllegalMove

NOT_THERE = ("NOT_FOUND", "UNKNOWN_ORIGINAL")
NOT_YOU = ("NOT_AUTHORISED", "SAME_PERSON")


def install(app: FastAPI) -> None:
    """Turn the errors of rooms, forms and routing into pages."""
    _people(app)
    _rooms(app)
    _routing(app)


def _people(app: FastAPI) -> None:
    @app.exception_handler(LogInFirst)
    def log_in_first(request: Request, _error: LogInFirst) -> Response:
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return go(f"/login?target={quote(here if request.method == 'GET' else came_from(request))}")

    @app.exception_handler(NotAllowed)
    def not_allowed(request: Request, error: NotAllowed) -> Response:
        return _problem(request, 403, say("没有权限"), needed=error.needed)

    @app.exception_handler(ForgedForm)
    def forged(request: Request, _error: ForgedForm) -> Response:
        return _problem(request, 403, say("表单已过期"), say("请返回页面重新提交"))

    @app.exception_handler(SentBefore)
    def sent_before(_request: Request, error: SentBefore) -> Response:
        return go(error.target, error.notice)

    @app.exception_handler(Incomplete)
    def incomplete(request: Request, error: Incomplete) -> Response:
        return page(request, error.template, status=422, findings=error.findings, **error.values)


def _rooms(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    def refused(request: Request, error: Refused) -> Response:
        code = error.findings[0].code
        status = 404 if code in NOT_THERE else 403 if code in NOT_YOU else 422
        heading = say("没有找到") if status == 404 else say("未能受理")
        return _problem(request, status, heading, findings=error.findings)

    @app.exception_handler(IllegalMove)
    def illegal(request: Request, error: IllegalMove) -> Response:
        told = f"{error.machine}: {error.state} ✕ {error.event}"
        return _problem(
            request, 409, say("状态已变化"), say("可能已有他人先办理，请返回刷新后再看"), detail=told
        )

    @app.exception_handler(case_registry.Unknown)
    def unknown(request: Request, error: case_registry.Unknown) -> Response:
        return _problem(request, 404, say("没有找到"), detail=str(error))

    @app.exception_handler(case_registry.NotAllowed)
    def not_now(request: Request, error: case_registry.NotAllowed) -> Response:
        return _problem(request, 409, say("未能受理"), detail=str(error))

    @app.exception_handler(DBAPIError)
    def database(request: Request, error: DBAPIError) -> Response:
        if (getattr(error.orig, "sqlstate", "") or "").startswith("23"):
            told = str(error.orig).splitlines()[0][:300]
            return _problem(request, 409, say("数据库拒绝了此操作"), detail=told)
        return _problem(request, 503, say("数据库暂时不可用"), say("请稍后重试"))


def _routing(app: FastAPI) -> None:
    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        # A path that does not read as an id names no page.
        where = {each["loc"][0] for each in error.errors()}
        if where == {"path"}:
            return _problem(request, 404, say("没有找到"), say("没有这个页面"))
        told = "; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in error.errors()[:10])
        return _problem(request, 422, say("填写有误"), detail=told)

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> Response:
        texts = {404: say("没有这个页面"), 405: say("此页面不能这样打开"), 413: say("表单超过大小上限")}
        heading = say("没有找到") if error.status_code == 404 else say("未能受理")
        return _problem(request, error.status_code, heading, texts.get(error.status_code, ""))


def _problem(request: Request, status: int, heading: str, text: str = "", **more: object) -> Response:
    target = "/" if request.method == "GET" else came_from(request)
    return page(request, "problem.html", status=status, heading=heading, text=text, target=target, **more)
