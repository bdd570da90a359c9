"""Airflow's local settings: each mapped pull in the pool of its partner, and tasks that start fast.

A mapped task has one pool for all its instances, and a partner must not be pulled twice at once while the
others go on; so the pool is set where Airflow lets it be: when the scheduler makes the instances.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import object_session

DAG_ID, LIST_TASK, PULL_TASK = "partner_pull", "list_partners", "pull"
POOL_PREFIX = "partner_"

if "scheduler" in sys.argv:
    # Task processes are forked from the scheduler's: what it has imported, no task imports anew (2 s each).
    # A fault in the hub must show in the task that needs it, not end the scheduler.
    with contextlib.suppress(Exception):
        import hub.jobs  # noqa: F401


def task_instance_mutation_hook(task_instance: Any, dag_run: Any = None) -> None:
    """Called by the scheduler for each instance it makes; must neither commit nor open a session."""
    if task_instance.dag_id != DAG_ID or task_instance.task_id != PULL_TASK:
        return
    session = object_session(task_instance)
    if session is None or task_instance.map_index is None or task_instance.map_index < 0:
        return
    from airflow.models.pool import Pool
    from airflow.models.xcom import XComModel

    with session.no_autoflush:
        listed = session.scalar(
            select(XComModel.value).where(
                XComModel.dag_id == DAG_ID,
                XComModel.task_id == LIST_TASK,
                XComModel.run_id == task_instance.run_id,
                XComModel.key == "return_value",
            )
        )
        if not isinstance(listed, list) or task_instance.map_index >= len(listed):
            return
        pool = POOL_PREFIX + listed[task_instance.map_index]["partner"]
        # A partner whose pool was not made yet waits in the default one rather than for ever.
        if session.scalar(select(Pool.pool).where(Pool.pool == pool)) is not None:
            task_instance.pool = pool
