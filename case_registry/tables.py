"""The worked-out tables: episodes, parties and edges of source cases, made anew from what was told."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

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
    rows = uow.all(_UPSERT, cases=list(cases), **_columns([(case, e) for (case, _), e in present.items()]))
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
    if older:
        _drop_parties(uow, older)
    if told or older:
        _save_parties(uow, [*told, *older])
    return saved


_UPSERT = """
WITH before AS (SELECT id, source_case, sub_id, state FROM registry.episode WHERE source_case = ANY(:cases)),
after AS (
INSERT INTO registry.episode AS old
    (source_case, sub_id, kind, state, outcome, hidden, sealed, open, opened_on, closed_on, case_number, last_event_at)
SELECT * FROM unnest(CAST(:c AS bigint[]), CAST(:sub AS text[]), CAST(:kind AS text[]), CAST(:state AS text[]),
    CAST(:outcome AS text[]), CAST(:hidden AS boolean[]), CAST(:sealed AS boolean[]), CAST(:open AS boolean[]),
    CAST(:opened AS date[]), CAST(:closed AS date[]), CAST(:number AS text[]), CAST(:last AS timestamptz[]))
ON CONFLICT (source_case, sub_id) DO UPDATE SET kind = excluded.kind, state = excluded.state,
    outcome = excluded.outcome, hidden = excluded.hidden, sealed = excluded.sealed, open = excluded.open,
    opened_on = excluded.opened_on, closed_on = excluded.closed_on, case_number = excluded.case_number,
    last_event_at = excluded.last_event_at
RETURNING id, source_case, sub_id)
SELECT COALESCE(a.id, b.id) AS id, COALESCE(a.source_case, b.source_case) AS source_case,
       COALESCE(a.sub_id, b.sub_id) AS sub_id, b.state AS was
FROM after a FULL JOIN before b ON b.id = a.id
"""


def _columns(present: Sequence[tuple[int, Episode]]) -> dict[str, list[object]]:
    return {
        "c": [case for case, _ in present],
        "sub": [e.sub_id for _, e in present],
        "kind": [e.kind for _, e in present],
        "state": [e.state for _, e in present],
        "outcome": [e.text("outcome") for _, e in present],
        "hidden": [e.hidden for _, e in present],
        "sealed": [e.value("sealed") is True for _, e in present],
        "open": [e.open for _, e in present],
        "opened": [e.day("opened_on") for _, e in present],
        "closed": [e.day("closed_on") for _, e in present],
        "number": [e.text("case_number") or e.sub_id for _, e in present],
        "last": [read_time(e.last.event_at) for _, e in present],
    }


_PARTY_COLUMNS = (
    "key", "role", "kind", "name", "id_number", "masked_id", "phone", "address", "gender", "credit_code",
)  # fmt: skip


def _drop_parties(uow: UnitOfWork, episodes: Sequence[tuple[int, Episode]]) -> None:
    uow.execute(
        "DELETE FROM registry.party p USING unnest(CAST(:e AS bigint[]), CAST(:n AS int[])) AS t(e, n)"
        " WHERE p.episode = t.e AND p.no >= t.n",
        e=[ident for ident, _ in episodes],
        n=[len(e.parties) for _, e in episodes],
    )


def _save_parties(uow: UnitOfWork, episodes: Sequence[tuple[int, Episode]]) -> None:
    rows = [(ident, no, told) for ident, e in episodes for no, told in enumerate(e.parties)]
    if rows:
        uow.execute(
            _PARTIES,
            e=[ident for ident, _, _ in rows],
            n=[no for _, no, _ in rows],
            **{
                name: [told.get(name) or (None if name in _MAY_LACK else "") for *_, told in rows]
                for name in _PARTY_COLUMNS
            },
        )


_PARTIES = (
    "INSERT INTO registry.party (episode, no, " + ", ".join(_PARTY_COLUMNS) + ")"
    " SELECT * FROM unnest(CAST(:e AS bigint[]), CAST(:n AS int[]), "
    + ", ".join(f"CAST(:{name} AS text[])" for name in _PARTY_COLUMNS)
    + ") ON CONFLICT (episode, no) DO UPDATE SET "
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


def save_edges(uow: UnitOfWork, held: Sequence[tuple[int, Episode]]) -> None:
    """Bring the derived edges among these cases to what the episodes show; edges made by hand-over stay."""
    cases = sorted({case for case, _ in held})
    wanted = derived_edges(held)
    present = [
        tuple(row.values())
        for row in uow.all(
            "SELECT from_case, from_sub, kind, to_case, to_sub FROM registry.episode_edge"
            " WHERE derived AND from_case = ANY(:cases)",
            cases=cases,
        )
    ]
    gone, new = set(present) - set(wanted), sorted(set(wanted) - set(present))
    for edge in gone:
        uow.execute(
            "DELETE FROM registry.episode_edge WHERE derived AND from_case = :fc AND from_sub = :fs AND kind = :k"
            " AND to_case = :tc AND to_sub = :ts",
            **dict(zip(("fc", "fs", "k", "tc", "ts"), edge, strict=True)),
        )
    if new:
        uow.execute(
            "INSERT INTO registry.episode_edge (from_case, from_sub, kind, to_case, to_sub, at)"
            " SELECT t.*, :now FROM unnest(CAST(:fc AS bigint[]), CAST(:fs AS text[]), CAST(:k AS text[]),"
            " CAST(:tc AS bigint[]), CAST(:ts AS text[])) AS t ON CONFLICT DO NOTHING",
            now=uow.now,
            fc=[e[0] for e in new],
            fs=[e[1] for e in new],
            k=[e[2] for e in new],
            tc=[e[3] for e in new],
            ts=[e[4] for e in new],
        )
