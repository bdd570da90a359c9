"""What an officer must see beside stage and holder. Pure; the order of the list is fixed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from case_registry.whereabouts import Held, Outside, agreement_episodes

_ADJUDICATION = frozenset({"ARBITRATION", "TRIAL"})
_COURT_KINDS = frozenset({"TRIAL", "PRE_LITIGATION_MEDIATION", "PRESERVATION", "CONFIRMATION", "ENFORCEMENT"})
ORDER = (
    "TWO_TRACKS",
    "OVERLAP",
    "PETITION_WHILE_OPEN",
    "REPEAT",
    "UNSTABLE",
    "PROCURATORATE_SUPPORTS",
    "COURT_WITHDRAWN",
    "MONEY_IN_FLIGHT",
    "SEQ_HOLE",
    "PARKED",
    "GAP",
)


def flags(
    held: Sequence[Held],
    outside: Outside,
    *,
    stage: str,
    unstable: bool = False,
    parked: int = 0,
    gaps: int = 0,
    by_hand: Iterable[str] = (),
) -> list[str]:
    """The flags of a dispute: worked out here, told by the escrow, and set by people.

    Flags about tracks that run beside each other, repeats' company and lost messages end with the dispute.
    """
    found: list[str] = []
    if stage != "CLOSED":
        found += _tracks(held)
        found += [f"SEQ_HOLE:{n}" for n in sorted({n for h in held for n in h.episode.holes})]
    repeats = repeat_count(held)
    if repeats:
        found.append(f"REPEAT:{repeats}")
    if unstable:
        found.append("UNSTABLE")
    if stage != "CLOSED" and _supports(held):
        found.append("PROCURATORATE_SUPPORTS")
    found += _court_withdrawn(held, outside)
    if parked:
        found.append(f"PARKED:{parked}")
    if gaps:
        found.append("GAP")
    found += [str(f) for f in (outside.escrow or {}).get("flags", ())]
    found += by_hand
    return sorted(dict.fromkeys(found), key=_place)


def _place(flag: str) -> tuple[int, str]:
    name = flag.split(":", 1)[0]
    return (ORDER.index(name) if name in ORDER else len(ORDER)), flag


def _tracks(held: Sequence[Held]) -> list[str]:
    decided = [
        h for h in held if h.kind in _ADJUDICATION and (h.episode.open or h.episode.state == "AWARDED")
    ]
    if agreement_episodes(held) and decided:
        overlap = overlap_fen(held)
        return ["TWO_TRACKS", *([f"OVERLAP:{overlap}"] if overlap else [])]
    running = [h for h in decided if h.episode.open]
    petition = any(h.kind == "PETITION" and h.episode.open for h in held)
    # Once the procuratorate supports the suit, that is the third voice to watch, and the petition is answered by it.
    return ["PETITION_WHILE_OPEN"] if running and petition and not _supports(held) else []


def overlap_fen(held: Sequence[Held]) -> int:
    """How much of the agreed sum is also awarded: the lesser of both, 0 when only one title stands."""
    agreed = sum(n for h in agreement_episodes(held) if isinstance(n := h.episode.value("agreed_fen"), int))
    awarded = sum(
        n
        for h in held
        if not h.episode.withdrawn
        for award in h.episode.awards
        if isinstance(n := award.get("total_fen"), int)
    )
    return min(agreed, awarded)


def repeat_count(held: Sequence[Held]) -> int:
    """How often the matter was petitioned again: petitions after the first, whatever the clerk ticked.

    A petition that says it repeats one we do not have counts as one.
    """
    petitions = [h.episode for h in held if h.kind == "PETITION"]
    marked = any(e.value("repeat_flag") is True or e.text("repeats") for e in petitions)
    return max(len(petitions) - 1, 1 if marked else 0)


def _supports(held: Sequence[Held]) -> bool:
    return any(h.kind == "SUPPORT_PROSECUTION" and not h.episode.withdrawn for h in held)


def _court_withdrawn(held: Sequence[Held], outside: Outside) -> list[str]:
    withdrawn = any(h.kind in _COURT_KINDS and h.episode.withdrawn for h in held)
    if not withdrawn or not agreement_episodes(held):
        return []
    in_flight = (outside.escrow or {}).get("in_transit_fen", 0)
    return ["COURT_WITHDRAWN", *(["MONEY_IN_FLIGHT"] if isinstance(in_flight, int) and in_flight > 0 else [])]
