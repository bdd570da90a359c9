"""Merging and un-merging, over generated histories: taking every decision back, last first, restores each state
that was before it, byte for byte in every table that people read."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from case_registry import (
    NotAllowed,
    attach,
    decide_link,
    proposals,
    rebuilt_hash,
    split_off,
    state_hash,
    undo_link,
)
from foundation.unit_of_work import UnitOfWork
from tests.case_registry.make import SOURCES, episode, person, take

KINDS = {"court": "TRIAL", "petition": "PETITION", "arbitration": "ARBITRATION", "procuratorate": "SUPPORT_PROSECUTION",
         "mediation": "MEDIATION"}  # fmt: skip
# What people read. Left out: logs that only grow, and each row's own time of last change.
TABLES = {
    "dispute": "updated_at, changed_at, seq", "source_case": "", "episode": "", "party": "", "episode_edge": "",
    "link_edge": "", "flag": "", "outside_fact": "", "factor": "", "clock": "", "conflict": "id, opened_at",
    "gap_alarm": "",
}  # fmt: skip
# A task that vanished stays as a trace that it was there; what disagrees again is a task of its own.
ONLY = {"conflict": "WHERE state <> 'GONE'"}

cases = st.lists(
    st.tuples(
        st.sampled_from(sorted(SOURCES)), st.sampled_from(["周忠", "欧阳敏海", "陈霞秀"]), st.sampled_from([100_00, 200_00, None]),
        st.integers(1, 28), st.booleans(), st.sampled_from(["OPEN", "CLOSED"]),
    ),
    min_size=2, max_size=6,
)  # fmt: skip
acts = st.lists(
    st.tuples(st.sampled_from(["accept", "reject", "attach", "split"]), st.integers(0, 50), st.integers(0, 50)),
    min_size=1, max_size=5,
)  # fmt: skip


def dump(uow: UnitOfWork) -> dict[str, list[str]]:
    """Every row of the tables, as text."""
    found = {"hash": [state_hash(uow)]}
    for table, left_out in TABLES.items():
        dropped = "".join(f" - '{name.strip()}'" for name in left_out.split(",") if name.strip())
        found[table] = [
            str(row["t"])
            for row in uow.all(
                f"SELECT (to_jsonb(x){dropped})::text AS t FROM registry.{table} x {ONLY.get(table, '')} ORDER BY 1"
            )
        ]
    # The board is kept as a heap of changes; what people read is their sum.
    found["board"] = [
        str(row["t"])
        for row in uow.all(
            "SELECT concat_ws('|', county, town, stage, holder, lamp, grade, sum(n)) AS t FROM registry.board_count"
            " GROUP BY county, town, stage, holder, lamp, grade HAVING sum(n) <> 0 ORDER BY 1"
        )
    ]
    found["proposals"] = [
        str(row["t"])
        for row in uow.all(
            "SELECT a || '|' || b || '|' || score AS t FROM registry.proposal WHERE state = 'OPEN' ORDER BY 1"
        )
    ]
    return found


def decisions(uow: UnitOfWork) -> set[Any]:
    return {row["id"] for row in uow.all("SELECT id FROM registry.link_decision WHERE undone_at IS NULL")}


def act(uow: UnitOfWork, kind: str, one: int, other: int) -> None:
    """One decision of a person about what there is; nothing where there is nothing to decide."""
    if kind in ("accept", "reject"):
        open_ = proposals(uow)
        if open_:
            decide_link(uow, open_[one % len(open_)]["id"], kind == "accept", "核实")
        return
    rows = uow.all("SELECT id, partner, native_id, dispute FROM registry.source_case ORDER BY id")
    first, second = rows[one % len(rows)], rows[other % len(rows)]
    try:
        if kind == "split":
            split_off(uow, first["partner"], first["native_id"], "误并")
        elif first["dispute"] != second["dispute"]:
            attach(uow, first["dispute"], second["partner"], second["native_id"], "同一纠纷")
    except NotAllowed:
        pass


@settings(
    max_examples=40,
    deadline=None,
    phases=(
        Phase.explicit,
        Phase.reuse,
        Phase.generate,
    ),  # each case is a database's work: shrinking takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(cases, acts)
def test_taking_decisions_back_restores_every_state(
    uow: UnitOfWork, told: list[Any], wanted: list[Any]
) -> None:
    """`told`: agency, name, sum, day, whether the other side is told, state; `wanted`: acts and what they fall on."""
    savepoint = uow.conn.begin_nested()
    try:
        for number, (agency, name, fen, day, both, state) in enumerate(told):
            parties = [person(name), *([person("林芳", "respondent")] if both else [])]
            more = {} if fen is None else {"claimed_fen": fen}
            take(uow, SOURCES[agency], episode(f"N{number}", KINDS[agency], state if agency != "petition" else "REGISTERED",
                                               opened_on=f"2026-01-{day:02d}", cause="相邻关系纠纷", parties=parties, **more))  # fmt: skip
        undone: list[tuple[dict[str, list[str]], list[Any]]] = []
        for kind, one, other in wanted:
            before, known = dump(uow), decisions(uow)
            act(uow, kind, one, other)
            made = decisions(uow) - known
            if made and not known - decisions(
                uow
            ):  # a word that replaces an earlier one takes that back for good
                undone.append((before, sorted(made)))
                event(kind)
            elif made:
                undone.clear()
        for before, made in reversed(undone):
            for decision in reversed(made):
                undo_link(uow, decision, "收回")
            after = dump(uow)
            for table, rows in before.items():
                assert after[table] == rows, table
        assert state_hash(uow) == rebuilt_hash(uow)
    finally:
        savepoint.rollback()
