"""What people do in a story, and what time does: one table of words → act."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from sandbox.stories import messages
from sandbox.stories.learning import learn_subaccount, payee_accounts, row_of
from sandbox.stories.money_acts import find_money_act
from sandbox.stories.pack import Step, StoryDispute

if TYPE_CHECKING:
    from sandbox.stories.play import Stage

OPERATOR = "operator1"


def sign(stage: Stage, step: Step) -> list[str]:
    row = row_of(stage, step)
    pairs = re.findall(r"([A-Z]\d) to ([A-Z]\d)", step.action)
    stage.office.agree(
        row, messages.sums(step.action), step.at.date(), payee_accounts(stage, row.id), pairs=pairs
    )
    return []


def release_unsent(stage: Stage, step: Step) -> list[str]:
    """Three people sign for the whole sum; the operator keeps the rail paused, so nothing leaves."""
    row = row_of(stage, step)
    payment = next(each for each in stage.story.steps if each.sender == "hub" and messages.pays(each.content))
    body = {"paused": True, "reason": "出款窗口未到"}
    stage.hub.post(OPERATOR, f"/v1/partners/{payment.receiver}/pause", body)
    stage.office.pay(row, payment.receiver, int(row.row["agreed_fen"]), messages.read(payment.content).payee)
    return []


def resume(stage: Stage, step: Step) -> None:
    """The rail sends again."""
    stage.hub.post(OPERATOR, f"/v1/partners/{step.receiver}/pause", {"paused": False, "reason": "恢复出款"})


def replace_payee(stage: Stage, step: Step) -> list[str]:
    """The next payment message names the person who takes the seat."""
    after = stage.story.steps[step.no :]
    payment = next(each for each in after if each.sender == "hub" and messages.pays(each.content))
    stage.office.replace_payee(row_of(stage, step), messages.read(payment.content).payee)
    return []


def split_credit(stage: Stage, step: Step) -> list[str]:
    parts = [
        (stage.story.disputes[key], int(told["funded_fen"]))
        for key, told in step.escrow.items()
        if key in stage.story.disputes
    ]
    shared = [(row, fen) for row, fen in parts if fen]
    account = stage.office.split(shared)
    bank = next(each.sender for each in stage.story.steps if each.sender in stage.stand_ins.partners)
    stage.after += [partial(_move, stage, bank, account, row, fen) for row, fen in shared]
    return []


def _move(stage: Stage, bank: str, account: str, row: StoryDispute, fen: int) -> None:
    """The bank moves to a case's sub-account what came for it elsewhere, so that its books are clean after the story."""
    told = {"from": account, "to": learn_subaccount(stage, row), "fen": fen, "text": "调账"}
    stage.stand_ins.order(bank, move=told)


def time_passes(stage: Stage, step: Step) -> list[str]:
    stage.hub.post(OPERATOR, "/v1/jobs/deadlines")
    return []


def day_is_reconciled(stage: Stage, step: Step) -> list[str]:
    day = (step.at - timedelta(days=1)).date().isoformat()
    stage.hub.post(OPERATOR, "/v1/jobs/reconcile", {"day": day})
    return []


def take_up(stage: Stage, step: Step) -> list[str]:
    stage.office.accept(row_of(stage, step))
    return []


def confirm_link(stage: Stage, step: Step) -> list[str]:
    confirmed = stage.office.confirm_links(row_of(stage, step))
    return [] if confirmed else ["there was no proposed link to confirm"]


def apply_for_confirmation(stage: Stage, step: Step) -> list[str]:
    stage.office.apply_for_confirmation(row_of(stage, step))
    return []


def pay_in(stage: Stage, step: Step) -> list[str]:
    row = row_of(stage, step)
    account = learn_subaccount(stage, row)
    (fen,) = messages.sums(step.action)
    payer, _ = row.respondents[0]
    stage.stand_ins.order(
        step.receiver if step.receiver != "hub" else step.sender,
        deposit={
            "account": account,
            "fen": fen,
            "payer_name": payer,
            "payer_account": "9955000000000000018",
            "text": "调解款",
        },
    )
    return []


def night(stage: Stage, step: Step) -> list[str]:
    partner = step.sender
    stage.stand_ins.order(partner, close_day={"day": step.at.date().isoformat()})
    return day_is_reconciled(stage, step)


def void(stage: Stage, step: Step) -> list[str]:
    stage.office.void(row_of(stage, step))
    return []


ACTS: tuple[tuple[str, Callable[[Any, Step], list[str]]], ...] = (
    (r"agreement signed|sign a mediation agreement", sign),
    (r"released; not yet sent", release_unsent),
    (r"payee replaced", replace_payee),
    (r"splits the credit", split_credit),
    (r"due date passes|grace ends", time_passes),
    (r"bill line of the day", day_is_reconciled),
    (r"takes? the matter up", take_up),
    (r"confirms? the proposed link", confirm_link),
    (r"apply for judicial confirmation", apply_for_confirmation),
    (r"pays? in", pay_in),
    (r"night statement", night),
    (r"cancel the agreement", void),
)


def find_act(step: Step) -> Callable[[Any, Step], list[str]] | None:
    found = find_money_act(step)
    if found is not None:
        return found
    return next((act for words, act in ACTS if step.action and re.search(words, step.action)), None)
