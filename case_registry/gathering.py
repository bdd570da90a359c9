"""Messages worked out in memory: what each of their cases looks like after them. It reads and reserves ids, and
writes nothing, so that what belongs to a message is known before anything of it is stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from case_registry.episodes import CaseReading, read_case
from case_registry.features import Features, features_of, to_json
from case_registry.keys import link_keys
from case_registry.source import Spoken
from case_registry.state_hash import known_digest
from case_registry.statements import Row, fetch, json_digest, row_of, told_of
from case_registry.told import Told
from foundation.unit_of_work import UnitOfWork

Key = tuple[str, str]


@dataclass(frozen=True)
class Stored:
    """A source case as it stands in the database. `digest`: of its features, None = it has none. `retracted`: digests of
    what was said of it and taken back; saying that again word for word is no news."""

    id: int
    partner: str
    institution: str
    agency: str
    native_id: str
    dispute: UUID | None
    digest: str | None
    retracted: tuple[str, ...] = ()
    there: bool = True


@dataclass
class CaseAfter:
    """A source case as one message leaves it. `said`: what is new; `told`: all that holds, the new included."""

    stored: Stored
    said: list[tuple[Row, Told]]
    told: list[Told]
    reading: CaseReading
    known: str
    features: Features | None = None
    plain: str | None = None
    digest: str | None = None
    keys: frozenset[int] = frozenset()

    @property
    def id(self) -> int:
        """Its id, reserved already where the case is new."""
        return self.stored.id

    @property
    def changed(self) -> bool:
        """Whether its features are other than those stored: then every pair it is in is judged again."""
        return self.digest != self.stored.digest


@dataclass
class Gathered:
    """One message worked out. `cases`: those of which it tells something new, by id; `named`: all that it names;
    `numbers`: running numbers kept for disputes that it may found."""

    place: int
    spoken: Spoken
    rows: Sequence[Row]
    cases: dict[int, CaseAfter] = field(default_factory=dict)
    named: dict[int, Stored] = field(default_factory=dict)
    stored: int = 0
    numbers: list[int] = field(default_factory=list)


def gather(
    uow: UnitOfWork, messages: Sequence[tuple[int, Spoken, Sequence[Row]]], kept: dict[Key, int] | None = None
) -> list[Gathered]:
    """Work messages out in their order, each on what the one before left of its cases.

    `kept`: ids reserved for new cases before, which stay theirs; takes up those reserved now.
    """
    kept = {} if kept is None else kept
    keys = {(m.source.partner, row.native_id) for _, m, rows in messages for row in rows}
    found = _stored(uow, keys)
    missing = list(
        dict.fromkeys(
            (m.source.partner, row.native_id, m.source)
            for _, m, rows in messages
            for row in rows
            if (m.source.partner, row.native_id) not in found
        )
    )
    statements = sum(len(rows) for *_, rows in messages)
    claims = sum(len(row.claims) for *_, rows in messages for row in rows)
    unnumbered = [(partner, native) for partner, native, _ in missing if (partner, native) not in kept]
    ids = reserve(uow, source_case=len(unnumbered), statement=statements, claim=claims)
    kept.update(zip(unnumbered, ids["source_case"], strict=True))
    told = fetch(uow, [case.id for case in found.values()]) if found else {}
    retracted = {case.id: case.retracted for case in found.values()}
    for partner, native, source in missing:
        found.setdefault(
            (partner, native),
            Stored(
                kept[partner, native],
                partner,
                source.institution,
                source.agency,
                native,
                None,
                None,
                there=False,
            ),
        )
    desk = _Desk(uow, told, retracted, iter(ids["statement"]), iter(ids["claim"]))
    return [desk.take(place, spoken, rows, found) for place, spoken, rows in messages]


class _Desk:
    """What is told of each case as message after message is taken."""

    def __init__(
        self, uow: UnitOfWork, told: dict[int, list[Told]], retracted: dict[int, tuple[str, ...]],
        statements: Iterator[int], claims: Iterator[int],
    ) -> None:  # fmt: skip
        self.uow = uow
        self.told = told
        self.said = {case: {t.digest for t in ts}.union(retracted[case]) for case, ts in told.items()}
        self.statements = statements
        self.claims = claims

    def take(self, place: int, spoken: Spoken, rows: Sequence[Row], found: dict[Key, Stored]) -> Gathered:
        made = Gathered(place, spoken, rows)
        new: dict[int, list[tuple[Row, Told]]] = {}
        for row in rows:
            case = found[(spoken.source.partner, row.native_id)]
            made.named[case.id] = case
            digests = self.said.setdefault(case.id, set())
            if row.digest in digests:
                continue
            digests.add(row.digest)
            told = told_of(row, next(self.statements), self.claims, self.uow.now, spoken.message)
            new.setdefault(case.id, []).append((row, told))
            made.stored += 1
        for ident, said in new.items():
            whole = [*self.told.get(ident, ()), *(told for _, told in said)]
            self.told[ident] = whole
            made.cases[ident] = case_after(made.named[ident], said, whole)
        return made


def case_after(stored: Stored, said: list[tuple[Row, Told]], told: list[Told]) -> CaseAfter:
    """Work one case out. Pure."""
    reading = read_case(told)
    after = CaseAfter(stored, said, told, reading, known_digest(reading, told))
    if reading.episodes:
        after.features = features_of(stored.partner, stored.agency, stored.native_id, reading.episodes)
        plain = to_json(after.features)
        after.plain, after.digest = orjson.dumps(plain).decode(), json_digest(plain)
        after.keys = link_keys(after.features)
    return after


def rows_of(spoken: Spoken) -> list[Row]:
    """A message's records as rows, doubles inside it left out by their digest later."""
    return [row_of(record) for record in spoken.records]


_SELECT = (
    "SELECT c.id, c.partner, c.institution, c.agency, c.native_id, c.dispute, c.features_digest,"
    " ARRAY(SELECT s.digest FROM registry.statement s WHERE s.source_case = c.id AND s.retracted_at IS NOT NULL) AS retracted FROM "
)


def _stored(uow: UnitOfWork, keys: Iterable[Key]) -> dict[Key, Stored]:
    wanted = sorted(keys)
    rows = uow.all(
        _SELECT + "unnest(CAST(:p AS text[]), CAST(:n AS text[])) AS t(p, n)"
        " JOIN registry.source_case c ON c.partner = t.p AND c.native_id = t.n",
        p=[partner for partner, _ in wanted],
        n=[native for _, native in wanted],
    )
    return {(row["partner"], row["native_id"]): _case_of(row) for row in rows}


def _case_of(row: Mapping[Any, Any]) -> Stored:
    return Stored(
        row["id"], row["partner"], row["institution"], row["agency"], row["native_id"], row["dispute"],
        row["features_digest"], tuple(row["retracted"]),
    )  # fmt: skip


def stored_cases(uow: UnitOfWork, ids: Sequence[int]) -> list[Stored]:
    """Source cases by id."""
    rows = uow.all(_SELECT + "registry.source_case c WHERE c.id = ANY(:ids) ORDER BY c.id", ids=list(ids))
    return [_case_of(row) for row in rows]


def reserve(uow: UnitOfWork, **tables: int) -> dict[str, list[int]]:
    """Reserve running numbers: so many of each table's own sequence. `dispute` has its number in `seq`."""
    parts = [
        f"ARRAY(SELECT nextval('registry.{table}_{'seq' if table == 'dispute' else 'id'}_seq')"
        f" FROM generate_series(1, :{table})) AS {table}"
        for table in tables
    ]
    row: Any = uow.one("SELECT " + ", ".join(parts), **tables)
    return dict(row)
