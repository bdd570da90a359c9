"""Our side of a comparison: what we hold of one partner's messages, asked of the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import RowMapping

from foundation.unit_of_work import UnitOfWork
from schemas.holdings import MOST_DEPTH, MOST_NAMED, Answer, Held, Range, Sum, Way

_SUM = "count(*) AS n, encode(sha256(string_agg(h.leaf, ''::bytea ORDER BY h.leaf)), 'hex') AS hash"
_DAYS = f"""
SELECT h.day::text AS day, {_SUM} FROM exchange.holding(:p, :way, CAST(:since AS date), CAST(:until AS date)) h
GROUP BY h.day ORDER BY h.day"""
_ASKED = """
unnest(CAST(:days AS date[]), CAST(:prefixes AS text[])) WITH ORDINALITY AS a (day, prefix, no)
JOIN exchange.holding(:p, :way, CAST(:since AS date), CAST(:until AS date)) h
    ON h.day = a.day AND left(encode(h.place, 'hex'), length(a.prefix)) = a.prefix"""
_PARTS = f"""
SELECT a.no, left(encode(h.place, 'hex'), length(a.prefix) + 1) AS part, {_SUM} FROM {_ASKED} GROUP BY 1, 2"""
_NAMED = f"SELECT a.no, h.day::text AS day, h.id, h.digest, h.withdrawn FROM {_ASKED} ORDER BY h.leaf"
# Of any day, for messages that the other side counts elsewhere.
_HERE = """
SELECT h.day::text AS day, h.id, h.digest, h.withdrawn FROM exchange.holding(:p, :way, '2000-01-01', '2199-12-31') h
WHERE h.id = ANY(:ids)"""


class OurHoldings:
    """What we hold of ``partner`` one way, inside one unit of work (one snapshot)."""

    def __init__(self, uow: UnitOfWork, partner: str, way: Way) -> None:
        self._uow = uow
        self._about: dict[str, Any] = {"p": partner, "way": way}

    def days(self, since: str, until: str) -> dict[str, Sum]:
        """Each day's sum, days without messages left out. ISO days, Beijing."""
        rows = self._uow.all(_DAYS, since=since, until=until, **self._about)
        return {row["day"]: Sum(row["n"], row["hash"]) for row in rows}

    def ranges(self, asked: Sequence[Range]) -> list[Answer]:
        """What is in each of these ranges: its parts' sums, or the messages of a small one."""
        if not asked:
            return []
        sums: list[dict[str, Sum]] = [{} for _ in asked]
        for row in self._asked(_PARTS, list(enumerate(asked))):
            sums[row["no"]][row["part"]] = Sum(row["n"], row["hash"])
        small = [
            (no, each)
            for no, each in enumerate(asked)
            if sum(part.count for part in sums[no].values()) <= MOST_NAMED or len(each.prefix) >= MOST_DEPTH
        ]
        answers = [Answer(parts=parts) for parts in sums]
        named: dict[int, list[Held]] = {no: [] for no, _ in small}
        for row in self._asked(_NAMED, small):
            named[row["no"]].append(_held(row))
        for no, entries in named.items():
            answers[no] = Answer(entries=tuple(entries))
        return answers

    def here(self, ids: list[str]) -> dict[str, Held]:
        """Those of these messages that we hold, whatever their day."""
        if not ids:
            return {}
        return {row["id"]: _held(row) for row in self._uow.all(_HERE, ids=ids, **self._about)}

    def _asked(self, sql: str, asked: list[tuple[int, Range]]) -> Iterator[dict[str, Any]]:
        if not asked:
            return
        days = [each.day for _, each in asked]
        rows = self._uow.all(
            sql,
            days=days,
            prefixes=[each.prefix for _, each in asked],
            since=min(days),
            until=max(days),
            **self._about,
        )
        for row in rows:
            yield {**row, "no": asked[row["no"] - 1][0]}


def _held(row: RowMapping | dict[str, Any]) -> Held:
    return Held(row["day"], row["id"], row["digest"], row["withdrawn"])
