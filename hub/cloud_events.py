"""Events as CloudEvents 1.0 in JSON (structured mode), for the broker and for subscribers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import RowMapping


def cloud_event(row: RowMapping, data: Any, extensions: Mapping[str, str] | None = None) -> bytes:
    """An event's row (id, topic, at) with what is told of it; ``extensions`` are further attributes."""
    event = {
        "specversion": "1.0",
        "id": str(row["id"]),
        "source": "urn:concord",
        "type": f"concord.{row['topic']}",
        "time": row["at"].isoformat(),
        "datacontenttype": "application/json",
        "data": data,
    }
    return orjson.dumps({**event, **(extensions or {})})
