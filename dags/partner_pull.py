"""DAG ``partner_pull``: take over what the agencies offer, one mapped task a partner and kind."""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import CronTriggerTimetable, dag, task

from dags.outages import PULL_RETRIES, outage_in_plain_words
from dags.texts import OWNER_EXCHANGE, console

DOC = f"""
### 向协同单位拉取数据
每五分钟，对每个“可拉取”的单位、每类数据各起一个任务，调用 `hub.jobs.pull`；单位清单来自各适配器的
`partner.toml`，新增单位无需改动本流程。

* **游标**存于枢纽自己的数据库，与所取报文同一事务提交：任务可随时重跑，不会漏取，重复报文自动识别。
* **每个单位一个资源池**（`partner_…`，一格）：同一单位同时只有一个拉取任务，慢的单位不影响别家。
* **对方中断**如实显示：任务说明写明哪个单位、什么情况；不可达半分钟后重试，限流两分钟后重试，
  拒绝访问不重试；尚未配置、人工暂停、熔断期内跳过。
* 重跑：清除该任务实例即可；回填对本流程没有意义（游标决定取什么）。

[工作台：交换日志]({console("/exchange")})
"""


@dag(
    dag_id="partner_pull",
    description="向各协同单位拉取新报文（按单位、按类别展开，游标在枢纽库）",
    schedule=CronTriggerTimetable("*/5 * * * *", timezone="Asia/Shanghai"),
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Shanghai"),
    catchup=False,
    # A run that waits for a partner's return must not hold up the next; pools keep pulls of one partner apart.
    max_active_runs=3,
    tags=["交换", "拉取"],
    default_args={"owner": OWNER_EXCHANGE},
    doc_md=DOC,
)
def partner_pull() -> None:
    @task(task_display_name="列出可拉取的单位")
    def list_partners() -> list[dict[str, str]]:
        from hub import jobs

        return [{"partner": each["partner"], "kind": each["kind"]} for each in jobs.list_pulling_partners()]

    @task(
        task_display_name="拉取",
        map_index_template="{{ task.op_kwargs['partner'] }} · {{ task.op_kwargs['kind'] }}",
        retries=3,
        retry_delay=timedelta(minutes=1),
        retry_policy=PULL_RETRIES,
        execution_timeout=timedelta(minutes=15),
    )
    def pull(partner: str, kind: str) -> dict[str, object]:
        from hub import jobs

        with outage_in_plain_words():
            return jobs.pull(partner, kind)

    pull.expand_kwargs(list_partners())


partner_pull()
