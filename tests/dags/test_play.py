"""Each DAG played against a real database: what it returns, and how outages look."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, text

from foundation import embedded_postgres
from hub import jobs
from tests.platform.tree import ROOT

pytestmark = pytest.mark.slow
UNREACHABLE = "http://127.0.0.1:9"
OTHERS = (
    "escrow_reconcile",
    "payee_check",
    "deadline_watch",
    "exchange_retry",
    "journal_check",
    "holdings_compare",
    "registry_rebuild_check",
    "payee_check",
    "link_audit",
)


@pytest.fixture(scope="module")
def airflow_settings(
    cluster: embedded_postgres.Cluster, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """An Airflow of its own, its tables in a database of the tests' PostgreSQL."""
    embedded_postgres.create_database(cluster, "airflow_played")
    home = tmp_path_factory.mktemp("airflow")
    url = cluster.url("airflow_played")
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": url,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "dags" / "plugins"),
        "AIRFLOW__API_AUTH__JWT_SECRET": "played" * 12,
        "PYTHONPATH": str(ROOT / "dags" / "settings"),
    }
    made = subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env={**os.environ, **settings}, capture_output=True, text=True, check=False, cwd=home,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr[-2000:]
    return settings


def play(settings: dict[str, str], database_url: str, var_dir: Path, *dags: str) -> dict[str, Any]:
    hub = {"CONCORD_DATABASE_URL": database_url, "CONCORD_VAR_DIR": str(var_dir), "CONCORD_AMQP_URL": ""}
    done = subprocess.run(
        [sys.executable, "-m", "tests.dags.play", *dags],
        env={**os.environ, **settings, **hub}, capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found | {"log": done.stdout}


def test_each_dag_does_its_work(
    airflow_settings: dict[str, str], database_url: str, engine: Engine, tmp_path: Path
) -> None:
    played = play(airflow_settings, database_url, tmp_path, *OTHERS)
    for name in OTHERS:
        assert played[name]["state"] == "success", played["log"][-4000:]
        (task,) = played[name]["tasks"]
        assert isinstance(task["returned"], dict)
        assert len(json.dumps(task["returned"])) < 2000
    with engine.connect() as conn:
        # The hub, not the DAG, writes down what was done.
        assert conn.execute(text("SELECT count(*) FROM exchange.job_run WHERE ok")).scalar() == len(OTHERS)


def test_an_outage_looks_like_an_outage(
    airflow_settings: dict[str, str], database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One partner does not answer, the others have no address: failed in plain words, and skipped."""
    pulling = jobs.list_pulling_partners()
    away = pulling[0]["partner"]
    (tmp_path / "partners.json").write_text(json.dumps({away: UNREACHABLE}), encoding="utf-8")
    played = play(airflow_settings, database_url, tmp_path, "partner_pull")
    listed, *pulls = played["partner_pull"]["tasks"]
    assert len(listed["returned"]) == len(pulls) == len(pulling)
    assert [task["label"] for task in pulls] == [f"{each['partner']} · {each['kind']}" for each in pulling]
    for each, task in zip(pulling, pulls, strict=True):
        assert task["state"] == ("failed" if each["partner"] == away else "skipped"), task
    assert "PartnerUnreachable" in played["log"]
    assert "对方暂不可达" in played["log"]


def test_each_pull_has_the_pool_of_its_partner(airflow_settings: dict[str, str]) -> None:
    """The scheduler's hook, asked with real rows of the run before."""
    url = airflow_settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg", "")
    partners = {each["partner"] for each in jobs.list_pulling_partners()}
    with psycopg.connect(url, autocommit=True) as conn:
        for partner in partners:
            conn.execute(
                "INSERT INTO slot_pool (pool, slots, description, include_deferred) VALUES (%s, 1, '', false)"
                " ON CONFLICT DO NOTHING",
                [f"partner_{partner}"],
            )
    code = """
import json
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import select
import airflow_local_settings
with create_session() as session:
    found = {}
    for ti in session.scalars(select(TaskInstance).where(TaskInstance.task_id == "pull", TaskInstance.map_index >= 0)):
        airflow_local_settings.task_instance_mutation_hook(ti)
        found[ti.rendered_map_index] = ti.pool
    session.rollback()
print(json.dumps(found))
"""
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **airflow_settings},
        capture_output=True,
        text=True,
        check=True,
    )
    pools = json.loads(told.stdout.splitlines()[-1])
    assert pools == {
        f"{each['partner']} · {each['kind']}": f"partner_{each['partner']}"
        for each in jobs.list_pulling_partners()
    }
