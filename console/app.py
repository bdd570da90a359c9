"""The console: pages put together, errors as pages, static files of our own."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.staticfiles import StaticFiles

from console import (
    agreements,
    catalogue,
    deposits,
    disputes,
    entrance,
    errors,
    escalation,
    escrow,
    evidence,
    exchange,
    exchange_partners,
    link_review,
    links,
    matters,
    orders,
    reconciliation,
    repairs,
    sharing,
    subscriptions,
    supervision,
    suspense,
    watch,
    work,
)
from console.pages import FOLDER
from hub.board_feed import BoardFeed
from hub.pipeline import Hub

# No outside request, no framing, no inline script.
POLICY = (
    "default-src 'self'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; form-action 'self'"
)
# In this order: a fixed path goes before one with a name in it.
ROOMS = (
    entrance,
    work,
    link_review,
    links,
    watch,
    supervision,
    escalation,
    disputes,
    agreements,
    matters,
    suspense,
    reconciliation,
    orders,
    deposits,
    escrow,
    evidence,
    exchange,
    exchange_partners,
    repairs,
    sharing,
    subscriptions,
    catalogue,
)


def make_console(hub: Hub) -> FastAPI:
    """The console of one hub."""
    app = FastAPI(title="Concord console", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.hub = hub
    app.state.board = BoardFeed(hub)
    for each in ROOMS:
        app.include_router(each.router)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")

    @app.get("/health", include_in_schema=False)
    def health() -> dict[str, bool]:
        return {"ok": True}

    @app.middleware("http")
    async def headers(request: Request, call_next):  # type: ignore[no-untyped-def]
        answer = await call_next(request)
        answer.headers.setdefault("Content-Security-Policy", POLICY)
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Referrer-Policy"] = "same-origin"
        if not request.url.path.startswith("/static"):
            answer.headers["Cache-Control"] = "no-store"
        return answer

    errors.install(app)
    return app
