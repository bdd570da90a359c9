"""The rows that a chunk of a bulk load writes, table by table, in the order in which they may be written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import psycopg

from case_registry import factor_table, factors, tables
from case_registry.authority import as_row
from case_registry.bulk_chunk import Chunk, NewCase
from case_registry.conflict_tasks import ROLE_FOR
from case_registry.copying import copy
from case_registry.features import to_json
from case_registry.flags import flags
from case_registry.projection import project
from case_registry.refresh import row_values
from case_registry.state_hash import known_digest
from case_registry.statements import json_digest
from case_registry.told import BEIJING, read_time
from case_registry.whereabouts import Held, Outside, primary, whereabouts

Rows = list[tuple[Any, ...]]
_PARTY = (
    "key",
    "role",
    "kind",
    "name",
    "id_number",
    "masked_id",
    "phone",
    "address",
    "gender",
    "credit_code",
)
_DISPUTE = (
    "id", "seq", "number", "opened_at", "stage", "stage_since", "stage_why", "holder", "holder_since", "flags",
    "flag_names", "title", "cause", "claimed_fen", "agreed_fen", "occurred_on", "begun_on", "county", "town", "agencies",
    "numbers", "search", "grams", "sealed", "lamp", "grade", "moved_at",
)  # fmt: skip


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def write_told(
    connection: psycopg.Connection[Any], chunk: Chunk, now: datetime, message: UUID, ids: Sequence[int]
) -> dict[tuple[int, str], int]:
    """Write cases, statements, claims, episodes, parties, keys and judged pairs; returns episode ids."""
    cases = list(chunk.cases.values())
    copy(
        connection, "source_case",
        ("id", "partner", "institution", "agency", "native_id", "first_seen", "dispute", "born", "features",
         "features_digest", "incidents", "known"),
        (_case_row(case, now) for case in cases),
    )  # fmt: skip
    copy(
        connection, "statement",
        ("id", "source_case", "sub_id", "kind", "version", "digest", "event_at", "recorded_at", "message", "path", "refs",
         "data", "parked"),
        _statements(cases, now, message),
    )  # fmt: skip
    copy(
        connection,
        "claim",
        ("id", "statement", "field", "value", "raw", "valid_from", "valid_to"),
        _claims(cases),
    )
    episodes: dict[tuple[int, str], int] = {}
    for case in cases:
        for episode in case.reading.episodes:
            episodes[(case.id, episode.sub_id)] = ids[len(episodes)]
    copy(
        connection, "episode",
        ("id", "source_case", "sub_id", "kind", "state", "outcome", "hidden", "sealed", "open", "opened_on", "closed_on",
         "case_number", "last_event_at"),
        _episodes(cases, episodes),
    )  # fmt: skip
    copy(connection, "party", ("episode", "no", *_PARTY), _parties(cases, episodes))
    copy(connection, "link_key", ("key", "source_case"), ((k, c.id) for c in cases for k in c.keys))
    copy(
        connection, "link_edge", ("a", "b", "verdict", "strength", "score", "reasons"),
        ((a, b, v.verdict, v.strength, v.score, _json(v.reasons)) for (a, b), v in chunk.edges.items()),
    )  # fmt: skip
    return episodes


def _case_row(case: NewCase, now: datetime) -> tuple[Any, ...]:
    stored = to_json(case.features) if case.features is not None else None
    return (
        case.id, case.source.partner, case.source.institution, case.source.agency, case.native_id, now, case.dispute,
        case.dispute if case.founder else None, _json(stored) if stored else None, json_digest(stored) if stored else None,
        list(case.features.incidents) if case.features else [], known_digest(case.reading, case.told),
    )  # fmt: skip


def _statements(cases: Iterable[NewCase], now: datetime, message: UUID) -> Iterator[tuple[Any, ...]]:
    for case in cases:
        waiting = {t.digest for t in case.reading.parked}
        for told, row in zip(case.told, case.rows.values(), strict=True):
            yield (told.id, case.id, row.sub_id, row.kind, row.version, row.digest, row.event_at, now, message, row.path,
                   row.refs, row.data, row.digest in waiting)  # fmt: skip


def _claims(cases: Iterable[NewCase]) -> Iterator[tuple[Any, ...]]:
    for case in cases:
        for told, row in zip(case.told, case.rows.values(), strict=True):
            for claim, (name, value, raw, valid_from, valid_to) in zip(told.claims, row.claims, strict=True):
                yield claim.id, told.id, name, value, raw, valid_from, valid_to


def _episodes(cases: Iterable[NewCase], ids: dict[tuple[int, str], int]) -> Iterator[tuple[Any, ...]]:
    for case in cases:
        for e in case.reading.episodes:
            yield (ids[(case.id, e.sub_id)], case.id, e.sub_id, e.kind, e.state, e.text("outcome"), e.hidden,
                   e.value("sealed") is True, e.open, e.day("opened_on"), e.day("closed_on"),
                   e.text("case_number") or e.sub_id, read_time(e.last.event_at))  # fmt: skip


def _parties(cases: Iterable[NewCase], ids: dict[tuple[int, str], int]) -> Iterator[tuple[Any, ...]]:
    for case in cases:
        for e in case.reading.episodes:
            for no, told in enumerate(e.parties):
                yield (
                    ids[(case.id, e.sub_id)],
                    no,
                    *(told.get(name) or ("" if i < 4 else None) for i, name in enumerate(_PARTY)),
                )


class DisputeRows:
    """Rows of the disputes that a chunk founds."""

    def __init__(self, now: datetime, by: str, why: str) -> None:
        self.now, self.by, self.why = now, by, why
        self.disputes: Rows = []
        self.members: Rows = []
        self.edges: Rows = []
        self.conflicts: Rows = []
        self.factors: Rows = []
        self.factor_log: Rows = []

    def add(self, part: Sequence[NewCase], ident: UUID, seq: int, lamp: str, new_id: Any) -> None:
        """Work one dispute out; its cases know already that they are of it."""
        number = f"JF-{self.now.astimezone(BEIJING).year}-{seq:06d}"
        everyone = [h for case in part for h in case.held()]
        held = primary(everyone)
        where = whereabouts(held, Outside())
        grade = factors.first_grade(held, Outside(), now=self.now, gaps=0, stage=where.stage, noted={})
        chosen = project(held, where.stage)
        shown = flags(held, Outside(), stage=where.stage, unstable=grade.name != "NONE",
                      parked=sum(len(case.reading.parked) for case in part))  # fmt: skip
        v = row_values(number, everyone, chosen, where.stage)
        self.disputes.append(
            (ident, seq, number, self.now, where.stage, self.now, where.why, where.holder, self.now, shown,
             sorted({f.split(":", 1)[0] for f in shown}), v["title"], v["cause"], v["claimed_fen"], v["agreed_fen"], v["occurred_on"],
             v["begun_on"], v["county"], v["town"], v["agencies"], v["numbers"], v["search"], v["grams"], v["sealed"], lamp,
             grade.name, self.now)
        )  # fmt: skip
        self.members += [(case.id, ident, self.now, self.by, self.why) for case in part]
        self._edges(part)
        for name, choice in chosen.items():
            if choice.undecided:
                voices = _json([as_row(x) for x in choice.undecided])
                self.conflicts.append(
                    (new_id(), ident, name, voices, ROLE_FOR.get(name, "supervision_officer"), self.now)
                )
        if grade.name != "NONE":
            self._grade(ident, grade)

    def take(self, other: DisputeRows) -> None:
        """Take over another's rows."""
        for name in ("disputes", "members", "edges", "conflicts", "factors", "factor_log"):
            getattr(self, name).extend(getattr(other, name))

    def _edges(self, part: Sequence[NewCase]) -> None:
        pairs = [(case.id, e) for case in part for e in case.reading.episodes]
        if len(pairs) > 1:
            self.edges += [(*edge, self.now) for edge in tables.derived_edges(pairs)]

    def _grade(self, ident: UUID, grade: factors.Grade) -> None:
        rows = _json([r.as_row() for r in grade.readings])
        version = factor_table.table()["version"]
        today = self.now.astimezone(BEIJING).date()
        self.factors.append(
            (ident, grade.score, grade.name, rows, version, self.now, factors.review_on(grade.name, today))
        )
        self.factor_log.append(
            (ident, self.now, self.by, "NONE", grade.name, grade.score, rows, version, grade.why)
        )

    def write_disputes(self, connection: psycopg.Connection[Any]) -> None:
        """Before the cases, which point at them."""
        copy(connection, "dispute", _DISPUTE, self.disputes)

    def write_rest(self, connection: psycopg.Connection[Any]) -> None:
        """After the cases."""
        copy(connection, "membership", ("source_case", "dispute", "from_at", "by", "why"), self.members)
        copy(
            connection,
            "episode_edge",
            ("from_case", "from_sub", "kind", "to_case", "to_sub", "at"),
            self.edges,
        )
        copy(
            connection, "conflict", ("id", "dispute", "field", "voices", "role", "opened_at"), self.conflicts
        )
        copy(
            connection, "factor",
            ("dispute", "score", "computed", "indicators", "rule_version", "changed_at", "review_on"), self.factors,
        )  # fmt: skip
        copy(
            connection, "factor_log",
            ("dispute", "at", "by", "was", "now", "score", "indicators", "rule_version", "cause"), self.factor_log,
        )  # fmt: skip


def held_of(part: Sequence[NewCase]) -> list[tuple[int, Held]]:
    """All episodes of a dispute with their case's id."""
    return [(case.id, h) for case in part for h in case.held()]
