"""The nightly comparison with each partner that offers it: differences stored, typed and repaired (exchange rule 10).

Repair asks for exactly the messages that are missing here and sends exactly those that are missing there; what neither
side can settle by itself waits for a person, with the reason beside it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from foundation import outbox
from foundation.actors import SYSTEM
from foundation.clock import clock_now
from foundation.journal import raise_alarm
from foundation.unit_of_work import UnitOfWork, unit_of_work
from foundation.wire import Wire
from hub import comparison_repair
from hub.comparing import EDGE, AnswerBroken, Compared, compare
from hub.comparison_client import Ask, TheirHoldings, ask_of, comparing_partners
from hub.holdings import OurHoldings
from hub.pipeline import Hub
from hub.pulling import PartnerAway
from schemas.holdings import WAYS, Difference, Held, Way
from schemas.wide import BEIJING

log = logging.getLogger("concord.comparing")
# So many days back each night; the days' hashes are few, and equal days cost no more.
DAYS = 400
MOST_KEPT = 100_000


def compare_all(hub: Hub) -> dict[str, Any]:
    """Compare with every partner that offers it, to the end of yesterday (Beijing), and repair; counts by kind."""
    with unit_of_work(hub.engine) as uow:
        names = comparing_partners(uow)
        until = uow.now.astimezone(BEIJING).date() - timedelta(days=1)
    told: dict[str, Any] = {"partners": len(names), "away": 0, "found": {}, "repaired": 0}
    wire = Wire()
    try:
        for name in names:
            try:
                one = compare_with(
                    hub, name, ask_of(hub, wire, name), until - timedelta(days=DAYS - 1), until
                )
            except (PartnerAway, AnswerBroken) as error:  # written down with the comparison; the others go on
                log.warning("no comparison with %s: %s", name, error)
                told["away"] += 1
                continue
            for kind, count in one["found"].items():
                told["found"][kind] = told["found"].get(kind, 0) + count
            told["repaired"] += one["repaired"]
    finally:
        wire.close()
    return told


def compare_with(hub: Hub, partner: str, ask: Ask, since: date, until: date) -> dict[str, Any]:
    """One comparison with one partner, both ways, and its repair. Raises PartnerAway, AnswerBroken.

    Returns found (by kind), repaired, person, calls and rows asked of the partner, messages asked for.
    """
    with unit_of_work(hub.engine) as uow:
        comparison = _begin(uow, partner, since, until)
    try:
        found = {way: _one_way(hub, partner, ask, way, since, until) for way in WAYS}
    except Exception as error:
        with unit_of_work(hub.engine) as uow:
            _end(uow, comparison, error=f"{type(error).__name__}: {error}"[:1000])
            outbox.note_partner(uow, partner, ok=False, error=str(error)[:300])
            if isinstance(error, AnswerBroken):
                raise_alarm(uow, "comparison_broken", partner, error=str(error)[:300])
        raise
    with unit_of_work(hub.engine) as uow:
        _end(uow, comparison, *found.values())
        outbox.note_partner(uow, partner, ok=True)
        for way, told in found.items():
            _keep(uow, partner, way, comparison, since, until, told.differences)
    repaired = comparison_repair.repair(hub, partner, ask)
    kinds: dict[str, int] = {}
    for told in found.values():
        for each in told.differences:
            kinds[each.kind] = kinds.get(each.kind, 0) + 1
    return {
        "found": kinds, **repaired, "calls": sum(each.calls for each in found.values()) + repaired["calls"],
        "rows": sum(each.rows for each in found.values()), "compared": sum(each.ours for each in found.values()),
    }  # fmt: skip


def _one_way(hub: Hub, partner: str, ask: Ask, way: Way, since: date, until: date) -> Compared:
    """One snapshot of ours against their answers, without holding up anyone who writes."""
    with hub.engine.connect().execution_options(isolation_level="REPEATABLE READ") as conn, conn.begin():
        ours = OurHoldings(UnitOfWork(conn, SYSTEM, clock_now(conn)), partner, way)
        ours.gather(str(since - EDGE), str(until + EDGE))
        return compare(ours, TheirHoldings(ask, way), since, until, here=ours.here)


def _begin(uow: UnitOfWork, partner: str, since: date, until: date) -> UUID:
    made = uow.new_id()
    uow.execute(
        "INSERT INTO exchange.comparison (id, partner, since, until, at) VALUES (:id, :p, :since, :until, :now)",
        id=made, p=partner, since=since, until=until, now=uow.now,
    )  # fmt: skip
    return made


def _end(uow: UnitOfWork, comparison: UUID, *told: Compared, error: str = "") -> None:
    uow.execute(
        "UPDATE exchange.comparison SET finished_at = :now, ours = :ours, theirs = :theirs, calls = :calls, rows = :rows,"
        " error = :error WHERE id = :id",
        id=comparison, now=uow.now, ours=sum(each.ours for each in told), theirs=sum(each.theirs for each in told),
        calls=sum(each.calls for each in told), rows=sum(each.rows for each in told), error=error,
    )  # fmt: skip


def _keep(
    uow: UnitOfWork,
    partner: str,
    way: Way,
    comparison: UUID,
    since: date,
    until: date,
    found: Sequence[Difference],
) -> None:
    """Store what is new, renew what is still there, and close what is gone."""
    kept = found[:MOST_KEPT]
    uow.execute(
        "UPDATE exchange.difference SET done = 'GONE', done_at = :now WHERE partner = :p AND way = :way AND done <> 'GONE'"
        " AND day BETWEEN :since AND :until AND NOT (message_id || '/' || kind = ANY(:still))",
        now=uow.now, p=partner, way=way, since=since, until=until, still=[f"{each.id}/{each.kind}" for each in kept],
    )  # fmt: skip
    uow.execute(
        "INSERT INTO exchange.difference (id, partner, way, day, message_id, kind, ours, theirs, comparison, found_at)"
        " SELECT g.id, :p, :way, g.day, g.message_id, g.kind, g.ours, g.theirs, :comparison, :now FROM"
        " unnest(CAST(:ids AS uuid[]), CAST(:days AS date[]), CAST(:names AS text[]), CAST(:kinds AS text[]),"
        " CAST(:ours AS text[]), CAST(:theirs AS text[])) AS g (id, day, message_id, kind, ours, theirs)"
        " ON CONFLICT (partner, way, message_id) WHERE done <> 'GONE' DO UPDATE SET comparison = excluded.comparison,"
        " ours = excluded.ours, theirs = excluded.theirs, done = CASE WHEN difference.done = 'PERSON' THEN 'PERSON' ELSE"
        " 'OPEN' END",
        p=partner, way=way, comparison=comparison, now=uow.now, ids=[uow.new_id() for _ in kept],
        days=[each.day for each in kept], names=[each.id for each in kept], kinds=[each.kind for each in kept],
        ours=[_told(each.ours) for each in kept], theirs=[_told(each.theirs) for each in kept],
    )  # fmt: skip
    if len(found) > MOST_KEPT:
        raise_alarm(uow, "comparison_broken", partner, found=len(found), kept=MOST_KEPT)


def _told(held: Held | None) -> str:
    return "" if held is None else held.digest + (" withdrawn" if held.withdrawn else "")


def differences(
    uow: UnitOfWork, partner: str = "", *, gone: bool = False, limit: int = 200
) -> list[dict[str, Any]]:
    """Differences, newest first, with what was done; ``gone``: those that are settled too."""
    rows = uow.all(
        "SELECT * FROM exchange.difference WHERE (:p = '' OR partner = :p) AND (:gone OR done <> 'GONE')"
        " ORDER BY found_at DESC, id LIMIT :n", p=partner, gone=gone, n=limit,
    )  # fmt: skip
    return [dict(row) for row in rows]


def comparisons(uow: UnitOfWork, limit: int = 50) -> list[dict[str, Any]]:
    """Comparisons, newest first, with how many differences of each are open, and of what kind."""
    rows = uow.all(
        "SELECT c.*, (SELECT count(*) FROM exchange.difference d WHERE d.comparison = c.id AND d.done <> 'GONE') AS open"
        " FROM exchange.comparison c ORDER BY c.at DESC, c.id LIMIT :n", n=limit,
    )  # fmt: skip
    return [dict(row) for row in rows]
