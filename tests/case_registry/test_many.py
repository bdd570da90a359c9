"""record_many: many messages at once come to the same as one after the other, events and all."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from case_registry import NotRecorded, RecordResult, Spoken, rebuilt_hash, record, record_many, state_hash
from foundation.actors import SYSTEM
from foundation.unit_of_work import UnitOfWork
from schemas.claims import Claim, Record
from tests.case_registry.make import COURT, PETITION, SOURCES, body, episode, person, resident
from tests.case_registry.test_order import STORIES

pytestmark = pytest.mark.slow

# Shrinking a failure takes minutes here: each try fills two databases.
NOW = datetime(2026, 4, 1, 1, 0, tzinfo=UTC)  # one moment for both ways: what is logged names it
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
CHECKS = (HealthCheck.function_scoped_fixture,)


class _Undone(Exception):
    pass


def undone(engine: Engine, act: Callable[[UnitOfWork], Any]) -> Any:
    """What `act` returns, its work undone."""
    found = None
    try:
        with engine.begin() as conn:
            found = act(UnitOfWork(conn, SYSTEM, NOW))
            raise _Undone
    except _Undone:
        return found


def one_by_one(uow: UnitOfWork, messages: Sequence[Spoken]) -> list[RecordResult]:
    return [record(uow, m.source, m.message, m.records) for m in messages]


# What is worked out, by keys that no arrival decides; ids and sequences stay out.
PICTURES = {
    "dispute": "SELECT (SELECT array_agg((partner, native_id)::text ORDER BY partner, native_id) FROM registry.source_case c"
    " WHERE c.dispute = d.id) AS cases, stage, stage_why, holder, flags, flag_names, title, cause, claimed_fen, agreed_fen,"
    r" occurred_on, begun_on, county, town, agencies, array_remove(numbers, number) AS numbers, regexp_replace(search, 'JF-\d+-\d+', ''),"
    " sealed, lamp, grade, merged_into IS NULL AS alive FROM registry.dispute d",
    "case": "SELECT partner, native_id, institution, agency, features, features_digest, known, incidents, dispute IS NULL AS loose,"
    " born IS NULL AS unborn FROM registry.source_case",
    "statement": "SELECT c.partner, c.native_id, s.sub_id, s.kind, s.version, s.digest, s.event_at, s.message, s.path, s.refs,"
    " s.data, s.parked, (SELECT jsonb_agg(jsonb_build_array(k.field, k.value, k.raw, k.valid_from, k.valid_to) ORDER BY k.id)"
    " FROM registry.claim k WHERE k.statement = s.id) AS claims FROM registry.statement s"
    " JOIN registry.source_case c ON c.id = s.source_case",
    "episode": "SELECT c.partner, c.native_id, e.sub_id, e.kind, e.state, e.outcome, e.hidden, e.sealed, e.open, e.opened_on,"
    " e.closed_on, e.case_number, e.last_event_at, (SELECT jsonb_agg(to_jsonb(p) - 'episode' ORDER BY no) FROM registry.party p"
    " WHERE p.episode = e.id) AS parties FROM registry.episode e JOIN registry.source_case c ON c.id = e.source_case",
    "key": "SELECT c.partner, c.native_id, k.key FROM registry.link_key k JOIN registry.source_case c ON c.id = k.source_case",
    "edge": "SELECT least((a.partner, a.native_id), (b.partner, b.native_id))::text,"
    " greatest((a.partner, a.native_id), (b.partner, b.native_id))::text, verdict, strength, score, reasons"
    " FROM registry.link_edge e JOIN registry.source_case a ON a.id = e.a JOIN registry.source_case b ON b.id = e.b",
    "episode_edge": "SELECT a.native_id, e.from_sub, e.kind, b.native_id, e.to_sub, e.derived FROM registry.episode_edge e"
    " JOIN registry.source_case a ON a.id = e.from_case JOIN registry.source_case b ON b.id = e.to_case",
    "clock": "SELECT c.partner, c.native_id, k.sub_id, k.rule, k.started_at, k.state, k.lamp, k.total, k.due_on, k.stated,"
    " k.yellow_at, k.red_at, k.remind_on, (SELECT array_agg(e.kind || e.at || e.detail::text ORDER BY e.id)"
    " FROM registry.clock_event e WHERE e.clock = k.id) AS log FROM registry.clock k"
    " JOIN registry.source_case c ON c.id = k.source_case",
    "membership": "SELECT c.partner, c.native_id, m.why, m.by, m.to_at IS NULL AS now FROM registry.membership m"
    " JOIN registry.source_case c ON c.id = m.source_case",
    "proposal": "SELECT least(a.native_id, b.native_id), greatest(a.native_id, b.native_id), p.state, p.score"
    " FROM registry.proposal p JOIN registry.source_case a ON a.id = p.a JOIN registry.source_case b ON b.id = p.b",
    "conflict": "SELECT c.native_id, x.field, x.role, x.state, jsonb_path_query_array(x.voices, '$[*].value')"
    " FROM registry.conflict x JOIN registry.source_case c ON c.born = x.dispute",
    "factor": "SELECT c.native_id, f.score, f.computed, f.lower_since, f.indicators, f.rule_version, f.review_on"
    " FROM registry.factor f JOIN registry.source_case c ON c.born = f.dispute",
    "factor_log": "SELECT c.native_id, f.was, f.now, f.score, f.cause FROM registry.factor_log f"
    " JOIN registry.source_case c ON c.born = f.dispute",
}  # fmt: skip


def picture(uow: UnitOfWork) -> dict[str, Any]:
    """All that the registry holds after this, without ids and sequences."""
    found: dict[str, Any] = {
        name: sorted((tuple(row.values()) for row in uow.all(sql)), key=repr)
        for name, sql in PICTURES.items()
    }
    found["hash"] = state_hash(uow)
    assert rebuilt_hash(uow) == found["hash"]
    return found


_IDS = {"dispute_id", "dispute", "into", "clock", "conflict", "proposal", "disputes", "seq", "claim"}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) if k not in _IDS else bool(v) for k, v in sorted(value.items()) if v is not None}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def answers(results: Sequence[RecordResult | NotRecorded]) -> list[Any]:
    """What was answered to each message, ids left out: counts and events in their order."""
    assert all(isinstance(r, RecordResult) for r in results), results
    return [
        (r.stored, r.duplicates, r.parked, len(r.disputes), [_plain(e) for e in r.events])
        for r in results
        if isinstance(r, RecordResult)
    ]


def same(engine: Engine, messages: Sequence[Spoken], before: Sequence[Spoken] = ()) -> None:
    """Taken at once and one by one: equal."""

    def at_once(uow: UnitOfWork) -> Any:
        one_by_one(uow, before)
        found = record_many(uow, messages)
        return answers(found), picture(uow)

    def in_turn(uow: UnitOfWork) -> Any:
        one_by_one(uow, before)
        found = one_by_one(uow, messages)
        return answers(found), picture(uow)

    expected, got = undone(engine, in_turn), undone(engine, at_once)
    for place, (one, other) in enumerate(zip(expected[0], got[0], strict=True)):
        assert one == other, place
    for name, shown in expected[1].items():
        assert got[1][name] == shown, name


def _messages(told: Sequence[tuple[Any, Record]], rnd: random.Random, most: int) -> list[Spoken]:
    """Records in messages of up to `most` records of one source each."""
    made: list[Spoken] = []
    rest = list(told)
    while rest:
        source = rest[0][0]
        part = [rest.pop(0)[1]]
        while rest and rest[0][0] == source and len(part) < rnd.randint(1, most):
            part.append(rest.pop(0)[1])
        made.append(Spoken(source, uuid.UUID(int=rnd.getrandbits(128)), tuple(part)))
    return made


@given(st.integers(0, 2), st.randoms(use_true_random=False), st.integers(0, 6), st.integers(0, 8))
@settings(max_examples=12, deadline=None, phases=PHASES, suppress_health_check=CHECKS)
def test_stories_in_any_order(
    engine: Engine, which: int, rnd: random.Random, doubles: int, before: int
) -> None:
    told = [*STORIES[which], *(rnd.choice(STORIES[which]) for _ in range(doubles))]
    rnd.shuffle(told)
    messages = _messages(told, rnd, 3)
    same(engine, messages[before:], messages[:before])


NAMES = ("蔡红", "周忠", "欧阳敏海", "项鑫", "林秀军", "陈小芳", "吴德明", "徐阿梅")
KINDS = {"court": "TRIAL", "petition": "PETITION", "arbitration": "ARBITRATION", "mediation": "MEDIATION",
         "procuratorate": "CRIMINAL_RECONCILIATION"}  # fmt: skip


def _random_message(rnd: random.Random, people: int, cases: int) -> Spoken:
    """A message about one of a few cases; few people, so that cases share keys, link, propose and conflict."""
    agency = rnd.choice(sorted(KINDS))
    records = []
    for _ in range(rnd.choice((1, 1, 1, 2))):
        n = rnd.randrange(cases)
        native = f"{agency[:1].upper()}{n}"
        sub = f"{n}号-{rnd.randrange(2)}" if agency == "court" else ""
        at = f"2026-0{rnd.randint(1, 3)}-1{rnd.randint(0, 9)}"
        which = rnd.random()
        if which < 0.12:
            records.append(
                Record("withdrawal", native, (rnd.randrange(9),), at, sub_id=sub, data={"hide": which < 0.03})
            )
        elif which < 0.2:
            data = {
                "award_id": f"A{n}",
                "total_fen": rnd.choice((100, 20000)),
                "final": which < 0.16,
                "corrects": None,
            }
            records.append(Record("award", native, (rnd.randrange(9),), at, data=data))
        else:
            who = rnd.sample(range(people), 2)
            told = [person(NAMES[who[0] % 8], id_number=resident(who[0]) if rnd.random() < 0.7 else None),
                    person(NAMES[who[1] % 8], "respondent", phone=f"100577{who[1]:05d}") if rnd.random() < 0.8
                    else body("温州白泉兴建筑劳务有限公司")]  # fmt: skip
            records.append(
                episode(
                    native, KINDS[agency], rnd.choice(("OPEN", "OPEN", "AGREED", "CLOSED")), version=(rnd.randrange(9),),
                    sub_id=sub, at=at, opened_on=at, cause=rnd.choice(("追索劳动报酬纠纷", "房屋租赁合同纠纷")),
                    claimed_fen=rnd.choice((1000, 200000)), parties=told if rnd.random() < 0.85 else None,
                    people_count=rnd.choice((1, 6, 40)),
                )
            )  # fmt: skip
    return Spoken(SOURCES[agency], uuid.UUID(int=rnd.getrandbits(128)), tuple(records))


@given(st.integers(0, 2**32), st.integers(2, 40), st.integers(1, 30), st.integers(1, 40), st.integers(0, 12))
@settings(max_examples=25, deadline=None, phases=PHASES, suppress_health_check=CHECKS)
def test_made_messages(engine: Engine, seed: int, people: int, cases: int, count: int, before: int) -> None:
    rnd = random.Random(seed)
    messages = [_random_message(rnd, people, cases) for _ in range(count + before)]
    same(engine, messages[before:], messages[:before])


def test_a_bad_message_takes_no_other_with_it(engine: Engine) -> None:
    """What no column can hold fails alone; what came after it of the same case waits behind it."""
    good = [
        Spoken(PETITION, uuid.uuid4(), (episode(f"X{n}", "PETITION", parties=[person(NAMES[n], id_number=resident(n))]),))
        for n in range(6)
    ]  # fmt: skip
    bad = Spoken(COURT, uuid.uuid4(), (episode("C1", "TRIAL", sub_id="1号", cause="a\x00b"),))
    later = Spoken(COURT, uuid.uuid4(), (episode("C1", "TRIAL", sub_id="1号", version=(2,), cause="b"),))

    def act(uow: UnitOfWork) -> None:
        followed: list[int] = []
        found = record_many(uow, [*good[:3], bad, *good[3:], later], lambda place, _: followed.append(place))
        assert [isinstance(r, RecordResult) for r in found] == [True] * 3 + [False] + [True] * 3 + [False]
        failed, waits = found[3], found[7]
        assert isinstance(failed, NotRecorded) and failed.error is not None
        assert isinstance(waits, NotRecorded) and waits.error is None and waits.behind == 3
        assert {0, 1, 2, 4, 5, 6} <= set(followed)
        assert uow.scalar("SELECT count(*) FROM registry.source_case") == 6
        assert state_hash(uow) == rebuilt_hash(uow)

    undone(engine, act)


def test_what_follows_may_fail_too(engine: Engine) -> None:
    messages = [
        Spoken(PETITION, uuid.uuid4(), (Record("episode", f"X{n}", (1,), "2026-03-01", claims=(Claim("proceeding_kind", "PETITION"),)),))
        for n in range(5)
    ]  # fmt: skip

    def act(uow: UnitOfWork) -> None:
        def follow(place: int, result: RecordResult) -> None:
            assert result.disputes
            if place == 2:
                raise RuntimeError("not now")

        found = record_many(uow, messages, follow)
        assert [isinstance(r, NotRecorded) for r in found] == [False, False, True, False, False]
        natives = [
            row["native_id"] for row in uow.all("SELECT native_id FROM registry.source_case ORDER BY 1")
        ]
        assert natives == ["X0", "X1", "X3", "X4"]

    undone(engine, act)
