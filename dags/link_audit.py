"""DAG ``link_audit``: pairs drawn at random into the review of links, by which its quality is estimated."""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import CronTriggerTimetable, dag, task

from dags.texts import OWNER_WATCH, console

DOC = f"""
### 归并抽样核查
每周一 06:00 调用 `hub.jobs.audit_links`：从已自动归并的、低于下限的、规则认为无关的案件对中各随机抽取若干，
混入待判清单；由人判断的结果用来估计自动归并的准确率和召回率。抽取的还有很多没有判断时，本次不抽。
重复运行只会再抽一次，不改动任何归并。

[工作台：归并质量]({console("/links/estimates")})
"""


@dag(
    dag_id="link_audit",
    description="随机抽取案件对，混入待判清单，用来估计归并质量",
    schedule=CronTriggerTimetable("0 6 * * 1", timezone="Asia/Shanghai"),
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Shanghai"),
    catchup=False,
    max_active_runs=1,
    tags=["登记簿", "校验"],
    default_args={"owner": OWNER_WATCH, "retries": 1, "retry_delay": timedelta(minutes=5)},
    doc_md=DOC,
)
def link_audit() -> None:
    @task(task_display_name="抽取")
    def draw() -> dict[str, object]:
        from hub import jobs

        return jobs.audit_links()

    draw()


link_audit()
