"""Likelihood of escalation in the database: as known on a day, told with its hit rate or not at all, by the access rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine

import case_registry
from benchmarks.escalation_history import History, history
from benchmarks.escalation_replay import Replay, forecasts, moment
from case_registry import (
    NotAllowed,
    back_test_escalation,
    dispute,
    escalation_hit_rate,
    escalation_rating,
    likeliest_escalations,
    note_indicator,
    rate_escalations,
    record,
)
from case_registry.access import Reader, reading_as
from case_registry.escalation import (
    band_of,
    model,
    read_model,
)
from case_registry.escalation_back_test import look_back
from case_registry.escalation_fit import judge
from foundation import embedded_postgres
from foundation.clock import move_clock
from foundation.database import make_engine
from foundation.unit_of_work import UnitOfWork, unit_of_work
from tests.case_registry.make import COURT, MEDIATION, PETITION, episode, person, resident, take
from tests.conftest import fresh_database

Clock = Callable[[datetime | str], None]
FITTED = Path(case_registry.__file__).with_name("data") / "escalation_fitted.toml"
OFFICER = Reader("o", frozenset({"supervision_officer"}), "supervise")


@pytest.fixture(scope="module")
def filled(cluster: embedded_postgres.Cluster, template: str) -> Iterator[tuple[Engine, dict[int, Any]]]:
    """Some made-up histories told to a registry day by day, as they came; number → dispute."""
    with fresh_database(cluster, template) as url:
        engine = make_engine(url)
        yield engine, _tell(engine, [history(n, 3) for n in (0, 1, 2, 4, 5, 8)])
        engine.dispose()


def _tell(engine: Engine, told: list[History]) -> dict[int, Any]:
    steps: list[tuple[date, int, str, Any]] = []
    for h in told:
        steps += [(each.known_on, 0, "told", (h, each)) for each in h.tellings]
        steps += [(day, 1, "note", (h, (name, word))) for day, name, word in h.notes]
    found: dict[int, Any] = {}
    for day, _, what, (h, each) in sorted(steps, key=lambda step: step[:2]):
        with engine.begin() as conn:
            move_clock(conn, moment(day) - timedelta(hours=1))
        with unit_of_work(engine) as uow:
            if what == "told":
                sources = {"petition": PETITION, "court": COURT, "mediation": MEDIATION}
                made = record(
                    uow,
                    sources.get(each.agency, case_registry.Source("a", "I3", "arbitration")),
                    uow.new_id(),
                    [each.record],
                )
                found[h.number] = made.disputes[0].id
            elif h.number in found:
                note_indicator(uow, found[h.number], *each, reason="test", source="test")
    return found


def test_the_record_of_a_past_day_shows_what_was_seen_on_it(filled: tuple[Engine, dict[int, Any]]) -> None:
    engine, disputes = filled
    compared = 0
    for number, ident in disputes.items():
        told = history(number, 3)
        told.summaries, told.gaps = [], []  # not told to this registry
        replay = Replay(told)
        first = min(each.known_on for each in told.tellings)
        told.notes = [each for each in told.notes if each[0] >= first]
        for day in (first + timedelta(days=n) for n in (1, 40, 90, 200)):
            made = list(forecasts(replay, [day], _NoChance(), 1, told_by=None))
            with unit_of_work(engine) as uow:
                seen = look_back(uow, [ident], moment(day)).get(ident)
            if made and seen:
                compared += 1
                assert seen.signs.keys() - {"U18"} == made[0].seen.signs.keys(), (number, day)
    assert compared >= 8


class _NoChance:
    """Chance that takes what is there, in its order."""

    def sample(self, days: list[date], many: int) -> list[date]:
        return days[:many]


def test_nothing_is_told_without_a_back_test(
    engine: Engine, set_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = _one(engine, set_clock)
    bare = read_model(FITTED.read_text("utf-8").split("[back_test]")[0])
    with unit_of_work(engine) as uow:
        assert rate_escalations(uow) == 1  # a sandbox tells by the histories that the weights came with
    monkeypatch.setattr(escalation_rating, "model", lambda: bare)
    with unit_of_work(engine) as uow:
        told = (dispute(uow, number, reader=OFFICER) or {})["escalation"]
        assert told == {"hit_rate": None, "why": "NO_BACK_TEST"}
        assert likeliest_escalations(uow, OFFICER) == {
            "hit_rate": None,
            "why": "NO_BACK_TEST",
            "disputes": [],
        }
        assert rate_escalations(uow) == 0
        assert uow.scalar("SELECT count(*) FROM registry.escalation") == 0  # and is not worked out either
        assert uow.scalar("SELECT now FROM registry.escalation_log ORDER BY id DESC LIMIT 1") == ""


def test_a_production_database_goes_by_its_own_record_only(engine: Engine, set_clock: Clock) -> None:
    number = _one(engine, set_clock)
    with unit_of_work(engine) as uow:
        found = escalation_hit_rate(uow)
        assert found is not None and found["history"] == "generated"
        uow.execute("UPDATE exchange.clock SET movable = false")
        assert escalation_hit_rate(uow) is None
        for cases, escalated in ((299, 40), (300, 0), (300, 300), (300, 40)):
            assert escalation_hit_rate(uow) is None
            _keep_back_test(uow, cases, escalated)
        own = escalation_hit_rate(uow)
        assert own is not None and (own["history"], own["cases"], own["escalated"]) == ("record", 300, 40)
        assert own["on"] and own["until"] == "2026-01-01" and own["model"] == model().digest
        assert rate_escalations(uow) == 1
        told = (dispute(uow, number, reader=OFFICER) or {})["escalation"]
        assert told["hit_rate"]["history"] == "record" and told["percent"]


def _keep_back_test(uow: UnitOfWork, cases: int, escalated: int) -> None:
    figures = judge(model(), [({"U02"}, n < escalated) for n in range(cases)], {})
    uow.execute(
        "INSERT INTO registry.escalation_back_test (at, by, model, version, seed, from_day, until_day, disputes, cases,"
        " escalated, figures) VALUES (:now, 't', :m, 'v', 1, '2025-01-01', '2026-01-01', :n, :n, :e, CAST(:f AS jsonb))",
        now=uow.now, m=model().digest, n=cases, e=escalated, f=orjson.dumps(figures).decode(),
    )  # fmt: skip


def _one(engine: Engine, set_clock: Clock, **more: Any) -> str:
    """A labour dispute whose mediation failed some days ago, petitioned twice."""
    sides = [person("夏冬", id_number=resident(7)), person("郑宏", "respondent", id_number=resident(8))]
    told = {"cause": "追索劳动报酬纠纷", "claimed_fen": 11082850, "parties": sides, **more}
    set_clock("2026-04-20T09:00")
    with unit_of_work(engine) as uow:
        take(
            uow,
            MEDIATION,
            episode("T1", "MEDIATION", "FAILED", opened_on="2026-03-01", closed_on="2026-04-10", **told),
        )
        for number, day in (("X1", "2026-03-20"), ("X2", "2026-04-15")):
            made = take(uow, PETITION, episode(number, "PETITION", opened_on=day, **told))
        return str(made.disputes[0].number)


def test_told_with_reasons_and_hit_rate_to_those_who_watch(engine: Engine, set_clock: Clock) -> None:
    number = _one(engine, set_clock)
    with unit_of_work(engine) as uow:
        assert (dispute(uow, number, reader=OFFICER) or {})["escalation"]["why"] == "NOT_RATED"
        assert rate_escalations(uow) == 1 and rate_escalations(uow) == 0
        told = (dispute(uow, number, reader=OFFICER) or {})["escalation"]
        assert told["band"] == "HIGH" == band_of(told["percent"]) and told["why"] == ""
        assert {"REFUSED", "U02", "LABOUR"} <= {each["id"] for each in told["reasons"]}
        assert all(each["points"] and each["zh"] and each["en"] for each in told["reasons"])
        assert told["hit_rate"]["high"]["precision_pct"] and told["hit_rate"]["seed"] == 20261124
        assert (dispute(uow, number, as_known_on="2026-04-20", reader=OFFICER) or {})["escalation"] is None
        assert "escalation" not in (dispute(uow, number, viewer="court_x") or {})
        for role, purpose in (
            ("mediator", "handle"),
            ("cashier", "pay"),
            ("assessor", "score"),
            ("operator", "operate"),
        ):
            other = Reader("x", frozenset({role}), purpose)
            assert (dispute(uow, number, reader=other) or {"escalation": None})["escalation"] is None
            assert likeliest_escalations(uow, other)["disputes"] == []
            with reading_as(uow, other):  # the second line: the database itself
                assert uow.scalar("SELECT count(*) FROM registry.escalation") == 0
        found = likeliest_escalations(uow, OFFICER)
        assert [row["number"] for row in found["disputes"]] == [number] and len(
            found["disputes"][0]["reasons"]
        ) == 3
        elsewhere = Reader("o", frozenset({"supervision_officer"}), "supervise", region="330302")
        assert likeliest_escalations(uow, elsewhere)["disputes"] == []


def test_rated_anew_when_it_moves_or_the_day_turns_and_ended_when_it_closes(
    engine: Engine, set_clock: Clock
) -> None:
    number = _one(engine, set_clock)
    with unit_of_work(engine) as uow:
        assert rate_escalations(uow) == 1
    set_clock("2026-07-20T09:00")  # the failure is long ago, and quiet since
    with unit_of_work(engine) as uow:
        assert rate_escalations(uow) == 1 and rate_escalations(uow) == 0
        log = uow.all("SELECT was, now, percent, by FROM registry.escalation_log ORDER BY id")
        assert (log[0]["was"], log[0]["now"]) == ("", "HIGH") and log[-1]["was"] == "HIGH"
    sides = [person("夏冬", id_number=resident(7)), person("郑宏", "respondent", id_number=resident(8))]
    set_clock("2026-07-21T09:00")
    with unit_of_work(engine) as uow:
        for case in ("X1", "X2"):
            take(
                uow,
                PETITION,
                episode(case, "PETITION", "CLOSED", version=(2,), closed_on="2026-07-20", parties=sides),
            )
        take(
            uow,
            MEDIATION,
            episode("T1", "MEDIATION", "CLOSED", version=(2,), agreed_on="2026-07-20", parties=sides),
        )
        assert (dispute(uow, number) or {})["stage"] == "CLOSED"
        rate_escalations(uow)
        assert uow.scalar("SELECT count(*) FROM registry.escalation") == 0
        assert (dispute(uow, number, reader=OFFICER) or {})["escalation"]["why"] == "NOT_RATED"


def test_back_test_on_the_record(filled: tuple[Engine, dict[int, Any]], engine: Engine) -> None:
    with unit_of_work(filled[0]) as uow:
        made = back_test_escalation(uow, seed=5)
        assert 1 <= made["cases"] <= 6 and made["counts"] is False and made["least_cases"] == 300
        again = back_test_escalation(uow, seed=5)
        assert (again["bands"], again["from_day"]) == (made["bands"], made["from_day"])
        assert uow.scalar("SELECT count(*) FROM registry.escalation_back_test") == 2
        assert escalation_hit_rate(uow)["history"] == "generated"  # type: ignore[index]
    with unit_of_work(engine) as uow:
        for asked in (0, 20_001):
            with pytest.raises(NotAllowed, match="sample"):
                back_test_escalation(uow, seed=5, disputes=asked)
        with pytest.raises(NotAllowed, match="there are none"):
            back_test_escalation(uow, seed=5)


def test_nothing_else_of_the_product_reads_a_likelihood() -> None:
    """It decides nothing: no grade, lamp, supervision case, payment or message is made from it."""
    root = Path(case_registry.__file__).parents[1]
    reads = {
        str(path.relative_to(root))
        for room in (
            "case_registry",
            "mediation",
            "escrow",
            "hub",
            "connectors",
            "foundation",
            "exchange_api",
            "console",
            "dags",
        )
        for path in (root / room).rglob("*.py")
        if re.search(
            r"(?<!case_)registry\.escalation\b|escalation_rating|likeliest_escalations",
            path.read_text("utf-8"),
        )
    }
    assert reads <= {
        "case_registry/__init__.py", "case_registry/escalation_rating.py", "case_registry/reading.py", "case_registry/shown.py",
        "exchange_api/escalation.py", "console/escalation.py", "hub/cli/escalation.py",
    }  # fmt: skip
