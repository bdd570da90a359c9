"""DAG ``escrow_reconcile``: prove the ledger against the bank's statement, day by day."""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import CronDataIntervalTimetable, Param, dag, get_current_context, task

from dags.texts import OWNER_MONEY, console

DOC = f"""
### 托管资金逐日对账
每天 06:30 就**前一日**调用 `hub.jobs.reconcile`：枢纽台账、银行对账单、调解登记三方核到分，差异逐条定类。
结果写在枢纽库中；同一天重跑只会更新同一份对账结果。

* **重跑**：清除该日任务实例。**回填**：对一段日期发起回填，每一天各对一次。
* 手工触发可填 `day`（如 2026-04-01）；不填则对前一日。
* 有差异时任务仍为成功（对账这件事做完了），差异在工作台逐笔处理；对账做不成（如对账单未到）才算失败。

[工作台：托管与对账]({console("/escrow")})
"""


@dag(
    dag_id="escrow_reconcile",
    description="托管台账与银行对账单逐日对账（可按日重跑、回填）",
    schedule=CronDataIntervalTimetable("30 6 * * *", timezone="Asia/Shanghai"),
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Shanghai"),
    catchup=False,
    max_active_runs=2,
    tags=["资金", "对账"],
    default_args={"owner": OWNER_MONEY, "retries": 3, "retry_delay": timedelta(minutes=10)},
    params={"day": Param(None, type=["null", "string"], format="date", title="对账日（不填为前一日）")},
    doc_md=DOC,
)
def escrow_reconcile() -> None:
    @task(task_display_name="对账")
    def reconcile() -> dict[str, object]:
        from hub import jobs

        return jobs.reconcile(_day_of_run(get_current_context()))

    reconcile()


def _day_of_run(context) -> str | None:  # type: ignore[no-untyped-def]
    """The day asked for, else the day that the run's interval begins on (Beijing), else None: yesterday."""
    start = context.get("data_interval_start")
    by_interval = start.in_timezone("Asia/Shanghai").to_date_string() if start is not None else None
    return context["params"].get("day") or by_interval


escrow_reconcile()
