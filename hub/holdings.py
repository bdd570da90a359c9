"""Our side of a comparison: what we hold of one partner's messages, asked of the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import RowMapping

from foundation.unit_of_work import UnitOfWork
from schemas.holdings import MOST_DEPTH, MOST_NAMED, Answer, Held, Range, Sum, Way

_SUM = "count(*) AS n, encode(sha256(string_agg(h.leaf, ''::bytea ORDER BY h.leaf)), 'hex') AS hash"
_DAYS = f"""
SELECT h.day::text AS day, {_SUM} FROM {{source}} h
WHERE h.day BETWEEN CAST(:since AS date) AND CAST(:until AS date) GROUP BY h.day ORDER BY h.day"""
_ASKED = """
unnest(CAST(:days AS date[]), CAST(:lows AS bytea[]), CAST(:highs AS bytea[]), CAST(:lengths AS int[])) WITH ORDINALITY
    AS a (day, low, high, length, no)
JOIN {source} h ON h.day = a.day AND h.place >= a.low AND h.place <= a.high"""
_PARTS = (
    f"SELECT a.no, left(encode(h.place, 'hex'), a.length + 1) AS part, {_SUM} FROM {_ASKED} GROUP BY 1, 2"
)
_NAMED = f"SELECT a.no, h.day::text AS day, h.id, h.digest, h.withdrawn FROM {_ASKED} ORDER BY h.leaf"
_FROM_ALL = "exchange.holding(:p, :way, CAST(:since AS date), CAST(:until AS date))"
_GATHER = f"CREATE TEMPORARY TABLE holding_now ON COMMIT DROP AS SELECT * FROM {_FROM_ALL}"
# Of any day, for messages that the other side counts elsewhere.
_HERE = """
SELECT h.day::text AS day, h.id, h.digest, h.withdrawn FROM exchange.holding(:p, :way, '2000-01-01', '2199-12-31') h
WHERE h.id = ANY(:ids)"""


class OurHoldings:
    """What we hold of ``partner`` one way, inside one unit of work (one snapshot)."""

    def __init__(self, uow: UnitOfWork, partner: str, way: Way) -> None:
        self._uow = uow
        self._about: dict[str, Any] = {"p": partner, "way": way}
        self._source = _FROM_ALL

    def gather(self, since: str, until: str) -> None:
        """Work out the places of these days once, for many questions in this transaction; others see nothing of it."""
        self._uow.execute(_GATHER, since=since, until=until, **self._about)
        self._uow.execute("CREATE INDEX ON holding_now (day, place)")
        self._uow.execute("ANALYZE holding_now")
        self._source = "holding_now"

    def days(self, since: str, until: str) -> dict[str, Sum]:
        """Each day's sum, days without messages left out. ISO days, Beijing."""
        rows = self._uow.all(_DAYS.format(source=self._source), since=since, until=until, **self._about)
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
            sql.format(source=self._source), days=days, lengths=[len(each.prefix) for _, each in asked],
            lows=[bytes.fromhex(each.prefix.ljust(64, "0")) for _, each in asked],
            highs=[bytes.fromhex(each.prefix.ljust(64, "f")) for _, each in asked],
            since=min(days), until=max(days), **self._about,
        )  # fmt: skip
        for row in rows:
            yield {**row, "no": asked[row["no"] - 1][0]}


def _held(row: RowMapping | dict[str, Any]) -> Held:
    return Held(row["day"], row["id"], row["digest"], row["withdrawn"])
