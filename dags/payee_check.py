"""DAG ``payee_check``: are the people to whom money is to go still alive."""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import CronTriggerTimetable, dag, task

from dags.texts import OWNER_MONEY, console

DOC = f"""
### 收款人核查
每天 07:00 调用 `hub.jobs.check_payees`：就仍可能出款的托管案件，向登记机关核实收款人是否健在。
每次查询都带事项与目的，并记入披露日志；已死亡的收款人停止出款，待继承文书经两人办理后再付。
重复运行只会再问一遍，不会重复停付；登记机关不可达时，次日再问，其余案件不受影响。

[工作台：托管]({console("/escrow")})
"""


@dag(
    dag_id="payee_check",
    description="出款前核实收款人是否健在（经政务数据网关）",
    schedule=CronTriggerTimetable("0 7 * * *", timezone="Asia/Shanghai"),
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Shanghai"),
    catchup=False,
    max_active_runs=1,
    tags=["资金", "核查"],
    default_args={"owner": OWNER_MONEY, "retries": 2, "retry_delay": timedelta(minutes=10)},
    doc_md=DOC,
)
def payee_check() -> None:
    @task(task_display_name="核实收款人")
    def check() -> dict[str, object]:
        from hub import jobs

        return jobs.check_payees()

    check()


payee_check()
