"""``python -m tests.dags.play DAG…``: play DAGs in this process, without a scheduler, and print what came of them.

Its own process, because Airflow reads its settings when it is imported. The last line is JSON: for each DAG its
state and its task instances (task, map index, state, label, what it returned).
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import select

from dags.outages import PULL_RETRIES
from tests.platform.tree import ROOT


def play(dag_id: str, bag: DagBag) -> dict[str, Any]:
    run = bag.dags[dag_id].test()
    with create_session() as session:
        returned = {
            (row.task_id, row.map_index): row.value
            for row in session.scalars(
                select(XComModel).where(
                    XComModel.dag_id == dag_id,
                    XComModel.run_id == run.run_id,
                    XComModel.key == "return_value",
                )
            )
        }
    return {
        "state": run.state,
        "tasks": [
            {
                "task": ti.task_id,
                "index": ti.map_index,
                "state": ti.state,
                "label": ti.rendered_map_index,
                "returned": returned.get((ti.task_id, ti.map_index)),
            }
            for ti in sorted(run.get_task_instances(), key=lambda ti: (ti.task_id, ti.map_index))
        ],
    }


def main() -> None:
    for rule in PULL_RETRIES.rules:
        rule.retry_delay = timedelta(0)  # what follows from an outage is looked at, not waited for
    bag = DagBag(str(ROOT / "dags"))
    assert not bag.import_errors, bag.import_errors
    print(json.dumps({dag_id: play(dag_id, bag) for dag_id in sys.argv[1:]}, default=str))


if __name__ == "__main__":
    main()
