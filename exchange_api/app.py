"""The application: partner endpoints, rail callbacks, REST under /v1, its documentation without outside requests."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from exchange_api import (
    desk,
    disputes,
    escalation,
    evidence,
    link_review,
    office,
    paper,
    payment_acts,
    payments,
    people,
    problem,
    sharing,
    subscriptions,
    supervision,
    trust,
)
from exchange_api.guard import Guard
from exchange_api.open_contract.door import OpenDoor
from exchange_api.openapi_problems import document
from exchange_api.partners import partner_routes
from exchange_api.rails import rail_routes
from hub.board_feed import BoardFeed
from hub.pipeline import Hub


def make_app(hub: Hub) -> FastAPI:
    """The API of one hub."""
    app: FastAPI = FastAPIOffline(
        title="Concord 纠纷协同",
        version=version("concord"),
        description="一份档案、一路跟踪、一笔不差的给付。One record, one watch, one payment.",
        redoc_url=None,
    )
    app.state.hub = hub
    app.state.board = BoardFeed(hub)
    problem.install(app)
    document(app)
    for each in (
        people.router,
        disputes.router,
        escalation.router,
        link_review.router,
        office.router,
        payments.router,
        paper.router,
        payment_acts.router,
        desk.router,
        evidence.router,
        subscriptions.router,
        trust.router,
        sharing.router,
        supervision.router,
    ):
        app.include_router(each)
    app.include_router(partner_routes(hub))
    app.include_router(rail_routes(hub))

    @app.get("/health", include_in_schema=False)
    def answers() -> dict[str, bool]:
        """For whoever watches the process: it answers and reaches its database. Open, small; more in /v1/health."""
        with hub.engine.connect() as conn:
            conn.exec_driver_sql("SELECT 1")
        return {"ok": True}

    app.add_middleware(Guard)
    app.add_middleware(OpenDoor, hub=hub)
    return app
