"""record(): a message's records become statements, episodes, links, disputes and what follows from them.

One transaction at a time through one lock: linking must see every other case, and grouping what it groups. Messages
that touch nothing in common are taken together; `record` is the same for one alone.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from case_registry import link_decisions
from case_registry.disputes import Regrouped, regroup
from case_registry.episodes import Episode
from case_registry.founding import TOLD, found_whole
from case_registry.gathering import CaseAfter, Gathered, case_after, gather, rows_of, stored_cases
from case_registry.linking import judge_again, lock_for_messages, save_cases
from case_registry.refresh import refresh
from case_registry.source import DisputeRef, Event, RecordResult, Source, Spoken
from case_registry.statements import fetch, mark_parked, retract, store
from case_registry.tables import SavedEpisode, save_episodes
from case_registry.told import Told
from case_registry.waves import Footprint, footprints, founds_whole, keep_numbers
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
    if not records:
        return RecordResult()
    lock_for_messages(uow)
    spoken = Spoken(source, message_ref, records)
    gathered = gather(uow, [(0, spoken, rows_of(spoken))])
    new = all(not case.there for case in gathered[0].named.values())
    prints = footprints(uow, gathered) if new else []
    keep_numbers(uow, gathered, prints)
    return apply(uow, gathered, prints)[0]


@dataclass
class Work:
    """Messages that touch nothing in common, on their way. `of`: the message of each case that one tells of;
    `events`: of each message, in the order in which they happened."""

    messages: Sequence[Gathered]
    cases: dict[int, CaseAfter] = field(default_factory=dict)
    of: dict[int, int] = field(default_factory=dict)
    events: list[list[Event]] = field(default_factory=list)

    @staticmethod
    def on(messages: Sequence[Gathered]) -> Work:
        """Everything that these messages tell of."""
        work = Work(messages, events=[[] for _ in messages])
        for i, message in enumerate(messages):
            work.cases.update(message.cases)
            work.of.update(dict.fromkeys(message.cases, i))
        return work


def apply(
    uow: UnitOfWork, messages: Sequence[Gathered], prints: Sequence[Footprint] = ()
) -> list[RecordResult]:
    """Write what these messages tell and all that follows; none may touch what another touches. Under the lock.

    `prints`: the messages' footprints, where they are known; those that found a dispute by themselves go the short way.
    """
    whole = {i for i, own in enumerate(prints) if founds_whole(messages[i], own)}
    results = [_counted(message) for message in messages]
    if whole:
        _found(uow, [messages[i] for i in sorted(whole)], [results[i] for i in sorted(whole)])
    rest = [i for i in range(len(messages)) if i not in whole]
    if rest:
        work = Work.on([messages[i] for i in rest])
        if work.cases:
            _work_out(uow, work)
        for i, events in zip(rest, work.events, strict=True):
            results[i].events = events
        _name_disputes(uow, [results[i] for i in rest], [list(messages[i].named) for i in rest])
    return results


def _counted(message: Gathered) -> RecordResult:
    waiting = {t.id for case in message.cases.values() for t in case.reading.parked}
    parked = sum(told.id in waiting for case in message.cases.values() for _, told in case.said)
    return RecordResult([], message.stored, len(message.rows) - message.stored, parked)


def _found(uow: UnitOfWork, messages: Sequence[Gathered], results: Sequence[RecordResult]) -> None:
    """Each of these messages tells of one new case that founds a dispute."""
    cases = [next(iter(message.cases.values())) for message in messages]
    numbers = [message.numbers[0] for message in messages]
    for founded, result in zip(found_whole(uow, cases, numbers), results, strict=True):
        case = founded.case
        waiting = {t.id for t in case.reading.parked}
        result.events = [
            *_opened(case),
            *_said(uow, case, [told for _, told in case.said], waiting),
            *founded.events,
        ]
        result.disputes = [founded.ref]
        about = {"partner": case.stored.partner, "agency": case.stored.agency, "native_id": case.stored.native_id,
                 "dispute_id": founded.ref.id, "dispute": founded.ref.number,
                 "mediation_number": case.stored.native_id if case.stored.agency == "mediation" else None}  # fmt: skip
        for event in result.events:
            if event.pop("case", None) is not None:
                for name, value in about.items():
                    event.setdefault(name, value)


def _opened(case: CaseAfter) -> list[Event]:
    return _moves(SavedEpisode(case.id, e.sub_id, 0, e.kind, None, e.state) for e in case.reading.episodes)


def _work_out(uow: UnitOfWork, work: Work) -> None:
    """All that follows for these cases."""
    cases = list(work.cases.values())
    waiting = {t.id for case in cases for t in case.reading.parked}
    new = {told.id for case in cases for _, told in case.said}
    came = [t.id for case in cases for t in case.told if t.parked and t.id not in waiting]
    save_cases(uow, cases)
    store(uow, [(case.id, row, told) for case in cases for row, told in case.said], waiting)
    back = [t.id for c in cases for t in c.told if not t.parked and t.id in waiting and t.id not in new]
    mark_parked(uow, came, back)
    saved = save_episodes(uow, {case.id: case.reading.episodes for case in cases}, new)
    for event in _moves(saved):
        work.events[work.of[event["case"]]].append(event)
    news = new.union(came)
    for case in cases:
        work.events[work.of[case.id]] += _said(uow, case, [t for t in case.told if t.id in news], waiting)
    _link(uow, work)


def _link(uow: UnitOfWork, work: Work) -> None:
    """Link what changed, bring the disputes concerned to what is known; each event goes to the message it comes of."""
    changed = {case.id: case.features for case in work.cases.values() if case.changed}
    account: dict[UUID, int] = {
        c.stored.dispute: work.of[c.id] for c in work.cases.values() if c.stored.dispute
    }
    linked = Regrouped()
    moved: set[int] = set()
    if changed:
        judged = judge_again(uow, changed, all_new=all(work.cases[c].stored.digest is None for c in changed))
        numbers = {case: work.messages[i].numbers for case, i in work.of.items()}
        linked = regroup(uow, judged.cases, TOLD, numbers)
        account |= {dispute: work.of[case] for dispute, case in linked.by.items()}
        moved = {account[d] for d in linked.moved} | {work.of[case] for case in judged.proposals}
    linked.disputes |= account.keys()
    readings = {case.id: case.reading for case in work.cases.values()}
    for event in (*linked.events, *refresh(uow, linked.disputes, readings, fresh=linked.fresh)):
        work.events[account[event["dispute_id"]]].append(event)
    if moved:
        for event in link_decisions.sync(uow, [d for d in linked.disputes if account[d] in moved]):
            work.events[next(account[d] for d in event["disputes"] if d in account)].append(event)


def _moves(saved: Iterable[SavedEpisode]) -> list[Event]:
    return [
        {"event": "episode_opened" if s.was is None else "episode_moved", "case": s.case, "sub_id": s.sub_id,
         "kind": s.kind, "from": s.was, "to": s.now}
        for s in saved
    ]  # fmt: skip


def _said(uow: UnitOfWork, case: CaseAfter, spoken: Sequence[Told], waiting: Container[int]) -> list[Event]:
    events: list[Event] = []
    for told in spoken:
        if told.kind not in _EVENT_OF:
            continue
        if told.id in waiting:
            events.append({"event": "parked", "case": case.id, "sub_id": told.sub_id, "kind": told.kind})
        elif _in_force(told, case.reading.episodes):
            event = {
                **told.data,
                "event": _EVENT_OF[told.kind],
                "case": case.id,
                "sub_id": told.sub_id,
                "case_number": told.sub_id,
                "event_at": told.event_at,
                "message": told.message,
                "data": told.data,
            }
            if told.kind == "person_check":
                number = told.data.get("number") or told.data.get("id_number") or case.stored.native_id
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


def _name_disputes(uow: UnitOfWork, results: Sequence[RecordResult], named: Sequence[Sequence[int]]) -> None:
    """Say to which disputes each message's cases belong now, and put into each event whose case it is about: partner,
    agency, native id, dispute, the office's own number."""
    wanted = {case for cases in named for case in cases}
    wanted |= {e["case"] for result in results for e in result.events if "case" in e}
    about = {row["id"]: dict(row) for row in uow.all(_ABOUT, ids=sorted(wanted))}
    for result, cases in zip(results, named, strict=True):
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
    lock_for_messages(uow)
    ids = retract(uow, message, reason)
    if not ids:
        return RecordResult()
    told = fetch(uow, ids)
    cases = {case.id: case for case in stored_cases(uow, ids)}
    gone = Gathered(0, Spoken(Source("", "", ""), message, ()), ())
    gone.named = cases
    gone.cases = {ident: case_after(case, [], told[ident]) for ident, case in cases.items()}
    return apply(uow, [gone])[0]
