"""Compares what the hub shows with what the story expects, read from outside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sandbox.stories.hub_api import HubApi, HubRefused
from sandbox.stories.pack import Step, Story, StoryDispute

READER = "auditor1"
FIGURES = (
    "funded_fen",
    "balance_fen",
    "held_fen",
    "in_transit_fen",
    "released_fen",
    "refunded_fen",
    "suspense_fen",
)
PARENT = "_parent"  # what stands in suspense, for no case yet
NO_ESCROW = {"state": "NONE", **dict.fromkeys(FIGURES, 0)}


@dataclass
class Seen:
    """What the hub shows at one moment."""

    stages: dict[str, str] = field(default_factory=dict)
    holders: dict[str, str] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)
    escrow: dict[str, dict[str, Any]] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)


def look(hub: HubApi, story: Story, suspense_before: int = 0) -> Seen:
    """Read stage, holder, flags and escrow figures of every dispute of the story.

    ``suspense_before``: fen that stood in suspense before the story began.
    """
    seen = Seen()
    if any(PARENT in step.escrow for step in story.steps):
        seen.escrow[PARENT] = {"suspense_fen": suspense(hub) - suspense_before}
    for key, row in story.disputes.items():
        found = find_dispute(hub, row)
        seen.stages[key], seen.holders[key] = found["stage"], found["holder"]
        seen.numbers[key] = found["dispute"] or ""
        seen.flags |= set(found["flags"])
        seen.escrow[key] = escrow_of(hub, row)
    return seen


def suspense(hub: HubApi) -> int:
    """Fen in suspense now, over all credits that nobody could match."""
    return sum(int(each["open_fen"]) for each in hub.get(READER, "/v1/suspense")["suspense"])


def find_dispute(hub: HubApi, row: StoryDispute) -> dict[str, Any]:
    """Where the hub says a story's dispute is, by the agencies' own numbers; ``dispute`` is None when unknown."""
    found: dict[str, Any] = hub.get(READER, "/v1/whereabouts", ref=row.references)
    return found


def escrow_of(hub: HubApi, row: StoryDispute) -> dict[str, Any]:
    """Escrow state and figures in fen; NONE and zeros where there is no escrow."""
    try:
        found = hub.get(READER, "/v1/escrow", mediation_number=row.mediation_number)
    except HubRefused as refused:
        if refused.status != 404:
            raise
        return dict(NO_ESCROW)
    return {"state": found["state"], **{name: found[name] for name in FIGURES}}


def differences(step: Step, seen: Seen) -> list[str]:
    """Every point where the hub shows something else than the step expects; empty when all match."""
    found = []
    for key, stage in step.stages.items():
        if seen.stages[key] != stage:
            found.append(f"{key} stage: expected {stage}, shown {seen.stages[key]}")
    holders = {seen.holders[key] for key in step.stages if seen.stages[key] != "NONE"} or {"-"}
    if holders != {step.holder}:
        found.append(f"holder: expected {step.holder}, shown {', '.join(sorted(holders))}")
    if seen.flags != step.flags:
        found.append(f"flags: expected {sorted(step.flags)}, shown {sorted(seen.flags)}")
    for key, expected in step.escrow.items():
        if key not in seen.escrow:
            continue
        for name, value in expected.items():
            if seen.escrow[key][name] != value:
                found.append(f"{key} escrow {name}: expected {value}, shown {seen.escrow[key][name]}")
    return found
