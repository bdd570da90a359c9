"""What a story learns on its way: which dispute a step is about, numbers really given, accounts to be paid to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.stories import messages
from sandbox.stories.hub_api import wait_for
from sandbox.stories.judge import NO_ESCROW, escrow_of
from sandbox.stories.pack import Step, StoryDispute

if TYPE_CHECKING:
    from sandbox.stories.play import Stage

GIVEN_WITHIN_S = 15.0
PARTIES = ("A1", "A2", "A3", "R1", "R2")


def row_of(stage: Stage, step: Step) -> StoryDispute:
    """The dispute a step is about: the one whose numbers or sub-account stand in it, else the first of the step."""
    text = step.content.decode("utf-8", "replace")
    for key in step.stages:
        row = stage.story.disputes[key]
        if any(number in text for number in (*row.agency_numbers, row.row.get("subaccount") or "-")):
            return row
    return stage.story.disputes[next(iter(step.stages))]


def learn_subaccount(stage: Stage, row: StoryDispute) -> str:
    def look() -> str:
        if escrow_of(stage.hub, row)["state"] == NO_ESCROW["state"]:
            return ""
        found = stage.hub.get("auditor1", "/v1/escrow", mediation_number=row.mediation_number)
        return next((each["number"] for each in found["accounts"] if each["kind"] == "SUB"), "")

    account: str = wait_for(look, GIVEN_WITHIN_S)
    if account and row.row.get("subaccount"):
        stage.swaps[row.row["subaccount"]] = account
    return account


def learn_numbers(stage: Stage, step: Step, order: dict[str, Any]) -> None:
    for told in messages.order_numbers(step.content):
        stage.swaps[told] = order["number"]


def payee_accounts(stage: Stage, dispute: str = "") -> dict[str, dict[str, Any]]:
    """Accounts as the office writes them down, by name: those of the story's own payment messages, first wins; and
    those that the story states, by the party's key (of one dispute, where it has several)."""
    found: dict[str, dict[str, Any]] = {
        key: {name: value for name, value in account.items() if name != "kind"}
        for own, accounts in stage.story.accounts.items()
        for key, account in accounts.items()
        if dispute in ("", own) and key in PARTIES
    }
    for step in stage.story.steps:
        if step.sender != "hub" or not step.content:
            continue
        told = messages.read(step.content)
        if told.payee.get("name"):
            known = found.setdefault(told.payee["name"], {})
            for name, value in told.payee.items():
                if value:
                    known.setdefault(name, value)
    return found
