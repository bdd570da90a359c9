"""What follows from the watch: operators hear of lost receipts; gaps, repeat petitions and grades draft supervision cases."""

from __future__ import annotations

from typing import Any

import case_registry
from foundation.journal import raise_alarm
from foundation.unit_of_work import UnitOfWork

Event = dict[str, Any]


def no_receipt(uow: UnitOfWork, event: Event) -> None:
    """A hand-over was sent and nothing signed for it in 24 hours: transport, for operators."""
    raise_alarm(
        uow, "hand_over_without_receipt", f"{event.get('dispute') or event['about']}", role="operator",
        sent_by=event["from_agency"], sent_to=event["to_agency"],
    )  # fmt: skip


def gap(uow: UnitOfWork, event: Event) -> list[Event]:
    """A hand-over fell between two agencies: an ordinary supervision case is drafted, addressed to who should act."""
    if not event.get("dispute_id"):
        return []
    waits = event["kind"] in ("NOT_TAKEN_UP", "LISTED_NOT_ARRIVED") and event["to_agency"]
    agency = event["to_agency"] if waits else event["from_agency"]
    return case_registry.draft_at_once(uow, event["dispute_id"], agency, "GAP", f"移送脱管：{event['kind']}")


def graded(uow: UnitOfWork, event: Event) -> list[Event]:
    """A factor that became ORANGE or RED: the case of its level is drafted, addressed to who holds the dispute."""
    reason = f"FACTOR_{event['to']}"
    if reason not in ("FACTOR_ORANGE", "FACTOR_RED") or not event.get("dispute_id"):
        return []
    return case_registry.draft_at_once(
        uow, event["dispute_id"], _holder(uow, event), reason, str(event["why"])
    )


def flagged(uow: UnitOfWork, event: Event) -> list[Event]:
    """A petition that came again: an ordinary case is drafted."""
    if not str(event["flag"]).startswith("REPEAT:") or not event.get("dispute_id"):
        return []
    return case_registry.draft_at_once(
        uow, event["dispute_id"], _holder(uow, event), "REPEAT_PETITION", "重复信访"
    )


def _holder(uow: UnitOfWork, event: Event) -> str:
    held = uow.scalar("SELECT holder FROM registry.dispute WHERE id = :d", d=event["dispute_id"])
    return str(held) if held and held != "-" else "mediation"
