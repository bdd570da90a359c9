"""Unstable factors in the database: the grade that stands, its log, officers' notes, overrides that expire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from case_registry import factors
from case_registry.disputes import anchor, dispute_ref
from case_registry.outside import Facts
from case_registry.source import Event, NotAllowed
from case_registry.told import BEIJING
from case_registry.whereabouts import primary
from foundation.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from case_registry.refresh import Whole

_MIN_REASON = 20


def assess(uow: UnitOfWork, whole: Whole, facts: Facts, stage: str) -> tuple[list[Event], str]:
    """Grade a dispute now; returns events and the grade in force (an override while it lasts)."""
    held, gaps, noted = primary(whole.held), facts.gaps, facts.noted()
    row = whole.row if whole.row["computed"] is not None else None
    if row is None:
        grade = factors.first_grade(held, facts.outside, now=uow.now, gaps=gaps, stage=stage, noted=noted)
    else:
        values = factors.computed_values(held, facts.outside, now=uow.now, gaps=gaps, stage=stage)
        grade = factors.grade(factors.readings(values, noted))
    if row is None and grade.name == "NONE":
        return [], _in_force("NONE", facts.overrides, uow.now.astimezone(BEIJING).date())
    was, since = (row["computed"], row["lower_since"]) if row else ("NONE", None)
    stands = factors.stand(was, since, grade.name, uow.now)
    rows = [r.as_row() for r in grade.readings]
    if row is None or (row["score"], row["computed"], row["indicators"], row["lower_since"]) != (
        grade.score, stands.name, rows, stands.lower_since,
    ):  # fmt: skip
        _write(uow, whole.row["id"], grade, stands, rows, moved=stands.name != was)
    shown = _in_force(stands.name, facts.overrides, uow.now.astimezone(BEIJING).date())
    if stands.name == was:
        return [], shown
    _log(uow, whole.row["id"], was, stands.name, grade, rows)
    up = factors.GRADES.index(stands.name) > factors.GRADES.index(was)
    event = {"event": "factor_raised" if up else "factor_lowered", "from": was, "to": stands.name,
             "score": grade.score, "why": grade.why, "indicators": rows}  # fmt: skip
    return [event], shown


def _in_force(computed: str, overrides: Sequence[dict[str, Any]], today: date) -> str:
    live = [o for o in overrides if o["until"] >= today]
    return str(max(live, key=lambda o: o["at"])["grade"]) if live else computed


def _write(
    uow: UnitOfWork,
    dispute: UUID,
    grade: factors.Grade,
    stands: factors.Standing,
    rows: list[dict[str, Any]],
    *,
    moved: bool,
) -> None:
    today = uow.now.astimezone(BEIJING).date()
    uow.execute(
        "INSERT INTO registry.factor AS f (dispute, score, computed, lower_since, indicators, rule_version, changed_at, review_on)"
        " VALUES (:d, :score, :grade, :since, CAST(:rows AS jsonb), :version, :now, :review)"
        " ON CONFLICT (dispute) DO UPDATE SET score = excluded.score, computed = excluded.computed,"
        " lower_since = excluded.lower_since, indicators = excluded.indicators, rule_version = excluded.rule_version,"
        " changed_at = CASE WHEN :moved THEN excluded.changed_at ELSE f.changed_at END,"
        " review_on = CASE WHEN :moved THEN excluded.review_on ELSE f.review_on END",
        d=dispute,
        score=grade.score,
        grade=stands.name,
        since=stands.lower_since,
        rows=orjson.dumps(rows).decode(),
        version=factors.table()["version"],
        now=uow.now,
        review=factors.review_on(stands.name, today),
        moved=moved,
    )


def _log(
    uow: UnitOfWork, dispute: UUID, was: str, now: str, grade: factors.Grade, rows: list[dict[str, Any]]
) -> None:
    uow.execute(
        "INSERT INTO registry.factor_log (dispute, at, by, was, now, score, indicators, rule_version, cause)"
        " VALUES (:d, :at, :by, :was, :grade, :score, CAST(:rows AS jsonb), :version, :cause)",
        d=dispute,
        at=uow.now,
        by=uow.actor.id,
        was=was,
        grade=now,
        score=grade.score,
        rows=orjson.dumps(rows).decode(),
        version=factors.table()["version"],
        cause=grade.why,
    )


def note(
    uow: UnitOfWork, dispute: str | UUID, indicator: str, step: str, reason: str, source: str = ""
) -> None:
    """Record what only a person or another source can state (a threat, arrears, a bypass petition).

    `step`: one of the indicator's words, any text where it is counted. Raises NotAllowed.
    """
    row = factors.table()["by_id"].get(indicator)
    if row is None or row["by"] != "noted":
        raise NotAllowed(f"{indicator} is not an indicator that people record")
    if "words" in row and step not in row["words"]:
        raise NotAllowed(f"{indicator} takes one of: {', '.join(row['words'])}")
    if not reason.strip():
        raise NotAllowed("a note needs a reason")
    uow.execute(
        "INSERT INTO registry.indicator_note (source_case, indicator, step, at, by, reason, source)"
        " VALUES (:c, :i, :step, :at, :by, :reason, :source)",
        c=anchor(uow, dispute),
        i=indicator,
        step=step,
        at=uow.now,
        by=uow.actor.id,
        reason=reason,
        source=source,
    )


def override(
    uow: UnitOfWork,
    dispute: str | UUID,
    grade: str,
    code: str,
    reason: str,
    until: date,
    *,
    second: str = "",
    document: str = "",
) -> None:
    """Set the grade by hand until a day. Raises NotAllowed: no end, too long, thin reason, second person lacking."""
    today = uow.now.astimezone(BEIJING).date()
    ident = dispute_ref(uow, dispute).id
    row = uow.one("SELECT computed, indicators FROM registry.factor WHERE dispute = :d", d=ident)
    computed = row["computed"] if row else "NONE"
    most = min(factors.table()["by_grade"].get(g, {}).get("override_days", 30) for g in (grade, computed))
    if grade not in factors.GRADES:
        raise NotAllowed(f"a grade is one of: {', '.join(factors.GRADES)}")
    lowers = factors.GRADES.index(grade) < factors.GRADES.index(computed)
    if len(reason.strip()) < _MIN_REASON or not code:
        raise NotAllowed(f"an override needs a code and a reason of at least {_MIN_REASON} characters")
    if not today <= until or (until - today).days > most:
        raise NotAllowed(f"an override ends within {most} days")
    if lowers and computed in ("ORANGE", "RED") and (not second or second == uow.actor.id):
        raise NotAllowed("lowering ORANGE or RED needs a second person")
    if lowers and row and any(i["id"] == "U06" for i in row["indicators"]) and not document:
        raise NotAllowed("self-harm: lowering needs a document of the health service or the police")
    uow.execute(
        "INSERT INTO registry.grade_override (id, source_case, grade, code, reason, by, second, at, until, document)"
        " VALUES (:id, :c, :grade, :code, :reason, :by, :second, :at, :until, :document)",
        id=uow.new_id(),
        c=anchor(uow, dispute),
        grade=grade,
        code=code,
        reason=reason,
        by=uow.actor.id,
        second=second or None,
        at=uow.now,
        until=until,
        document=document,
    )


def strike_off(uow: UnitOfWork, dispute: str | UUID, reason: str) -> Event:
    """Take a factor off the list, by a person. Raises NotAllowed while the score is 15 or was within 30 days."""
    ident = dispute_ref(uow, dispute).id
    row = uow.one("SELECT * FROM registry.factor WHERE dispute = :d FOR UPDATE", d=ident)
    wait = factors.table()["by_grade"]["BLUE"]["down_after_days"]
    if row is None or row["computed"] != "BLUE" or row["lower_since"] is None:
        raise NotAllowed("only a BLUE factor whose score is below the list can be struck off")
    if (uow.now - row["lower_since"]).days < wait:
        raise NotAllowed(f"the score must have been below the list for {wait} days")
    if not reason.strip():
        raise NotAllowed("striking off needs a reason")
    uow.execute(
        "UPDATE registry.factor SET computed = 'NONE', lower_since = NULL, changed_at = :now, review_on = NULL WHERE dispute = :d",
        d=ident,
        now=uow.now,
    )
    _log(uow, ident, "BLUE", "NONE", factors.Grade("NONE", row["score"], reason, ()), row["indicators"])
    return {"event": "factor_lowered", "from": "BLUE", "to": "NONE", "score": row["score"], "why": reason,
            "indicators": row["indicators"]}  # fmt: skip
