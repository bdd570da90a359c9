"""From statements to episodes: what one agency's case looks like once order of arrival is forgotten. Pure.

Rules of withdrawal (contracts of the court, the petition office, arbitration and the procuratorate):
a withdrawal ends what the partner already had under that key when it withdrew, even if it reaches us first
("born withdrawn"); a proceeding that is first told after the withdrawal under a new number is live again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from case_registry.told import (
    MAKES_EPISODE,
    NEEDS_EPISODE,
    PARTIES,
    Best,
    Told,
    best_claims,
    holes,
    read_day,
    unfilled,
)
from schemas.claims import JsonValue

ENDED = frozenset({"FAILED", "AWARDED", "CLOSED", "WITHDRAWN"})
LASTING = frozenset({"claimed_fen", "agreed_fen", "agreed_on", "occurred_on", PARTIES})
_KIND_OF_RECORD = {"confirmation": "CONFIRMATION", "enforcement": "ENFORCEMENT"}


@dataclass(frozen=True)
class Episode:
    """One agency's handling of a dispute, as its statements leave it.

    `state` is WITHDRAWN when a withdrawal reaches it; `hidden` = not to be shown to other partners;
    `fields`: the holding claim of each field; `confirmation`, `awards`, `enforcement`: kind-specific facts;
    `holes`: running numbers that never came; `last`: the latest statement; `ever`: of the fields that linking
    leans on, every value that was told at any time, oldest first (an agreement undone was still made).
    """

    sub_id: str
    kind: str
    state: str
    fields: dict[str, Best]
    last: Told
    first: Told
    hidden: bool = False
    confirmation: dict[str, Any] | None = None
    enforcement: dict[str, Any] | None = None
    awards: tuple[dict[str, Any], ...] = ()
    holes: tuple[int, ...] = ()
    references: tuple[dict[str, Any], ...] = ()
    parties: tuple[dict[str, Any], ...] = field(default=())
    ever: dict[str, tuple[JsonValue, ...]] = field(default_factory=dict)

    @property
    def withdrawn(self) -> bool:
        """Whether a withdrawal ended it."""
        return self.state == "WITHDRAWN"

    @property
    def open(self) -> bool:
        """Whether somebody is still to act on it; an agreement reached is no longer open."""
        return self.state not in ENDED and self.state != "AGREED"

    def value(self, name: str) -> JsonValue:
        """The field's value, None when blank or not told."""
        return self.fields[name].value if name in self.fields else None

    def day(self, name: str) -> date | None:
        """The field's value as a Beijing day."""
        return read_day(self.value(name))

    def first_day(self) -> date | None:
        """The day of the first fact told of it, where no beginning was told."""
        return read_day(self.first.event_at)

    def confirmed_agreement_day(self) -> date | None:
        """The day on which the agreement that a court confirmed or refused was signed."""
        return read_day((self.confirmation or {}).get("agreement_signed_on"))

    def text(self, name: str) -> str:
        """The field's value as text, "" when blank or not told."""
        value = self.value(name)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True)
class CaseReading:
    """All episodes of one source case, and the statements that still wait for one."""

    episodes: tuple[Episode, ...]
    parked: tuple[Told, ...]


def read_case(told: Sequence[Told], as_true_on: date | None = None) -> CaseReading:
    """Work the statements of one source case out into episodes. Order and doubles change nothing."""
    statements = sorted({t.digest: t for t in told}.values(), key=lambda t: t.order)
    by_sub: dict[str, list[Told]] = {}
    for statement in statements:
        if statement.kind in MAKES_EPISODE:
            by_sub.setdefault(statement.sub_id, []).append(statement)
    waiting = [t for t in statements if t.kind in NEEDS_EPISODE]
    parked = tuple(t for t in waiting if not _target(t, by_sub))
    if not by_sub:
        return CaseReading((), parked)
    applied = [t for t in waiting if _target(t, by_sub)]
    lost = (tuple(holes(statements)), tuple(unfilled(statements)))
    episodes = [_episode(sub, own, applied, by_sub, lost, as_true_on) for sub, own in sorted(by_sub.items())]
    return CaseReading(tuple(episodes), parked)


def _target(statement: Told, by_sub: dict[str, list[Told]]) -> list[str]:
    """The proceedings that a withdrawal or award speaks of; none = it waits."""
    if statement.sub_id:
        return [statement.sub_id] if statement.sub_id in by_sub else []
    if statement.kind == "withdrawal":
        return sorted(by_sub)
    return sorted(by_sub)[:1] if "" not in by_sub else [""]


def _episode(
    sub: str,
    own: list[Told],
    applied: list[Told],
    by_sub: dict[str, list[Told]],
    lost: tuple[tuple[int, ...], tuple[int, ...]],
    as_true_on: date | None,
) -> Episode:
    missing, misleading = lost
    awards = [t for t in applied if t.kind == "award" and sub in _target(t, by_sub)]
    fields = best_claims([*own, *awards], as_true_on)
    withdrawals = [t for t in applied if t.kind == "withdrawal" and _reaches(t, sub, own, by_sub)]
    first_kind = own[0].kind
    confirmation = _latest(own, "confirmation")
    state = _state(fields, confirmation, awards, bool(withdrawals), misleading)
    stated_kind = fields["proceeding_kind"].value if "proceeding_kind" in fields else None
    told_parties = fields[PARTIES].value if PARTIES in fields else None
    latest = max([*own, *awards, *withdrawals], key=lambda t: t.order)
    return Episode(
        sub_id=sub,
        kind=str(stated_kind or _KIND_OF_RECORD.get(first_kind, "OTHER")),
        state=state,
        fields=fields,
        last=latest,
        first=own[0],
        hidden=any(t.data.get("hide") is True for t in withdrawals) or _is_true(fields, "sealed"),
        confirmation=confirmation,
        enforcement=_latest(own, "enforcement"),
        awards=tuple(_awards_in_force(awards)),
        holes=missing,
        references=tuple(r for t in own for r in t.references),
        parties=tuple(p for p in told_parties if isinstance(p, dict))
        if isinstance(told_parties, list)
        else (),
        ever=_ever(own),
    )


def _ever(own: list[Told]) -> dict[str, tuple[JsonValue, ...]]:
    found: dict[str, list[JsonValue]] = {}
    for statement in own:
        for claim in statement.claims:
            if claim.field in LASTING and claim.value is not None:
                values = found.setdefault(claim.field, [])
                if claim.value not in values:
                    values.append(claim.value)
    return {name: tuple(values) for name, values in found.items()}


def _reaches(withdrawal: Told, sub: str, own: list[Told], by_sub: dict[str, list[Told]]) -> bool:
    if sub not in _target(withdrawal, by_sub):
        return False
    # A key without proceedings is ended for good; a proceeding only if it was there before the withdrawal.
    return not sub or own[0].version <= withdrawal.version


def _latest(own: list[Told], kind: str) -> dict[str, Any] | None:
    found = [t for t in own if t.kind == kind]
    return found[-1].data if found else None


def _is_true(fields: dict[str, Best], name: str) -> bool:
    return name in fields and fields[name].value is True


def _state(
    fields: dict[str, Best],
    confirmation: dict[str, Any] | None,
    awards: list[Told],
    withdrawn: bool,
    lost: tuple[int, ...],
) -> str:
    if withdrawn:
        return "WITHDRAWN"
    told = fields["state"].value if "state" in fields else None
    state = told if isinstance(told, str) and told else ("CLOSED" if confirmation else "OPEN")
    if state in ENDED or not any(a.data.get("final") is True for a in awards):
        return state
    # An end that stands behind a lost message is not shown as the end: the case is fetched first.
    return state if lost else "AWARDED"


def _awards_in_force(awards: list[Told]) -> list[dict[str, Any]]:
    """Awards that count: a correction takes the place of what it corrects; a final one that of partial ones
    only where it says so, since totals are per document."""
    corrected = {str(t.data["corrects"]) for t in awards if t.data.get("corrects")}
    return [t.data for t in awards if str(t.data.get("award_id", "")) not in corrected]
