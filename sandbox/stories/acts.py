"""What is done at a step: a partner sends, or the hub is to send (people act: ``people.py``)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from sandbox.stories import messages
from sandbox.stories.hub_api import wait_for
from sandbox.stories.judge import escrow_of
from sandbox.stories.learning import learn_numbers, learn_subaccount, payee_accounts, row_of
from sandbox.stories.pack import Step, StoryDispute
from sandbox.stories.people import OPERATOR, find_act, resume, sign

if TYPE_CHECKING:
    from sandbox.stories.play import Stage

RECEIVED_WITHIN_S = 15.0
ITSELF_WITHIN_S = 3.0
PROPOSED_WITHIN_S = 2.0


def make_ready(stage: Stage, step: Step, before: datetime) -> None:
    """What the story takes for granted before this step: a signed agreement wherever money is already expected.

    Where the registry is to know of no dispute yet, the paper is at the escrow desk only; the office enters it before
    the first step by which the registry knows.
    """
    if find_act(step) is sign:
        return
    for key, expected in step.escrow.items():
        row = stage.story.disputes.get(key)
        if row is None or expected["state"] in ("NONE",):
            continue
        known = step.stages.get(key, "NONE") != "NONE"
        signed_on = datetime.fromisoformat(f"{row.row['agreed_on']}T10:00:00").replace(tzinfo=step.at.tzinfo)
        parts = [int(row.row["agreed_fen"])]
        if key in stage.on_paper and known:
            stage.set_clock(max(before, step.at - timedelta(minutes=5)))
            stage.office.agree(row, parts, signed_on.date(), payee_accounts(stage, key), on_paper=True)
            stage.on_paper.discard(key)
            stage.notes.append("office: agreement entered")
        if escrow_of(stage.hub, row)["state"] != "NONE":
            continue
        stage.set_clock(max(before, min(signed_on, step.at - timedelta(minutes=5))))
        if known:
            stage.office.agree(row, parts, signed_on.date(), payee_accounts(stage, key))
        else:
            stage.office.lodge(row, parts, signed_on.date())
            stage.on_paper.add(key)
        learn_subaccount(stage, row)
        stage.notes.append("office: agreement signed")


def do(stage: Stage, step: Step, later: tuple[Step, ...]) -> list[str]:
    """Do the step; returns what was wrong with it, as far as it shows at once."""
    if step.file and step.sender != "hub":
        wrong = _partner_sends(stage, step)
        if step.late and not wrong:
            _confirm_what_is_proposed(stage)
        return wrong
    if step.file:
        return _hub_sends(stage, step, later)
    act = find_act(step)
    if act is None:
        return [f"nobody knows how to act: {step.action!r}"]
    return act(stage, step) or []


def _confirm_what_is_proposed(stage: Stage) -> None:
    """What came late may be about a matter that was taken up without it: a person says so, as at taking it up."""
    for row in stage.story.disputes.values():
        if stage.office.matter(row):
            wait_for(partial(stage.office.confirm_links, row), PROPOSED_WITHIN_S, exactly=True)


# -- a partner sends ---------------------------------------------------------------------------------------


def _partner_sends(stage: Stage, step: Step) -> list[str]:
    for row in stage.story.disputes.values():
        if row.row.get("subaccount") and row.row["subaccount"].encode() in step.content:
            learn_subaccount(stage, row)
    content = stage.real(step.content)
    if messages.is_answer(content):
        return _scripted_answer(stage, step)
    answered = stage.stand_ins.emit(step.sender, content)
    stage.message_id = str(
        answered.get("message_id") or answered.get("requestId") or answered.get("seq") or ""
    )
    stage.notes.append(f"reply {answered.get('verdict') or answered.get('status')}")
    if answered.get("status") != 200:
        return [f"the hub answered {answered.get('status')}: {str(answered.get('reply'))[:300]}"]
    if answered.get("verdict") == "OFFERED":
        # A register calls nobody: the hub asks it about its payees.
        stage.hub.post(OPERATOR, "/v1/jobs/payees")
    return []


def _scripted_answer(stage: Stage, step: Step) -> list[str]:
    """A gateway's answer to a call of the hub: written down for it, then the waiting call is let go."""
    line = messages.scripted(step.content)
    stage.stand_ins.order(step.sender, next=[line])
    stage.let_go(step.sender, line["method"])
    stage.hub.post(OPERATOR, "/v1/jobs/payments")
    if stage.sent is None:
        return []
    (sent_step, told, since), stage.sent = stage.sent, None
    return _compare(stage, sent_step, told, since)


# -- the hub is to send ------------------------------------------------------------------------------------


def _hub_sends(stage: Stage, step: Step, later: tuple[Step, ...]) -> list[str]:
    told = messages.read(step.content)
    since = stage.told.pop(step.receiver, None)
    if since is None:
        since = stage.stand_ins.last_entry(step.receiver)
    row = row_of(stage, step)
    cause = CAUSES.get(told.kind.partition(":")[0])
    if told.kind == "feedback":
        # The hub tells of a matter that was taken up by itself; of anything else when people say so.
        stage.let_go(step.receiver)
        by_itself = wait_for(
            lambda: _received(stage, step.receiver, since, told, exact=True),
            ITSELF_WITHIN_S,
            exactly=True,
        )
        cause = None if by_itself else cause
    if cause is not None:
        cause(stage, step, row, told, later)
    if later and later[0].sender == step.receiver and messages.is_answer(later[0].content):
        stage.sent = (step, told, since)
        return []
    stage.let_go(step.receiver)
    if told.kind == "open_subaccount":
        learn_subaccount(stage, row)
    return _compare(stage, step, told, since)


def _compare(stage: Stage, step: Step, told: messages.HubMessage, since: int) -> list[str]:
    """What the partner has received of this kind, against the story's own message."""
    found = wait_for(lambda: _received(stage, step.receiver, since, told, exact=True), RECEIVED_WITHIN_S)
    found = found or _received(stage, step.receiver, since, told)
    if not found:
        seen = [entry["operation"] for entry in stage.stand_ins.received(step.receiver, since)]
        return [f"{step.receiver} received no {told.kind}; it received {seen}"]
    return messages.same_facts(told, found, stage.swaps)


def _received(
    stage: Stage, partner: str, since: int, told: messages.HubMessage, *, exact: bool = False
) -> messages.HubMessage | None:
    """The newest message of that kind the partner has received; ``exact``: only one with the same facts."""
    best: messages.HubMessage | None = None
    for entry in reversed(stage.stand_ins.received(partner, since)):
        for content in messages.payloads(entry):
            try:
                found = messages.read(content)
            except (ValueError, KeyError):
                continue
            if found.kind != told.kind:
                continue
            if not messages.same_facts(told, found, stage.swaps):
                stage.message_id = str(entry.get("request_id") or "")
                return found
            best = best or found
    return None if exact else best


def _cause_payment(
    stage: Stage, step: Step, row: StoryDispute, told: messages.HubMessage, later: tuple[Step, ...]
) -> None:
    answered_by_story = any(each.file and each.sender == step.receiver for each in later)
    if answered_by_story and not any(messages.is_answer(each.content) for each in later):
        # The story's own files are this payment's answers: the stand-in must not answer by itself.
        stage.stand_ins.order(step.receiver, policy={"mode": "manual", "times": 1})
    resume(stage, step)
    payers = {name for name, _ in row.respondents}
    act = stage.office.refund if told.payee["name"] in payers else stage.office.pay
    order = act(row, step.receiver, told.fen, told.payee)
    stage.notes.append(f"order {order['number']} {order['state']}")
    learn_numbers(stage, step, order)


def _cause_failure(
    stage: Stage, step: Step, row: StoryDispute, told: messages.HubMessage, later: tuple[Step, ...]
) -> None:
    if told.facts.get("resultCode") == "02":
        stage.office.fail(row)


def _cause_feedback(
    stage: Stage, step: Step, row: StoryDispute, told: messages.HubMessage, later: tuple[Step, ...]
) -> None:
    stage.hub.post("supervisor1", "/v1/feedback", {"native_id": told.facts["XFJBH"]})


CAUSES: dict[str, Callable[..., None]] = {
    "credit_transfer": _cause_payment,
    "transfer": _cause_payment,
    "mediation_result": _cause_failure,
    "feedback": _cause_feedback,
}
