"""Plays one story step by step and reports each step on one line."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sandbox.stories import acts, judge, messages
from sandbox.stories.hub_api import HubApi, wait_for
from sandbox.stories.money_rails import BANK
from sandbox.stories.office import Office
from sandbox.stories.pack import Step, Story
from sandbox.stories.stand_ins import StandIns

OPERATOR = "operator1"
STEP_PATIENCE_S = 20.0


@dataclass(frozen=True)
class StepResult:
    """What one step came to. ``wrong`` is empty when everything matched."""

    no: int
    at: str
    sender: str
    receiver: str
    what: str
    message_id: str
    shown: str
    ms: int
    wrong: list[str]


@dataclass
class Stage:
    """Everything a step may use: hub, stand-ins, office, and what was learnt on the way."""

    hub: HubApi
    stand_ins: StandIns
    office: Office
    story: Story
    swaps: dict[str, str] = field(default_factory=dict)  # a number in the story → the number really given
    held: set[tuple[str, str]] = field(default_factory=set)  # (partner, operation) whose calls wait
    told: dict[str, int] = field(default_factory=dict)  # partner → last line of its books before the step
    on_paper: set[str] = field(default_factory=set)  # disputes whose agreement the office has not entered yet
    notes: list[str] = field(default_factory=list)
    suspense_before: int = 0
    after: list[Callable[[], None]] = field(default_factory=list)  # done when the story is over
    learnt: dict[str, str] = field(
        default_factory=dict
    )  # what a partner gave out, such as its new certificate
    message_id: str = ""
    sent: tuple[Step, messages.HubMessage, int] | None = (
        None  # a message of the hub that waits at its partner
    )

    def let_go(self, partner: str, operation: str = "") -> None:
        """Release held calls of a partner's operation, or all of them."""
        if any(each[0] == partner and operation in ("", each[1]) for each in self.held):
            self.stand_ins.release(partner, operation)
        self.held = {each for each in self.held if each[0] != partner or operation not in ("", each[1])}

    def set_clock(self, at: datetime) -> None:
        """Move the stand-ins' clock and the hub's to the same instant."""
        self.stand_ins.set_clock(at.isoformat())
        self.hub.put(OPERATOR, "/v1/clock", {"at": at.isoformat()})

    def real(self, content: bytes) -> bytes:
        """The content with every learnt number in place of the story's."""
        for told, given in self.swaps.items():
            if told and told != given:
                content = content.replace(told.encode(), given.encode())
        return content


def play(
    hub: HubApi, stand_ins: StandIns, story: Story, report: Callable[[StepResult], None]
) -> list[StepResult]:
    """Play all steps; stops after the first step that does not match. Clocks are released at the end."""
    stage = Stage(hub, stand_ins, Office(hub), story)
    results: list[StepResult] = []
    stage.suspense_before = judge.suspense(hub)
    try:
        _statements(stage, "manual")
        before = story.steps[0].at - timedelta(days=400)
        for place, step in enumerate(story.steps):
            result = _step(stage, step, before, story.steps[place + 1 :])
            results.append(result)
            report(result)
            if result.wrong:
                break
            before = step.at
        for each in stage.after:
            each()
    finally:
        for partner in stand_ins.partners:
            stand_ins.release(partner)
        stand_ins.set_clock(None)
        stand_ins.tick()  # the nights between the story's days and today are over, without statements
        _statements(stage, "auto")
        hub.put(OPERATOR, "/v1/clock", {"at": None})
    return results


def _statements(stage: Stage, night: str) -> None:
    """A story says itself when a night's statement comes: the stand-in makes none for each day that is leapt over."""
    banks = {step.sender for step in stage.story.steps if b"BkToCstmrStmt" in step.content}
    for bank in sorted((banks | {BANK}) & set(stage.stand_ins.partners)):
        stage.stand_ins.order(bank, settings={"night": night})


def _step(stage: Stage, step: Step, before: datetime, later: tuple[Step, ...]) -> StepResult:
    began = time.monotonic()
    stage.notes.clear()
    stage.message_id = ""
    wrong: list[str] = []
    try:
        acts.make_ready(stage, step, before)
        _hold_what_comes_later(stage, step, later)
        stage.set_clock(step.at)
        wrong += acts.do(stage, step, later)
    except Exception as error:  # the story fails at this step, and says why
        wrong.append(f"{type(error).__name__}: {error}")
    seen = judge.Seen()
    if not wrong and step.judged:
        matched = wait_for(lambda: _matches(stage, step), STEP_PATIENCE_S)
        seen = matched or judge.look(stage.hub, stage.story, stage.suspense_before)
        wrong += [] if matched else judge.differences(step, seen)
    return StepResult(
        no=step.no,
        at=step.at.strftime("%Y-%m-%d %H:%M"),
        sender=step.sender,
        receiver=step.receiver,
        what=step.file or step.action,
        message_id=stage.message_id,
        shown=_shown(step, seen, stage.notes),
        ms=round((time.monotonic() - began) * 1000),
        wrong=wrong,
    )


def _matches(stage: Stage, step: Step) -> judge.Seen | None:
    seen = judge.look(stage.hub, stage.story, stage.suspense_before)
    return None if judge.differences(step, seen) else seen


def _hold_what_comes_later(stage: Stage, step: Step, later: tuple[Step, ...]) -> None:
    """Let wait at the partner what the story tells of later only: the hub acts by itself and at once.

    The next step may be a message that the hub sends by itself; a later one may be a gateway's answer.
    """
    following = later[0] if later else None
    if (
        following
        and following.sender == "hub"
        and following.content
        and not messages.cause_of(following.content)
    ):
        _hold(stage, following.receiver, "")
    answer = next((each for each in later if messages.is_answer(each.content)), None)
    if answer is not None:
        method = messages.scripted(answer.content)["method"]
        now = messages.scripted(step.content)["method"] if messages.is_answer(step.content) else ""
        if method != now:
            _hold(stage, answer.sender, method)


def _hold(stage: Stage, partner: str, operation: str) -> None:
    if (partner, operation) not in stage.held and partner in stage.stand_ins.partners:
        stage.stand_ins.hold(partner, operation)
        stage.held.add((partner, operation))
        stage.told.setdefault(partner, stage.stand_ins.last_entry(partner))


def _shown(step: Step, seen: judge.Seen, notes: list[str]) -> str:
    parts = []
    for key in step.stages:
        escrow = seen.escrow.get(key, {})
        state = escrow.get("state", "NONE")
        money = "" if state == "NONE" else f" {state} {escrow['balance_fen']}/{escrow['released_fen']}"
        parts.append(f"{seen.numbers.get(key) or key} {seen.stages.get(key)}{money}")
    if seen.flags:
        parts.append(" ".join(sorted(seen.flags)))
    return "; ".join([*parts, *notes])


def as_dict(result: StepResult) -> dict[str, Any]:
    """A step's result as plain data."""
    return vars(result)
