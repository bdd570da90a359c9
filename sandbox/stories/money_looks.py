"""What a story looks for beyond figures and flags: orders, instalments, deposits, recoveries, differences; over REST."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sandbox.stories.hub_api import wait_for
from sandbox.stories.learning import row_of
from sandbox.stories.money_desk import AUDITOR, WITHIN_S, detail
from sandbox.stories.office import CASHIER
from sandbox.stories.pack import Step

if TYPE_CHECKING:
    from sandbox.stories.play import Stage


def _differences(stage: Stage) -> list[dict[str, Any]]:
    """Open differences about this story's accounts, cases and lines."""
    found = stage.hub.get(AUDITOR, "/v1/reconciliation")["breaks"]
    known: set[str] = set()
    for row in stage.story.disputes.values():
        case = detail(stage, row)
        known |= {
            str(case["id"]),
            *(str(each["number"]) for each in case["accounts"]),
            *(str(each["id"]) for each in case["lines"]),
        }
    return [each for each in found if any(word in str(each) for word in known)]


def _stand(stage: Stage, what: str, told: str, read: Any) -> list[str]:
    """Whether a list of states is as told: ``PAID, UNKNOWN`` (in order) or ``none``."""
    wanted = [] if told == "none" else told.split(", ")
    seen: list[str] = []

    def as_told() -> bool:
        seen[:] = read()
        return seen == wanted

    return [] if wait_for(as_told, WITHIN_S) else [f"{what}: expected {wanted}, shown {seen}"]


def orders_stand(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    row = row_of(stage, step)

    def read() -> list[str]:
        orders = sorted(detail(stage, row)["orders"], key=lambda each: (each["drafted_at"], each["number"]))
        return [
            each["outcome"] if each["state"] == "SENT" and each["outcome"] else each["state"]
            for each in orders
        ]

    return _stand(stage, "orders", match["states"], read)


def instalments_stand(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    row = row_of(stage, step)
    return _stand(
        stage,
        "instalments",
        match["states"],
        lambda: [each["state"] for each in detail(stage, row)["instalments"]],
    )


def deposits_stand(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    row = row_of(stage, step)
    return _stand(
        stage, "deposits", match["states"], lambda: [each["state"] for each in detail(stage, row)["deposits"]]
    )


def recoveries_stand(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    row = row_of(stage, step)
    return _stand(
        stage,
        "recoveries",
        match["states"],
        lambda: [each["state"] for each in detail(stage, row)["recoveries"]],
    )


def differences_stand(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    return _stand(
        stage, "differences", match["states"], lambda: sorted(each["kind"] for each in _differences(stage))
    )


def close_differences(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    """A person takes each on and closes it with the paper that explains it."""
    mine = _differences(stage)
    for each in mine:
        stage.hub.post(CASHIER, f"/v1/breaks/{each['id']}/own")
        stage.hub.post(CASHIER, f"/v1/breaks/{each['id']}/close", {"document": "银行更正对账单"})
    return [] if mine else ["no open difference"]
