"""record(): a message's records become statements, episodes, links, disputes and what follows from them.

One message at a time through one lock: linking must see every other case, and grouping what it groups.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from case_registry import link_decisions
from case_registry.disputes import Regrouped, regroup
from case_registry.episodes import CaseReading, Episode, read_case
from case_registry.features import features_of
from case_registry.linking import judge_again, lock, save_features
from case_registry.refresh import refresh
from case_registry.source import DisputeRef, Event, RecordResult, Source
from case_registry.state_hash import known_digest
from case_registry.statements import CaseKey, ensure_cases, fetch, mark_parked, retract, row_of, store
from case_registry.tables import SavedEpisode, save_episodes
from case_registry.told import Told
from foundation.unit_of_work import UnitOfWork
from schemas.claims import Record

_EVENT_OF = {
    "hold": "hold_ordered",
    "confirmation": "confirmation_result",
    "enforcement": "enforcement_filed",
    "award": "award_issued",
    "withdrawal": "withdrawal",
    "result_ack": "result_acknowledged",
    "person_check": "person_checked",
}


def record(uow: UnitOfWork, source: Source, message_ref: UUID, records: Sequence[Record]) -> RecordResult:
    """Take the records of one message.

    `source`: who speaks. `message_ref`: the stored message, kept with every claim. Order of arrival, doubles
    and delay never change what comes of it. Returns disputes, counts and events for the choreography.
    """
    result = RecordResult()
    if not records:
        return result
    lock(uow)
    rows = [row_of(r) for r in records]
    cases = ensure_cases(uow, source, [r.native_id for r in records])
    new = store(uow, cases, message_ref, rows)
    result.stored, result.duplicates = len(new), len(rows) - len(new)
    if new:
        touched = {cases[rows[i].native_id].id: cases[rows[i].native_id] for i in new}
        _work_out(uow, touched, set(new.values()), result)
    _name_disputes(uow, result, [case.id for case in cases.values()])
    return result


def _work_out(uow: UnitOfWork, cases: Mapping[int, CaseKey], new: set[int], result: RecordResult) -> None:
    """All that follows for these cases; `new`: ids of the statements that came just now."""
    told = fetch(uow, sorted(cases))
    readings = {case: read_case(statements) for case, statements in told.items()}
    waiting = {t.id for reading in readings.values() for t in reading.parked}
    were_parked = any(t.parked for statements in told.values() for t in statements)
    applied = mark_parked(uow, cases, waiting) if waiting or were_parked else set()
    result.parked = len(new & waiting)
    saved = save_episodes(uow, {case: reading.episodes for case, reading in readings.items()}, new)
    spoken = [(case, t) for case, ts in told.items() for t in ts if t.id in new | applied]
    linked = _link(uow, cases, readings, told)
    follow = refresh(uow, linked.disputes, readings, fresh=linked.fresh)
    if linked.moved:
        follow += link_decisions.sync(uow, linked.disputes)
    result.events = [*_moves(saved), *_said(uow, spoken, cases, readings, waiting), *linked.events, *follow]


def _link(
    uow: UnitOfWork,
    cases: Mapping[int, CaseKey],
    readings: Mapping[int, CaseReading],
    told: Mapping[int, Sequence[Told]],
) -> Regrouped:
    """Link what changed; returns the disputes concerned, `moved` where proposals may have changed too."""
    features = {
        case: features_of(cases[case].partner, cases[case].agency, cases[case].native_id, reading.episodes)
        for case, reading in readings.items()
        if reading.episodes
    }
    before = {case.dispute for case in cases.values() if case.dispute}
    known = {case: known_digest(reading, told[case]) for case, reading in readings.items()}
    changed = save_features(uow, {case: (features.get(case), known[case]) for case in readings})
    if not changed.cases:
        return Regrouped(before)
    judged = judge_again(uow, changed, features)
    regrouped = regroup(uow, sorted(judged.cases), "what was told of it")
    regrouped.disputes |= before
    regrouped.moved = regrouped.moved or judged.proposals
    return regrouped


def _moves(saved: Iterable[SavedEpisode]) -> list[Event]:
    return [
        {"event": "episode_opened" if s.was is None else "episode_moved", "case": s.case, "sub_id": s.sub_id,
         "kind": s.kind, "from": s.was, "to": s.now}
        for s in saved
    ]  # fmt: skip


def _said(
    uow: UnitOfWork,
    spoken: Sequence[tuple[int, Told]],
    cases: Mapping[int, CaseKey],
    readings: Mapping[int, CaseReading],
    waiting: Container[int],
) -> list[Event]:  # fmt: skip
    events: list[Event] = []
    for case, told in spoken:
        if told.kind not in _EVENT_OF:
            continue
        if told.id in waiting:
            events.append({"event": "parked", "case": case, "sub_id": told.sub_id, "kind": told.kind})
        elif _in_force(told, readings[case].episodes):
            event = {
                **told.data,
                "event": _EVENT_OF[told.kind],
                "case": case,
                "sub_id": told.sub_id,
                "case_number": told.sub_id,
                "event_at": told.event_at,
                "message": told.message,
                "data": told.data,
            }
            if told.kind == "person_check":
                number = told.data.get("number") or told.data.get("id_number") or cases[case].native_id
                event["disputes"] = _disputes_of_person(uow, str(number))
            events.append(event)
    return events


def _in_force(told: Told, episodes: Sequence[Episode]) -> bool:
    """Whether what was said still holds: a result that a later one replaced moves nothing any more."""
    if told.kind == "confirmation":
        return any(e.sub_id == told.sub_id and e.confirmation == told.data for e in episodes)
    if told.kind == "award":
        return any(told.data in e.awards for e in episodes)
    if told.kind == "withdrawal":
        return any(e.withdrawn for e in episodes)
    return True


def _disputes_of_person(uow: UnitOfWork, identity: str) -> list[dict[str, Any]]:
    """The disputes in which the checked person is a party, as dispute id, number and roles."""
    rows = uow.all(
        "SELECT d.id AS dispute_id, d.number AS dispute, array_agg(DISTINCT p.role) AS roles FROM registry.party p"
        " JOIN registry.episode e ON e.id = p.episode JOIN registry.source_case c ON c.id = e.source_case"
        " JOIN registry.dispute d ON d.id = c.dispute WHERE p.id_number = :identity GROUP BY d.id, d.number ORDER BY d.number",
        identity=identity,
    )
    return [dict(row) for row in rows]


_ABOUT = """
SELECT c.id, c.partner, c.agency, c.native_id, d.id AS dispute_id, d.number AS dispute, d.seq,
       (SELECT m.native_id FROM registry.source_case m JOIN registry.episode e ON e.source_case = m.id
        WHERE m.dispute = c.dispute AND m.agency = 'mediation'
        ORDER BY e.state <> 'AGREED', m.native_id LIMIT 1) AS mediation_number
FROM registry.source_case c LEFT JOIN registry.dispute d ON d.id = c.dispute WHERE c.id = ANY(:ids)
"""


def _name_disputes(uow: UnitOfWork, result: RecordResult, cases: Sequence[int]) -> None:
    """Say to which disputes these cases belong now, and put into each event whose case it is about: partner, agency,
    native id, dispute, the office's own number."""
    wanted = {*cases, *(e["case"] for e in result.events if "case" in e)}
    about = {row["id"]: dict(row) for row in uow.all(_ABOUT, ids=sorted(wanted))}
    known = sorted(
        {(r["seq"], r["dispute_id"], r["dispute"]) for c in cases if (r := about[c])["dispute_id"]}
    )
    result.disputes = [DisputeRef(ident, number) for _, ident, number in known]
    for event in result.events:
        if "case" in event:
            for name, value in about[event.pop("case")].items():
                if name not in ("id", "seq"):
                    event.setdefault(name, value)


def retract_message(uow: UnitOfWork, message: UUID, reason: str) -> RecordResult:
    """Take back all that a message said (found wrong after it was taken); nothing is deleted."""
    lock(uow)
    result = RecordResult()
    cases = retract(uow, message, reason)
    if cases:
        _work_out(uow, {case.id: case for case in cases}, set(), result)
        _name_disputes(uow, result, [case.id for case in cases])
    return result
