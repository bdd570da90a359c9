"""Supervision by the clock: cases drafted by rule, urged, resumed, shown red, sent one level up (supervision.md 3).

Nothing here issues or closes a case: what the clock drafts a person issues. Safe to run as often as one likes.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from case_registry import supervision
from case_registry.deadlines import over_after
from case_registry.source import Event, NotAllowed
from case_registry.supervision_rules import LEVELS, level_for_red, table
from case_registry.told import BEIJING
from foundation.unit_of_work import UnitOfWork

BATCH = 200
LOOK_BACK = timedelta(days=60)
"""A lamp that has been red for longer drafts nothing by itself: history is loaded with its limits long gone."""


def watch_supervision(uow: UnitOfWork) -> list[Event]:
    """All that time alone makes due; at most BATCH of each kind a round. Returns the events of the acts done."""
    return [*_not_signed(uow), *_urge(uow), *_resume(uow), *_escalate(uow), *_draft_for_red(uow)]


def _due(uow: UnitOfWork, where: str, **params: Any) -> list[RowMapping]:
    return list(
        uow.all(
            "SELECT s.id, s.level, s.state, k.id AS clock, k.rule, k.red_at, k.started_at FROM registry.supervision_case s"
            " JOIN registry.clock k ON k.supervision = s.id AND k.state = 'RUNNING'"
            f" WHERE {where} ORDER BY k.red_at, s.id LIMIT :most",
            now=uow.now,
            most=BATCH,
            **params,
        )
    )


_SINCE = "SELECT 1 FROM registry.supervision_act a WHERE a.supervision = s.id AND a.event = '{}' AND a.at >= k.started_at"


def _not_signed(uow: UnitOfWork) -> list[Event]:
    rows = _due(
        uow, f"s.state = 'ISSUED' AND k.red_at <= :now AND NOT EXISTS ({_SINCE.format('not_signed')})"
    )
    return [e for row in rows for e in supervision.act(uow, row["id"], "not_signed", {"rule": row["rule"]})]


def _urge(uow: UnitOfWork) -> list[Event]:
    """L0: a yellow lamp on an answer urges once by itself."""
    rows = _due(uow, f"s.state = 'HANDLING' AND k.yellow_at <= :now AND NOT EXISTS ({_SINCE.format('urge')})")
    return [e for row in rows for e in supervision.act(uow, row["id"], "urge", {"text": "黄灯自动催办"})]


def _resume(uow: UnitOfWork) -> list[Event]:
    rows = uow.all(
        "SELECT id FROM registry.supervision_case WHERE state = 'SUSPENDED' AND suspended_until <= :today LIMIT :most",
        today=uow.now.astimezone(BEIJING).date(),
        most=BATCH,
    )
    return [e for row in rows for e in supervision.act(uow, row["id"], "resume", {"reason": "中止期限届满"})]


def red_workdays(red_at: datetime, now: datetime) -> int:
    """How many workdays a lamp has been red: whole workdays since the last day in time, at most the table's largest."""
    most = max(row["workdays"] for row in table()["red"])
    last_day = red_at - timedelta(microseconds=1)
    return sum(now >= over_after(last_day, n) for n in range(1, most + 1))


def _escalate(uow: UnitOfWork) -> list[Event]:
    """A case whose own clock has been red longer than the table goes one level up."""
    events: list[Event] = []
    for row in _due(
        uow, "s.level <> 'L1' AND k.red_at <= :now AND s.state NOT IN ('DRAFT', 'SUSPENDED', 'OBJECTED')"
    ):
        days = red_workdays(row["red_at"], uow.now)
        called = level_for_red(days)
        if called and LEVELS.index(called) > LEVELS.index(row["level"]):
            events += supervision.act(
                uow, row["id"], "escalate", {"rule": f"{row['rule']} red {days} workdays"}
            )
    return events


_RED = """
SELECT DISTINCT ON (c.dispute) c.dispute, k.agency, k.rule, k.red_at, d.grade FROM registry.clock k
JOIN registry.source_case c ON c.id = k.source_case JOIN registry.dispute d ON d.id = c.dispute
WHERE k.state = 'RUNNING' AND k.lamp = 'RED' AND k.supervision IS NULL AND k.red_at >= :since
  AND k.red_at <= CASE WHEN d.grade = 'RED' THEN CAST(:now AS timestamptz) ELSE :until END
  AND NOT EXISTS (SELECT 1 FROM registry.supervision_case s JOIN registry.source_case o ON o.id = s.source_case
      WHERE o.dispute = c.dispute AND (s.state NOT IN ('VOID', 'CLOSED', 'WITHDRAWN', 'ESCALATED') OR s.drafted_at >= k.red_at))
ORDER BY c.dispute, k.red_at LIMIT :most
"""


def _draft_for_red(uow: UnitOfWork) -> list[Event]:
    """A legal clock red for some workdays drafts a case at the level the table names; RED factors skip one column."""
    events: list[Event] = []
    first = min(row["workdays"] for row in table()["red"])
    when = {"since": uow.now - LOOK_BACK, "now": uow.now, "until": uow.now - timedelta(days=first)}
    for row in uow.all(_RED, most=BATCH, **when):
        days = red_workdays(row["red_at"], uow.now)
        level = level_for_red(days, skip=row["grade"] == "RED")
        if level:
            why = f"{row['rule']} 红灯已 {days} 个工作日"
            events += draft_by_rule(
                uow, row["dispute"], level, row["agency"], "RED_LAMP", why, rule=f"{row['rule']}+{days}"
            )
    return events


def draft_by_rule(
    uow: UnitOfWork, dispute: UUID, level: str, agency: str, reason: str, why: str, *, rule: str
) -> list[Event]:
    """Draft a case for a rule; nothing where a draft or a case of that level is there already."""
    try:
        with uow.conn.begin_nested():
            made = supervision.draft(uow, dispute, level, agency, reason, why, rule=rule)
    except NotAllowed:
        return []
    return [
        {
            "event": "supervision_drafted",
            "supervision": made,
            "dispute_id": dispute,
            "level": level,
            "agency": agency,
        }
    ]


def draft_at_once(uow: UnitOfWork, dispute: UUID, agency: str, reason: str, why: str) -> list[Event]:
    """Draft the case that a gap, a repeat petition or a grade calls for at once, by the table."""
    level = table()["at_once"][reason]
    return draft_by_rule(uow, dispute, level, agency, reason, why, rule=reason)
