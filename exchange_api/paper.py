"""Agreements on paper at the escrow desk, over REST."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

import escrow
from exchange_api.people import Work, need
from exchange_api.texts import SAID
from hub import paper_agreements
from hub.paper_agreements import PaperAgreement, PaperParty
from mediation import AgreedInstalment

router = APIRouter(prefix="/v1", tags=["escrow 托管"])


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PaperPartyIn(Strict):
    key: str = Field(pattern=r"^[A-Z][0-9]{1,2}$")
    kind: Literal["person", "organisation"]
    name: str = Field(max_length=140, pattern=SAID)
    id_number: str = Field(default="", max_length=32)


class PaperInstalmentIn(Strict):
    no: int = Field(ge=1, le=120)
    due_on: date
    fen: int = Field(gt=0, le=10**13, strict=True)
    payer: str = Field(max_length=20)
    payee: str = Field(max_length=20)


class PaperIn(Strict):
    mediation_number: str = Field(min_length=1, max_length=60)
    cause: str = Field(min_length=1, max_length=140)
    signed_on: date
    paper: str = Field(min_length=1, max_length=200, description="where the signed paper lies")
    parties: list[PaperPartyIn] = Field(
        min_length=2,
        max_length=60,
        description="who pays and who is paid, each with its own key",
        json_schema_extra={"uniqueItems": True},
    )
    instalments: list[PaperInstalmentIn] = Field(min_length=1, max_length=120)
    grace_days: int = Field(default=5, ge=0, le=30)
    acceleration: bool = True
    needs_confirmation: bool = False


@router.post("/escrows", status_code=201, summary="Open an escrow on a signed paper 凭纸质协议开立托管")
def lodge(body: PaperIn, uow: Work) -> dict[str, Any]:
    """For an agreement that the office has not entered yet; nothing is paid out until it has entered the same words."""
    need(uow.actor, "cashier")
    told = body.model_dump(exclude={"parties", "instalments"})
    paper_agreements.lodge(
        uow,
        PaperAgreement(
            **told,
            parties=[PaperParty(**each.model_dump()) for each in body.parties],
            instalments=[AgreedInstalment(**each.model_dump()) for each in body.instalments],
        ),
    )
    return escrow.escrow_case(uow, body.mediation_number)
