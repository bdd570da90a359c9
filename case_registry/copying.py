"""COPY in PostgreSQL's text form. Written by hand since it is three times as fast as the driver's row writer here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any
from uuid import UUID

import psycopg

_LINES = 5_000
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_SPECIAL = re.compile(r"[\\\t\n\r]").search
_IN_ARRAY = str.maketrans({"\\": "\\\\", '"': '\\"'})


def copy(
    connection: psycopg.Connection[Any], table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]
) -> None:
    """Write rows of a table of the registry. Values: text, whole numbers, bool, dates, times, UUIDs, lists of text."""
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY registry.{table} ({', '.join(columns)}) FROM STDIN") as out,
    ):
        waiting = iter(rows)
        while part := ["\t".join([_AS_TEXT[type(v)](v) for v in row]) for row in islice(waiting, _LINES)]:
            out.write("\n".join(part) + "\n")


def _text(value: str) -> str:
    # Looking first is what makes it fast: translating a Chinese text costs a look-up for each character.
    return value.translate(_ESCAPES) if _SPECIAL(value) else value


def _array(value: Sequence[str]) -> str:
    items = [v.translate(_IN_ARRAY) if '"' in v or "\\" in v else v for v in value]
    return _text('{"' + '","'.join(items) + '"}') if items else "{}"


_AS_TEXT: dict[type, Callable[[Any], str]] = {
    str: _text,
    int: str,
    float: repr,
    bool: lambda value: "t" if value else "f",
    type(None): lambda _: "\\N",
    date: date.isoformat,
    datetime: datetime.isoformat,
    UUID: str,
    list: _array,
}
