"""DAG ``exchange_retry``: messages left waiting, in and out, are taken up again."""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import CronTriggerTimetable, dag, task

from dags.texts import OWNER_EXCHANGE, console

DOC = f"""
### 交换补发与补办
每五分钟调用 `hub.jobs.retry_due`：到期的待发报文、办理中断的收件、到探测时间的中断单位，交还给枢纽的工作进程。
单条报文的投递与恰好一次由枢纽负责，本流程只保证没有报文因进程故障而滞留。重复运行无害。

[工作台：交换日志]({console("/exchange")})
"""


@dag(
    dag_id="exchange_retry",
    description="交换补发与补办：滞留的收发报文重新进入处理",
    schedule=CronTriggerTimetable("2-59/5 * * * *", timezone="Asia/Shanghai"),
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Shanghai"),
    catchup=False,
    max_active_runs=2,  # a person's run does not wait behind one that waits for its retry
    tags=["交换", "重试"],
    default_args={"owner": OWNER_EXCHANGE, "retries": 2, "retry_delay": timedelta(minutes=1)},
    doc_md=DOC,
)
def exchange_retry() -> None:
    @task(task_display_name="补发与补办")
    def retry() -> dict[str, object]:
        from hub import jobs

        return jobs.retry_due()

    retry()


exchange_retry()
