"""Tells an agency, by its own number, where its case is now: stage and holder, as its sharing agreement has it."""

from __future__ import annotations

import case_registry
from connectors import all_connectors
from foundation.outbox import enqueue
from foundation.unit_of_work import UnitOfWork
from hub import sharing
from schemas.canonical import sha256_hex
from schemas.findings import Finding, Refused

STAGE_ZH = {
    "IN_PETITION": "信访办理中",
    "MEDIATING": "人民调解中",
    "MEDIATION_FAILED": "调解未成",
    "AGREED": "已达成调解协议",
    "CONFIRMED": "协议已司法确认",
    "CONFIRMATION_REFUSED": "司法确认未获准",
    "IN_COURT": "法院审理中",
    "IN_ARBITRATION": "仲裁审理中",
    "AWARDED": "已作出仲裁裁决",
    "ENFORCEMENT": "法院执行中",
    "CLOSED": "已办结",
}


def tell_whereabouts(uow: UnitOfWork, native_id: str) -> list[str]:
    """Owe feedback to every partner whose manifest takes it and whose case this is; returns the message ids.

    Raises Refused: NOT_FOUND, NOT_SHARED where no agreement covers it.
    """
    refs = case_registry.disputes_of(uow, native_id)
    if not refs:
        raise Refused(
            Finding("NOT_FOUND", "native_id", native_id, "a number under which an agency knows a case")
        )
    record = case_registry.dispute(uow, refs[0].number)
    sent = []
    for adapter in all_connectors().values():
        operation = adapter.notice("feedback")
        mine = any(
            each["partner"] == adapter.id and each["native_id"] == native_id for each in record["episodes"]
        )
        if not operation or not mine:
            continue
        message_id = "C" + sha256_hex(f"feedback/{native_id}/{uow.now.isoformat()}".encode())[:29].upper()
        told = {
            "native_id": native_id,
            "stage": record["stage"],
            "stage_zh": STAGE_ZH.get(record["stage"], record["stage"]),
            "holder": record["holder"],
            "on": uow.now.isoformat(),
        }
        seen = sharing.shared_view(uow, adapter.id, "whereabouts", told, "PROGRESS", subject=refs[0].number)
        body = {**seen.record, "native_id": native_id, "event": "feedback", "message_id": message_id}
        enqueue(
            uow, partner=adapter.id, operation=operation, message_id=message_id, case_key=native_id, body=body,
            agreement=seen.agreement.id,
        )  # fmt: skip
        sent.append(message_id)
    return sent
