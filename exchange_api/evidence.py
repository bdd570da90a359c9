"""Evidence for people: the container of one message, by our own id. Partners ask by the open contract."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response

from exchange_api.people import Work, need
from hub import evidence
from schemas.findings import Refused

router = APIRouter(prefix="/v1", tags=["operation 运行"])
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_CONTAINER: Any = {
    "response_class": Response,
    "responses": {200: {"description": "the container", "content": {evidence.CONTAINER: _BINARY}}},
}
ROLES = ("operator", "auditor", "administrator")


def _answer(uow: Work, message: UUID, way: Literal["in", "out"]) -> Response:
    need(uow.actor, *ROLES)
    (made,) = evidence.export(uow, [message], way)
    if made.missing is not None:
        raise Refused(made.missing)
    named = f"attachment; filename*=UTF-8''{message}.asice"
    return Response(made.content, media_type=evidence.CONTAINER, headers={"content-disposition": named})


@router.get(
    "/exchange/inbox/{message}/evidence",
    **_CONTAINER,
    summary="Evidence of a message that came 收到报文的证据",
)
def of_inbox(message: UUID, uow: Work) -> Response:
    """An ASiC-E container; 409 until the message's fate is sealed and time-stamped, about a second."""
    return _answer(uow, message, "in")


@router.get(
    "/exchange/outbox/{message}/evidence",
    **_CONTAINER,
    summary="Evidence of a message that went 发出报文的证据",
)
def of_outbox(message: UUID, uow: Work) -> Response:
    """An ASiC-E container; 409 until the message's fate is sealed and time-stamped, about a second."""
    return _answer(uow, message, "out")
