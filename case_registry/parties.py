"""The people of a source case as linking compares them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from case_registry.episodes import Episode
from case_registry.names import body_core, is_hidden, looks_like_body, person_names
from case_registry.told import PARTIES
from schemas.identifiers import (
    check_credit_code,
    check_resident_id,
    is_masked_id,
    normalise_id,
    normalise_phone,
    split_phones,
)

_SIDES = {"applicant": "A", "respondent": "R"}


@dataclass(frozen=True)
class Party:
    """A party as linking sees it. `side`: "A" or "R", "" for neither. `masked`: ids with hidden places."""

    side: str
    body: bool
    names: tuple[str, ...]
    hidden: bool = False
    id: str = ""
    masked: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    credit: str = ""


def parties_of(episodes: Sequence[Episode]) -> list[Party]:
    """The distinct people of all episodes; one who changes sides between proceedings is still one.

    Who is a party now is told by the latest statement; what older ones knew of the same person stays known.
    """
    found: list[Party] = []
    for episode in episodes:
        for told in episode.parties:
            _add(found, told, new=True)
    for episode in episodes:
        for older in episode.ever.get(PARTIES, ())[:-1]:
            for before in older if isinstance(older, list) else ():
                if isinstance(before, dict):
                    _add(found, before, new=False)
    return sorted(found, key=lambda p: (p.side, p.names, p.id, p.credit, p.masked, p.phones))


def _add(found: list[Party], told: dict[str, Any], *, new: bool) -> None:
    party = _party(told)
    if party is None:
        return
    known = next((i for i, p in enumerate(found) if _same_party(p, party)), None)
    if known is not None:
        found[known] = _merge(found[known], party)
    elif new:
        found.append(party)


def _same_party(one: Party, two: Party) -> bool:
    if one.body is not two.body:
        return False
    if (one.id and two.id) or (one.credit and two.credit):
        return one.id == two.id and one.credit == two.credit
    return one.names[0] == two.names[0] and not one.hidden


def _merge(one: Party, two: Party) -> Party:
    return Party(
        side=one.side or two.side,
        body=one.body,
        names=tuple(dict.fromkeys([*one.names, *two.names])),
        hidden=one.hidden,
        id=one.id or two.id,
        masked=tuple(sorted({*one.masked, *two.masked})),
        phones=tuple(sorted({*one.phones, *two.phones})),
        credit=one.credit or two.credit,
    )


def _code(text: str) -> str:
    return text.upper() if text.isascii() and text.isalnum() else normalise_id(text)


def _phones(text: str) -> tuple[str, ...]:
    if text.isascii() and text.isdigit():
        return (text,)
    return tuple(sorted({normalise_phone(p) for p in split_phones(text) if len(p) >= 7}))


def _party(told: dict[str, Any]) -> Party | None:
    name = told.get("name") or ""
    if not name or told.get("role") == "representative":
        return None
    body = told.get("kind") == "organisation" or (told.get("kind") != "person" and looks_like_body(name))
    names = (body_core(name),) if body else person_names(name)
    former = (told.get("extra") or {}).get("former_names") or ()
    if former:
        names = tuple(dict.fromkeys([*names, *(n for f in former for n in person_names(str(f)))]))
    identity = _code(told.get("id_number") or "")
    masked = _code(told.get("masked_id") or (identity if "*" in identity else ""))
    credit = _code(told.get("credit_code") or (identity if body else ""))
    return Party(
        side=_SIDES.get(str(told.get("role")), ""),
        body=body,
        names=names,
        hidden=is_hidden(names[0]),
        id=identity if identity and not body and check_resident_id(identity) is None else "",
        masked=(masked,) if "*" in masked and is_masked_id(masked) else (),
        phones=tuple(
            sorted({normalise_phone(p) for p in split_phones(told.get("phone") or "") if len(p) >= 7})
        ),
        credit=credit if credit and body and check_credit_code(credit) is None else "",
    )
