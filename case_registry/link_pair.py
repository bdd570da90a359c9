"""One pair of the review as a person sees it: both cases side by side, each with what its own agency says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from case_registry.access import PERSON, Reader, class_of, classes_seen, reading_as
from case_registry.episodes import CaseReading, read_case
from case_registry.link_floor import rules
from case_registry.link_review import find
from case_registry.parties import Party, parties_of
from case_registry.source import Unknown
from case_registry.statements import fetch
from case_registry.told import PARTIES
from foundation.unit_of_work import UnitOfWork
from schemas.identifiers import mask_id

# What is shown of both, in this order.
COMPARED = (
    "cause", "claimed_fen", "agreed_fen", "occurred_on", "opened_on", "agreed_on", "closed_on", "case_number", "place_text",
    "organisation", "mediator", "narrative",
)  # fmt: skip


def review_pair(uow: UnitOfWork, item: UUID, *, reader: Reader, hold: bool = False) -> dict[str, Any]:
    """A pair to decide: `one` and `other` (agency, number, kinds, people, values), `reasons` field by field, `score`,
    `stake`, `opened_at`, the pair's `version`, and `looked_at`: the disputes of which this look must leave a line.

    `hold`: it is before this person now, and comes later for others meanwhile. Nothing tells whether it was drawn for
    the audit or whether the two are one dispute already. Raises Unknown.
    """
    found = find(uow, item, reader)
    if found is None:
        raise Unknown("question", item)
    rows = uow.all(
        "SELECT c.id, c.agency, c.native_id, c.dispute, d.number, d.county, d.agencies, d.sealed FROM registry.source_case c"
        " JOIN registry.dispute d ON d.id = c.dispute WHERE c.id IN (:a, :b)",
        a=found["a"],
        b=found["b"],
    )
    cases = {row["id"]: dict(row) for row in rows}
    with reading_as(uow, reader):
        told = fetch(uow, sorted(cases))
    sides = {
        case: _side(row, read_case(told[case]), classes_seen(reader, row)) for case, row in cases.items()
    }
    if hold:
        _hold(uow, item)
    return {
        "id": item, "version": found["version"], "score": found["score"], "stake": found["stake"],
        "opened_at": found["opened_at"], "one": sides[found["a"]], "other": sides[found["b"]],
        "reasons": _reasons(uow, found["a"], found["b"], item),
        "looked_at": sorted({row["number"] for row in cases.values()}),
    }  # fmt: skip


def _side(
    row: Mapping[str, Any], reading: CaseReading, classes: Sequence[str] | frozenset[str]
) -> dict[str, Any]:
    """One case: of several episodes the latest that tells a field is shown."""
    values = {
        name: best.value
        for episode in sorted(reading.episodes, key=lambda e: e.last.order)
        for name, best in episode.fields.items()
        if name != PARTIES and class_of(name) in classes
    }
    people = parties_of(reading.episodes) if PERSON in classes else []
    return {
        "agency": row["agency"],
        "native_id": row["native_id"],
        "kinds": sorted({episode.kind for episode in reading.episodes}),
        "open": any(episode.open for episode in reading.episodes),
        "people": [_person(party) for party in people],
        "values": {name: values[name] for name in COMPARED if name in values},
    }


def _person(party: Party) -> dict[str, Any]:
    shown = mask_id(party.id) if party.id else next(iter(party.masked), "")
    return {
        "side": party.side, "name": party.names[0], "other_names": list(party.names[1:]), "id_number": shown,
        "credit_code": party.credit, "phones": list(party.phones),
    }  # fmt: skip


def _reasons(uow: UnitOfWork, a: int, b: int, item: UUID) -> list[dict[str, Any]]:
    found = uow.scalar("SELECT reasons FROM registry.link_edge WHERE a = :a AND b = :b", a=a, b=b)
    if found is None:
        found = uow.scalar("SELECT reasons FROM registry.link_audit WHERE id = :item", item=item)
    return list(found or [])


def _hold(uow: UnitOfWork, item: UUID) -> None:
    """For some minutes it is this person's; whose it was before, and has not ended, keeps it."""
    uow.execute(
        "INSERT INTO registry.link_look (item, by, until) VALUES (:item, :me, :until) ON CONFLICT (item) DO UPDATE"
        " SET by = EXCLUDED.by, until = EXCLUDED.until WHERE link_look.until <= :now OR link_look.by = EXCLUDED.by",
        item=item,
        me=uow.actor.id,
        until=uow.now + timedelta(minutes=rules()["look_minutes"]),
        now=uow.now,
    )
