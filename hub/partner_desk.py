"""What an operator does for a partner: enter it, hand out what it needs, change keys with overlap, call it to see if it answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from connectors import all_connectors
from foundation import local_ca, partner_keys, partners
from foundation.algorithms import PrivateKey, named
from foundation.keys import KeyStore
from foundation.partner_keys import Kind
from foundation.receipts import receipt_key
from foundation.unit_of_work import UnitOfWork
from hub.pipeline import Hub
from schemas.findings import Finding, Refused

KINDS: tuple[Kind, ...] = ("http", "wss", "tls")
# SOAP stacks take RSA everywhere; elsewhere P-256 signs fifteen times as fast.
OWN_ALGORITHM = {"http": "ecdsa-p256-sha256", "wss": "rsa-sha256", "tls": "ecdsa-p256-sha256"}
MANUAL = "docs/partner/quickstart.md"


def add(hub: Hub, uow: UnitOfWork, told: partners.NewPartner) -> list[str]:
    """Enter a partner and make our keys towards it; ids of these."""
    if told.id in all_connectors():
        raise Refused(Finding("BUSINESS_KEY_CONFLICT", "partner", told.id, "an id that no adapter has"))
    partners.add(uow, told)
    kinds = {part for each in told.auth for part in each.split("+")}
    return [_own_key(hub.keys, uow, told.id, kind, uow.now) for kind in KINDS if kind in kinds]


def own_key_name(key_id: str) -> str:
    """Under what name the private half of a key of ours lies in the key folder."""
    return f"partner.{key_id}"


def _own_key(
    keys: KeyStore, uow: UnitOfWork, partner_id: str, kind: Kind, use_from: datetime, algorithm: str = ""
) -> str:
    key = _made(named(algorithm or OWN_ALGORITHM[kind], "algorithm").id)
    # TLS looks at the real time, everything else at the hub's, which a sandbox may have moved.
    certificate = local_ca.certify(keys, key, "concord", min(uow.now, datetime.now(UTC)))
    number = 1 + len([row for row in partner_keys.keys_of(uow, partner_id) if row["side"] == "ours"])
    made = f"concord-{partner_id}-{kind}-{number}"
    pem = certificate.public_bytes(Encoding.PEM)
    partner_keys.register_key(uow, partner_id, kind, pem, key_id=made, side="ours", use_from=use_from)
    keys.keep_pair(own_key_name(made), key, certificate)
    return made


def _made(algorithm: str) -> PrivateKey:
    if algorithm == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm == "rsa-sha256":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1())


def rotate(
    hub: Hub,
    uow: UnitOfWork,
    partner_id: str,
    kind: Kind,
    *,
    lead: timedelta,
    overlap: timedelta,
    algorithm: str = "",
) -> dict[str, Any]:
    """A new key of ours: announced now, used after ``lead``; the former one stays good for ``overlap`` beyond that."""
    partners.partner(uow, partner_id)
    begin = uow.now + lead
    uow.execute(
        "UPDATE exchange.partner_key SET valid_to = least(valid_to, :end) WHERE partner = :p AND kind = :kind"
        " AND side = 'ours' AND revoked_at IS NULL AND valid_from < :end",
        p=partner_id, kind=kind, end=begin + overlap,
    )  # fmt: skip
    made = _own_key(hub.keys, uow, partner_id, kind, begin, algorithm)
    return {"key": made, "used_from": begin, "former_until": begin + overlap}


def certify(hub: Hub, uow: UnitOfWork, partner_id: str, request_pem: bytes) -> tuple[str, bytes]:
    """Issue and register a TLS client certificate for a partner's signing request; the key's id and the certificate (PEM)."""
    partners.partner(uow, partner_id)
    issued = local_ca.issue(hub.keys, partner_id, request_pem, min(uow.now, datetime.now(UTC)))
    return partner_keys.register_key(uow, partner_id, "tls", issued), issued


def hand_out(hub: Hub, uow: UnitOfWork, partner_id: str, folder: Path) -> list[str]:
    """Write what the partner needs into a folder: our public keys and certificates, and a sheet that says how to use them."""
    row = partners.partner(uow, partner_id)
    folder.mkdir(parents=True, exist_ok=True)
    files = {"concord-ca.crt": hub.keys.certificate(local_ca.CA).public_bytes(Encoding.PEM)}
    files["concord-receipts.pem"] = receipt_key(hub.keys.folder).public_pem()
    told: list[dict[str, Any]] = []
    for key in partner_keys.keys_of(uow, partner_id):
        if key["side"] != "ours" or key["revoked_at"] is not None or key["valid_to"] <= uow.now:
            continue
        public = load_der_public_key(bytes(key["public_key"]))
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        files[f"{key['id']}.pem"] = pem
        files[f"{key['id']}.crt"] = hub.keys.certificate(own_key_name(key["id"])).public_bytes(Encoding.PEM)
        told.append({name: str(key[name]) for name in ("id", "kind", "algorithm", "valid_from", "valid_to")})
    sheet = {
        "partner": partner_id, "name": row["name"], "protocols": row["protocols"], "auth": row["auth"],
        "limits": vars(partners.limits(uow, partner_id)), "concord_keys": told, "manual": MANUAL,
    }  # fmt: skip
    files["partner.json"] = json.dumps(sheet, ensure_ascii=False, indent=1).encode()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return sorted(files)


def listed(uow: UnitOfWork) -> list[dict[str, Any]]:
    """Every partner, rows and adapters, with its state and the day its next key runs out."""
    states = {row["partner"]: row for row in uow.all("SELECT * FROM exchange.partner_state LIMIT 10000")}
    ends = {
        row["partner"]: row["first"]
        for row in uow.all(
            "SELECT partner, min(valid_to) AS first FROM exchange.partner_key WHERE revoked_at IS NULL"
            " AND valid_to > :now GROUP BY partner", now=uow.now,
        )
    }  # fmt: skip
    rows = [
        {
            "id": row["id"], "name": row["name"], "institution": row["institution"], "agency": row["agency"],
            "contract": "open", "protocols": row["protocols"], "auth": row["auth"], "state": row["state"],
            "key_ends": ends.get(row["id"]), **_health(states.get(row["id"])),
        }
        for row in partners.partners(uow)
    ]  # fmt: skip
    rows += [
        {
            "id": each.id, "name": each.name_zh, "institution": each.institution, "agency": each.agency,
            "contract": "own", "protocols": [], "auth": [str(each.manifest.get("auth", {}).get("kind", ""))],
            "state": "suspended" if _paused(states.get(each.id)) else "active", "key_ends": None,
            **_health(states.get(each.id)),
        }
        for each in all_connectors().values()
        if each.institution or each.client is not None
    ]  # fmt: skip
    return rows


def _paused(state: Any) -> bool:
    return bool(state and state["paused"])


def _health(state: Any) -> dict[str, Any]:
    return {
        "failures": state["failures"] if state else 0,
        "last_ok": state["last_ok"] if state else None,
        "last_error": state["last_error"] if state and state["failures"] else None,
        "open_until": state["open_until"] if state else None,
    }


def shown(uow: UnitOfWork, partner_id: str) -> dict[str, Any]:
    """One partner with its keys and limits. Raises Refused: NOT_FOUND."""
    found = next((each for each in listed(uow) if each["id"] == partner_id), None)
    if found is None:
        raise Refused(Finding("NOT_FOUND", "partner", partner_id, "a partner's id: ./concord partner list"))
    if found["contract"] != "open":
        return {**found, "keys": []}
    row = partners.partner(uow, partner_id)
    return {
        **found, "addresses": row["addresses"], "limits": vars(partners.limits(uow, partner_id)),
        "state_reason": row["state_reason"], "state_by": row["state_by"], "state_at": row["state_at"],
        "valid_from": row["valid_from"], "valid_to": row["valid_to"],
        "keys": [key_shown(key, uow.now) for key in partner_keys.keys_of(uow, partner_id)],
    }  # fmt: skip


def key_shown(key: Any, now: datetime) -> dict[str, Any]:
    """A key for a table: what it is, and whether it is in force, comes, has run out or was revoked."""
    if key["revoked_at"] is not None:
        state = "revoked"
    elif key["valid_to"] <= now:
        state = "expired"
    else:
        state = "announced" if key["valid_from"] > now else "in force"
    names = (
        "id",
        "side",
        "kind",
        "algorithm",
        "fingerprint",
        "valid_from",
        "valid_to",
        "revoked_at",
        "revoked_why",
    )
    return {**{name: key[name] for name in names}, "state": state, "days_left": (key["valid_to"] - now).days}


def turn(uow: UnitOfWork, partner_id: str, reason: str, *, suspend: bool) -> None:
    """Suspend or resume a partner, row or adapter. Raises Refused: no such partner, no reason."""
    if partner_id not in all_connectors():
        (partners.suspend if suspend else partners.resume)(uow, partner_id, reason)
        return
    if not reason.strip():
        raise Refused(Finding("FIELD_MISSING", "reason", "", "why, in a few words"))
    uow.execute(
        "INSERT INTO exchange.partner_state (partner, paused, suspended) VALUES (:p, :paused, :paused)"
        " ON CONFLICT (partner) DO UPDATE SET paused = excluded.paused, suspended = excluded.suspended", p=partner_id, paused=suspend,
    )  # fmt: skip
    partners.note(uow, "paused" if suspend else "resumed", partner_id, reason=reason[:500])
    uow.wake()


def limits_told(words: Sequence[str]) -> dict[str, float]:
    """Limits as people write them: ``calls_per_s=50``. Raises Refused."""
    found: dict[str, float] = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            found[name] = float(value)
        except ValueError:
            raise Refused(Finding("SCHEMA_VIOLATION", f"limits/{name}", value, "NAME=NUMBER")) from None
    return found
