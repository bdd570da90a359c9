"""DAG ``journal_check``: yesterday's journal is whole: lines, chains, seals and time stamps."""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import CronTriggerTimetable, dag, task

from dags.texts import OWNER_WATCH, console

DOC = f"""
### 日志核验
每天 02:45 调用 `hub.jobs.check_journal`：核验前一日日志的每一行、各链、各批封存与时间戳。
只读；发现被改动、插入或缺失时发出告警 `journal_broken`，结果中写明位置。可重复执行。

[工作台：交换日志]({console("/exchange")})
"""


@dag(
    dag_id="journal_check",
    description="日志核验：前一日日志逐行、逐链、逐批核对，时间戳须成立",
    schedule=CronTriggerTimetable("45 2 * * *", timezone="Asia/Shanghai"),
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Shanghai"),
    catchup=False,
    max_active_runs=2,  # a person's run does not wait behind one that waits for its retry
    tags=["交换", "校验"],
    default_args={"owner": OWNER_WATCH, "retries": 1, "retry_delay": timedelta(minutes=5)},
    doc_md=DOC,
)
def journal_check() -> None:
    @task(task_display_name="核验日志", execution_timeout=timedelta(hours=2))
    def check() -> dict[str, object]:
        from hub import jobs

        return jobs.check_journal()

    check()


journal_check()
