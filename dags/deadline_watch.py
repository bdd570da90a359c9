"""DAG ``deadline_watch``: clocks that run against agencies, payers and ourselves."""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import CronTriggerTimetable, dag, task

from dags.texts import OWNER_WATCH, console

DOC = f"""
### 期限巡查
每十分钟调用 `hub.jobs.watch_deadlines`：办理期限、确认期限、分期履行期限逐一比对，临期亮灯、逾期转督办；
由此产生的提醒与通知在同一事务内写入发件箱。重复运行不会重复提醒。

[工作台：我的工作]({console("/")})
"""


@dag(
    dag_id="deadline_watch",
    description="期限巡查：临期亮灯、逾期督办、分期违约",
    schedule=CronTriggerTimetable("*/10 * * * *", timezone="Asia/Shanghai"),
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Shanghai"),
    catchup=False,
    max_active_runs=2,  # a person's run does not wait behind one that waits for its retry
    tags=["督办", "期限"],
    default_args={"owner": OWNER_WATCH, "retries": 2, "retry_delay": timedelta(minutes=1)},
    doc_md=DOC,
)
def deadline_watch() -> None:
    @task(task_display_name="巡查期限")
    def watch() -> dict[str, object]:
        from hub import jobs

        return jobs.watch_deadlines()

    watch()


deadline_watch()
