"""What subscribers are told: which events a partner may be told of, and the bytes of each telling.

Default deny: only the topics of ``subscribable_events.csv``, only the fields named there that the partner's sharing
agreement covers, and only of disputes that the partner itself has a case in; sealed disputes never. The body is a
CloudEvent 1.0 in JSON.
"""

from __future__ import annotations

import csv
import secrets
import time
from base64 import b64encode
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import orjson
from sqlalchemy import RowMapping
from standardwebhooks.webhooks import Webhook

import case_registry
from foundation import subscriptions
from foundation.journal import journal
from foundation.keys import KeyStore
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub import sharing
from hub.cloud_events import cloud_event
from hub.pipeline import Hub
from schemas.findings import Finding, Refused

FAN_OUT = 500
OVERLAP_S = 86_400


@lru_cache(maxsize=1)
def topics() -> dict[str, dict[str, str]]:
    """What partners may subscribe to: topic → zh, en, fields."""
    path = Path(__file__).parent / "data" / "subscribable_events.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return {row["topic"]: row for row in csv.DictReader(file)}


def subscribe(
    uow: UnitOfWork,
    hub: Hub,
    partner: str,
    kind: str,
    wanted: list[str],
    address: str = "",
    *,
    approved: bool,
) -> tuple[UUID, str]:
    """Make a subscription; ``approved`` false leaves it ASKED until an operator has looked at the address.

    Returns its id and, for a webhook, the signing secret (shown this once). Raises Refused: CODE_UNKNOWN for a
    topic, SCHEMA_VIOLATION for a kind or address, ILLEGAL_STATE above 20 live ones of a partner.
    """
    unknown = sorted(set(wanted) - set(topics()))
    if unknown or not wanted:
        raise Refused(Finding("CODE_UNKNOWN", "topics", ", ".join(unknown) or "none", ", ".join(topics())))
    if kind not in ("webhook", "amqp"):
        raise Refused(Finding("SCHEMA_VIOLATION", "kind", kind, "webhook or amqp"))
    if kind == "webhook":
        check_address(address, sandbox=hub.settings.sandbox)
    if kind == "amqp" and address:
        raise Refused(Finding("SCHEMA_VIOLATION", "address", address, "none: the queue is named by us"))
    if subscriptions.live_count(uow, partner) >= subscriptions.MOST_PER_PARTNER:
        most = subscriptions.MOST_PER_PARTNER
        raise Refused(Finding("ILLEGAL_STATE", "partner", partner, f"at most {most} subscriptions"))
    made = subscriptions.add(uow, partner, kind, wanted, address, "ACTIVE" if approved else "ASKED")
    what = orjson.dumps([partner, kind, sorted(wanted), address])
    journal(uow, "subscribed", str(made), sha256(what).digest(), partner=partner, topics=sorted(wanted))
    secret = ""
    if kind == "webhook":
        secret = new_secret()
        hub.keys.put_secret(secret_name(made), secret)
    return made, secret


def secret_name(subscription: UUID) -> str:
    """Where the signing secret of a webhook lies in the key store."""
    return f"subscription.{subscription}"


def check_address(address: str, *, sandbox: bool) -> None:
    """A webhook is called over https; a sandbox may call this machine over http. Raises Refused."""
    parts = urlsplit(address)
    loopback = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if len(address) > 500 or not parts.hostname or parts.username or parts.fragment:
        raise Refused(
            Finding("SCHEMA_VIOLATION", "address", address[:100], "https://host/path, at most 500 letters")
        )
    if not (parts.scheme == "https" or (sandbox and loopback and parts.scheme == "http")):
        raise Refused(Finding("SCHEMA_VIOLATION", "address", address[:100], "an https address"))
    if loopback and not sandbox:
        raise Refused(Finding("SCHEMA_VIOLATION", "address", address[:100], "the address of another machine"))


def fan_out(hub: Hub) -> int:
    """Make deliveries of events that are not told yet; returns how many events were looked at."""
    with unit_of_work(hub.engine) as uow:
        events = subscriptions.untold(uow, FAN_OUT)
        if not events:
            return 0
        subscribed = subscriptions.active(uow)
        about = {UUID(row["payload"]["dispute_id"]) for row in events if row["payload"].get("dispute_id")}
        knowing = case_registry.cases_by_partner(uow, sorted(about)) if subscribed else {}
        deliveries = []
        seen: list[sharing.Shared] = []
        for subscription in subscribed:
            agreement = sharing.may_share(uow, subscription["partner"], "whereabouts", "PROGRESS")
            for row in events:
                dispute = row["payload"].get("dispute_id")
                number, known = knowing.get(UUID(dispute), ("", {})) if dispute else ("", {})
                cases = known.get(subscription["partner"])
                if not (cases and row["topic"] in subscription["topics"] and row["topic"] in topics()):
                    continue
                if agreement is None:
                    sharing.not_shared(uow, subscription["partner"], "whereabouts", "PROGRESS")
                    break
                told = sharing.view_of(agreement, _fields(row, number, cases), number)
                seen.append(told)
                delivery = {"subscription": subscription["id"], "event": row["id"], "subject": dispute}
                deliveries.append({**delivery, "body": told_event(row, told.record)})
        sharing.write_down(uow, seen)
        subscriptions.tell(uow, [row["id"] for row in events], deliveries)
        return len(events)


def _fields(row: RowMapping, number: str, cases: list[str]) -> dict[str, Any]:
    """The fields that the event's topic may show, and the partner's own numbers."""
    fields = topics()[row["topic"]]["fields"].split()
    payload = {**row["payload"], "dispute": number}
    data = {name: payload[name] for name in fields if payload.get(name) is not None}
    return {**data, "your_cases": cases}


def told_event(row: RowMapping, data: dict[str, Any]) -> bytes:
    """The event with what the partner may see of it, in its order among all."""
    subject = {"subject": str(data["dispute"])} if data.get("dispute") else {}
    return cloud_event(row, data, {"sequence": f"{row['id']:020d}", **subject})


def move(uow: UnitOfWork, subscription: UUID, state: str, reason: str) -> bool:
    """Approve, pause, resume or end a subscription; False when it already is so, or has ended."""
    moved = subscriptions.move(uow, subscription, state, reason)
    if moved:
        _write_down(uow, f"subscription_{state.lower()}", subscription, reason)
    return moved


def again(uow: UnitOfWork, subscription: UUID, events: list[int] | None, reason: str) -> int:
    """Tell dead deliveries again, all or these events; returns how many."""
    _write_down(uow, "subscription_again", subscription, reason)
    return subscriptions.again(uow, subscription, events)


def send_test(uow: UnitOfWork, subscription: UUID) -> None:
    """Tell the subscriber a made-up event, signed and carried like every other."""
    event = uow.one(
        "INSERT INTO exchange.event (topic, payload, at, actor, published, told)"
        " VALUES ('subscription_test', '{}', :now, :by, true, true) RETURNING *",
        now=uow.now,
        by=uow.actor.id,
    )
    assert event is not None
    body = told_event(event, {"test": True})
    told = {"subscription": subscription, "event": event["id"], "subject": "test", "body": body}
    subscriptions.tell(uow, [event["id"]], [told])
    uow.wake()


def rotate(uow: UnitOfWork, hub: Hub, subscription: UUID) -> str:
    """A new signing secret; the former signs beside it for a day. Returns it, this once."""
    secret = new_secret()
    hub.keys.replace_secret(secret_name(subscription), secret)
    _write_down(uow, "subscription_secret", subscription, "rotated")
    return secret


def new_secret() -> str:
    """A signing secret in the form of Standard Webhooks."""
    return "whsec_" + b64encode(secrets.token_bytes(32)).decode()


def _write_down(uow: UnitOfWork, kind: str, subscription: UUID, reason: str) -> None:
    journal(uow, kind, str(subscription), sha256(reason.encode()).digest(), reason=reason)


def _live_secrets(keys: KeyStore, subscription: UUID) -> list[str]:
    name = secret_name(subscription)
    former = keys.folder / f"{name}.old.secret"
    overlaps = former.exists() and time.time() - former.stat().st_mtime < OVERLAP_S
    return [keys.secret(name), *([keys.secret(f"{name}.old")] if overlaps else [])]


def signed_headers(keys: KeyStore, subscription: UUID, message_id: str, body: bytes) -> dict[str, str]:
    """Headers of Standard Webhooks; in a rotation's overlap the former secret signs too."""
    # The receiver checks against the real time, whatever the clock of a sandbox says.
    at = datetime.fromtimestamp(int(time.time()), UTC)
    signatures = [
        Webhook(secret).sign(message_id, at, body.decode()) for secret in _live_secrets(keys, subscription)
    ]
    return {
        "content-type": "application/cloudevents+json; charset=utf-8",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
