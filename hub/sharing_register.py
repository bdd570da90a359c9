"""The register of sharing agreements: where they lie, how each stands today, entering and stopping them, warning in time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import orjson

from connectors import Connector, all_connectors
from foundation.journal import journal, raise_alarm
from foundation.unit_of_work import UnitOfWork
from hub.sharing_terms import Agreement, read_agreements
from schemas.findings import Finding, Refused
from schemas.wide import BEIJING

WARN_DAYS = 30


@dataclass(frozen=True)
class Standing:
    """An agreement and how it stands today: in force, not yet, ended or stopped; ``ends_in`` days, 0 on its last."""

    agreement: Agreement
    state: str
    ends_in: int
    reason: str = ""
    source: str = ""


def listed(uow: UnitOfWork) -> list[Standing]:
    """Every agreement with how it stands today, by partner and id."""
    today = uow.now.astimezone(BEIJING).date()
    found = agreements(uow, "")
    stopped = stops(uow, [each.id for each, _ in found])
    return [
        Standing(
            each, _state(each, today, stopped), (each.until - today).days, stopped.get(each.id, ""), source
        )
        for each, source in sorted(found, key=lambda pair: (pair[0].partner, pair[0].id))
    ]


def _state(agreement: Agreement, today: date, stopped: dict[str, str]) -> str:
    if agreement.id in stopped:
        return "STOPPED"
    return "NOT_YET" if today < agreement.since else "ENDED" if today > agreement.until else "IN_FORCE"


def warn(uow: UnitOfWork) -> int:
    """An alarm for each agreement that ends within WARN_DAYS and that no later one follows; how many those are."""
    ending = 0
    known = listed(uow)
    for each in known:
        one = each.agreement
        follows = any(
            other.agreement.data_set == one.data_set and other.agreement.purpose == one.purpose
            and other.agreement.partner == one.partner and other.agreement.until > one.until
            and other.agreement.since <= one.until + timedelta(days=1)
            for other in known
        )  # fmt: skip
        if each.state == "IN_FORCE" and each.ends_in <= WARN_DAYS and not follows:
            ending += 1
            raise_alarm(
                uow,
                "sharing_ends",
                one.id,
                role="supervision_officer",
                partner=one.partner,
                until=str(one.until),
            )
    return ending


def stop(uow: UnitOfWork, agreement: str, reason: str, *, stopped: bool) -> None:
    """Stop an agreement at once, or let it go on. Raises Refused: NOT_FOUND, FIELD_MISSING."""
    if agreement not in {each.id for each, _ in agreements(uow, "")}:
        raise Refused(Finding("NOT_FOUND", "agreement", agreement, "an agreement's id"))
    if not reason.strip():
        raise Refused(Finding("FIELD_MISSING", "reason", "", "why, in a few words"))
    uow.execute(
        "INSERT INTO exchange.sharing_stop (agreement, stopped, reason, at, by) VALUES (:a, :s, :r, :at, :by)",
        a=agreement, s=stopped, r=reason[:500], at=uow.now, by=uow.actor.id,
    )  # fmt: skip
    what = "sharing_stopped" if stopped else "sharing_resumed"
    journal(uow, what, agreement, sha256(reason.encode()).digest(), reason=reason[:500])


def enter(uow: UnitOfWork, partner: str, agency: str, content: bytes) -> list[Agreement]:
    """Enter the agreements of a partner that is a row, from a file of the same form. Raises Refused."""
    found = read_agreements(content, partner, agency)
    there = {each.id for each, _ in agreements(uow, "")}
    double = [each.id for each in found if each.id in there]
    if double:
        raise Refused(
            Finding("BUSINESS_KEY_CONFLICT", "agreement", ", ".join(double), "an id not used before")
        )
    digest = sha256(content).hexdigest()
    for each in found:
        uow.execute(
            "INSERT INTO exchange.sharing_agreement (id, partner, terms, sha256, entered_at, entered_by)"
            " VALUES (:id, :partner, CAST(:terms AS jsonb), :sha, :at, :by)",
            id=each.id, partner=partner, terms=orjson.dumps({"file": content.decode(), "agency": agency}).decode(),
            sha=digest, at=uow.now, by=uow.actor.id,
        )  # fmt: skip
        journal(uow, "sharing_entered", each.id, bytes.fromhex(digest), partner=partner)
    return found


def agreements(uow: UnitOfWork, partner: str) -> list[tuple[Agreement, str]]:
    """Agreements of a partner ("" = of all) with where each is written.

    A file that was spoilt counts as none, for its own partner only, and people are told.
    """
    found: list[tuple[Agreement, str]] = []
    for adapter in all_connectors().values():
        if partner in ("", adapter.id):
            try:
                found += [(each, f"{adapter.folder.name}/sharing.toml") for each in _of_adapter(adapter)]
            except Refused as refused:
                _spoilt(uow, adapter.id, refused)
    rows = uow.all(
        "SELECT id, partner, terms, sha256 FROM exchange.sharing_agreement WHERE :p = '' OR partner = :p ORDER BY id"
        " LIMIT 2000", p=partner,
    )  # fmt: skip
    for row in rows:
        try:
            several = _entered(row["sha256"], row["partner"], row["terms"]["agency"], row["terms"]["file"])
        except Refused as refused:  # the vocabulary no longer has what it names
            _spoilt(uow, row["partner"], refused)
            continue
        found += [(each, f"sha256 {row['sha256'][:12]}") for each in several if each.id == row["id"]]
    return found


def _spoilt(uow: UnitOfWork, partner: str, refused: Refused) -> None:
    first = refused.findings[0]
    raise_alarm(
        uow,
        "sharing_broken",
        partner,
        role="operator",
        code=first.code,
        path=first.path,
        found=first.found[:100],
    )


@lru_cache(maxsize=256)
def _entered(_digest: str, partner: str, agency: str, text: str) -> tuple[Agreement, ...]:
    return tuple(read_agreements(text.encode(), partner, agency))


def _of_adapter(adapter: Connector) -> tuple[Agreement, ...]:
    path = adapter.folder / "sharing.toml"
    try:
        changed = path.stat().st_mtime_ns
    except FileNotFoundError:
        return ()
    return _file(path, changed, adapter.id, adapter.agency)


@lru_cache(maxsize=256)
def _file(path: Path, _changed: int, partner: str, agency: str) -> tuple[Agreement, ...]:
    """A file as it is now: one that was changed is read again, so that a change acts at once."""
    return tuple(read_agreements(path.read_bytes(), partner, agency))


def stops(uow: UnitOfWork, agreements: list[str]) -> dict[str, str]:
    """Those of these agreements that are stopped, with the reason."""
    if not agreements:
        return {}
    rows = uow.all(
        "SELECT DISTINCT ON (agreement) agreement, stopped, reason FROM exchange.sharing_stop"
        " WHERE agreement = ANY(:ids) ORDER BY agreement, id DESC",
        ids=agreements,
    )
    return {row["agreement"]: row["reason"] for row in rows if row["stopped"]}
