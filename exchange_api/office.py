"""The mediation office over REST: matters, agreements, signatures, confirmation."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

import mediation
from exchange_api.people import Work, need
from exchange_api.seeing import AGREEMENT, MATTER
from exchange_api.texts import ONE_LINE, SAID
from hub import choreography, seeing
from schemas.findings import Finding, Refused

router = APIRouter(prefix="/v1", tags=["mediation 调解"])
OFFICE = ("intake_clerk", "mediator", "reviewer")
READERS = (
    *OFFICE,
    "assessor",
    "administrator",
    "cashier",
    "checker",
    "releaser",
    "supervision_officer",
    "auditor",
)


class Strict(BaseModel):
    """Unknown keys are refused: a misspelt field must not vanish silently."""

    model_config = ConfigDict(extra="forbid")


class AccountIn(Strict):
    name: str = Field(default="", max_length=140)
    account: str = Field(default="", max_length=34)
    bank_code: str = Field(default="", max_length=14)
    bank_name: str = Field(default="", max_length=140)
    wallet: str = Field(default="", max_length=128)
    wallet_type: str = Field(default="", max_length=32)
    id_number: str = Field(default="", max_length=32)


class PartyIn(Strict):
    key: str = Field(pattern=r"^[A-Z][0-9]{1,2}$")
    role: str = Field(pattern="^(applicant|respondent|third_party|representative)$")
    kind: str = Field(pattern="^(person|organisation)$")
    name: str = Field(min_length=1, max_length=140)
    id_number: str | None = Field(default=None, max_length=32)
    phone: str | None = Field(default=None, max_length=32)
    address: str | None = Field(default=None, max_length=500)
    account: AccountIn | None = None


PaymentNumberName = Annotated[str, Field(max_length=40, pattern=ONE_LINE)]
PaymentNumber = Annotated[str, Field(max_length=140, pattern=ONE_LINE)]


class MatterIn(Strict):
    committee: str = Field(max_length=140, pattern=SAID)
    mediator: str = Field(max_length=60, pattern=SAID)
    cause: str = Field(max_length=140, pattern=SAID)
    accepted_on: date
    parties: list[PartyIn] = Field(
        min_length=2, max_length=60, description="an applicant and a respondent at least"
    )
    county: str = Field(default="330399", pattern=r"^\d{6}$")
    category: str = Field(default="", max_length=10)
    place: str = Field(default="", max_length=140)
    occurred_on: date | None = None
    claimed_fen: int | None = Field(default=None, ge=0, le=10**13, strict=True)
    narrative: str = Field(default="", max_length=4000)
    source: str = Field(default="A1", max_length=10)
    medium: str = Field(default="W1", max_length=10)
    referral: str = Field(default="", max_length=140)
    mediation_number: str = Field(default="", max_length=60)
    # What does not fit the pattern of names is no member: pydantic alone describes it as anything.
    payment_numbers: dict[PaymentNumberName, PaymentNumber] = Field(
        default_factory=dict, max_length=8, json_schema_extra={"additionalProperties": False}
    )


class MoveIn(Strict):
    event: str = Field(pattern="^(mediate|fail|withdraw|close|reopen)$")
    reason: str = Field(default="", max_length=500)


class InstalmentIn(Strict):
    no: int = Field(ge=1, le=120)
    due_on: date
    fen: int = Field(gt=0, le=10**13, strict=True)
    payer: str
    payee: str


class AgreementIn(Strict):
    total_fen: int = Field(gt=0, le=10**13, strict=True)
    terms: str = Field(min_length=1, max_length=8000)
    instalments: list[InstalmentIn] = Field(min_length=1, max_length=120)
    grace_days: int = Field(default=5, ge=0, le=60)
    acceleration: bool = True
    needs_confirmation: bool = False
    replaces: UUID | None = None


class SignatureIn(Strict):
    signer: str = Field(max_length=20)
    name: str = Field(min_length=1, max_length=140)
    method: str = Field(default="handwritten", pattern="^(handwritten|fingerprint|seal|electronic)$")


class SignaturesIn(Strict):
    signatures: list[SignatureIn] = Field(min_length=1, max_length=70)
    signed_on: date | None = Field(default=None, description="the day on a paper that is entered later")


class ReasonIn(Strict):
    reason: str = Field(min_length=1, max_length=500)


class ConfirmationIn(Strict):
    event: str = Field(pattern="^(apply)$")


@router.post("/matters", status_code=201, summary="Accept a matter 受理")
def accept(body: MatterIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, *OFFICE)
    parties = tuple(
        mediation.MatterParty(
            **{**each.model_dump(), "account": each.account.model_dump() if each.account else None}
        )
        for each in body.parties
    )
    new = mediation.NewMatter(**{**body.model_dump(exclude={"parties"}), "parties": parties})
    matter_id, events = mediation.accept_matter(uow, new)
    choreography.follow(uow, events)
    found = mediation.matter(uow, matter_id)
    assert found is not None
    return found


@router.get("/matter", summary="One matter by its number 按编号查案卷")
def by_number(uow: Work, mediation_number: str = Query(max_length=60)) -> dict[str, Any]:
    need(uow.actor, *READERS)
    found = mediation.matter_by_number(uow, mediation_number)
    if found is None or not seeing.check_number(uow, mediation_number):
        raise Refused(
            Finding("UNKNOWN_ORIGINAL", "mediation_number", mediation_number, "a matter of this office")
        )
    seeing.note_look(uow, mediation_number, "matter")
    return found


@router.get("/matters", summary="Matters, newest first 案卷列表")
def matters(
    uow: Work, state: str = Query(default="", max_length=20), limit: int = Query(default=50, ge=1, le=200)
) -> dict[str, Any]:
    need(uow.actor, *READERS)
    return {
        "matters": [
            dict(row) for row in mediation.matters(uow, state=state, limit=limit, seen=seeing.rows(uow))
        ]
    }


@router.post("/matters/{matter_id}/moves", dependencies=MATTER, summary="Move a matter 流转")
def move(matter_id: UUID, body: MoveIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, *OFFICE)
    events = mediation.move_matter(uow, matter_id, body.event, reason=body.reason)
    choreography.follow(uow, events)
    return {"matter": str(matter_id), "state": events[0]["state"]}


@router.post(
    "/matters/{matter_id}/parties/{key}/account", dependencies=MATTER, summary="A party's account 收付款账户"
)
def account(matter_id: UUID, key: str, body: AccountIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, *OFFICE)
    mediation.set_account(uow, matter_id, key, body.model_dump(exclude_defaults=True))
    return {"matter": str(matter_id), "party": key}


@router.post(
    "/matters/{matter_id}/agreements",
    dependencies=MATTER,
    status_code=201,
    summary="Draft an agreement 起草协议",
)
def draft(matter_id: UUID, body: AgreementIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, "mediator", "reviewer")
    told = body.model_dump(exclude={"instalments", "replaces"})
    instalments = tuple(mediation.AgreedInstalment(**each.model_dump()) for each in body.instalments)
    new = mediation.NewAgreement(**told, instalments=instalments)
    agreement_id = mediation.draft_agreement(uow, matter_id, new, replaces=body.replaces)
    return {"id": str(agreement_id), "state": "DRAFT"}


@router.post(
    "/agreements/{agreement_id}/signatures", dependencies=AGREEMENT, summary="Sign an agreement 签署协议"
)
def sign(agreement_id: UUID, body: SignaturesIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, "mediator", "reviewer")
    signatures = tuple(mediation.Signature(**each.model_dump()) for each in body.signatures)
    choreography.follow(
        uow, mediation.sign_agreement(uow, agreement_id, signatures, signed_on=body.signed_on)
    )
    return {"id": str(agreement_id), "state": "SIGNED"}


@router.post(
    "/agreements/{agreement_id}/void", dependencies=AGREEMENT, summary="Set an agreement aside 撤销协议"
)
def void(agreement_id: UUID, body: ReasonIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, "mediator", "reviewer")
    choreography.follow(uow, mediation.void_agreement(uow, agreement_id, body.reason))
    return {"id": str(agreement_id), "state": "VOID"}


@router.post(
    "/agreements/{agreement_id}/confirmation",
    dependencies=AGREEMENT,
    summary="Apply for judicial confirmation 申请司法确认",
)
def confirmation(agreement_id: UUID, body: ConfirmationIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, "mediator", "reviewer")
    events = mediation.move_confirmation(uow, agreement_id, body.event)
    choreography.follow(uow, events)
    return {"id": str(agreement_id), "confirmation": events[0]["state"]}


@router.get(
    "/agreements/{agreement_id}/print",
    dependencies=AGREEMENT,
    response_class=HTMLResponse,
    summary="Print 打印协议书",
)
def print_page(agreement_id: UUID, uow: Work) -> HTMLResponse:
    need(uow.actor, *READERS)
    seeing.note_look(uow, str(mediation.number_of(uow, agreement=agreement_id)), "matter")
    return HTMLResponse(mediation.agreement_html(uow, agreement_id))
