"""Unstable factors in the database: the grade that stands, its log, officers' notes, overrides that expire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from case_registry import factor_table, factors
from case_registry.disputes import anchor, dispute_ref
from case_registry.outside import Facts
from case_registry.source import Event, NotAllowed
from case_registry.told import BEIJING
from case_registry.whereabouts import primary
from foundation.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from case_registry.refresh import Whole

_MIN_REASON = 20


@dataclass
class Kept:
    """Grades to be kept: rows of factors and of their log."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)


def assess(
    now: datetime, by: str, whole: Whole, facts: Facts, stage: str, kept: Kept
) -> tuple[list[Event], str]:
    """Grade a dispute now; returns events and the grade in force (an override while it lasts). What is to be kept of
    it goes to `kept`; `keep` writes it."""
    held, gaps, noted = primary(whole.held), facts.gaps, facts.noted(now)
    today = now.astimezone(BEIJING).date()
    row = whole.row if whole.row["computed"] is not None else None
    if row is None:
        grade = factors.first_grade(held, facts.outside, now=now, gaps=gaps, stage=stage, noted=noted)
    else:
        grade = factors.grade_at(held, facts.outside, now=now, gaps=gaps, stage=stage, noted=noted)
    if row is None and grade.name == "NONE":
        shown = _in_force("NONE", facts.overrides, today)
        _log_override(whole, shown, 0, [], now, by, facts, kept)
        return [], shown
    was, since = (row["computed"], row["lower_since"]) if row else ("NONE", None)
    stands = factors.stand(was, since, grade.name, now)
    rows = [r.as_row() for r in grade.readings]
    shared = {"dispute": whole.row["id"], "score": grade.score, "indicators": rows,
              "rule_version": factor_table.table()["version"]}  # fmt: skip
    if row is None or (row["score"], row["computed"], row["indicators"], row["lower_since"]) != (
        grade.score, stands.name, rows, stands.lower_since,
    ):  # fmt: skip
        kept.rows.append({**shared, "computed": stands.name, "lower_since": stands.lower_since, "changed_at": now,
                          "review_on": factors.review_on(stands.name, today)})  # fmt: skip
    shown = _in_force(stands.name, facts.overrides, today)
    if stands.name == was:
        _log_override(whole, shown, grade.score, rows, now, by, facts, kept)
        return [], shown
    kept.log.append({**shared, "at": now, "by": by, "was": was, "now": stands.name, "cause": grade.why})
    up = factors.GRADES.index(stands.name) > factors.GRADES.index(was)
    event = {"event": "factor_raised" if up else "factor_lowered", "from": was, "to": stands.name,
             "score": grade.score, "why": grade.why, "indicators": rows}  # fmt: skip
    return [event], shown


def _log_override(
    whole: Whole,
    shown: str,
    score: int,
    rows: list[dict[str, Any]],
    now: datetime,
    by: str,
    facts: Facts,
    kept: Kept,
) -> None:
    """A grade set by hand that begins or has run out is a change of what people read, and has its line."""
    before = str(whole.row["grade"])
    if before == shown or not facts.overrides:
        return
    last = max(facts.overrides, key=lambda o: o["at"])
    running = last["until"] >= now.astimezone(BEIJING).date()
    cause = (
        f"override {last['code']} by {last['by']} until {last['until']}"
        if running
        else f"override ended on {last['until']}"
    )
    kept.log.append({"dispute": whole.row["id"], "at": now, "by": by, "was": before, "now": shown, "score": score,
                     "indicators": rows, "rule_version": factor_table.table()["version"], "cause": cause})  # fmt: skip


def keep(uow: UnitOfWork, kept: Kept) -> None:
    """Write what grading came to."""
    if kept.rows:
        uow.execute(_KEEP, rows=orjson.dumps(kept.rows).decode())
    if kept.log:
        uow.execute(_LOG, rows=orjson.dumps(kept.log).decode())


COLUMNS = "dispute, score, computed, lower_since, indicators, rule_version, changed_at, review_on"
_KEEP = f"""
INSERT INTO registry.factor AS f ({COLUMNS})
SELECT {COLUMNS} FROM json_populate_recordset(NULL::registry.factor, CAST(:rows AS json))
ON CONFLICT (dispute) DO UPDATE SET score = excluded.score, computed = excluded.computed,
    lower_since = excluded.lower_since, indicators = excluded.indicators, rule_version = excluded.rule_version,
    changed_at = CASE WHEN f.computed <> excluded.computed THEN excluded.changed_at ELSE f.changed_at END,
    review_on = CASE WHEN f.computed <> excluded.computed THEN excluded.review_on ELSE f.review_on END
"""
LOG_COLUMNS = "dispute, at, by, was, now, score, indicators, rule_version, cause"
_LOG = f"""
INSERT INTO registry.factor_log ({LOG_COLUMNS})
SELECT {LOG_COLUMNS}
FROM json_populate_recordset(NULL::registry.factor_log, CAST(:rows AS json))
"""


def _in_force(computed: str, overrides: Sequence[dict[str, Any]], today: date) -> str:
    live = [o for o in overrides if o["until"] >= today]
    return str(max(live, key=lambda o: o["at"])["grade"]) if live else computed


def _log(
    uow: UnitOfWork, dispute: UUID, was: str, now: str, score: int, rows: list[dict[str, Any]], why: str
) -> None:
    row = {"dispute": dispute, "at": uow.now, "by": uow.actor.id, "was": was, "now": now, "score": score, "indicators": rows,
           "rule_version": factor_table.table()["version"], "cause": why}  # fmt: skip
    keep(uow, Kept(log=[row]))


def note(
    uow: UnitOfWork, dispute: str | UUID, indicator: str, step: str, reason: str, source: str = "",
    until: date | None = None,
) -> None:  # fmt: skip
    """Record what only a person or another source can state (a threat, arrears, a bypass petition).

    `step`: one of the indicator's words, any text where it is counted; `until`: the last day on which it counts, within
    the indicator's window; None = the window. Raises NotAllowed.
    """
    row = factor_table.table()["by_id"].get(indicator)
    if row is None or row["by"] != "noted":
        raise NotAllowed(f"{indicator} is not an indicator that people record")
    steps = [*row.get("words", ()), *row.get("counted", ())]
    if "words" in row and step not in steps:
        raise NotAllowed(f"{indicator} takes one of: {', '.join(steps)}")
    if not source.strip() and row.get("source_needed"):
        raise NotAllowed(f"{indicator} comes from {row['source']}: name the source")
    if not reason.strip():
        raise NotAllowed("a note needs a reason")
    today, window = uow.now.astimezone(BEIJING).date(), factor_table.window_of(indicator)
    if until is not None and (until < today or (window and (until - today).days > window)):
        raise NotAllowed(f"a note ends today or later{f', within {window} days' if window else ''}")
    uow.execute(
        "INSERT INTO registry.indicator_note (source_case, indicator, step, at, by, reason, source, until)"
        " VALUES (:c, :i, :step, :at, :by, :reason, :source, :until)",
        c=anchor(uow, dispute),
        i=indicator,
        step=step,
        at=uow.now,
        by=uow.actor.id,
        reason=reason,
        source=source,
        until=until,
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
    most = min(
        factor_table.table()["by_grade"].get(g, {}).get("override_days", 30) for g in (grade, computed)
    )
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
    wait = factor_table.table()["by_grade"]["BLUE"]["down_after_days"]
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
    _log(uow, ident, "BLUE", "NONE", row["score"], row["indicators"], reason)
    return {"event": "factor_lowered", "from": "BLUE", "to": "NONE", "score": row["score"], "why": reason,
            "indicators": row["indicators"]}  # fmt: skip
