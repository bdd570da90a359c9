"""Looks after partners once a minute: keys that run out soon are told to people, old marks of signatures are forgotten."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptography.x509 import Certificate

from connectors import all_connectors
from foundation import replays
from foundation.journal import raise_alarm
from foundation.keys import KeyMissing
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub.pipeline import Hub

log = logging.getLogger("concord.partners")
SOON_DAYS = 30
AT_LAST_DAYS = 7
EVERY_S = 60.0


def keep_watching(hub: Hub, stop: threading.Event) -> None:
    """Look once a minute until ``stop`` is set."""
    while not stop.wait(EVERY_S):
        try:
            with unit_of_work(hub.engine) as uow:
                watch(hub, uow)
        except Exception:
            log.exception("partners' keys could not be looked at; it goes on")


def watch(hub: Hub, uow: UnitOfWork) -> int:
    """Alarms for keys that run out in 30 and again in 7 days; how many keys that are."""
    replays.forget(uow)
    found = 0
    for partner, key, until in [*_rows(uow), *_files(hub, uow)]:
        left, told = until - uow.now, until.isoformat(timespec="minutes")
        if left <= timedelta(days=AT_LAST_DAYS):
            raise_alarm(uow, "key_ends_within_a_week", f"{partner}/{key}", until=told)
        elif left <= timedelta(days=SOON_DAYS):
            raise_alarm(uow, "key_ends_within_a_month", f"{partner}/{key}", until=told)
        found += left <= timedelta(days=SOON_DAYS)
    return found


def _rows(uow: UnitOfWork) -> list[tuple[str, str, datetime]]:
    """Keys in force that nothing follows: where a later one of the same kind is registered, the change is under way."""
    rows = uow.all(
        "SELECT k.partner, k.id, k.valid_to FROM exchange.partner_key k JOIN exchange.partner p ON p.id = k.partner"
        " WHERE k.revoked_at IS NULL AND k.valid_to BETWEEN :now AND :soon AND p.state = 'active' AND NOT EXISTS"
        " (SELECT 1 FROM exchange.partner_key n WHERE n.partner = k.partner AND n.kind = k.kind AND n.side = k.side"
        "  AND n.revoked_at IS NULL AND n.valid_to > :soon) ORDER BY k.valid_to LIMIT 1000",
        now=uow.now, soon=uow.now + timedelta(days=SOON_DAYS),
    )  # fmt: skip
    return [(row["partner"], row["id"], row["valid_to"]) for row in rows]


def _files(hub: Hub, uow: UnitOfWork) -> Iterator[tuple[str, str, datetime]]:
    """Certificates of adapters in the key folder. A sandbox has published test certificates there, of any age."""
    if hub.settings.sandbox:
        return
    for adapter in all_connectors().values():
        trusted = hub.keys.trusted(adapter.id)
        newest = max(trusted, key=lambda each: each.not_valid_after_utc, default=None)
        for name, certificate in (("theirs", newest), ("ours", _own(hub, adapter.id))):
            if certificate is not None and certificate.not_valid_after_utc >= uow.now:
                yield adapter.id, name, certificate.not_valid_after_utc


def _own(hub: Hub, name: str) -> Certificate | None:
    try:
        return hub.keys.certificate(name)
    except KeyMissing:
        return None
