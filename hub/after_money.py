"""What follows from what the escrow says: the registry shows it, the agencies are told."""

from __future__ import annotations

from typing import Any

import case_registry
import escrow
from foundation.unit_of_work import UnitOfWork
from hub import notices

Event = dict[str, Any]


def summarise(uow: UnitOfWork, mediation_number: str) -> list[Event]:
    """The registry shows what the escrow says of itself."""
    refs = case_registry.disputes_of(uow, mediation_number)
    if not refs:
        return []
    whole = escrow.escrow_case(uow, mediation_number)
    if whole["id"] is None:
        return []
    summary = {
        name: value for name, value in whole.items() if name in ("state", "flags") or name.endswith("_fen")
    }
    if whole["void_at"] is not None:
        summary["void"] = True  # what was paid under it closes no dispute
    return list(case_registry.escrow_summary(uow, refs[0].id, summary))


def completed(uow: UnitOfWork, event: Event) -> None:
    """All is paid and proved: the agencies are told, with the sum."""
    notices.tell(
        uow, "performed", event["mediation_number"], outcome="PERFORMED", paid_fen=event.get("released_fen"),
        mark=str(event.get("version", "")),
    )  # fmt: skip


def defaulted(uow: UnitOfWork, event: Event) -> None:
    summary = escrow.escrow_case(uow, event["mediation_number"])
    notices.tell(
        uow, "defaulted", event["mediation_number"], outcome="DEFAULTED", paid_fen=summary["released_fen"]
    )


def late_money(uow: UnitOfWork, event: Event) -> None:
    notices.tell(
        uow, "late_money", event["mediation_number"], received_fen=event.get("fen"), received_on=uow.now.isoformat(),
        mark=str(event.get("fen")),
    )  # fmt: skip
