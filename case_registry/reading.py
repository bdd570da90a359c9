"""One dispute as people and partners read it, on both time axes, and its timeline.

`as_true_on`: what was true on a day; `as_known_on`: what we knew at a moment. Without them: now. Every value
says who said it, in which message, and when we learnt it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from case_registry import conflict_tasks, link_decisions
from case_registry import reading_parts as parts
from case_registry.access import Reader, classes_seen, reading_as
from case_registry.authority import Chosen, as_row, matrix
from case_registry.disputes import dispute_ref
from case_registry.episodes import CaseReading, Episode, read_case
from case_registry.escalation_rating import told_of
from case_registry.flags import flags
from case_registry.listing_text import title
from case_registry.outside import Facts, facts_of
from case_registry.projection import people, project
from case_registry.shown import only_classes
from case_registry.source import DisputeRef, Unknown
from case_registry.statements import fetch
from case_registry.told import PARTIES, read_day_of, read_moment
from case_registry.whereabouts import Held, primary, whereabouts
from foundation.unit_of_work import UnitOfWork
from schemas.identifiers import mask_id


def dispute(
    uow: UnitOfWork,
    number: str,
    *,
    as_true_on: date | str | None = None,
    as_known_on: datetime | str | None = None,
    viewer: str = "",
    unmasked: bool = False,
    reader: Reader | None = None,
) -> dict[str, Any] | None:
    """The record of a dispute, None when no dispute has that number.

    `number`: ours, or any agency's own number for one of its cases; one that was merged away leads to the
    dispute it became part of. `as_true_on`, `as_known_on`: a day or moment, ISO text too (a day means its
    end, Beijing time). `viewer`: a partner's id; then what other partners hid (not public, revoked, sealed) is
    left out; "" = the hub's own officers. `unmasked`: full id numbers, for those who may see them. `reader`: the person
    who looks; None also when the rule (``access.toml``) does not let this one know of the dispute, and only the fields
    it gives, read as the database lets this person see them.
    """
    try:
        ref = dispute_ref(uow, number)
    except Unknown:
        return None
    row = uow.one(_ROW, id=ref.id)
    assert row is not None
    told = (read_day_of(as_true_on), read_moment(as_known_on), viewer, unmasked)
    if reader is None:
        return _record(uow, ref, number, row, *told)
    classes = classes_seen(reader, dict(row))
    if not classes:
        return None
    with reading_as(uow, reader):
        found = _record(uow, ref, number, row, *told)
    return only_classes(found, classes)


_ROW = (
    "SELECT id, stage_since, holder_since, registry.shown_title(id) AS title, sealed, grade, lamp, county, agencies"
    " FROM registry.dispute WHERE id = :id"
)


def _record(
    uow: UnitOfWork, ref: DisputeRef, number: str, row: RowMapping, as_true_on: date | None, as_known_on: datetime | None,
    viewer: str, unmasked: bool,
) -> dict[str, Any]:  # fmt: skip
    cases = _cases(uow, ref.id, as_known_on)
    told = fetch(uow, [c["id"] for c in cases], as_known_on)
    readings = {case: read_case(statements, as_true_on) for case, statements in told.items()}
    everyone, shown = _held(cases, readings, viewer)
    held = primary(everyone)
    facts = Facts.together(facts_of(uow, [c["id"] for c in cases], as_known_on), [c["id"] for c in cases])
    where = whereabouts(held, facts.outside)
    chosen = project(primary(shown), where.stage, facts.decisions)
    parked = sum(len(r.parked) for r in readings.values())
    past = as_true_on is not None or as_known_on is not None
    grade = parts.grade_at(uow, ref.id, as_known_on) if as_known_on else str(row["grade"])
    cause = str(chosen["cause"].value) if "cause" in chosen else ""
    return {
        "id": ref.id,
        "number": ref.number,
        "asked_for": number,
        "stage": where.stage,
        "stage_why": where.why,
        "stage_since": None if past else row["stage_since"],
        "holder": where.holder,
        "holder_since": None if past else row["holder_since"],
        "flags": flags(
            held, facts.outside, stage=where.stage, unstable=grade != "NONE", parked=parked,
            gaps=facts.open_gaps, by_hand=facts.flags,
        ),
        "cause": cause,
        **{name: chosen[name].value if name in chosen else None for name in ("claimed_fen", "agreed_fen")},
        "title": title(cause, people(shown, where.stage)) if viewer or past else row["title"],
        "sealed": row["sealed"],
        "grade": grade,
        "lamp": row["lamp"],
        "fields": {name: _field(c, shown) for name, c in chosen.items()},
        "people": [_person(p, unmasked) for p in people(shown, where.stage)],
        "episodes": [_episode(h) for h in shown],
        "hidden_episodes": len(everyone) - len(shown),
        "edges": parts.edges(uow, cases),
        "clocks": parts.clocks(uow, cases, as_known_on),
        "referrals": parts.referrals(uow, cases),
        **({} if viewer else _for_officers(uow, ref.id, cases, facts)),
        **({} if viewer else {"escalation": None if past else told_of(uow, ref.id)}),
        "authority_version": matrix().version,
        "as_true_on": as_true_on,
        "as_known_on": as_known_on,
    }  # fmt: skip


def _cases(uow: UnitOfWork, dispute: UUID, as_known_on: datetime | None) -> Sequence[RowMapping]:
    if as_known_on is None:
        return uow.all(
            "SELECT id, partner, institution, agency, native_id FROM registry.source_case WHERE dispute = :d"
            " ORDER BY partner, native_id",
            d=dispute,
        )
    return uow.all(
        "SELECT c.id, c.partner, c.institution, c.agency, c.native_id FROM registry.membership m"
        " JOIN registry.source_case c ON c.id = m.source_case"
        " WHERE m.dispute = :d AND m.from_at <= :at AND (m.to_at IS NULL OR m.to_at > :at) ORDER BY c.partner, c.native_id",
        d=dispute,
        at=as_known_on,
    )


def _held(
    cases: Sequence[RowMapping], readings: Mapping[int, CaseReading], viewer: str
) -> tuple[list[Held], list[Held]]:
    """All episodes, and those that the viewer may see."""
    held = [
        Held(c["agency"], (c["partner"], c["native_id"]), e)
        for c in cases
        for e in readings[c["id"]].episodes
    ]
    return held, [h for h in held if not viewer or viewer == h.case[0] or not h.episode.hidden]


def _field(chosen: Chosen, held: Sequence[Held]) -> dict[str, Any]:
    return {
        "value": chosen.value,
        "said_by": {
            **as_row(chosen.voice),
            **_source(held, chosen.name, chosen.voice.case, chosen.voice.sub_id),
        },
        "rule": chosen.rule,
        "undecided": [as_row(v) for v in chosen.undecided],
        "others": [as_row(v) for v in chosen.others],
    }


def _source(held: Sequence[Held], name: str, case: tuple[str, str], sub_id: str) -> dict[str, Any]:
    for item in held:
        best = item.episode.fields.get(name)
        if item.case == case and item.episode.sub_id == sub_id and best is not None:
            return {"message": best.told.message, "recorded_at": best.told.recorded_at, "text": best.text}
    return {}


def _person(person: Any, unmasked: bool) -> dict[str, Any]:
    shown = person.id_number if unmasked else mask_id(person.id_number) if person.id_number else ""
    return {
        "name": person.name,
        "kind": person.kind,
        "other_names": [n for n in person.names if n != person.name],
        "id_number": shown or person.masked_id,
        "credit_code": person.credit_code,
        "phone": person.phone,
        "address": person.address,
        "roles": [
            {"agency": a, "native_id": n, "sub_id": s, "role": role}
            for a, n, s, role in dict.fromkeys(person.roles)
        ],
        "undecided": person.undecided,
    }


def _episode(held: Held) -> dict[str, Any]:
    episode: Episode = held.episode
    return {
        "agency": held.agency,
        "partner": held.case[0],
        "native_id": held.case[1],
        "sub_id": episode.sub_id,
        "proceeding_kind": episode.kind,
        "state": episode.state,
        "withdrawn": episode.withdrawn,
        "case_number": episode.text("case_number") or episode.sub_id,
        "opened_on": episode.value("opened_on"),
        "closed_on": episode.value("closed_on"),
        "outcome": episode.value("outcome"),
        "limit_date": episode.value("limit_date"),
        "open": episode.open,
        "hidden": episode.hidden,
        "last_event_at": episode.last.event_at,
        "fields": {
            name: {"value": best.value, "text": best.text, "claim": best.claim, "message": best.told.message,
                   "recorded_at": best.told.recorded_at, "told_at": best.told.event_at}
            for name, best in sorted(episode.fields.items())
            if name != PARTIES
        },
        "confirmation": episode.confirmation,
        "enforcement": episode.enforcement,
        "awards": list(episode.awards),
        "holes": list(episode.holes),
    }  # fmt: skip


def _for_officers(
    uow: UnitOfWork, dispute_id: UUID, cases: Sequence[RowMapping], facts: Facts
) -> dict[str, Any]:
    """What the hub's own officers see beside the record, and no partner."""
    return {
        "escrow": dict(facts.outside.escrow or {}),
        "notices_owed": facts.notices_owed,
        "links": parts.links(uow, cases),
        "proposals": link_decisions.proposals(uow, dispute=dispute_id),
        "conflicts": conflict_tasks.open_conflicts(uow, dispute_id),
        "factor": parts.factor(uow, dispute_id),
        "related": parts.related(uow, cases, dispute_id),
    }
