"""A dispute with a supervision case on it, brought to any state by the way the state table goes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from case_registry import draft_supervision, supervise
from foundation.actors import Actor
from foundation.unit_of_work import UnitOfWork
from tests.case_registry.make import PETITION, SOURCES, episode, person, resident, take

ROLES = frozenset({"supervision_officer"})
CITY, COUNTY, TOWN = "海州市联合督查办", "瓯栖县联合督查办", "石坦司法所"
AUTHOR, HEAD, SECOND = (Actor(n, n, ROLES, COUNTY) for n in ("author", "head", "second"))
CITY_HEAD, CITY_SECOND = (Actor(n, n, ROLES, CITY) for n in ("city_head", "city_second"))
VERIFIER = Actor("verifier", "verifier", ROLES, COUNTY)
AGENCY = "petition"
PEOPLE = [person("周忠", id_number=resident(1)), person("欧阳敏海", "respondent")]

PROOF: dict[str, dict[str, Any]] = {
    "discard": {"reason": "重复拟稿"},
    "issue": {"seal": "联合督查办印"},
    "sign_for": {"agency": AGENCY, "receipt": "收字1号"},
    "not_signed": {"rule": "SV02"},
    "object": {"reason": "不属本单位职责", "law": "信访工作条例第23条", "other_agency": "court"},
    "uphold": {"decision": "异议不成立"},
    "reassign": {"decision": "改由法院办理", "to_agency": "court"},
    "assign_handler": {"handler": "handler", "phone": "10012345678"},
    "urge": {"text": "请抓紧"},
    "report_progress": {"note": "已约谈双方"},
    "ask_extension": {"reason": "需鉴定", "days": "10"},
    "grant": {"decision": "同意"},
    "refuse": {"decision": "不同意"},
    "suspend": {"ground": "appraisal", "document": "鉴定委托书"},
    "resume": {"reason": "鉴定意见已出"},
    "report_result": {"result": "done", "papers": "办理结果报告\n调解协议", "head": "局长"},
    "start_verify": {"verifier": "verifier", "verifier_agency": "supervision"},
    "pass": {"record": "核查记录：当事人确认", "reached": True, "on_the_spot": True},
    "send_back": {"reason": "partly_done", "text": "第二期未付"},
    "close": {"note": "已化解"},
    "escalate": {"rule": "SV03 red 5 workdays"},
    "withdraw": {"reason": "solved_elsewhere", "text": "法院已调解"},
    "reopen": {"fact": "当事人再次信访"},
}
# The shortest way to each state.
WAYS: dict[str, tuple[str, ...]] = {
    "DRAFT": (),
    "VOID": ("discard",),
    "ISSUED": ("issue",),
    "SIGNED": ("issue", "sign_for"),
    "OBJECTED": ("issue", "sign_for", "object"),
    "HANDLING": ("issue", "sign_for", "assign_handler"),
    "EXTENSION_ASKED": ("issue", "sign_for", "assign_handler", "ask_extension"),
    "SUSPENDED": ("issue", "sign_for", "assign_handler", "suspend"),
    "REPORTED": ("issue", "sign_for", "assign_handler", "report_result"),
    "VERIFYING": ("issue", "sign_for", "assign_handler", "report_result", "start_verify"),
    "VERIFIED": ("issue", "sign_for", "assign_handler", "report_result", "start_verify", "pass"),
    "CLOSED": ("issue", "sign_for", "assign_handler", "report_result", "start_verify", "pass", "close"),
    "ESCALATED": ("issue", "escalate"),
    "WITHDRAWN": ("issue", "withdraw"),
}  # fmt: skip
DOER = {"discard": AUTHOR, "pass": VERIFIER, "send_back": VERIFIER, "close": SECOND}


def as_(uow: UnitOfWork, actor: Actor) -> UnitOfWork:
    """The same transaction, acted in by somebody else."""
    return UnitOfWork(uow.conn, actor, uow.now)


def do(uow: UnitOfWork, case: UUID, event: str, by: Actor | None = None, **more: Any) -> list[dict[str, Any]]:
    """One act with the proof that is usual for it."""
    return supervise(as_(uow, by or DOER.get(event, HEAD)), case, event, {**PROOF.get(event, {}), **more})


def dispute_of(uow: UnitOfWork, native_id: str = "X1") -> str:
    told = take(
        uow,
        SOURCES["petition"],
        episode(
            native_id,
            "PETITION",
            "OPEN",
            opened_on="2026-03-30",
            parties=PEOPLE if native_id == "X1" else None,
        ),
    )
    return str(told.disputes[0].number)


def drafted(uow: UnitOfWork, level: str = "L3", native_id: str = "X1", by: Actor = AUTHOR) -> UUID:
    return draft_supervision(
        as_(uow, by), dispute_of(uow, native_id), level, AGENCY, "RED_LAMP", "信访办理超期"
    )


def brought(uow: UnitOfWork, state: str, level: str = "L3", native_id: str = "X1") -> UUID:
    """A case brought to a state."""
    case = drafted(uow, level, native_id)
    for event in WAYS[state]:
        by = (
            CITY_HEAD
            if level == "L1" and event == "issue"
            else CITY_SECOND
            if level == "L1" and event == "close"
            else None
        )
        do(uow, case, event, by)
    return case


def state(uow: UnitOfWork, case: UUID) -> str:
    return str(uow.scalar("SELECT state FROM registry.supervision_case WHERE id = :id", id=case))


__all__ = ["PETITION", "Engine"]
