"""The console: pages put together, errors as pages, static files of our own."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from console import disputes, entrance, escrow, exchange, matters, work
from console.access import ForgedForm, LogInFirst, NotAllowed
from console.pages import FOLDER, page
from foundation.staff import ROLES
from hub.pipeline import Hub
from schemas.findings import Refused
from schemas.state_machine import IllegalMove

# No outside request, no framing, no inline script.
POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; form-action 'self'"


def make_console(hub: Hub) -> FastAPI:
    """The console of one hub."""
    app = FastAPI(title="Concord console", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.hub = hub
    for each in (entrance, work, disputes, matters, escrow, exchange):
        app.include_router(each.router)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")

    @app.get("/health", include_in_schema=False)
    def health() -> dict[str, bool]:
        return {"ok": True}

    @app.middleware("http")
    async def headers(request: Request, call_next):  # type: ignore[no-untyped-def]
        answer = await call_next(request)
        answer.headers["Content-Security-Policy"] = POLICY
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Referrer-Policy"] = "same-origin"
        if not request.url.path.startswith("/static"):
            answer.headers["Cache-Control"] = "no-store"
        return answer

    _install_errors(app)
    return app


def _install_errors(app: FastAPI) -> None:
    @app.exception_handler(LogInFirst)
    def log_in_first(request: Request, _error: LogInFirst) -> Response:
        return RedirectResponse(f"/login?target={quote(request.url.path)}", status_code=303)

    @app.exception_handler(NotAllowed)
    def not_allowed(request: Request, error: NotAllowed) -> Response:
        names = "、".join(ROLES.get(role, (role, ""))[0] for role in error.needed)
        return page(
            request,
            "problem.html",
            heading="没有权限",
            lines=[f"此操作需要的角色：{names}"],
            target="/",
            status=403,
        )

    @app.exception_handler(ForgedForm)
    def forged(request: Request, _error: ForgedForm) -> Response:
        return page(
            request,
            "problem.html",
            heading="表单已过期",
            lines=["请返回页面重新提交"],
            target="/",
            status=403,
        )

    @app.exception_handler(Refused)
    def refused(request: Request, error: Refused) -> Response:
        lines = [finding.text_zh() for finding in error.findings]
        status = 404 if error.findings[0].code == "UNKNOWN_ORIGINAL" else 422
        return page(
            request, "problem.html", heading="未能受理", lines=lines, target=_referer(request), status=status
        )

    @app.exception_handler(IllegalMove)
    def illegal(request: Request, error: IllegalMove) -> Response:
        lines = [
            f"{error.machine} 处于 {error.state}，不能执行 {error.event}；可能已有他人先办理，请刷新后再看"
        ]
        return page(
            request, "problem.html", heading="状态已变化", lines=lines, target=_referer(request), status=409
        )

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        lines = [f"{each['loc'][-1]}：{each['msg']}" for each in error.errors()[:10]]
        return page(
            request, "problem.html", heading="填写有误", lines=lines, target=_referer(request), status=422
        )

    @app.exception_handler(DBAPIError)
    def database(request: Request, error: DBAPIError) -> Response:
        lines = [str(error.orig).splitlines()[0][:300]]
        return page(
            request,
            "problem.html",
            heading="数据库拒绝了此操作",
            lines=lines,
            target=_referer(request),
            status=409,
        )

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> Response:
        return page(
            request,
            "problem.html",
            heading=f"{error.status_code}",
            lines=[str(error.detail)],
            status=error.status_code,
        )


def _referer(request: Request) -> str:
    return "/" if request.method == "GET" else request.url.path.rsplit("/", 1)[0]
