"""The worked-out tables: episodes, parties and edges of source cases, made anew from what was told."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import orjson

from case_registry.episodes import Episode
from case_registry.told import PARTIES, read_time
from foundation.unit_of_work import UnitOfWork
from schemas.case_numbers import normalise_case_number


@dataclass(frozen=True)
class SavedEpisode:
    """How an episode changed: None before = new."""

    case: int
    sub_id: str
    id: int
    kind: str
    was: str | None
    now: str


def save_episodes(
    uow: UnitOfWork, cases: Mapping[int, Sequence[Episode]], new: Container[int]
) -> list[SavedEpisode]:
    """Bring the episode and party tables to what the statements say; returns what is new or moved.

    `new`: ids of the statements that came just now; parties that an older one told are there already.
    """
    present = {(case, e.sub_id): e for case, episodes in cases.items() for e in episodes}
    made = [episode_row(case, e) for (case, _), e in present.items()]
    rows = uow.all(_UPSERT, cases=list(cases), rows=orjson.dumps(made).decode())
    saved = []
    told: list[tuple[int, Episode]] = []
    older: list[tuple[int, Episode]] = []
    for row in sorted(rows, key=lambda r: (r["source_case"], r["sub_id"])):
        episode = present.get((row["source_case"], row["sub_id"]))
        if episode is None:
            uow.execute("DELETE FROM registry.episode WHERE id = :id", id=row["id"])
            continue
        if row["was"] != episode.state:
            saved.append(
                SavedEpisode(
                    row["source_case"], episode.sub_id, row["id"], episode.kind, row["was"], episode.state
                )
            )
        parties = episode.fields.get(PARTIES)
        if parties is not None and (row["was"] is None or parties.told.id in new):
            (told if row["was"] is None else older).append((row["id"], episode))
    if told or older:
        _save_parties(uow, [*told, *older], older)
    return saved


EPISODE = "source_case, sub_id, kind, state, outcome, hidden, sealed, open, opened_on, closed_on, case_number, last_event_at"
_UPSERT = f"""
WITH before AS (SELECT id, source_case, sub_id, state FROM registry.episode WHERE source_case = ANY(:cases)),
after AS (
INSERT INTO registry.episode AS old ({EPISODE})
SELECT {EPISODE} FROM json_populate_recordset(NULL::registry.episode, CAST(:rows AS json))
ON CONFLICT (source_case, sub_id) DO UPDATE SET kind = excluded.kind, state = excluded.state,
    outcome = excluded.outcome, hidden = excluded.hidden, sealed = excluded.sealed, open = excluded.open,
    opened_on = excluded.opened_on, closed_on = excluded.closed_on, case_number = excluded.case_number,
    last_event_at = excluded.last_event_at
RETURNING id, source_case, sub_id)
SELECT COALESCE(a.id, b.id) AS id, COALESCE(a.source_case, b.source_case) AS source_case,
       COALESCE(a.sub_id, b.sub_id) AS sub_id, b.state AS was
FROM after a FULL JOIN before b ON b.id = a.id
"""


def episode_row(case: int, e: Episode) -> dict[str, Any]:
    """An episode's columns."""
    return {"source_case": case, "sub_id": e.sub_id, "kind": e.kind, "state": e.state, "outcome": e.text("outcome"),
            "hidden": e.hidden, "sealed": e.value("sealed") is True, "open": e.open, "opened_on": e.day("opened_on"),
            "closed_on": e.day("closed_on"), "case_number": e.text("case_number") or e.sub_id,
            "last_event_at": read_time(e.last.event_at)}  # fmt: skip


_PARTY_COLUMNS = (
    "key", "role", "kind", "name", "id_number", "masked_id", "phone", "address", "gender", "credit_code",
)  # fmt: skip


def _save_parties(
    uow: UnitOfWork, episodes: Sequence[tuple[int, Episode]], older: Sequence[tuple[int, Episode]]
) -> None:
    """Write the parties of these episodes; `older`: those that may have more of them from before."""
    rows = orjson.dumps([row for ident, e in episodes for row in party_rows(ident, e)]).decode()
    if older:
        # Rows that go and rows that are written are others: one statement may do both.
        shorter = {"e": [ident for ident, _ in older], "n": [len(e.parties) for _, e in older]}
        uow.execute(f"WITH gone AS ({_DROP}) {_PARTIES}", rows=rows, **shorter)
    elif rows != "[]":
        uow.execute(_PARTIES, rows=rows)


_DROP = (
    "DELETE FROM registry.party p USING unnest(CAST(:e AS bigint[]), CAST(:n AS int[])) AS t(e, n)"
    " WHERE p.episode = t.e AND p.no >= t.n"
)


def party_rows(episode: int, e: Episode) -> list[dict[str, Any]]:
    """The columns of an episode's parties."""
    return [
        {
            "episode": episode,
            "no": no,
            **{name: told.get(name) or (None if name in _MAY_LACK else "") for name in _PARTY_COLUMNS},
        }
        for no, told in enumerate(e.parties)
    ]


PARTY = "episode, no, " + ", ".join(_PARTY_COLUMNS)
_PARTIES = (
    f"INSERT INTO registry.party ({PARTY})"
    f" SELECT {PARTY} FROM json_populate_recordset(NULL::registry.party, CAST(:rows AS json))"
    " ON CONFLICT (episode, no) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _PARTY_COLUMNS)
)
_MAY_LACK = frozenset({"id_number", "masked_id", "phone", "address", "gender", "credit_code"})


def derived_edges(held: Sequence[tuple[int, Episode]]) -> list[tuple[int, str, str, int, str]]:
    """Edges that the episodes themselves show, as (from case, from sub, kind, to case, to sub).

    `continues`: proceedings of one court key, in the order in which they began. `confirmed_by`, `enforced_by`,
    `supported_by`: from the agreement, the title or the suit. `referred_to`: a petition that names a committee, or a
    procuratorate's case, to the mediation that took it up.
    """
    edges: list[tuple[int, str, str, int, str]] = []
    by_case: dict[int, list[Episode]] = {}
    for case, episode in held:
        by_case.setdefault(case, []).append(episode)
    for case, episodes in by_case.items():
        chain = sorted(
            (e for e in episodes if e.kind in ("PRE_LITIGATION_MEDIATION", "TRIAL", "ENFORCEMENT")),
            key=lambda e: (str(e.day("opened_on") or e.first_day()), e.sub_id),
        )
        edges += [(case, a.sub_id, "continues", case, b.sub_id) for a, b in pairwise(chain)]
    mediations = [(c, e) for c, e in held if e.kind == "MEDIATION"]
    for case, episode in held:
        if episode.kind == "CONFIRMATION":
            edges += [(c, e.sub_id, "confirmed_by", case, episode.sub_id) for c, e in mediations]
        if episode.kind == "ENFORCEMENT":
            basis = normalise_case_number(str((episode.enforcement or {}).get("basis_no") or ""))
            titles = [
                (c, e)
                for c, e in held
                if e.kind != "ENFORCEMENT" and e.sub_id and basis.startswith(normalise_case_number(e.sub_id))
            ]
            edges += [(c, e.sub_id, "enforced_by", case, episode.sub_id) for c, e in titles]
        if episode.kind == "SUPPORT_PROSECUTION":
            suits = [(c, e) for c, e in held if e.kind in ("TRIAL", "ARBITRATION")]
            edges += [(c, e.sub_id, "supported_by", case, episode.sub_id) for c, e in suits]
        if episode.kind in ("PETITION", "CRIMINAL_RECONCILIATION"):
            edges += [(case, episode.sub_id, "referred_to", c, e.sub_id) for c, e in mediations]
    return sorted(set(edges))


def save_edges(uow: UnitOfWork, disputes: Sequence[Sequence[tuple[int, Episode]]]) -> None:
    """Bring the derived edges inside each of these disputes to what its episodes show; edges made by hand-over stay."""
    cases = sorted({case for held in disputes for case, _ in held})
    wanted = {edge for held in disputes for edge in derived_edges(held)}
    present = {
        tuple(row.values())
        for row in uow.all(
            "SELECT from_case, from_sub, kind, to_case, to_sub FROM registry.episode_edge"
            " WHERE derived AND from_case = ANY(:cases)",
            cases=cases,
        )
    }
    gone, new = sorted(present - wanted), sorted(wanted - present)
    if gone:
        uow.execute(
            "DELETE FROM registry.episode_edge e USING unnest(CAST(:fc AS bigint[]), CAST(:fs AS text[]), CAST(:k AS text[]),"
            " CAST(:tc AS bigint[]), CAST(:ts AS text[])) AS t(fc, fs, k, tc, ts) WHERE derived AND from_case = fc"
            " AND from_sub = fs AND kind = k AND to_case = tc AND to_sub = ts",
            **_edge_columns(gone),
        )
    if new:
        uow.execute(
            "INSERT INTO registry.episode_edge (from_case, from_sub, kind, to_case, to_sub, at)"
            " SELECT t.*, :now FROM unnest(CAST(:fc AS bigint[]), CAST(:fs AS text[]), CAST(:k AS text[]),"
            " CAST(:tc AS bigint[]), CAST(:ts AS text[])) AS t ON CONFLICT DO NOTHING",
            now=uow.now,
            **_edge_columns(new),
        )


def _edge_columns(edges: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    return {name: [edge[i] for edge in edges] for i, name in enumerate(("fc", "fs", "k", "tc", "ts"))}
