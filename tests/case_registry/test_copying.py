"""The hand-written COPY writer gives the database exactly what it was given."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from case_registry.copying import copy

texts = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12
) | st.sampled_from(["\\", "\\N", "\t", "\n", "\r\n", '"', "{}", "NULL", "周忠", "𠮷", "\\t", "a\\", "'"])


@given(
    st.lists(
        st.tuples(
            texts, st.none() | texts, st.lists(texts, max_size=4), st.integers(-(2**62), 2**62), st.booleans()
        ),
        max_size=6,
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_goes_in_comes_out(engine: Engine, rows: list[tuple[Any, ...]]) -> None:
    with engine.begin() as conn:
        driver = conn.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        driver.execute(
            "CREATE TABLE IF NOT EXISTS registry.copied (no int, a text, b text, c text[], d bigint, e boolean, f date,"
            " g timestamptz, h uuid, i double precision)"
        )
        driver.execute("TRUNCATE registry.copied")
        extra = (date(2026, 4, 1), datetime(2026, 4, 1, 1, 2, 3, 4, UTC), UUID(int=7), 0.1)
        copy(
            driver,
            "copied",
            tuple("no a b c d e f g h i".split()),
            [(n, *row, *extra) for n, row in enumerate(rows)],
        )
        found = driver.execute("SELECT a, b, c, d, e, f, g, h, i FROM registry.copied ORDER BY no").fetchall()
        assert found == [(*row, *extra) for row in rows]
