"""Acceptance 8: the rule in Python, the filter of lists and PostgreSQL's row-level security let the same person see the same.

A case is a person, a purpose, a dispute and a field; the dispute's fields are claims in the database.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

import case_registry
from case_registry.access import (
    Reader,
    class_of,
    classes_seen,
    may,
    purposes_of,
    reader_of,
    reading_as,
    row_filter,
    rule,
)
from foundation import embedded_postgres
from foundation.actors import Actor
from foundation.database import make_engine
from foundation.staff import ROLES
from foundation.unit_of_work import UnitOfWork, unit_of_work
from schemas.claims import EPISODE_FIELDS
from tests.conftest import fresh_database

COUNTIES = ("330399", "330302", "330303", "")
AGENCIES = ("mediation", "court", "petition", "arbitration", "procuratorate")
FIELDS = (*EPISODE_FIELDS, "parties", "id_number", "phone", "agreed_fen", "agreed_on", "never_heard_of")
DISPUTES = 40
SEED = 20261124


@pytest.fixture(scope="module")
def stored(
    cluster: embedded_postgres.Cluster, template: str
) -> Iterator[tuple[Engine, list[dict[str, Any]]]]:
    """Disputes of every kind, each with one case and one claim of every field."""
    with fresh_database(cluster, template) as url:
        engine = make_engine(url)
        with unit_of_work(engine) as uow:
            disputes = [_store(uow, at, Random(SEED + at)) for at in range(DISPUTES)]
        yield engine, disputes
        engine.dispose()


def _store(uow: UnitOfWork, at: int, random: Random) -> dict[str, Any]:
    told = {
        "id": uow.new_id(),
        "county": random.choice(COUNTIES),
        "agencies": random.sample(AGENCIES, random.randint(0, 3)),
        "sealed": random.random() < 0.3,
    }
    uow.execute(
        "INSERT INTO registry.dispute (id, number, opened_at, stage_since, holder_since, moved_at, county, agencies, sealed)"
        " VALUES (:id, :number, :now, :now, :now, :now, :county, :agencies, :sealed)",
        number=f"JF-T-{at}", now=uow.now, **told,
    )  # fmt: skip
    case = uow.scalar(
        "INSERT INTO registry.source_case (partner, institution, agency, native_id, first_seen, dispute)"
        " VALUES ('t', 't', 'court', :n, :now, :d) RETURNING id",
        n=f"T{at}", now=uow.now, d=told["id"],
    )  # fmt: skip
    statement = uow.scalar(
        "INSERT INTO registry.statement (source_case, sub_id, kind, version, digest, event_at, recorded_at, message, path)"
        " VALUES (:c, '', 'episode', '1', 'd', '', :now, :m, '') RETURNING id",
        c=case, now=uow.now, m=uow.new_id(),
    )  # fmt: skip
    uow.execute(
        "INSERT INTO registry.claim (statement, field, value) SELECT :s, f, '1' FROM unnest(CAST(:fields AS text[])) AS f",
        s=statement,
        fields=list(FIELDS),
    )
    return told


def readers(random: Random, count: int) -> Iterator[Reader]:
    for _ in range(count):
        roles = frozenset(random.sample(sorted(ROLES), random.randint(1, 3)))
        purposes = [*rule().purposes, "curiosity", ""]
        yield Reader("p", roles, random.choice(purposes_of(roles) + purposes[:: random.randint(1, 4)]),
                     random.choice(("", *AGENCIES)), random.choice(COUNTIES))  # fmt: skip


def compare(engine: Engine, disputes: list[dict[str, Any]], reader: Reader) -> int:
    """How many (dispute, field) cases all three answered alike for this reader; fails on the first that differs."""
    by_rule = {(each["id"], field) for each in disputes for field in FIELDS if may(reader, each, field)}
    kinds = {class_of(field) for field in FIELDS}
    with unit_of_work(engine) as uow:
        by_filter: set[tuple[Any, str]] = set()
        for kind in kinds:
            clause, params = row_filter(reader, kind, "d.")
            rows = uow.all(f"SELECT d.id FROM registry.dispute d WHERE {clause}", **params)
            by_filter |= {(row["id"], field) for row in rows for field in FIELDS if class_of(field) == kind}
        with reading_as(uow, reader):
            claims = uow.all(
                "SELECT c.dispute, k.field FROM registry.claim k JOIN registry.statement s ON s.id = k.statement"
                " JOIN registry.source_case c ON c.id = s.source_case"
            )
            seen = {row["id"] for row in uow.all("SELECT id FROM registry.dispute")}
    by_database = {(row["dispute"], row["field"]) for row in claims}
    assert by_rule == by_filter, reader
    assert by_rule == by_database, reader
    assert seen == {each["id"] for each in disputes if classes_seen(reader, each)}, reader
    return len(disputes) * len(FIELDS)


def test_rule_filter_and_row_level_security_mean_the_same(
    stored: tuple[Engine, list[dict[str, Any]]],
) -> None:
    engine, disputes = stored
    cases = sum(compare(engine, disputes, reader) for reader in readers(Random(SEED), 8))
    assert cases >= 5_000


@pytest.mark.long
def test_many_readers(stored: tuple[Engine, list[dict[str, Any]]]) -> None:
    engine, disputes = stored
    cases = sum(compare(engine, disputes, reader) for reader in readers(Random(SEED + 1), 300))
    assert cases >= 300 * DISPUTES * len(FIELDS)


def test_every_role_alone_with_each_of_its_purposes(stored: tuple[Engine, list[dict[str, Any]]]) -> None:
    engine, disputes = stored
    for role in ROLES:
        for purpose in purposes_of([role]):
            compare(engine, disputes[:40], Reader("p", frozenset({role}), purpose, "court", "330399"))


def test_without_settings_and_without_a_purpose_nothing_is_seen(
    stored: tuple[Engine, list[dict[str, Any]]],
) -> None:
    engine, _ = stored
    with unit_of_work(engine) as uow:
        uow.execute("SET LOCAL ROLE concord_reader")
        assert uow.scalar("SELECT count(*) FROM registry.dispute") == 0
        assert uow.scalar("SELECT count(*) FROM registry.claim") == 0
    for sql in (
        "SELECT title FROM registry.dispute",
        "SELECT search FROM registry.dispute",
        "DELETE FROM registry.claim",
        "UPDATE registry.dispute SET sealed = false",
        "SELECT * FROM registry.claims_v1",
        "SELECT * FROM exchange.inbox",
    ):
        with pytest.raises(DBAPIError, match="permission denied"), unit_of_work(engine) as uow:
            uow.execute("SET LOCAL ROLE concord_reader")
            uow.execute(sql)
    clerk = Actor("c", "c", frozenset({"intake_clerk"}))
    assert reader_of(clerk).purpose == "handle"
    with pytest.raises(case_registry.NotAllowed):
        reader_of(clerk, "audit")


def test_a_whole_grant_asks_for_no_more_than_the_seal(stored: tuple[Engine, list[dict[str, Any]]]) -> None:
    """What a person of the whole city may see is one plain condition: lists stay as fast as they were."""
    reader = Reader("p", frozenset({"mediator"}), "handle")
    assert row_filter(reader) == ("NOT sealed", {})
    narrow = dataclasses.replace(reader, region="330399", agency="mediation")
    assert row_filter(narrow) == (
        "county = :own_region AND :own_agency = ANY(agencies) AND NOT sealed",
        {"own_region": "330399", "own_agency": "mediation"},
    )
    assert row_filter(dataclasses.replace(reader, purpose="audit")) == ("false", {})
