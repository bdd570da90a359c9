"""People who log in, their roles, and sessions.

``ROLES`` is the one table of roles: the five of the mediation office and those of payment, supervision and
operation (design, "Roles").
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta

from foundation.actors import Actor
from foundation.unit_of_work import UnitOfWork

ROLES: dict[str, tuple[str, str]] = {
    "intake_clerk": ("受理员", "records and accepts applications"),
    "mediator": ("人民调解员", "mediates and records agreements"),
    "reviewer": ("审核员", "checks acceptance, agreement and dossier; confirms links"),
    "assessor": ("评定员", "scores closed dossiers"),
    "administrator": ("管理员", "users, tables, settings"),
    "cashier": ("经办", "drafts payment orders"),
    "checker": ("复核", "checks payment orders"),
    "releaser": ("审批", "releases payment orders above the tier"),
    "supervision_officer": ("督办员", "watches disputes across agencies"),
    "auditor": ("审计员", "reads everything, changes nothing"),
    "operator": ("运维", "exchange log, replay, quarantine, jobs"),
    "partner_engineer": ("对接工程师", "sees own agency's exchange"),
    "citizen": ("群众", "applies, looks up, pays"),
}
SESSION_LIFE = timedelta(hours=12)
_SCRYPT = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}


def hash_password(password: str) -> str:
    """Salted scrypt hash of a password."""
    salt = secrets.token_bytes(16)
    return f"{salt.hex()}${hashlib.scrypt(password.encode(), salt=salt, **_SCRYPT).hex()}"


def password_right(password: str, stored: str) -> bool:
    """True when the password gives the stored hash (constant time)."""
    salt, digest = stored.split("$")
    found = hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), **_SCRYPT)
    return hmac.compare_digest(found.hex(), digest)


def add_staff(
    uow: UnitOfWork, staff_id: str, name: str, org: str, roles: list[str], password: str, *, region: str = "",
    agency: str = "",
) -> None:  # fmt: skip
    """Enter a person, or bring name, office, roles and password up to date. Raises ValueError on an unknown role.

    ``region``: division code of the person's county, "" = the whole city; ``agency``: the agency acted for, "" = the hub.
    """
    unknown = [role for role in roles if role not in ROLES]
    if unknown:
        raise ValueError(f"unknown role: {unknown[0]}")
    uow.execute(
        "INSERT INTO exchange.staff (id, name, org, roles, password_hash, created_at, region, agency) VALUES"
        " (:id, :name, :org, :roles, :hash, :at, :region, :agency) ON CONFLICT (id) DO UPDATE SET name = excluded.name,"
        " org = excluded.org, roles = excluded.roles, password_hash = excluded.password_hash, region = excluded.region,"
        " agency = excluded.agency",
        id=staff_id,
        name=name,
        org=org,
        roles=roles,
        hash=hash_password(password),
        at=uow.now,
        region=region,
        agency=agency,
    )


def log_in(uow: UnitOfWork, staff_id: str, password: str) -> str | None:
    """Open a session; returns its token, or None when name or password is wrong."""
    row = uow.one("SELECT * FROM exchange.staff WHERE id = :id AND active", id=staff_id)
    # The hash is computed also for an unknown name, so that the time tells nothing.
    right = password_right(password, row["password_hash"] if row else hash_password("-"))
    if row is None or not right:
        return None
    token = secrets.token_urlsafe(32)
    uow.execute(
        "INSERT INTO exchange.session VALUES (:hash, :staff, :at, :until)",
        hash=hashlib.sha256(token.encode()).digest(),
        staff=staff_id,
        at=uow.now,
        until=_real_now(uow) + SESSION_LIFE,
    )
    return token


def session_actor(uow: UnitOfWork, token: str) -> Actor | None:
    """Who holds this session token; None when it is unknown or over."""
    row = uow.one(
        "SELECT s.id, s.name, s.org, s.roles, s.region, s.agency FROM exchange.session t JOIN exchange.staff s ON s.id = t.staff"
        " WHERE t.token_hash = :hash AND t.expires_at > clock_timestamp() AND s.active",
        hash=hashlib.sha256(token.encode()).digest(),
    )
    if row is None:
        return None
    return Actor(row["id"], row["name"], frozenset(row["roles"]), row["org"], row["region"], row["agency"])


def staff_actor(uow: UnitOfWork, staff_id: str) -> Actor | None:
    """The person of that log-in name who may act; None when there is none."""
    row = uow.one(
        "SELECT id, name, org, roles, region, agency FROM exchange.staff WHERE id = :id AND active",
        id=staff_id,
    )
    if row is None:
        return None
    return Actor(row["id"], row["name"], frozenset(row["roles"]), row["org"], row["region"], row["agency"])


def staff_names(uow: UnitOfWork) -> dict[str, str]:
    """Names of everybody who has or had a log-in, by log-in name: screens show people, not ids."""
    return {row["id"]: row["name"] for row in uow.all("SELECT id, name FROM exchange.staff LIMIT 5000")}


def log_out(uow: UnitOfWork, token: str) -> None:
    """End a session."""
    uow.execute(
        "DELETE FROM exchange.session WHERE token_hash = :hash", hash=hashlib.sha256(token.encode()).digest()
    )


def _real_now(uow: UnitOfWork):  # type: ignore[no-untyped-def]
    # Sessions live in real time: a story that moves the virtual clock must not log people out.
    return uow.scalar("SELECT clock_timestamp()")
