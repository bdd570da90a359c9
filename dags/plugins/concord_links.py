"""Airflow plugin: the ways from Airflow's screens into the console."""

from __future__ import annotations

import os
from typing import ClassVar

from airflow.plugins_manager import AirflowPlugin

_CONSOLE = os.environ.get("CONCORD_CONSOLE_URL", "http://127.0.0.1:8601")


class ConcordLinks(AirflowPlugin):
    """Links only: nothing of the hub is imported into Airflow's own processes."""

    name = "concord_links"
    external_views: ClassVar[list[dict[str, object]]] = [
        {"name": "Concord 工作台", "href": _CONSOLE, "destination": "nav", "category": "browse"},
        {"name": "交换日志", "href": f"{_CONSOLE}/exchange", "destination": "dag"},
        {"name": "纠纷登记", "href": f"{_CONSOLE}/disputes", "destination": "dag_run"},
    ]
