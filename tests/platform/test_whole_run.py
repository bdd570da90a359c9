"""The whole system as a person runs it: up, healed, stopped without a trace, going on; and once with Airflow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import Any

import pytest

from hub.supervisor.airflow_rest import AirflowRest
from tests.platform.running import Run, own_place
from tests.platform.tree import ROOT

pytestmark = pytest.mark.alone
STOP_WITHIN_S = 20.0
# Far above what an idle machine needs (README): the check may run beside other work.
AGAIN_WITHIN_S = 150.0
HUB = {"api", "console", "worker", "sandbox-partners", "sandbox-bank"}
AIRFLOW = {"airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer"}


def test_every_process_is_healed_and_none_is_left() -> None:
    with own_place(22_000) as run:
        run.start("--without-airflow")
        run.wait_up(150)
        before = run.state()["processes"]
        assert before.keys() >= HUB | {"postgres"}
        for name in before:
            os.kill(before[name]["pid"], signal.SIGKILL)
            run.wait(lambda name=name: _healed(run, name, before), 60, f"{name} started again")
        second = subprocess.run(
            [str(ROOT / "run"), "--var-dir", str(run.var_dir), "--once"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert second.returncode == 3
        assert "runs already" in second.stdout
        assert run.stop(signal.SIGTERM) < STOP_WITHIN_S
        assert run.left() == []

        # The next run goes on from what is there.
        run.start("--without-airflow", "--once")
        assert run.ended(AGAIN_WITHIN_S) == 0, run.output()
        assert run.left() == []


def _healed(run: Run, name: str, before: dict[str, Any]) -> bool:
    now = run.state().get("processes", {}).get(name, {})
    return bool(
        now.get("pid") and now["pid"] != before[name]["pid"] and now["state"] == "up" and now["restarts"] >= 1
    )


@pytest.mark.long
def test_what_a_killed_supervisor_leaves_is_ended_by_the_next_run() -> None:
    with own_place(23_000) as run:
        run.start("--without-airflow", "--once")
        run.wait(lambda: run.state().get("phase") == "ready", 120, "ready")
        assert run.process is not None
        run.process.kill()
        run.process.wait()
        assert run.left()
        run.start("--without-airflow", "--once")
        assert run.ended(150) == 0, run.output()
        assert "an interrupted run left behind" in run.output()
        assert run.left() == []


def test_end_to_end_with_airflow() -> None:
    with own_place(24_000) as run:
        run.start()
        run.wait_up(300)
        assert run.state()["processes"].keys() >= HUB | AIRFLOW
        password = json.loads((run.var_dir / "airflow" / "passwords.json").read_text(encoding="utf-8"))[
            "operator"
        ]
        rest = AirflowRest(run.state()["urls"]["airflow"], "operator", password)
        assert rest.call("GET", "/importErrors")["import_errors"] == []
        for dag_id in ("partner_pull", "deadline_watch", "exchange_retry", "registry_rebuild_check"):
            assert _played(run, rest, dag_id) == "success", _logs(rest, dag_id)
        _pulls_have_pools(rest)
        links = [plugin["external_views"] for plugin in rest.call("GET", "/plugins")["plugins"]]
        assert any(
            view["href"].startswith(run.state()["urls"]["console"]) for views in links for view in views
        )
        rest.close()

        scheduler = run.state()["processes"]
        os.kill(scheduler["airflow-scheduler"]["pid"], signal.SIGKILL)
        run.wait(lambda: _healed(run, "airflow-scheduler", scheduler), 90, "the scheduler started again")
        assert run.stop(signal.SIGINT) < STOP_WITHIN_S
        assert run.left() == []

        run.start("--once")
        assert run.ended(2 * AGAIN_WITHIN_S) == 0, run.output()
        assert run.left() == []


def _played(run: Run, rest: AirflowRest, dag_id: str) -> str:
    run_id = rest.trigger(dag_id)
    run.wait(lambda: rest.run_state(dag_id, run_id) not in ("queued", "running"), 300, f"{dag_id} played")
    return rest.run_state(dag_id, run_id)


def _pulls_have_pools(rest: AirflowRest) -> None:
    told = rest.call("GET", "/dags/partner_pull/dagRuns/~/taskInstances?task_id=pull&limit=200")
    pulls = [ti for ti in told["task_instances"] if ti["task_id"] == "pull" and ti["map_index"] >= 0]
    assert pulls
    assert all(ti["pool"].startswith("partner_") for ti in pulls), [
        (ti["map_index"], ti["pool"]) for ti in pulls
    ]


def _logs(rest: AirflowRest, dag_id: str) -> str:
    """What the tasks of a DAG said, for a failing test."""
    lines = []
    for ti in rest.call("GET", f"/dags/{dag_id}/dagRuns/~/taskInstances?limit=50")["task_instances"]:
        if ti["state"] == "success":
            continue
        path = f"/dags/{dag_id}/dagRuns/{ti['dag_run_id']}/taskInstances/{ti['task_id']}/logs/{max(ti['try_number'], 1)}"
        told = rest.call("GET", f"{path}?map_index={ti['map_index']}")
        lines.append(
            f"{ti['task_id']} {ti['rendered_map_index']} {ti['state']}: {json.dumps(told, ensure_ascii=False)[-1500:]}"
        )
    return "\n".join(lines)
