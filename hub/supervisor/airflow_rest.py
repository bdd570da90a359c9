"""The few calls that the supervisor makes to Airflow's REST API, as its operator."""

from __future__ import annotations

from typing import Any

import httpx


class AirflowRefused(Exception):
    """Airflow answered with something else than success; the text has its answer."""


class AirflowRest:
    """One logged-in client. ``url`` is the API server's address."""

    def __init__(self, url: str, user: str, password: str) -> None:
        # trust_env off: loopback never goes through a proxy.
        self._http = httpx.Client(base_url=url, timeout=30.0, trust_env=False)
        told = self._http.post("/auth/token", json={"username": user, "password": password})
        if told.status_code != 201:
            raise AirflowRefused(f"log-in: {told.status_code} {told.text[:300]}")
        self._http.headers["Authorization"] = f"Bearer {told.json()['access_token']}"

    def close(self) -> None:
        self._http.close()

    def call(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """One call below ``/api/v2``. Raises AirflowRefused."""
        told = self._http.request(method, f"/api/v2{path}", json=body or None)
        if told.status_code >= 300:
            raise AirflowRefused(f"{method} {path}: {told.status_code} {told.text[:300]}")
        found: dict[str, Any] = told.json() if told.content else {}
        return found

    def ensure_pools(self, wanted: dict[str, str]) -> int:
        """Make the pools (name to description, one slot each) that are not there; returns how many were made."""
        there = {each["name"] for each in self.call("GET", "/pools?limit=1000")["pools"]}
        for name in wanted.keys() - there:
            self.call("POST", "/pools", name=name, slots=1, description=wanted[name], include_deferred=False)
        return len(wanted.keys() - there)

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Start a run of a DAG now; returns the run's id."""
        run = self.call("POST", f"/dags/{dag_id}/dagRuns", logical_date=None, conf=conf or {})
        return str(run["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """State of a run: queued, running, success or failed."""
        return str(self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"])
