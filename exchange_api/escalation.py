"""Likelihood of escalation over REST: the likeliest disputes, never without the hit rate. One dispute's: ``/v1/dispute``."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

import case_registry
from exchange_api.disputes import Purpose, as_json, reader_of
from exchange_api.people import Work, need
from foundation.journal import disclose_many
from hub import seeing

router = APIRouter(prefix="/v1", tags=["disputes 纠纷"])
READERS = ("supervision_officer", "reviewer", "auditor")


@router.get(
    "/escalations", summary="Likeliest to escalate, with hit rate 升级可能", response_model=dict[str, Any]
)
def escalations(
    uow: Work,
    band: Literal["", "HIGH", "RAISED"] = "",
    limit: int = Query(default=50, ge=1, le=200),
    purpose: Purpose = "",
) -> Response:
    """``disputes`` with ``percent``, ``band`` and ``reasons`` (points of per cent that each sign adds), and ``hit_rate``.

    ``hit_rate`` null and ``why`` NO_BACK_TEST: no back-test of the weights counts here, and no likelihood is told. A hint
    for people who watch; nothing may be decided by it alone (PIPL 24).
    """
    need(uow.actor, *READERS)
    reader = reader_of(uow, purpose, seeing.WATCH)
    found = case_registry.likeliest_escalations(uow, reader, band=band, limit=limit)
    disclose_many(
        uow, recipient=uow.actor.id, purpose=reader.purpose, subjects=[row["number"] for row in found["disputes"]],
        fields=["escalation"], basis=seeing.BASIS,
    )  # fmt: skip
    return as_json(found)
