"""Sharing agreements, who saw a person's data, and differences with partners, over REST for staff."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from exchange_api.people import Work, need
from hub import anti_entropy, seeing, sharing_register
from hub.who_saw import who_saw

router = APIRouter(prefix="/v1", tags=["sharing 共享"])
WATCHERS = ("operator", "auditor", "administrator", "supervision_officer")
# Agreements hold no personal data; whoever connects a partner reads under what it is connected.
READS_AGREEMENTS = (*WATCHERS, "partner_engineer")
READS_THE_LOG = ("auditor", "supervision_officer")
_ID = Path(max_length=60, pattern=r"^[A-Za-z0-9._-]{1,60}$")


class StopIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    stopped: bool
    reason: str = Field(min_length=1, max_length=500)


class PersonIn(BaseModel):
    """By number, or by name and telephone."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "anyOf": [
                {"required": ["number"], "properties": {"number": {"type": "string", "minLength": 1}}},
                {
                    "required": ["name", "phone"],
                    "properties": {
                        "name": {"type": "string", "minLength": 1},
                        "phone": {"type": "string", "minLength": 1},
                    },
                },
            ]
        },
    )
    number: str = Field(default="", max_length=40)
    name: str = Field(default="", max_length=100)
    phone: str = Field(default="", max_length=40)


@router.get("/sharing-agreements", summary="Agreements and how each stands 共享约定")
def agreements(uow: Work, partner: str = Query(default="", max_length=40)) -> dict[str, Any]:
    need(uow.actor, *READS_AGREEMENTS)
    shown = []
    for each in sharing_register.listed(uow):
        one = each.agreement
        if partner in ("", one.partner):
            shown.append(
                {"id": one.id, "partner": one.partner, "data_set": one.data_set, "fields": one.fields,
                 "unmasked": one.unmasked, "purpose": one.purpose, "from": one.since, "until": one.until,
                 "version": one.version, "state": each.state, "ends_in_days": each.ends_in, "reason": each.reason,
                 "source": each.source, **one.terms}
            )  # fmt: skip
    return {"agreements": shown}


@router.post("/sharing-agreements/{agreement}/stop", summary="Stop or resume an agreement 停止或恢复共享")
def stop(agreement: Annotated[str, _ID], body: StopIn, uow: Work) -> dict[str, Any]:
    """Acts on the next record that would leave, and on what still waits to be sent."""
    need(uow.actor, "supervision_officer", "operator")
    sharing_register.stop(uow, agreement, body.reason, stopped=body.stopped)
    return {"agreement": agreement, "stopped": body.stopped}


@router.post("/who-saw", summary="Who saw this person's data 谁看过此人的信息")
def who(body: PersonIn, uow: Work) -> dict[str, Any]:
    """Asked in the body, so that no number stands in an address; the look is written into the journal."""
    need(uow.actor, *READS_THE_LOG)
    return {
        "disclosures": who_saw(
            uow, number=body.number, name=body.name, phone=body.phone, reader=seeing.reader(uow, seeing.WATCH)
        )
    }


@router.get("/differences", summary="Differences with partners and what was done 往来差异")
def differences(
    uow: Work,
    partner: str = Query(default="", max_length=40),
    gone: bool = False,
    limit: int = Query(default=200, ge=1, le=1000),
) -> dict[str, Any]:
    need(uow.actor, *WATCHERS)
    return {
        "differences": anti_entropy.differences(uow, partner, gone=gone, limit=limit),
        "comparisons": anti_entropy.comparisons(uow),
    }
