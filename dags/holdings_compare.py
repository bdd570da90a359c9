"""DAG ``holdings_compare``: what we and each partner hold of each other's messages must be the same."""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import CronTriggerTimetable, dag, task

from dags.texts import OWNER_EXCHANGE, console

DOC = f"""
### 往来报文核对
每天 03:15 调用 `hub.jobs.compare_holdings`：与每个提供核对服务的单位，按日、按区段比较双方所存报文的摘要，
差异逐条归类（我方缺、对方缺、内容不同、撤回不一致）并登记；只向对方索要确实缺少的报文，只补发对方确实缺少的报文，
其余交人工处理。某一单位不可达时记下原因，次日再核；可重复执行。

[工作台：差异]({console("/exchange/differences")})
"""


@dag(
    dag_id="holdings_compare",
    description="与各单位核对往来报文，差异归类、补缺",
    schedule=CronTriggerTimetable("15 3 * * *", timezone="Asia/Shanghai"),
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Shanghai"),
    catchup=False,
    max_active_runs=1,
    tags=["交换", "校验"],
    default_args={"owner": OWNER_EXCHANGE, "retries": 1, "retry_delay": timedelta(minutes=30)},
    doc_md=DOC,
)
def holdings_compare() -> None:
    @task(task_display_name="核对往来报文", execution_timeout=timedelta(hours=2))
    def compare() -> dict[str, object]:
        from hub import jobs

        return jobs.compare_holdings()

    compare()


holdings_compare()
