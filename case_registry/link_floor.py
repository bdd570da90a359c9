"""The floor: from which score a pair that the rule proposes is shown to people. Learnt from answers, adopted by a person.

Versions only grow; the highest is in force, and each proposal and decision says under which it was made. Links are not
touched by it, so the state hash is not either (docs/decisions/0028).
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from case_registry import link_decisions
from case_registry.link_learning import Answer, Cut, floor_for, needed, threshold_for
from case_registry.linking import lock
from case_registry.source import Event, NotAllowed
from foundation.unit_of_work import UnitOfWork

SYNCED_AT_ONCE = 500


@cache
def rules() -> dict[str, Any]:
    """The numbers of the review (data/link_review.toml)."""
    return tomllib.loads(files("case_registry").joinpath("data/link_review.toml").read_text("utf-8"))


def in_force(uow: UnitOfWork) -> tuple[int, float | None]:
    """Version and floor in force; (0, None) before any was adopted."""
    row = uow.one("SELECT version, floor FROM registry.link_floor ORDER BY version DESC LIMIT 1")
    return (row["version"], row["floor"]) if row else (0, None)


def floors(uow: UnitOfWork) -> list[dict[str, Any]]:
    """Every version, newest first: floor, on what answers, who, when and why, and which it took back."""
    rows = uow.all("SELECT * FROM registry.link_floor ORDER BY version DESC LIMIT 200")
    return [dict(row) for row in rows]


def answers(uow: UnitOfWork) -> list[Answer]:
    """What people said of pairs that the rule proposed, as score and whether they are one; of the last `days` days."""
    rows = uow.all(
        "SELECT score, verdict = 'SAME' AS same FROM registry.link_decision WHERE asked <> '' AND undone_at IS NULL"
        " AND held = 'PROPOSE' AND at > CAST(:now AS timestamptz) - make_interval(days => :days)",
        now=uow.now,
        days=rules()["days"],
    )
    return [(row["score"], row["same"]) for row in rows]


def learnt(uow: UnitOfWork, wanted: float) -> dict[str, Any]:
    """What the answers so far would bear out at this share of right ones.

    `floor`: under which score nothing need be shown; `sure_from`: from which score pairs are one thing, told only: what
    links by itself needs a strong sign, whatever it scores. None where the answers are too few or too mixed.
    """
    if not 0 < wanted < 1:
        raise NotAllowed("wanted: a share between 0 and 1")
    told = answers(uow)
    floor, sure = floor_for(told, wanted), threshold_for(told, wanted)
    return {
        "wanted": wanted, "answers": len(told), "needed": needed(wanted),
        "floor": _as_row(floor, "same"), "sure_from": _as_row(sure, "different"),
    }  # fmt: skip


def _as_row(cut: Cut | None, other: str) -> dict[str, Any] | None:
    if cut is None:
        return None
    return {"score": cut.score, "right": cut.right, "answers": cut.asked, "low": cut.low, other: cut.other}


def adopt(uow: UnitOfWork, wanted: float, reason: str, score: float | None = None) -> int:
    """Put the floor that the answers bear out into force, for pairs proposed from now on; returns its version.

    `score`: what the person saw on the screen; refused when the answers bear out another one by now. Raises NotAllowed.
    """
    if not reason.strip():
        raise NotAllowed("a threshold needs a reason")
    lock(uow)
    found = learnt(uow, wanted)
    if found["floor"] is None:
        raise NotAllowed("too few answers to bear out a threshold")
    floor = float(found["floor"]["score"])
    if score is not None and score != floor:
        raise NotAllowed("the answers bear out another threshold by now: look again")
    if in_force(uow)[1] == floor:
        raise NotAllowed("this threshold is in force already")
    return _enter(uow, floor, wanted, found, reason, None)


def take_back(uow: UnitOfWork, version: int, reason: str) -> tuple[int, list[Event]]:
    """Put the floor before this version back into force; what was held back meanwhile is proposed now.

    Returns the new version and the events. Raises NotAllowed when it is not the one in force.
    """
    if not reason.strip():
        raise NotAllowed("a threshold needs a reason")
    lock(uow)
    rows = floors(uow)
    if not rows or rows[0]["version"] != version:
        raise NotAllowed("only the threshold in force can be taken back")
    before = rows[1]["floor"] if len(rows) > 1 else None
    made = _enter(uow, before, rows[0]["wanted"], rows[0]["basis"], reason, version)
    return made, _ask_what_was_held_back(uow, before, rows[0]["floor"])


def _enter(
    uow: UnitOfWork, floor: float | None, wanted: float, basis: Any, reason: str, takes_back: int | None
) -> int:
    version = in_force(uow)[0] + 1
    uow.execute(
        "INSERT INTO registry.link_floor (version, floor, wanted, basis, reason, adopted_at, adopted_by, takes_back)"
        " VALUES (:version, :floor, :wanted, CAST(:basis AS jsonb), :reason, :now, :by, :takes_back)",
        version=version,
        floor=floor,
        wanted=wanted,
        basis=orjson.dumps(basis).decode(),
        reason=reason,
        now=uow.now,
        by=uow.actor.id,
        takes_back=takes_back,
    )
    return version


def _ask_what_was_held_back(uow: UnitOfWork, low: float | None, high: float | None) -> list[Event]:
    """Propose the pairs between two floors."""
    rows = uow.all(
        "SELECT DISTINCT c.dispute FROM registry.link_edge e JOIN registry.source_case c ON c.id IN (e.a, e.b)"
        " WHERE e.verdict = 'PROPOSE' AND c.dispute IS NOT NULL AND e.score < CAST(:high AS float8)"
        " AND e.score >= coalesce(CAST(:low AS float8), '-infinity') ORDER BY 1",
        low=low,
        high=high,
    )
    disputes = [row["dispute"] for row in rows]
    events: list[Event] = []
    for start in range(0, len(disputes), SYNCED_AT_ONCE):
        events += link_decisions.sync(uow, disputes[start : start + SYNCED_AT_ONCE])
    return events
