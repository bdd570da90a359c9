"""Sends what the outbox owes: bytes made once and kept, the call outside any transaction, the result written."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import RowMapping

import case_registry
from connectors import Connector, all_connectors
from foundation import outbox
from foundation.dispatch import lease_due
from foundation.journal import journal, raise_alarm
from foundation.partner_limits import Limits, limits_of
from foundation.unit_of_work import UnitOfWork, unit_of_work
from foundation.wire import Wire
from hub import choreography, sharing
from hub.pipeline import Hub
from schemas.exchange import ConnectorContext, SendResult
from schemas.findings import Refused

log = logging.getLogger("concord.sending")


def connector_context(hub: Hub, uow: UnitOfWork, adapter: Connector) -> ConnectorContext:
    """What the adapter's client is handed; its small state is loaded from the partner's row."""
    state = uow.scalar("SELECT state FROM exchange.partner_state WHERE partner = :p", p=adapter.id)
    return ConnectorContext(
        base_url=hub.settings.partner_url(adapter.id),
        manifest=adapter.manifest,
        keys=hub.keys,
        now=uow.now,
        new_id=uow.new_id,
        state=dict(state or {}),
    )


def keep_state(uow: UnitOfWork, partner: str, state: dict[str, Any]) -> None:
    """Keep an adapter's small state (tickets, tokens) in the partner's row."""
    uow.execute(
        "INSERT INTO exchange.partner_state (partner, state) VALUES (:p, CAST(:s AS jsonb))"
        " ON CONFLICT (partner) DO UPDATE SET state = excluded.state",
        p=partner,
        s=orjson.dumps(state, default=str).decode(),
    )


def adapter_limits(partner: str) -> Limits:
    """Limits of deliveries to an adapter's partner, from its manifest: what its contract says of its own rate."""
    adapter = all_connectors().get(partner)
    told = adapter.manifest.get("limits", {}) if adapter else {}
    named = {name: value for name, value in told.items() if name.startswith(("send_", "retries_"))}
    if "rate_per_min" in told:
        named = {"send_per_s": told["rate_per_min"] / 60, "send_burst": told["rate_per_min"], **named}
    if "rate_per_s" in told:
        named = {"send_per_s": told["rate_per_s"], "send_burst": told["rate_per_s"], **named}
    return limits_of(named)


def lease(hub: Hub, limit: int) -> list[RowMapping]:
    """Take due outbox rows for one that sends them one after the other; each is leased to this process for a minute."""
    with unit_of_work(hub.engine) as uow:
        return list(
            lease_due(uow, limit, lambda partner: replace(adapter_limits(partner), send_at_once=limit))
        )


def send_one(hub: Hub, wire: Wire, row: RowMapping) -> str:
    """Send one leased row; returns its state afterwards (DELIVERED, WAITING or DEAD)."""
    adapter = all_connectors().get(row["partner"])
    if adapter is None or adapter.client is None:
        return _record(hub, row, SendResult("PERMANENT", "NO_CLIENT", "this partner cannot be called"), None)
    with unit_of_work(hub.engine) as uow:
        context = connector_context(hub, uow, adapter)
        content = outbox.kept_bytes(uow, row)
        shared = sharing.still_shared(uow, adapter.id, row["agreement"])
    if not shared:
        reason = f"sharing agreement {row['agreement']} has ended or is stopped"
        return _record(hub, row, SendResult("PERMANENT", "NOT_SHARED", reason), None)
    if not context.base_url:
        return _record(
            hub, row, SendResult("RETRY", "NO_ADDRESS", "no address is configured for this partner"), None
        )
    try:
        if content is None:
            content = adapter.client.build(row["operation"], row["body"], context)
            with unit_of_work(hub.engine) as uow:
                outbox.keep_bytes(uow, row["id"], content)
        within = wire.within(adapter_limits(adapter.id).send_timeout_s)
        result = adapter.client.send(within, context, row["operation"], content)
    except Refused as refused:  # it cannot be told in this partner's form: a person must look
        result = SendResult("PERMANENT", refused.findings[0].code, refused.findings[0].text_en())
    except Exception as error:  # a fault of ours: the row stays and people see it
        log.exception("outbox %s could not be sent", row["id"])
        result = SendResult("RETRY", "OUR_FAULT", f"{type(error).__name__}: {error}")
    return _record(hub, row, result, context.state, content)


def _record(
    hub: Hub, row: RowMapping, result: SendResult, state: dict[str, Any] | None, content: bytes | None = None
) -> str:
    with unit_of_work(hub.engine) as uow:
        after = outbox.record_attempt(uow, row, result)
        if state is not None:
            keep_state(uow, row["partner"], state)
        if after in ("DELIVERED", "DEAD"):
            journal(
                uow,
                "sent" if after == "DELIVERED" else "given_up",
                f"{row['partner']}/{row['message_id']}",
                hashlib.sha256(content if content is not None else orjson.dumps(row["body"])).digest(),
                outbox=str(row["id"]),
                attempt=row["attempts"],
                reply=hashlib.sha256(result.raw[: outbox.MAX_REPLY_KEPT]).hexdigest(),
            )
        if after == "DELIVERED":
            choreography.notice_delivered(uow, row)
        if after == "DEAD":
            raise_alarm(
                uow, "not_delivered", f"{row['partner']}/{row['message_id']}", error=result.text[:300]
            )
    return after


def rebuild_is_equal(hub: Hub) -> dict[str, Any]:
    """Rebuild the record from the stored messages beside the live one and compare the state hashes."""
    with unit_of_work(hub.engine) as uow:
        live = case_registry.state_hash(uow)
        rebuilt = case_registry.rebuilt_hash(uow)
        if live != rebuilt:
            raise_alarm(uow, "rebuild_differs", "registry", live=live, rebuilt=rebuilt)
    return {"live": live, "rebuilt": rebuilt, "equal": live == rebuilt}
