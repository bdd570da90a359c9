"""The service catalogue: what can be called here and by whom, made from the code and the manifests, with each one's health."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from connectors import Connector, all_connectors
from foundation.unit_of_work import UnitOfWork
from hub import subscribing
from hub.operations import OPERATIONS, TAKES

OPEN_CONTRACT = ("/open/v1/openapi.json", "/open/soap?wsdl")


def catalogue(uow: UnitOfWork) -> dict[str, Any]:
    """Everything: ``open_contract`` (operations that mean the same over REST and SOAP), ``adapters`` (each agency's own
    contract as we serve and call it, with health), ``topics`` (what may be subscribed to)."""
    states = {
        row["partner"]: row
        for row in uow.all(
            "SELECT partner, paused, failures, open_until, last_ok, last_failed FROM exchange.partner_state"
        )
    }
    return {
        "open_contract": {
            "contracts": list(OPEN_CONTRACT),
            "operations": [*TAKES, *OPERATIONS],
        },
        "adapters": [_adapter(each, states.get(each.id), uow.now) for each in all_connectors().values()],
        "topics": [{"topic": name, **told} for name, told in subscribing.topics().items()],
    }


def _adapter(adapter: Connector, state: Any, now: datetime) -> dict[str, Any]:
    manifest = adapter.manifest
    auth, limits = manifest.get("auth", {}), manifest.get("limits", {})
    endpoints = adapter.service.ENDPOINTS if adapter.service is not None else ()
    return {
        "id": adapter.id,
        "name_zh": adapter.name_zh,
        "name_en": str(manifest.get("name_en", adapter.id)),
        "agency": adapter.agency,
        "institution": adapter.institution,
        "auth": str(auth.get("kind", "")),
        "weak": bool(auth.get("weak", False)),
        "serves": [
            {
                "operation": each.operation,
                "method": each.method,
                "path": f"/partners/{adapter.id}{each.path}",
                "contract": f"/partners/{adapter.id}{each.path}?wsdl" if each.wsdl is not None else "",
                "max_bytes": each.max_bytes,
            }
            for each in endpoints
        ],
        "pulled": list(manifest.get("pull", {}).get("kinds", ())) if adapter.has("pulls") else [],
        "told": sorted(set(manifest.get("notices", {}).values())),
        "files": list(manifest.get("files", {}).get("suffixes", ())),
        "rate_per_min": limits.get("rate_per_min"),
        "windows": list(manifest.get("maintenance", {}).get("windows", ())),
        "health": _health(state, now),
    }


def _health(state: Any, now: datetime) -> dict[str, Any]:
    """``state``: well, paused, resting (its breaker is open), failing, or unknown while nothing was exchanged."""
    if state is None:
        return {"state": "unknown", "last_ok": None, "failures": 0}
    resting = state["open_until"] is not None and state["open_until"] > now
    word = (
        "paused" if state["paused"] else "resting" if resting else "failing" if state["failures"] else "well"
    )
    return {"state": word, "last_ok": state["last_ok"], "failures": state["failures"]}
