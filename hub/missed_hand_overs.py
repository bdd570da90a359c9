"""Messages that a partner says it sent and that never came: lines of the gap watch (supervision.md 4, alarm d).

The nightly comparison asks for what is missing; what is still missing afterwards may be a hand-over nobody here knows of.
"""

from __future__ import annotations

import case_registry
from connectors import all_connectors
from foundation import partners
from foundation.unit_of_work import UnitOfWork

MOST = 1_000
HERE = "mediation"
"""Who messages to the hub are handed over to."""


def list_missed(uow: UnitOfWork) -> int:
    """Hand the registry what comparisons left missing, and settle what has come since; returns how many are new."""
    rows = uow.all(
        "SELECT partner, message_id, day FROM exchange.difference WHERE way = 'to_hub' AND kind = 'MISSING_HERE'"
        " AND done IN ('OPEN', 'PERSON') ORDER BY day, message_id LIMIT :n",
        n=MOST,
    )
    made = 0
    for partner in sorted({row["partner"] for row in rows}):
        lines = [
            {"message_id": row["message_id"], "to_agency": HERE, "said_on": row["day"]}
            for row in rows
            if row["partner"] == partner
        ]
        made += case_registry.list_hand_overs(uow, partner, _agency(uow, partner), "comparison", lines)
    settled = uow.all(
        "SELECT l.partner, l.message_id FROM registry.listed_hand_over l WHERE l.settled_at IS NULL AND l.message_id <> ''"
        " AND NOT EXISTS (SELECT 1 FROM exchange.difference d WHERE d.partner = l.partner AND d.message_id = l.message_id"
        "   AND d.way = 'to_hub' AND d.done IN ('OPEN', 'PERSON')) LIMIT :n",
        n=MOST,
    )
    for row in settled:
        case_registry.settle_listed(uow, row["partner"], [row["message_id"]], "came")
    return made


def _agency(uow: UnitOfWork, partner: str) -> str:
    adapter = all_connectors().get(partner)
    return adapter.agency if adapter else str(partners.partner(uow, partner)["agency"])
