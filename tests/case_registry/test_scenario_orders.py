"""Acceptance 3: any order, duplication or delay of a published scenario's messages ends in the same state hash.

The agencies' messages go through their adapters; what the office tells of its case stands beside them, as in the story.
"""

from __future__ import annotations

import importlib
import random
from datetime import datetime
from functools import cache

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from case_registry import Source, rebuilt_hash, record, state_hash
from case_registry.told import BEIJING
from foundation.actors import SYSTEM
from foundation.clock import clock_now
from foundation.unit_of_work import UnitOfWork
from hub.office_import import causes
from schemas.claims import Claim, Record
from schemas.exchange import Known, RawMessage
from tests.case_registry.test_scenarios import ADAPTER, DISPUTES, OFFICE, Story, _parties

NAMES = tuple(f"S{n:02d}" for n in range(1, 13))
# In all at least 5,000 in the long runs: twelve stories, so many examples each.
EXAMPLES_LONG = 420
Message = tuple[Source, tuple[Record, ...]]


@cache
def messages(name: str) -> tuple[Message, ...]:
    """What the agencies and the office tell in a scenario, a message an entry."""
    story = Story(name)
    told: list[Message] = []
    for step in story.told["steps"]:
        if step["sender"] in ADAPTER and step["file"]:
            adapter = ADAPTER[step["sender"]]
            at = datetime.fromisoformat(step["at"]).replace(tzinfo=BEIJING)
            raw = RawMessage(
                adapter, "file", "", (story.folder / step["file"]).read_bytes(), at, {}, step["file"]
            )
            reading = importlib.import_module(f"connectors.{adapter}.mapping").read(
                raw, Known(check_authenticity=False)
            )
            told.append((Source(adapter, step["sender"], step["sender"]), tuple(reading.records)))
    for dispute in story.told["disputes"]:
        row = DISPUTES[dispute]
        for version, (state, agreed) in enumerate(
            (("OPEN", None), ("AGREED", int(row["agreed_fen"]))), start=1
        ):
            values = {
                "proceeding_kind": "MEDIATION", "state": state, "cause": causes()[row["type"]],
                "claimed_fen": int(row["claim_fen"]), "opened_on": row["accepted_on"], "agreed_fen": agreed,
            }  # fmt: skip
            claims = tuple(Claim(field, value) for field, value in values.items())
            told.append(
                (OFFICE, (Record("episode", row["mediation_no"], (version,), row["accepted_on"], claims=claims,
                                 parties=tuple(_parties(row))),))
            )  # fmt: skip
    return tuple(told)


class _Undone(Exception):
    pass


def hash_of(engine: Engine, told: list[Message]) -> str:
    """The state hash after these messages in this order; then undone."""
    found = ""
    try:
        with engine.begin() as conn:
            uow = UnitOfWork(conn, SYSTEM, clock_now(conn))
            for source, records in told:
                record(uow, source, uow.new_id(), records)
            found = state_hash(uow)
            assert rebuilt_hash(uow) == found
            raise _Undone
    except _Undone:
        return found


def check(engine: Engine, name: str, rnd: random.Random, doubles: int) -> None:
    told = list(messages(name))
    expected = in_order(engine, name)
    mixed = [*told, *(rnd.choice(told) for _ in range(doubles))]
    rnd.shuffle(mixed)
    assert hash_of(engine, mixed) == expected, [source.partner for source, _ in mixed]


def in_order(engine: Engine, name: str) -> str:
    """The hash in the story's own order, worked out once a database."""
    known = _IN_ORDER.setdefault(str(engine.url), {})
    if name not in known:
        known[name] = hash_of(engine, list(messages(name)))
    return known[name]


_IN_ORDER: dict[str, dict[str, str]] = {}
_SETTINGS = {
    "deadline": None,
    "phases": (Phase.explicit, Phase.reuse, Phase.generate),
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@given(st.sampled_from(NAMES), st.randoms(use_true_random=False), st.integers(0, 6))
@settings(max_examples=15, **_SETTINGS)  # type: ignore[arg-type]
def test_orders_of_scenarios(engine: Engine, name: str, rnd: random.Random, doubles: int) -> None:
    check(engine, name, rnd, doubles)


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
@given(rnd=st.randoms(use_true_random=False), doubles=st.integers(0, 10))
@settings(max_examples=EXAMPLES_LONG, **_SETTINGS)  # type: ignore[arg-type]
def test_many_orders_of_a_scenario(engine: Engine, name: str, rnd: random.Random, doubles: int) -> None:
    check(engine, name, rnd, doubles)


def test_there_is_something_to_shuffle() -> None:
    assert all(len(messages(name)) >= 2 for name in NAMES)
    assert (
        len({state for name in NAMES for _, records in messages(name) for state in (r.kind for r in records)})
        >= 4
    )
    assert len(NAMES) * EXAMPLES_LONG >= 5_000
