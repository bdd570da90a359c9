"""Evidence from the exchange log: the container of one message, as a download."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response

from console.access import Work, need
from console.exchange import OPENS
from hub import evidence
from schemas.findings import Refused

router = APIRouter(prefix="/exchange")


@router.get("/{way}/{message}/evidence")
def download(way: Literal["in", "out"], message: UUID, uow: Work) -> Response:
    """An ASiC-E container (docs/partner/evidence.md); a page that says so while it is not ready."""
    need(uow.actor, *OPENS)
    (made,) = evidence.export(uow, [message], way)
    if made.missing is not None:
        raise Refused(made.missing)
    named = f'attachment; filename="{message}.asice"'
    return Response(made.content, media_type=evidence.CONTAINER, headers={"content-disposition": named})
