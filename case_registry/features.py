"""What linking looks at: one source case boiled down to comparable facts, stored with it as JSON. Pure.

Two cases' features are all that decides between them, so a link never depends on what else is stored
or on what came first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from case_registry.episodes import Episode
from case_registry.matter import days_in_text, families, plates_in_text
from case_registry.names import body_core, person_names
from case_registry.parties import Party, parties_of
from case_registry.told import read_day
from schemas.case_numbers import normalise_case_number

MAX_PARTIES = 60
_SUM_FIELDS = ("claimed_fen", "agreed_fen")
_NO_QUARREL = frozenset({"PRESERVATION", "CONFIRMATION", "ENFORCEMENT"})


@dataclass(frozen=True)
class Features:
    """The comparable facts of one source case.

    `numbers`: its own numbers, folded; `refs`: (folded number, agency or "", "explicit" or "hint");
    `live`: kinds of proceeding still open; `weak_ids`: the source is known to write other people's ids.
    """

    partner: str
    agency: str
    native_id: str
    kinds: tuple[str, ...] = ()
    live: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    refs: tuple[tuple[str, str, str], ...] = ()
    incidents: tuple[str, ...] = ()
    parties: tuple[Party, ...] = ()
    sums: tuple[int, ...] = ()
    event_days: tuple[date, ...] = ()
    named_days: tuple[date, ...] = ()
    begun: tuple[date, ...] = ()
    agreed_on: tuple[date, ...] = ()
    families: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    bodies: tuple[str, ...] = ()
    mediators: tuple[str, ...] = ()
    plates: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """The source key: partner and native id."""
        return self.partner, self.native_id


def features_of(partner: str, agency: str, native_id: str, episodes: Sequence[Episode]) -> Features:
    """Boil a source case down. Withdrawn and hidden episodes count: they are still of the dispute."""
    quarrel = [e for e in episodes if e.kind not in _NO_QUARREL]
    told_families = _unique(f for e in quarrel for f in families(e.text("cause")))
    in_text = _unique(f for e in quarrel for f in families(e.text("narrative")))
    numbers = _unique(
        _number(n)
        for n in [native_id, *(n for e in episodes for n in (e.sub_id, e.text("case_number")))]
        if n
    )
    return Features(
        partner=partner,
        agency=agency,
        native_id=native_id,
        kinds=_unique(e.kind for e in episodes),
        live=_unique(e.kind for e in episodes if e.open),
        numbers=numbers,
        refs=_references(partner, agency, episodes, set(numbers)),
        incidents=_unique(
            _number(r["value"]) for e in episodes for r in e.references if r["kind"] == "incident"
        ),
        parties=tuple(parties_of(episodes)[:MAX_PARTIES]),
        sums=_sums(episodes),
        event_days=_days(read_day(d) for e in episodes for d in e.ever.get("occurred_on", ())),
        named_days=_days(d for e in quarrel for d in days_in_text(e.text("narrative"))),
        begun=_days(e.day("opened_on") or e.first_day() for e in episodes),
        agreed_on=_days(
            [
                *(read_day(d) for e in episodes for d in e.ever.get("agreed_on", ())),
                *(e.confirmed_agreement_day() for e in episodes),
            ]
        ),
        families=told_families or in_text,
        places=_unique(e.text("place_code")[:9] for e in quarrel),
        bodies=_unique(body_core(e.text("organisation")) for e in episodes if e.text("organisation")),
        mediators=_unique(person_names(e.text("mediator"))[0] for e in episodes if e.text("mediator")),
        plates=_unique(p for e in quarrel for p in plates_in_text(e.text("narrative"))),
    )


@lru_cache(maxsize=65536)
def _number(text: str) -> str:
    return normalise_case_number(text)


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({v for v in values if v}))


def _days(values: Iterable[date | None]) -> tuple[date, ...]:
    return tuple(sorted({v for v in values if v}))


def _sums(episodes: Sequence[Episode]) -> tuple[int, ...]:
    found: set[int] = set()
    for episode in episodes:
        stated: list[Any] = [n for name in _SUM_FIELDS for n in episode.ever.get(name, ())]
        for data in (episode.confirmation, episode.enforcement):
            stated.append((data or {}).get("amount_fen"))
        found |= {n for n in stated if isinstance(n, int) and not isinstance(n, bool) and n > 0}
    return tuple(sorted(found))


def _references(
    partner: str, agency: str, episodes: Sequence[Episode], own: set[str]
) -> tuple[tuple[str, str, str], ...]:
    found = set()
    for episode in episodes:
        for ref in episode.references:
            if ref["kind"] != "incident":
                found.add(
                    (
                        normalise_case_number(ref["value"]),
                        ref.get("agency") or "",
                        ref.get("strength") or "explicit",
                    )
                )
        repeats = episode.text("repeats")
        if repeats:
            found.add((_number(repeats), agency, "explicit"))
    return tuple(sorted(r for r in found if r[0] and r[0] not in own))


def to_json(features: Features) -> dict[str, Any]:
    """The features as they are stored: JSON, days as ISO text."""
    plain = dict(features.__dict__)
    for name in ("event_days", "named_days", "begun", "agreed_on"):
        plain[name] = [d.isoformat() for d in plain[name]]
    plain["parties"] = [p.__dict__ for p in features.parties]
    return plain


def from_json(stored: dict[str, Any]) -> Features:
    """The features back from storage."""
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()}
    for name in ("event_days", "named_days", "begun", "agreed_on"):
        values[name] = tuple(date.fromisoformat(d) for d in stored[name])
    values["refs"] = tuple((r[0], r[1], r[2]) for r in stored["refs"])
    values["parties"] = tuple(_party_from_json(p) for p in stored["parties"])
    return Features(**values)


def _party_from_json(stored: dict[str, Any]) -> Party:
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()}
    return Party(**values)
