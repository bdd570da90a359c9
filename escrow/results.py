"""What every act of the escrow room gives back: events for choreography, findings for the reader."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from foundation.unit_of_work import UnitOfWork
from schemas.findings import Finding, Refused

Event = dict[str, Any]
"""{"event": code, "case_id", "dispute", "mediation_number", …}: what happened, for `hub.choreography`."""

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")


@dataclass
class Result:
    """The outcome of an act. `id`: what it made or found; `findings`: why something was not taken."""

    events: list[Event] = field(default_factory=list)
    id: UUID | None = None
    findings: list[Finding] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)

    def add(self, other: Result) -> None:
        """Take over the events and findings of another act."""
        self.events += other.events
        self.findings += other.findings

    def names(self) -> list[str]:
        """The codes of the events, in order."""
        return [str(event["event"]) for event in self.events]


def beijing_day(at: datetime) -> date:
    """The calendar day in Beijing of an instant."""
    return at.astimezone(BEIJING).date()


def refuse(code: str, path: str, found: object = "", expected: object = "", action: str = "") -> Refused:
    """A Refused with one finding, to be raised by the caller."""
    return Refused(Finding(code, path, str(found), str(expected), action))


def need_role(uow: UnitOfWork, act: str) -> None:
    """Raise Refused unless the acting person holds a role that may do `act` (table escrow.act_role)."""
    roles = [row["role"] for row in uow.all("SELECT role FROM escrow.act_role WHERE act = :act", act=act)]
    if not uow.actor.has(*roles):
        raise refuse(
            "NOT_AUTHORISED", "actor.roles", ",".join(sorted(uow.actor.roles)), ",".join(sorted(roles))
        )


def acts_of(uow: UnitOfWork) -> frozenset[str]:
    """What the acting person's roles allow: draft, check, release, cancel, propose, confirm, stop, break."""
    rows = uow.all(
        "SELECT DISTINCT act FROM escrow.act_role WHERE role = ANY(:roles)", roles=sorted(uow.actor.roles)
    )
    return frozenset(row["act"] for row in rows)


def said(text: str, path: str, code: str = "FIELD_MISSING", expected: str = "a reason") -> str:
    """The text, stripped. Raises Refused when it is empty."""
    if not text.strip():
        raise refuse(code, path, "", expected)
    return text.strip()


def sum_fen(rows: Iterable[Any], name: str = "fen") -> int:
    """Sum of a column of rows."""
    return sum(int(row[name]) for row in rows)
