"""DAGs are thin, say what they are, and load without a scheduler."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.platform.tree import ROOT

DAGS = sorted(
    path for path in (ROOT / "dags").glob("*.py") if path.stem not in ("__init__", "outages", "texts")
)
NAMES = {
    "partner_pull",
    "escrow_reconcile",
    "deadline_watch",
    "exchange_retry",
    "journal_check",
    "holdings_compare",
    "registry_rebuild_check",
    "payee_check",
    "link_audit",
}
LIGHT = {"__future__", "airflow", "dags", "datetime", "os", "pendulum", "collections", "contextlib", "typing"}
MOST_TASK_LINES = 5


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", DAGS, ids=lambda path: path.stem)
def test_nothing_heavy_is_imported_on_top(path: Path) -> None:
    """Every start of a task parses the file again; the hub is imported inside the task."""
    for node in tree(path).body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not [name for name in names if name.split(".")[0] not in LIGHT]


@pytest.mark.parametrize("path", DAGS, ids=lambda path: path.stem)
def test_a_task_calls_one_function_of_the_hub(path: Path) -> None:
    """One to five lines; the only call into the hub is one function of hub.jobs; no SQL, no HTTP."""
    tasks = [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef) and _is_task(node)]
    assert tasks
    for task in tasks:
        lines = (task.end_lineno or 0) - task.body[0].lineno + 1
        assert lines <= MOST_TASK_LINES, task.name
        calls = {
            node.func.attr
            for node in ast.walk(task)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and ast.unparse(node.func.value) == "jobs"
        }
        assert len(calls) == 1, task.name
        imported = {node.module for node in ast.walk(task) if isinstance(node, ast.ImportFrom)}
        assert imported <= {"hub"}, task.name


def _is_task(function: ast.FunctionDef) -> bool:
    return any(ast.unparse(decorator).startswith("task") for decorator in function.decorator_list)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Airflow reads from the folder: asked in its own process, as Airflow keeps settings from import on."""
    code = """
import json
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(DAGS)
print(json.dumps({"errors": bag.import_errors, "dags": {
    name: {"description": dag.description, "owner": dag.owner, "tags": sorted(dag.tags), "doc": dag.doc_md,
           "tasks": [task.task_id for task in dag.tasks], "catchup": dag.catchup}
    for name, dag in bag.dags.items()}}))
""".replace("DAGS", repr(str(ROOT / "dags")))
    home = tmp_path_factory.mktemp("airflow")
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"},
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
def test_all_load_without_errors(shown: dict[str, Any]) -> None:
    assert shown["errors"] == {}
    assert set(shown["dags"]) == NAMES


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_dag_says_what_it_is(shown: dict[str, Any], name: str) -> None:
    dag = shown["dags"][name]
    assert re.search("[\u4e00-\u9fff]", dag["description"])
    assert dag["owner"] != "airflow"
    assert dag["tags"]
    assert re.search(r"\[工作台[^]]*\]\(http://127\.0\.0\.1:\d+/", dag["doc"])
    assert not dag["catchup"]
