"""Likelihood of escalation: weights and reasons, what counts, no look into the future, nothing told without a hit rate."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

import case_registry
from benchmarks.escalation import back_test, sees_the_future
from benchmarks.escalation_history import History, history
from benchmarks.escalation_replay import Replay, moment
from case_registry.escalation import (
    Model,
    band_of,
    likelihood,
    model,
    percent_of,
    read_model,
    share_of,
    table,
)
from case_registry.escalation_fit import fit, interval, judge, ranked_right, tried
from case_registry.escalation_signs import escalates, escalations
from foundation.unit_of_work import UnitOfWork

Clock = Callable[[datetime | str], None]
FITTED = Path(case_registry.__file__).with_name("data") / "escalation_fitted.toml"


# -- pure ---------------------------------------------------------------------------------------------------


def test_the_table_is_whole_and_names_no_trait_of_a_person() -> None:
    told = table()
    assert all(row["zh"] and row["en"] for row in told["sign"])
    assert not {"U05/words", "U13", "U16", "U17", "U06"} & set(told["by_id"])
    assert [row["name"] for row in told["band"]] == ["HIGH", "RAISED", "LOW"] and told["band"][-1][
        "from_percent"
    ] == 0
    assert set(model().weights) <= set(told["by_id"])
    assert {band_of(p) for p in range(1, 100)} == {"HIGH", "RAISED", "LOW"}
    assert (band_of(33), band_of(32), band_of(20), band_of(19)) == ("HIGH", "RAISED", "RAISED", "LOW")


def test_each_reason_says_what_the_likelihood_would_be_without_it() -> None:
    weights = Model("t", -1.0, {"U02": 1.5, "REFUSED": 0.5, "QUIET": -1.0, "U09": 0.001})
    found = likelihood(weights, {"U02": "", "REFUSED": "2026-01-01", "QUIET": "95", "U09": ""})
    whole = percent_of(share_of(weights, frozenset({"U02", "REFUSED", "QUIET", "U09"})))
    assert found.percent == whole == 50
    points = {each["id"]: each["points"] for each in found.reasons}
    assert points["U02"] == whole - percent_of(share_of(weights, frozenset({"REFUSED", "QUIET", "U09"})))
    assert points["U02"] > points["REFUSED"] > 0 > points["QUIET"] and "U09" not in points
    assert [each["id"] for each in found.reasons] == ["U02", "QUIET", "REFUSED"]
    assert next(each["why"] for each in found.reasons if each["id"] == "REFUSED") == "2026-01-01"


def test_a_back_test_of_other_weights_proves_nothing() -> None:
    text = FITTED.read_text("utf-8")
    assert read_model(text).back_test is not None
    assert read_model(re.sub(r"(?m)^U02 = .*$", "U02 = 0.99", text)).back_test is None
    assert read_model(text[: text.index("[back_test]")]).back_test is None
    with pytest.raises(KeyError, match="RELIGION"):
        read_model(text.replace("[weight]\n", "[weight]\nRELIGION = 1.0\n"))


def test_the_fit_finds_a_planted_weight_and_leaves_a_rare_sign_alone() -> None:
    # Half of 1,000 with U02 escalate, 105 of 1,005 without: log-odds 0 and -2.15; the penalty draws the weight towards 0.
    cases = [({"U02"}, n % 2 == 0) for n in range(1000)] + [(set(), n % 10 == 0) for n in range(1000)]
    found = fit([*cases, *[({"U03"}, True)] * 5], "t")
    assert 2.05 < found.weights["U02"] < 2.15 and found.base == pytest.approx(-2.12, abs=0.05)
    assert set(found.weights) == {"U02"}
    with pytest.raises(ValueError, match="escalated"):
        fit([({"U02"}, True)] * 100, "t")


def test_counting_what_came() -> None:
    found = tried([True, True, False, False], [True, False, True, False])
    assert (found.precision, found.recall) == (0.5, 0.5)
    assert tried([False], [True]).precision == 0.0
    low, high = interval(45, 100)  # Wilson, worked by hand: .356 and .548
    assert (round(low, 3), round(high, 3)) == (0.356, 0.548) and interval(0, 0) == (0.0, 1.0)
    assert ranked_right([0.9, 0.5, 0.5, 0.1], [True, True, False, False]) == pytest.approx(0.875)
    weights = Model("t", -2.0, {"U02": 2.5})
    told = judge(
        weights, [({"U02"}, True), ({"U02"}, False), (set(), False)], {"graded": [True, False, False]}
    )
    assert [(band["band"], band["cases"], band["escalated"]) for band in told["bands"]] == [
        ("HIGH", 2, 1), ("RAISED", 0, 0), ("LOW", 1, 0),
    ]  # fmt: skip
    assert (
        told["rules"]["graded"]["precision_pct"] == 100.0
        and told["rules"]["graded"]["as_many"]["flagged"] == 1
    )


def test_what_counts_as_escalation(uow: UnitOfWork) -> None:
    at = datetime(2026, 3, 9, 17, tzinfo=UTC)  # the 10th in Beijing
    notes = [("U05", "words", at), ("U16", "police_call", at), ("U03", "petition", at)]
    assert list(escalations([], notes, [at])) == [
        (date(2026, 3, 10), "police_call"),
        (date(2026, 3, 10), "default"),
    ]
    told = Replay(_only(history(1, 1), "petition"))
    days = sorted(
        h.episode.day("opened_on") for h in told.held(moment(date(2027, 1, 1))) if h.kind == "PETITION"
    )
    assert [day for day, kind in told.recorded(date(2027, 1, 1)) if kind == "repeat_petition"] == days[1:]
    found = [(date(2026, 3, 10), "court")]
    assert not escalates(found, date(2026, 3, 10)) and escalates(found, date(2026, 3, 9))
    assert escalates(found, date(2026, 3, 10) - timedelta(days=60)) and not escalates(found, date(2026, 1, 8))


def _only(told: History, agency: str) -> History:
    told.tellings = [each for each in told.tellings if each.agency == agency]
    return told


# -- back-test ----------------------------------------------------------------------------------------------


def test_back_test_beats_the_plain_rule_and_sees_no_future() -> None:
    test = back_test(500, 7)
    found = test.figures()
    assert test.leaks == 0 and found["cases"] == len(test.judged) > 150
    assert len({each.number for each in test.judged}) == found["cases"]  # one forecast a dispute
    assert found["ranked_right"] > 0.6
    assert sum(band["cases"] for band in found["bands"]) == found["cases"]
    made = next(each for each in test.judged if each.seen.signs)
    told = history(made.number, 7)
    assert not sees_the_future(told, made)
    # Were the outcome itself told before its day, it would show.
    told.notes.append((made.on - timedelta(days=1), "U20", "posts"))
    assert sees_the_future(told, made) is ("U20" not in made.seen.signs)


@pytest.mark.long
def test_weights_in_force_are_those_of_their_run() -> None:
    from benchmarks.escalation_weights import DISPUTES, SEED, VERSION, written

    assert written(back_test(DISPUTES, SEED, VERSION)) == FITTED.read_text("utf-8")
