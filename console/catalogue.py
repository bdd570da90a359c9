"""The service catalogue on the screen."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from console.access import Work, need
from console.pages import page
from hub.catalogue import catalogue

router = APIRouter(prefix="/exchange/catalogue")
READERS = ("operator", "auditor", "administrator", "supervision_officer", "partner_engineer")


@router.get("")
def shown(request: Request, uow: Work) -> HTMLResponse:
    """What can be called here, and how each partner is."""
    need(uow.actor, *READERS)
    return page(request, "catalogue.html", found=catalogue(uow))
