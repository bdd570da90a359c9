"""Jobs: what runs by schedule (Airflow), by a person (API, command line) or both. Each may run again at any time."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson

import case_registry
from connectors import all_connectors
from foundation.unit_of_work import UnitOfWork, unit_of_work
from foundation.wire import Wire
from hub import (
    anti_entropy,
    asking,
    choreography,
    drop_folder,
    missed_hand_overs,
    payee_checks,
    payments,
    pulling,
    reconciling,
    sealing,
    sending,
    sharing_register,
)
from hub.context import hub_of_process
from hub.history import load_history
from hub.pipeline import Hub
from hub.pulling import PartnerAway
from hub.replaying import take_up

__all__ = [
    "BY_NAME",
    "PartnerAway",
    "audit_links",
    "check_journal",
    "check_payees",
    "compare_holdings",
    "list_pulling_partners",
    "load_history",
    "pull",
    "rebuild_check",
    "reconcile",
    "retry_due",
    "take_drops",
    "watch_deadlines",
    "work_payments",
]
BEIJING = ZoneInfo("Asia/Shanghai")
WATCHED_AT_ONCE = 100


def list_pulling_partners() -> list[dict[str, str]]:
    """Each partner that is pulled from, with each kind it offers."""
    return [
        {"partner": each.id, "kind": kind, "name_zh": each.name_zh}
        for each in all_connectors().values()
        if each.has("pulls")
        for kind in each.manifest.get("pull", {}).get("kinds", [""])
    ]


def pull(partner_id: str, kind: str, hub: Hub | None = None) -> dict[str, Any]:
    """Pull everything new of one kind from one partner. Raises PartnerAway."""
    hub = hub or hub_of_process()
    return _logged(hub, f"pull {partner_id} {kind}".strip(), lambda: pulling.pull(hub, partner_id, kind))


def reconcile(day: str | None = None, hub: Hub | None = None) -> dict[str, Any]:
    """Fetch the rails' statements and bills of a Beijing day (default: yesterday) and prove the ledger."""
    hub = hub or hub_of_process()
    with unit_of_work(hub.engine) as uow:
        chosen = day or (uow.now.astimezone(BEIJING) - timedelta(days=1)).date().isoformat()
    return _logged(hub, "reconcile", lambda: reconciling.reconcile(hub, chosen))


def watch_deadlines(hub: Hub | None = None) -> dict[str, Any]:
    """Move lamps, overdue instalments and expired overrides to where the clock says they are; warn of agreements that end."""
    hub = hub or hub_of_process()

    def run() -> dict[str, Any]:
        with unit_of_work(hub.engine) as uow:
            missed_hand_overs.list_missed(uow)
            events = case_registry.watch_deadlines(uow)
            # A whole night's lamps are many events, of many disputes: each portion has its own end.
            for start in range(0, len(events), WATCHED_AT_ONCE):
                choreography.follow(uow, events[start : start + WATCHED_AT_ONCE])
            ending = sharing_register.warn(uow)
        with unit_of_work(hub.engine) as uow:
            rated = case_registry.rate_escalations(uow)
        return {
            "registry": len(events),
            "agreements_ending": ending,
            "escalations_rated": rated,
            **payments.watch(hub),
        }

    return _logged(hub, "deadlines", run)


def retry_due(hub: Hub | None = None) -> dict[str, Any]:
    """Take up what a worker should have: undecided messages, due outbox rows, payments. A safety net."""
    hub = hub or hub_of_process()

    def run() -> dict[str, Any]:
        wire = Wire()
        try:
            with unit_of_work(hub.engine) as uow:
                left = _waiting(uow)
            applied = 0
            for inbox_id in left:
                try:
                    take_up(hub, inbox_id)
                    applied += 1
                except Exception:
                    continue  # it is written on the row, with an alarm; the others must not wait for it
            sent = [sending.send_one(hub, wire, row) for row in sending.lease(hub, 50)]
            asked = asking.work(hub, wire, 50)
            return {
                "applied": applied, "sent": len(sent), "delivered": sent.count("DELIVERED"), "asked": asked,
            }  # fmt: skip
        finally:
            wire.close()

    return _logged(hub, "retry", run)


def _waiting(uow: UnitOfWork) -> list[Any]:
    from foundation import inbox

    return list(inbox.waiting(uow))


def work_payments(hub: Hub | None = None) -> dict[str, Any]:
    """Send released orders and ask about those whose outcome is open."""
    hub = hub or hub_of_process()
    wire = Wire()
    try:
        return payments.work(hub, wire)
    finally:
        wire.close()


def check_payees(hub: Hub | None = None) -> dict[str, Any]:
    """Ask the registers whether the payees of open cases are alive."""
    hub = hub or hub_of_process()
    return _logged(hub, "payees", lambda: payee_checks.check_payees(hub))


def rebuild_check(hub: Hub | None = None) -> dict[str, Any]:
    """Rebuild the registry's record from the stored claims and compare state hashes."""
    hub = hub or hub_of_process()
    return _logged(hub, "rebuild-check", lambda: sending.rebuild_is_equal(hub))


def audit_links(hub: Hub | None = None) -> dict[str, Any]:
    """Draw pairs at random into the review of links, so that its estimates stay honest; none while too many are open."""
    hub = hub or hub_of_process()

    def run() -> dict[str, Any]:
        with unit_of_work(hub.engine) as uow:
            try:
                found = case_registry.draw_link_audit(
                    uow, case_registry.review_rules()["draw_pairs"], secrets.randbits(62)
                )
            except case_registry.NotAllowed as full:
                return {"drawn": 0, "why": str(full)}
        return {"drawn": found["drawn"], "population": found["population"]}

    return _logged(hub, "link-audit", run)


def check_journal(hub: Hub | None = None) -> dict[str, Any]:
    """Check yesterday's journal (Beijing): lines, chains, seals and time stamps; a flaw is an alarm."""
    hub = hub or hub_of_process()
    with unit_of_work(hub.engine) as uow:
        day = (uow.now.astimezone(BEIJING) - timedelta(days=1)).date().isoformat()
    return _logged(hub, "check-journal", lambda: sealing.check_day(hub, day))


def take_drops(hub: Hub | None = None) -> dict[str, Any]:
    """Take the statement files that are ready in the drop folders of the ways to pay that have one."""
    hub = hub or hub_of_process()
    return _logged(hub, "drops", lambda: drop_folder.take_all(hub))


def compare_holdings(hub: Hub | None = None) -> dict[str, Any]:
    """Compare with each partner that offers it what both hold of each other's messages, and repair (exchange rule 10)."""
    hub = hub or hub_of_process()
    return _logged(hub, "compare", lambda: anti_entropy.compare_all(hub))


def _logged(hub: Hub, job: str, run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Run a job and write down when, whether it went well and with what result."""
    with unit_of_work(hub.engine) as uow:
        run_id = uow.new_id()
        uow.execute(
            "INSERT INTO exchange.job_run (id, job, started_at) VALUES (:id, :job, :at)",
            id=run_id,
            job=job,
            at=uow.now,
        )
    result: dict[str, Any] = {}
    ok = False
    try:
        result = run()
        ok = True
        return result
    except Exception as error:
        result = {"error": f"{type(error).__name__}: {error}"[:1000]}
        raise
    finally:
        with unit_of_work(hub.engine) as uow:
            uow.execute(
                "UPDATE exchange.job_run SET finished_at = :at, ok = :ok, result = CAST(:result AS jsonb) WHERE id = :id",
                at=uow.now,
                ok=ok,
                result=orjson.dumps(result, default=str).decode(),
                id=run_id,
            )


# By the names that people use over the API; reconcile also takes a day.
BY_NAME: dict[str, Callable[..., dict[str, Any]]] = {
    "deadlines": lambda hub: watch_deadlines(hub),
    "reconcile": lambda hub, day="": reconcile(day or None, hub),
    "retry": lambda hub: retry_due(hub),
    "rebuild-check": lambda hub: rebuild_check(hub),
    "compare": lambda hub: compare_holdings(hub),
    "check-journal": lambda hub: check_journal(hub),
    "link-audit": lambda hub: audit_links(hub),
    "payees": lambda hub: check_payees(hub),
    "drops": lambda hub: take_drops(hub),
    "payments": lambda hub: work_payments(hub),
}
