"""How the hub is: backlog, alarms, partners; for the API's health page, the command line and the console."""

from __future__ import annotations

from typing import Any

from connectors import all_connectors
from foundation import sealing
from foundation.unit_of_work import unit_of_work
from hub.pipeline import Hub
from hub.sealing import UNSEALED_LONGEST_S


def health(hub: Hub) -> dict[str, Any]:
    """Counts and partner states at this moment. ``ok`` is false when a person is needed."""
    with unit_of_work(hub.engine) as uow:
        counts = uow.one(
            "SELECT (SELECT count(*) FROM exchange.inbox WHERE state = 'RECEIVED' AND receipt IS NULL)"
            " + (SELECT count(*) FROM exchange.inbox WHERE state = 'RECEIVED' AND receipt IS NOT NULL) AS inbox_waiting,"
            " (SELECT count(*) FROM exchange.inbox WHERE state = 'QUARANTINED') AS quarantined,"
            " (SELECT count(*) FROM exchange.outbox WHERE state IN ('WAITING', 'SENDING')) AS outbox_waiting,"
            " (SELECT count(*) FROM exchange.outbox WHERE state = 'DEAD') AS outbox_dead,"
            " (SELECT count(*) FROM exchange.alarm WHERE closed_at IS NULL) AS alarms"
        )
        assert counts is not None
        states = {row["partner"]: row for row in uow.all("SELECT * FROM exchange.partner_state LIMIT 500")}
        unsealed = sealing.backlog(uow)
        mode = uow.scalar("SELECT mode FROM exchange.clock")
        now = uow.now
    partners = [_partner(each.id, each.name_zh, states.get(each.id)) for each in all_connectors().values()]
    return {
        "ok": counts["outbox_dead"] == 0
        and unsealed["unsealed_s"] <= UNSEALED_LONGEST_S
        and all(each["ok"] for each in partners),
        "now": now.isoformat(),
        "clock": mode,
        "broker": "rabbitmq" if hub.settings.amqp_url else "listen/notify",
        **counts,
        "journal": dict(unsealed),
        "partners": partners,
    }


def _partner(partner_id: str, name: str, row: Any) -> dict[str, Any]:
    return {
        "partner": partner_id,
        "name": name,
        "ok": row is None or row["failures"] < 3,
        "failures": row["failures"] if row else 0,
        "last_ok": row["last_ok"] if row else None,
        "last_error": row["last_error"] if row and row["failures"] else None,
    }
