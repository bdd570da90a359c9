"""Which owed messages go out next: each partner within its own limits, none at the cost of another (exchange rules 5, 6).

A partner's row in ``partner_state`` is locked while its share is worked out, so that all workers together keep one rate;
how many deliveries are under way at once is limited in each worker. A partner whose breaker was open gets one probe, and
its full share after that has succeeded.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from foundation.outbox import BREAKER_AFTER
from foundation.partner_limits import Limits
from foundation.unit_of_work import UnitOfWork

LEASE_S = 60.0  # of real time: a worker that holds a row longer has died, whatever a virtual clock says
MOST_PARTNERS = 1000


def default_limits(_partner: str) -> Limits:
    """Limits of a partner of which nothing else is known."""
    return Limits()


def lease_due(
    uow: UnitOfWork,
    limit: int = 20,
    limits: Callable[[str], Limits] = default_limits,
    under_way: Mapping[str, int] | None = None,
) -> Sequence[RowMapping]:
    """Take due rows for sending, at most ``limit``: first of its case, partner not paused, its breaker closed, within its
    limits of deliveries at once, of rate and of second tries.

    ``under_way``: this process's deliveries by partner. Those of others are not counted: after a crash they would stand
    in the way until their lease ends.
    """
    due = [
        str(row["p"])
        for row in uow.all("SELECT exchange.partners_due(:now) AS p LIMIT :n", now=uow.now, n=MOST_PARTNERS)
    ]
    if not due or limit <= 0:
        return []
    uow.execute(
        "INSERT INTO exchange.partner_state (partner) SELECT p FROM unnest(CAST(:due AS text[])) AS p WHERE NOT EXISTS"
        " (SELECT 1 FROM exchange.partner_state s WHERE s.partner = p) ON CONFLICT DO NOTHING", due=due,
    )  # fmt: skip
    # Another worker that is just at a partner has its row: that partner is passed over, not waited for.
    states = list(
        uow.all(
            "SELECT * FROM exchange.partner_state WHERE partner = ANY(:due) AND NOT paused"
            " AND coalesce(open_until, '-infinity') <= :now FOR NO KEY UPDATE SKIP LOCKED", due=due, now=uow.now,
        )
    )  # fmt: skip
    random.shuffle(states)  # of partners that all want more than there is, none is always first
    shares: list[dict[str, Any]] = []
    for state in states:
        share = _share(
            state, limits(state["partner"]), (under_way or {}).get(state["partner"], 0), limit, uow.now
        )
        if share["room"] > 0:
            shares.append(share)
            limit -= share["room"]
    return _leased(uow, shares)


def _share(state: RowMapping, limits: Limits, under_way: int, free: int, now: datetime) -> dict[str, Any]:
    """What a partner may have now, and what was in its buckets before."""
    passed = max(0.0, (now - state["left_at"]).total_seconds()) if state["left_at"] else 0.0
    sends, retries = float(limits.send_burst), float(limits.retries_per_min)
    if state["left_at"]:
        sends = min(sends, state["send_left"] + passed * limits.send_per_s)
        retries = min(retries, state["retry_left"] + passed * limits.retries_per_min / 60)
    at_once = 1 if state["failures"] >= BREAKER_AFTER else limits.send_at_once
    room = min(at_once - under_way, int(sends), free)
    return {
        "partner": state["partner"],
        "room": room,
        "retries": int(retries),
        "sends": sends,
        "again": retries,
    }


def _leased(uow: UnitOfWork, shares: list[dict[str, Any]]) -> Sequence[RowMapping]:
    if not shares:
        return []
    rows = uow.all(
        "SELECT r.* FROM unnest(CAST(:partners AS text[]), CAST(:rooms AS int[]), CAST(:retries AS int[]))"
        " AS l (partner, room, retries) CROSS JOIN LATERAL"
        " exchange.lease_outbox(l.partner, l.room, l.retries, :now, :lease) AS r",
        partners=[each["partner"] for each in shares], rooms=[each["room"] for each in shares],
        retries=[each["retries"] for each in shares], now=uow.now, lease=LEASE_S,
    )  # fmt: skip
    taken = {each["partner"]: [row for row in rows if row["partner"] == each["partner"]] for each in shares}
    uow.execute_many(
        "UPDATE exchange.partner_state SET send_left = :sends, retry_left = :again, left_at = :now WHERE partner = :p",
        [
            {
                "p": each["partner"], "now": uow.now, "sends": each["sends"] - len(taken[each["partner"]]),
                "again": each["again"] - sum(row["attempts"] > 1 for row in taken[each["partner"]]),
            }
            for each in shares
            if taken[each["partner"]]
        ],
    )  # fmt: skip
    return rows
