"""Likelihood of escalation, back-tested: weights fitted on earlier months, judged on later ones, beside plain rules.

Made-up histories (escalation_history.py). What a forecast sees is what was known on its day; outcomes to fit to are those
that the record told before the first day judged; outcomes to judge by are what really happened, told or not.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import Any

from benchmarks.escalation_history import History, history
from benchmarks.escalation_replay import Forecast, Replay, forecasts, parts
from benchmarks.result import Result
from case_registry import escalation, escalation_fit
from case_registry.escalation import Model

SPLIT = date(2025, 3, 1)
FIT_EACH = 4
"""Forecasts of one dispute to fit on, at most; judged is one a dispute, so that each counts once."""
DISPUTES, QUICK = 20_000, 1_000
LOOKED_AT_AGAIN = 200


@dataclass(frozen=True)
class BackTest:
    """Forecasts to fit on and to judge by, the weights of the first, and how many of the judged saw the future."""

    fitted: list[Forecast]
    judged: list[Forecast]
    model: Model
    leaks: int

    def figures(self, weights: Model | None = None) -> dict[str, Any]:
        """How the fitted weights (or others) did."""
        return judged(weights or self.model, self.judged)


def judged(weights: Model, of: Sequence[Forecast]) -> dict[str, Any]:
    """How weights did on these forecasts."""
    rules = {
        rule: [escalation_fit.rule_says(rule, each.seen.grade.name, each.seen.signs) for each in of]
        for rule in escalation_fit.RULES
    }
    return escalation_fit.judge(weights, _cases(of), rules)


def _cases(of: Sequence[Forecast]) -> list[escalation_fit.Case]:
    return [(each.seen.signs, each.escalated) for each in of]


def back_test(disputes: int, seed: int, version: str = "run") -> BackTest:
    """Make histories, forecast, fit on what was over before `SPLIT`, keep the later ones to judge by."""
    early, late = parts(SPLIT)
    fitted: list[Forecast] = []
    later: list[Forecast] = []
    leaks = 0
    for number in range(disputes):
        told = history(number, seed)
        replay = Replay(told)
        fitted += forecasts(replay, early, Random(f"{seed}|{number}|fit"), FIT_EACH, told_by=SPLIT)
        mine = list(forecasts(replay, late, Random(f"{seed}|{number}|judge"), 1, told_by=None))
        if mine and len(later) < LOOKED_AT_AGAIN:
            leaks += sees_the_future(told, mine[0])
        later += mine
    return BackTest(fitted, later, escalation_fit.fit(_cases(fitted), version), leaks)


def sees_the_future(told: History, made: Forecast) -> bool:
    """Whether a forecast would have been another without all that was told after its day."""
    cut = dataclasses.replace(
        told,
        tellings=[each for each in told.tellings if each.known_on <= made.on],
        notes=[each for each in told.notes if each[0] <= made.on],
        gaps=[day for day in told.gaps if day <= made.on],
        summaries=[each for each in told.summaries if each[0] <= made.on],
        planted=[],
    )
    again = list(forecasts(Replay(cut), [made.on], Random(0), 1, told_by=None))
    return [each.seen.signs for each in again] != [made.seen.signs]


def run(*, quick: bool, seed: int) -> Result:
    """Figures of the weights fitted in this run; those in force are judged beside them on the same forecasts."""
    begun = time.process_time()
    test = back_test(QUICK if quick else DISPUTES, seed)
    found, shipped = test.figures(), test.figures(escalation.model())
    seconds = time.process_time() - begun
    high, rule, two = found["high"], found["rules"]["graded"], found["rules"]["two_signs"]
    chance = Random(seed)
    mixed = [each.escalated for each in test.fitted]
    chance.shuffle(mixed)
    nonsense = escalation_fit.fit(
        [(each.seen.signs, outcome) for each, outcome in zip(test.fitted, mixed, strict=True)], "nonsense"
    )
    told = [band for band in found["bands"] if band["cases"]]
    return Result(
        {
            "disputes": QUICK if quick else DISPUTES,
            "fitted_on": len(test.fitted),
            "judged_on": found["cases"],
            "escalated_pct": round(100 * found["escalated"] / max(1, found["cases"]), 1),
            "high_cases": high["flagged"],
            "precision_pct": high["precision_pct"],
            "recall_pct": high["recall_pct"],
            "precision_as_many_pct": rule["as_many"]["precision_pct"],
            "recall_as_many_pct": rule["as_many"]["recall_pct"],
            "calibration_gap_pct": round(max(abs(band["told_pct"] - band["came_pct"]) for band in told), 1),
            "leaks": test.leaks,
            "seconds": round(seconds, 1),
        },
        "plain rule: graded YELLOW or higher by the watch list",
        {"cases": rule["flagged"], "precision_pct": rule["precision_pct"], "recall_pct": rule["recall_pct"]},
        "reading each dispute as it was known on each day (one core); the fit itself takes well under a second",
        also={
            "precision of HIGH, 95 % from": f"{high['low_pct']} to {high['high_pct']} %",
            **{f"{band['band']}: told, came": f"{band['told_pct']} %, {band['came_pct']} % of {band['cases']}" for band in told},
            "ranked right of pairs": found["ranked_right"],
            "the same, fitted to mixed-up outcomes": test.figures(nonsense)["ranked_right"],
            "rule RED or two indicators": f"{two['precision_pct']} % of {two['flagged']}, recall {two['recall_pct']} %",
            "model, as many as that rule": f"{two['as_many']['precision_pct']} %, recall {two['as_many']['recall_pct']} %",
            "weights in force": f"HIGH {shipped['high']['precision_pct']} % of {shipped['high']['flagged']},"
            f" recall {shipped['high']['recall_pct']} %, ranked right {shipped['ranked_right']}",
            **_by_county(test),
        },
        failed=f"{test.leaks} forecasts saw the future" if test.leaks else "",
    )  # fmt: skip


def _by_county(test: BackTest) -> dict[str, str]:
    found = {}
    for county in sorted({each.county for each in test.judged}):
        own = judged(test.model, [each for each in test.judged if each.county == county])
        found[f"HIGH in {county}"] = (
            f"{own['high']['precision_pct']} % of {own['high']['flagged']} (of all {own['cases']})"
        )
    return found
