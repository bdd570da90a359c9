"""Pairs of cases that a person decides, for the console's tests and the browser's."""

from __future__ import annotations

from tests.case_registry.make import COURT, PETITION, episode, person
from tests.console.world import County

NAMES = ("何国平", "林志远", "江秀英", "吴小梅", "郑宏", "周敏捷", "陈旭东", "金杰明", "叶青山", "项华安")


def pairs(county: County, n: int) -> None:
    """Pairs of cases with names, cause, sum and day only: a person decides each."""
    for k in range(n):
        sides = [person(NAMES[2 * k]), person(NAMES[2 * k + 1], "respondent")]
        told = {
            "cause": "民间借贷纠纷",
            "claimed_fen": 4_600_000 + k,
            "occurred_on": "2026-02-11",
            "parties": sides,
        }
        county.record(PETITION, episode(f"XF20261{k}", "PETITION", opened_on="2026-03-01", **told))
        county.record(
            COURT, episode(f"FY20261{k}", "PRE_LITIGATION_MEDIATION", opened_on="2026-03-12", **told)
        )
