"""Where a dispute is now and who holds it, read from its episodes by the table `data/whereabouts.toml`. Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from case_registry.episodes import Episode
from case_registry.told import read_time
from schemas.case_numbers import normalise_case_number

STAGES = (
    "NONE",
    "IN_PETITION",
    "MEDIATING",
    "MEDIATION_FAILED",
    "AGREED",
    "CONFIRMED",
    "CONFIRMATION_REFUSED",
    "IN_COURT",
    "IN_ARBITRATION",
    "AWARDED",
    "ENFORCEMENT",
    "WITH_AGENCY",
    "CLOSED",
)
_COMMITTEE_WORDS = ("调解委员会", "调委会", "人民调解")
_PROCURATORATE_KINDS = frozenset(
    {
        "CRIMINAL_RECONCILIATION",
        "SUPPORT_PROSECUTION",
        "CIVIL_SUPERVISION",
        "JUDICIAL_RELIEF",
        "PUBLIC_INTEREST",
    }
)
_REACHES_AGREEMENT = frozenset({"MEDIATION", "PRE_LITIGATION_MEDIATION", "CRIMINAL_RECONCILIATION"})


@dataclass(frozen=True)
class Held:
    """An episode with the agency that handles it."""

    agency: str
    case: tuple[str, str]
    episode: Episode

    @property
    def kind(self) -> str:
        """The kind of proceeding."""
        return self.episode.kind


@dataclass(frozen=True)
class Outside:
    """What other rooms told of the dispute: the escrow's summary (None = none opened), notices still owed."""

    escrow: Mapping[str, Any] | None = None
    notices_owed: int = 0

    @property
    def escrow_state(self) -> str:
        """The state of the escrow, NONE where there is none."""
        return str(self.escrow.get("state", "NONE")) if self.escrow else "NONE"


@dataclass(frozen=True)
class Whereabouts:
    """`stage` and `holder` (kind of agency, "-" for none), and the rule that said so."""

    stage: str
    holder: str
    why: str


@dataclass(frozen=True)
class Rule:
    """One row of the table."""

    when: tuple[str, ...]
    stage: str
    holder: str
    why: str


@cache
def rules() -> tuple[Rule, ...]:
    """The rules in order. Raises KeyError at once when the table names a sign or stage that is not there."""
    raw = tomllib.loads(files("case_registry").joinpath("data/whereabouts.toml").read_text("utf-8"))
    found = tuple(Rule(tuple(r["when"]), r["stage"], r["holder"], r["why"]) for r in raw["rule"])
    for rule in found:
        for name in rule.when:
            SIGNS[name.removeprefix("!")]
        if rule.stage not in STAGES:
            raise KeyError(rule.stage)
    return found


def primary(held: Sequence[Held]) -> list[Held]:
    """The episodes without copies: one agency's proceeding told twice, by its feed and by its weekly sheet.

    Of two with one case number, the one that tells how it stands goes first; then the later version where one
    connector told both, else the later fact.
    """
    best: dict[tuple[str, str, str], Held] = {}
    for item in held:
        number = normalise_case_number(
            item.episode.text("case_number") or item.episode.sub_id or item.case[1]
        )
        key = (item.agency, item.kind, number)
        known = best.get(key)
        if known is None or _speaks_before(item, known):
            best[key] = item
    kept = {id(item) for item in best.values()}
    return [item for item in held if id(item) in kept]


def _speaks_before(one: Held, other: Held) -> bool:
    tells, told = _tells_state(one.episode), _tells_state(other.episode)
    if tells is not told:
        return tells
    if one.case[0] == other.case[0]:
        return one.episode.last.order > other.episode.last.order
    return _fact_order(one) > _fact_order(other)


def _tells_state(episode: Episode) -> bool:
    """Whether somebody said how it stands: in so many words, by an award, or by withdrawing it."""
    return "state" in episode.fields or bool(episode.awards) or episode.withdrawn


def _fact_order(item: Held) -> tuple[str, tuple[str, str], str]:
    return str(read_time(item.episode.last.event_at) or ""), item.case, item.episode.sub_id


def whereabouts(held: Sequence[Held], outside: Outside) -> Whereabouts:
    """Stage and holder of a dispute with these episodes."""
    return by_signs(_Signs(held, outside), held)


class _Signs(dict[str, bool]):
    """Signs worked out when a rule asks for them, once each."""

    def __init__(self, held: Sequence[Held], outside: Outside) -> None:
        super().__init__()
        self._held, self._outside = held, outside

    def __missing__(self, name: str) -> bool:
        self[name] = found = SIGNS[name](self._held, self._outside)
        return found


def by_signs(signs: Mapping[str, bool], held: Sequence[Held]) -> Whereabouts:
    """The first rule whose signs hold; the last rule holds whenever there is an episode."""
    for rule in rules():
        if all(signs[name.removeprefix("!")] is not name.startswith("!") for name in rule.when):
            holder = _last_agency(held) if rule.holder == "@last" else rule.holder
            return Whereabouts(rule.stage, holder, rule.why)
    raise AssertionError("the table of whereabouts does not cover this dispute")


def _last_agency(held: Sequence[Held]) -> str:
    if not held:
        return "-"
    return max(held, key=_fact_order).agency


def agreement_episodes(held: Iterable[Held]) -> list[Held]:
    """Episodes whose agreement is in force: reached, not withdrawn, not undone since."""
    return [h for h in held if h.kind in _REACHES_AGREEMENT and _agreed(h.episode)]


def _agreed(episode: Episode) -> bool:
    return episode.state == "AGREED" or (episode.state == "CLOSED" and episode.day("agreed_on") is not None)


def agreed_on(held: Sequence[Held]) -> date | None:
    """The day of the agreement in force, the latest where there are several."""
    days = [d for h in agreement_episodes(held) if (d := h.episode.day("agreed_on"))]
    return max(days, default=None)


def _some(kind: str, *states: str) -> Callable[[Sequence[Held], Outside], bool]:
    return lambda held, _: any(h.kind == kind and h.episode.state in states for h in held)


def _running(kind: str) -> Callable[[Sequence[Held], Outside], bool]:
    return lambda held, _: any(h.kind == kind and h.episode.open for h in held)


def _suit_after(held: Sequence[Held], *, still_open: bool) -> bool:
    day = agreed_on(held)
    suits = [h.episode for h in held if h.kind == "TRIAL" and not h.episode.withdrawn]
    after = [e for e in suits if day and (opened := e.day("opened_on")) and opened > day]
    return any(e.open for e in after) if still_open else bool(after) and not any(e.open for e in after)


def confirmation_result(held: Iterable[Held]) -> str:
    """The result of the latest judicial confirmation: CONFIRMED, REFUSED, WITHDRAWN, REVOKED or ""."""
    found = [h for h in held if h.episode.confirmation and not h.episode.withdrawn]
    if not found:
        return ""
    latest = max(found, key=lambda h: (h.episode.last.order, h.case))
    return str((latest.episode.confirmation or {}).get("result", ""))


def _handed(held: Sequence[Held]) -> bool:
    open_petitions = [h.episode for h in held if h.kind == "PETITION" and h.episode.open]
    return any(any(word in e.text("holder") for word in _COMMITTEE_WORDS) for e in open_petitions)


SIGNS: dict[str, Callable[[Sequence[Held], Outside], bool]] = {
    "no_episode": lambda held, _: not held,
    "enforcement_open": _running("ENFORCEMENT"),
    "escrow_completed": lambda _, outside: (
        outside.escrow_state == "COMPLETED" and not (outside.escrow or {}).get("void")
    ),
    "notices_told": lambda _, outside: outside.notices_owed == 0,
    "agreement": lambda held, _: bool(agreement_episodes(held)),
    "suit_after_agreement_open": lambda held, _: _suit_after(held, still_open=True),
    "suit_after_agreement_closed": lambda held, _: _suit_after(held, still_open=False),
    "confirmed": lambda held, _: confirmation_result(held) == "CONFIRMED",
    "confirmation_refused": lambda held, _: confirmation_result(held) == "REFUSED",
    "settled_without_escrow": lambda held, outside: (
        outside.escrow_state == "NONE"
        and any(h.kind == "MEDIATION" and h.episode.state == "CLOSED" for h in agreement_episodes(held))
    ),
    "trial_open": _running("TRIAL"),
    "trial_closed": _some("TRIAL", "CLOSED", "AWARDED"),
    "arbitration_open": _running("ARBITRATION"),
    "arbitration_suspended": _some("ARBITRATION", "SUSPENDED"),
    "arbitration_awarded": _some("ARBITRATION", "AWARDED"),
    "mediation_open": _running("MEDIATION"),
    "mediation_failed": _some("MEDIATION", "FAILED"),
    "prelit_open": _running("PRE_LITIGATION_MEDIATION"),
    "prelit_failed": _some("PRE_LITIGATION_MEDIATION", "FAILED"),
    "procuratorate_open": lambda held, _: any(
        h.kind in _PROCURATORATE_KINDS and h.episode.open for h in held
    ),
    "petition_open": _running("PETITION"),
    "petition_handed": lambda held, _: _handed(held),
    "other_handed": _some("OTHER", "REFERRED"),
    "other_open": _running("OTHER"),
}
"""What the table may ask of a dispute."""
