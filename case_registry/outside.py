"""Facts that hang on a dispute and are no claim of a partner: other rooms' summaries, people's flags and words.

Each hangs on one of the dispute's cases, so it follows merges and splits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from case_registry.authority import BY_DECISION, Voice
from case_registry.factor_table import window_of
from case_registry.whereabouts import Outside
from foundation.unit_of_work import UnitOfWork


@dataclass
class Facts:
    """Facts of one case, or of all cases of a dispute taken together."""

    escrows: list[dict[str, Any]] = field(default_factory=list)
    notices_owed: int = 0
    flags: list[str] = field(default_factory=list)
    notes: list[tuple[str, str, datetime]] = field(default_factory=list)
    overrides: list[dict[str, Any]] = field(default_factory=list)
    open_gaps: int = 0
    gaps: int = 0
    decisions: list[Voice] = field(default_factory=list)

    @property
    def outside(self) -> Outside:
        """What stage and flags are read from; several escrows of one dispute are added up."""
        return Outside(_sum_up(self.escrows), self.notices_owed)

    @staticmethod
    def together(by_case: Mapping[int, Facts], cases: Iterable[int]) -> Facts:
        """The facts of several cases as one."""
        whole = Facts()
        for case in cases:
            own = by_case.get(case)
            if own is None:
                continue
            whole.escrows += own.escrows
            whole.notices_owed += own.notices_owed
            whole.flags += own.flags
            whole.notes += own.notes
            whole.overrides += own.overrides
            whole.open_gaps += own.open_gaps
            whole.gaps += own.gaps
            whole.decisions += own.decisions
        return whole

    def noted(self, now: datetime) -> dict[str, list[str]]:
        """Words recorded by officers, by indicator, that count still: a note lapses with its indicator's window."""
        found: dict[str, list[str]] = {}
        for indicator, step, at in self.notes:
            window = window_of(indicator)
            if not window or now - at <= timedelta(days=window):
                found.setdefault(indicator, []).append(step)
        return found


def _sum_up(escrows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    live = [e for e in escrows if e.get("state", "NONE") != "NONE"]
    if not live:
        return None
    if len(live) == 1:
        return live[0]
    unfinished = [e for e in live if e["state"] != "COMPLETED"]
    total: dict[str, Any] = {"state": (unfinished or live)[0]["state"], "flags": []}
    for escrow in live:
        total["flags"] += [f for f in escrow.get("flags", ()) if f not in total["flags"]]
        for name, value in escrow.items():
            if name.endswith("_fen") and isinstance(value, int):
                total[name] = total.get(name, 0) + value
    return total


_FACTS = """
SELECT 'fact' AS what, source_case, kind AS name, value, NULL::timestamptz AS at FROM (
    SELECT DISTINCT ON (source_case, kind) source_case, kind, value FROM registry.outside_fact
    WHERE source_case = ANY(:cases) AND at <= :at ORDER BY source_case, kind, id DESC) f
UNION ALL
SELECT 'flag', source_case, flag, 'null', set_at FROM registry.flag
    WHERE source_case = ANY(:cases) AND set_at <= :at AND (cleared_at IS NULL OR cleared_at > :at)
UNION ALL
SELECT 'note', source_case, indicator, to_jsonb(step), at FROM registry.indicator_note
    WHERE source_case = ANY(:cases) AND at <= :at AND (ended_at IS NULL OR ended_at > :at)
UNION ALL
SELECT 'override', source_case, grade, jsonb_build_object('until', until, 'by', by, 'reason', reason, 'code', code,
    'second', second, 'at', at), at FROM registry.grade_override WHERE source_case = ANY(:cases) AND at <= :at
UNION ALL
SELECT 'gap', g.source_case, g.kind, to_jsonb(g.ended_at IS NULL OR g.ended_at > :at), g.raised_at
    FROM registry.gap_alarm g WHERE g.source_case = ANY(:cases) AND g.kind <> 'NO_RECEIPT' AND g.raised_at <= :at
UNION ALL
SELECT 'decision', s.source_case, k.field,
    jsonb_build_object('value', k.value, 'claim', k.id, 'version', s.version, 'event_at', s.event_at), s.recorded_at
    FROM registry.statement s JOIN registry.claim k ON k.statement = s.id
    WHERE s.source_case = ANY(:cases) AND s.kind = 'decision' AND s.retracted_at IS NULL AND s.recorded_at <= :at
"""


# Not the unit of work's own now: it may be older than what another wrote and committed while this one waited for the lock.
_WHATEVER_IS_THERE = datetime.max.replace(tzinfo=UTC)


def facts_of(uow: UnitOfWork, cases: Sequence[int], at: datetime | None = None) -> dict[int, Facts]:
    """The facts of these cases as they were known at a moment (all that are there where none is given)."""
    found: dict[int, Facts] = {}
    if not cases:
        return found
    for row in uow.all(_FACTS, cases=list(cases), at=at or _WHATEVER_IS_THERE):
        own = found.setdefault(row["source_case"], Facts())
        name, value = row["name"], row["value"]
        if row["what"] == "fact" and name == "escrow":
            own.escrows.append(value)
        elif row["what"] == "fact":
            own.notices_owed = int(value)
        elif row["what"] == "flag":
            own.flags.append(name)
        elif row["what"] == "note":
            own.notes.append((name, value, row["at"]))
        elif row["what"] == "override":
            own.overrides.append({"grade": name, **value, "until": date.fromisoformat(value["until"])})
        elif row["what"] == "gap":
            own.gaps += 1
            own.open_gaps += bool(value)
        else:
            own.decisions.append(
                Voice(
                    BY_DECISION,
                    ("", ""),
                    name,
                    value["value"],
                    value["claim"],
                    value["event_at"],
                    value["version"],
                )
            )
    return found
