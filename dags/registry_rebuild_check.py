"""DAG ``registry_rebuild_check``: the registry rebuilt from claims must equal the live one."""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import CronTriggerTimetable, dag, task

from dags.texts import OWNER_WATCH, console

DOC = f"""
### 登记簿重建校验
每天 02:30 调用 `hub.jobs.rebuild_check`：由原始主张重新推算登记簿，与现用登记簿比较状态摘要。
只读，不改动现用数据；不一致时任务失败，并写明两个摘要。

[工作台：纠纷登记]({console("/disputes")})
"""


@dag(
    dag_id="registry_rebuild_check",
    description="登记簿重建校验：由原始主张重算，状态摘要须一致",
    schedule=CronTriggerTimetable("30 2 * * *", timezone="Asia/Shanghai"),
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Shanghai"),
    catchup=False,
    max_active_runs=2,  # a person's run does not wait behind one that waits for its retry
    tags=["登记簿", "校验"],
    default_args={"owner": OWNER_WATCH, "retries": 1, "retry_delay": timedelta(minutes=5)},
    doc_md=DOC,
)
def registry_rebuild_check() -> None:
    @task(task_display_name="重建并比较", execution_timeout=timedelta(hours=2))
    def rebuild_and_compare() -> dict[str, object]:
        from hub import jobs

        return jobs.rebuild_check()

    rebuild_and_compare()


registry_rebuild_check()
