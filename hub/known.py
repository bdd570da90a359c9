"""What a mapping may look up, gathered from the database and the key folder for one message."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import case_registry
from connectors import Connector
from foundation.keys import KeyStore
from foundation.settings import Settings
from foundation.unit_of_work import UnitOfWork
from hub import sharing
from schemas.exchange import Known
from schemas.findings import Refused
from schemas.wide import BEIJING

# Longer than any partner's replay window in use (10 minutes), with room for clock skew.
NONCE_MEMORY = timedelta(minutes=15)


def known_for(uow: UnitOfWork, adapter: Connector, keys: KeyStore, settings: Settings) -> Known:
    """Secrets and certificates of that partner, nonces it used, digests first taken under an id."""

    def seen_nonce(nonce: str) -> bool:
        return bool(
            uow.scalar(
                "SELECT 1 FROM exchange.nonce WHERE partner = :p AND nonce = :n AND seen_at > :since",
                p=adapter.id,
                n=nonce,
                since=uow.now - NONCE_MEMORY,
            )
        )

    def first_digest(message_id: str) -> str | None:
        found: str | None = uow.scalar(
            "SELECT compare_digest FROM exchange.inbox WHERE partner = :p AND message_id = :m"
            " AND state IN ('APPLIED', 'PARKED')",
            p=adapter.id,
            m=message_id,
        )
        return found

    def fact(kind: str, key: str) -> Any:
        """``last_sequence``: the highest running number taken for a case, 0 when none was. ``whereabouts``: stage of the
        dispute of that agency's case, and since when; None when it is not known here, or no agreement covers it."""
        if kind == "last_sequence":
            return _last_sequence(uow, adapter.id, key)
        return _whereabouts(uow, adapter, key) if kind == "whereabouts" else None

    return Known(
        fact=fact,
        secrets=secrets_of(adapter, keys),
        certificates={adapter.id: tuple(keys.trusted(adapter.id)), "own": (keys.certificate(adapter.id),)},
        seen_nonce=seen_nonce,
        first_digest=first_digest,
        profile="test" if settings.sandbox else "production",
    )


def _last_sequence(uow: UnitOfWork, partner: str, case_key: str) -> int:
    return int(
        uow.scalar(
            "SELECT coalesce(max(sequence), 0) FROM exchange.inbox WHERE partner = :p AND case_key = :k"
            " AND state IN ('APPLIED', 'PARKED')",
            p=partner,
            k=case_key,
        )
    )


def _whereabouts(uow: UnitOfWork, adapter: Connector, native_id: str) -> dict[str, str] | None:
    """The stage only: what a partner may know of where its case is now, by its sharing agreement."""
    for ref in case_registry.disputes_of(uow, native_id, adapter.agency):
        found = case_registry.dispute(uow, ref.number)
        if found is None:
            continue
        since = found["stage_since"].astimezone(BEIJING).isoformat(timespec="seconds")
        told = {"stage": found["stage"], "since": since}
        try:
            return sharing.shared_view(
                uow, adapter.id, "whereabouts", told, "PROGRESS", subject=ref.number
            ).record
        except Refused:
            sharing.not_shared(uow, adapter.id, "whereabouts", "PROGRESS")
    return None


def secret_names(adapter: Connector) -> dict[str, str]:
    """Names of the partner's shared secrets and of where each is kept in the key store."""
    listed = {name: f"{adapter.id}.{name}" for name in adapter.manifest.get("auth", {}).get("secrets", ())}
    return {**listed, **adapter.manifest.get("keys", {}).get("secrets", {})}


def secrets_of(adapter: Connector, keys: KeyStore) -> dict[str, str]:
    """Shared secrets that the manifest's names, as far as they are set up.

    In its rotation overlap the former secret lies beside the new one as ``NAME.old``; both are handed over.
    """
    found: dict[str, str] = {}
    for name, stored in secret_names(adapter).items():
        for suffix in ("", ".old"):
            if (keys.folder / f"{stored}{suffix}.secret").exists():
                found[f"{name}{suffix}"] = keys.secret(f"{stored}{suffix}")
    return found


def remember_nonce(uow: UnitOfWork, partner: str, nonce: str, inbox_id: Any) -> None:
    """Keep a nonce that was used by a message that was taken."""
    uow.execute(
        "INSERT INTO exchange.nonce VALUES (:p, :n, :at, :inbox) ON CONFLICT (partner, nonce)"
        " DO UPDATE SET seen_at = excluded.seen_at, inbox = excluded.inbox",
        p=partner,
        n=nonce,
        at=uow.now,
        inbox=inbox_id,
    )
