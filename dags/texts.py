"""What every DAG shows of itself: owner, and the way into the console."""

from __future__ import annotations

import os

OWNER_EXCHANGE = "数据交换组"
OWNER_MONEY = "资金结算组"
OWNER_WATCH = "联合督办组"


def console(path: str) -> str:
    """Address of a console page, for links in a DAG's description."""
    return f"{os.environ.get('CONCORD_CONSOLE_URL', 'http://127.0.0.1:8601')}{path}"
