"""Hand-overs that fall between two agencies: the gap that no agency's own list shows (supervision.md 4).

An alarm is raised once for a hand-over and reason, and ends by take-up, recall, an act of the sender or a new holder,
not by a click. Only what is due is looked at; what is settled is never looked at again.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

import orjson
from sqlalchemy import RowMapping

from case_registry.access import PERSON, Reader, row_filter, sees_unplaced
from case_registry.deadlines import midnight, over_after
from case_registry.source import Event
from case_registry.told import BEIJING
from foundation.unit_of_work import UnitOfWork

BATCH = 2_000
KINDS = ("NO_RECEIPT", "NOT_TAKEN_UP", "NO_ACT_AFTER_RETURN", "CLOSED_NOT_HANDED", "LISTED_NOT_ARRIVED")


@cache
def table() -> dict[str, Any]:
    """What the watch goes by: words of outcomes, workdays, windows."""
    return tomllib.loads(files("case_registry").joinpath("data/gaps.toml").read_text("utf-8"))


def watch_gaps(uow: UnitOfWork) -> list[Event]:
    """Raise what is due and end what is settled; returns `gap_alarm`, `transport_alarm` and `gap_ended` events.

    At most BATCH alarms of each kind a round, longest due first; the next round goes on.
    """
    _settle(uow)
    ended = _end(uow)
    raised = [event for kind in KINDS for event in _raise(uow, kind)]
    return [*raised, *ended]


def _settle(uow: UnitOfWork) -> None:
    """Mark what needs no more watching: returned hand-overs on which the sender acted, lines of lists that arrived."""
    uow.execute(_SETTLE_RETURNED)
    uow.execute(_SETTLE_LISTED, now=uow.now, before=table()["before_days"])


# LIMIT 1 in LATERAL: what is unsettled is few, and each looks its own up by index; the planner does not turn it round.
_SETTLE_RETURNED = """
UPDATE registry.referral r SET settled = true FROM (
    SELECT u.id FROM registry.referral u JOIN registry.source_case mine ON mine.id = u.source_case CROSS JOIN LATERAL (
        (SELECT 1 FROM registry.source_case c JOIN registry.statement s ON s.source_case = c.id
         WHERE c.dispute = mine.dispute AND c.agency = u.from_agency AND s.recorded_at > u.ended_at LIMIT 1)
        UNION ALL
        (SELECT 1 FROM registry.source_case c JOIN registry.referral o ON o.source_case = c.id
         WHERE c.dispute = mine.dispute AND o.drafted_at > u.ended_at LIMIT 1) LIMIT 1) acted
    WHERE u.state = 'RETURNED' AND NOT u.settled) t
WHERE r.id = t.id
"""
_SETTLE_LISTED = """
UPDATE registry.listed_hand_over l SET settled_at = :now, settled_why = 'arrived' FROM (
    SELECT u.id FROM registry.listed_hand_over u CROSS JOIN LATERAL (
        SELECT dispute AS id FROM registry.source_case WHERE native_id = u.native_id AND dispute IS NOT NULL
        UNION ALL (SELECT id FROM registry.dispute WHERE NOT EXISTS (
            SELECT 1 FROM registry.source_case k WHERE k.native_id = u.native_id AND k.dispute IS NOT NULL)
          AND numbers @> ARRAY[u.native_id COLLATE "default"])) d
    CROSS JOIN LATERAL (
        (SELECT 1 FROM registry.source_case c JOIN registry.referral o ON o.source_case = c.id
         WHERE c.dispute = d.id AND o.from_agency = u.from_agency AND o.to_agency = u.to_agency
           AND o.state NOT IN ('DRAFTED', 'LAPSED')
           AND o.drafted_at >= CAST(u.said_on - CAST(:before AS int) AS timestamp) AT TIME ZONE 'Asia/Shanghai' LIMIT 1)
        UNION ALL
        (SELECT 1 FROM registry.source_case c JOIN registry.episode e ON e.source_case = c.id
         WHERE c.dispute = d.id AND c.agency = u.to_agency
           AND (e.open OR COALESCE(e.opened_on, CAST(e.last_event_at AS date)) >= u.said_on - CAST(:before AS int)) LIMIT 1)
        LIMIT 1) arrived
    WHERE u.settled_at IS NULL AND u.native_id <> '') t
WHERE l.id = t.id
"""

# Another episode goes on, another agency began one since, or a hand-over was sent: the closed one is in somebody's hands.
_HANDED = """EXISTS (SELECT 1 FROM (SELECT 1) one CROSS JOIN LATERAL (
    (SELECT 1 FROM registry.source_case o JOIN registry.episode n ON n.source_case = o.id
     WHERE o.dispute = c.dispute AND (o.id, n.sub_id) <> (c.id, e.sub_id) AND (n.open OR (o.agency <> c.agency
       AND COALESCE(n.opened_on, CAST(n.last_event_at AS date)) >= e.closed_day - CAST(:before AS int))) LIMIT 1)
    UNION ALL
    (SELECT 1 FROM registry.source_case o JOIN registry.referral r ON r.source_case = o.id
     WHERE o.dispute = c.dispute AND r.from_agency = c.agency AND r.state NOT IN ('DRAFTED', 'LAPSED')
       AND r.drafted_at >= CAST(e.closed_day - CAST(:before AS int) AS timestamp) AT TIME ZONE 'Asia/Shanghai' LIMIT 1)) handed)"""

_CLOSED = """(SELECT x.source_case, x.sub_id, COALESCE(x.closed_on, CAST(x.last_event_at AT TIME ZONE 'Asia/Shanghai' AS date))
    AS closed_day, (SELECT min(s.recorded_at) FROM registry.statement s JOIN registry.claim k ON k.statement = s.id
        WHERE s.source_case = x.source_case AND s.sub_id = x.sub_id AND k.field = 'outcome') AS learnt_at
    FROM registry.episode x WHERE NOT x.open AND x.state <> 'WITHDRAWN' AND x.outcome <> '' AND upper(x.outcome) = ANY(:words)
      AND COALESCE(x.closed_on, CAST(x.last_event_at AT TIME ZONE 'Asia/Shanghai' AS date)) BETWEEN :since AND :until) e"""

_NEW = "NOT EXISTS (SELECT 1 FROM registry.gap_alarm g WHERE g.kind = :kind AND g.about = {about})"
_OF_REFERRAL = (
    "SELECT 'referral/' || r.id AS about, r.id AS referral, NULL::uuid AS listed, r.source_case, '' AS sub_id,"
    " r.from_agency, r.to_agency, {due} AS due_at FROM registry.referral r WHERE {when} AND {due} <= :now AND "
    + _NEW.format(about="'referral/' || r.id")
    + " ORDER BY 8, r.id LIMIT :most"
)
_DUE = {
    "NO_RECEIPT": _OF_REFERRAL.format(when="r.state = 'SENT'", due="r.sent_at + interval '24 hours'"),
    "NOT_TAKEN_UP": _OF_REFERRAL.format(when="r.state = 'DELIVERED'", due="r.due_at"),
    "NO_ACT_AFTER_RETURN": _OF_REFERRAL.format(when="r.state = 'RETURNED' AND NOT r.settled", due="r.act_by"),
    "CLOSED_NOT_HANDED": "SELECT 'closed/' || c.id || '/' || e.sub_id || '/' || e.closed_day AS about, NULL::uuid AS referral,"
    " NULL::uuid AS listed, c.id AS source_case, e.sub_id, c.agency AS from_agency, '' AS to_agency,"
    " GREATEST(e.learnt_at, CAST(e.closed_day AS timestamp) AT TIME ZONE 'Asia/Shanghai') AS due_at"
    f" FROM {_CLOSED} JOIN registry.source_case c ON c.id = e.source_case"
    f" WHERE (e.learnt_at IS NULL OR e.learnt_at < :learnt) AND {_NEW} AND NOT {_HANDED} ORDER BY 8, c.id LIMIT :most".replace(
        "{about}", "'closed/' || c.id || '/' || e.sub_id || '/' || e.closed_day"
    ),
    "LISTED_NOT_ARRIVED": "SELECT 'listed/' || l.id AS about, NULL::uuid AS referral, l.id AS listed, (SELECT c.id FROM"
    " registry.source_case c WHERE c.partner = l.partner AND c.native_id = l.native_id) AS source_case, '' AS sub_id,"
    " l.from_agency, l.to_agency, l.due_at FROM registry.listed_hand_over l WHERE l.settled_at IS NULL AND l.due_at <= :now"
    f" AND {_NEW} ORDER BY 8, l.id LIMIT :most".replace("{about}", "'listed/' || l.id"),
}


def _raise(uow: UnitOfWork, kind: str) -> list[Event]:
    params: dict[str, Any] = {"kind": kind, "most": BATCH}
    if kind == "CLOSED_NOT_HANDED":
        params |= _closing_params(uow.now)
    else:
        params["now"] = uow.now
    rows = [dict(row) for row in uow.all(_DUE[kind], **params)]
    for row in rows:
        if kind == "CLOSED_NOT_HANDED":
            row["due_at"] = over_after(row["due_at"], table()["arrive_workdays"])
        row |= {"id": uow.new_id(), "kind": kind, "raised_at": uow.now}
    if rows:
        uow.execute(_KEEP, rows=orjson.dumps(rows).decode())
    return [_event(row) for row in rows]


_COLUMNS = "id, kind, about, referral, listed, source_case, sub_id, from_agency, to_agency, due_at, raised_at"
_KEEP = (
    f"INSERT INTO registry.gap_alarm ({_COLUMNS}) SELECT {_COLUMNS}"
    " FROM json_populate_recordset(NULL::registry.gap_alarm, CAST(:rows AS json)) ON CONFLICT DO NOTHING"
)


def _closing_params(now: datetime) -> dict[str, Any]:
    """Closings whose limit has run out: told and closed on or before the last day from which it is over now."""
    last = now.astimezone(BEIJING).date()
    while over_after(midnight(last), table()["arrive_workdays"]) > now:
        last -= timedelta(days=1)
    return {"words": table()["handed_over"], "until": last, "since": last - timedelta(days=table()["look_back_days"]),
            "learnt": midnight(last + timedelta(days=1)), "before": table()["before_days"]}  # fmt: skip


def _event(row: dict[str, Any]) -> Event:
    # A missing receipt is a matter of transport: operators are told, officers are not.
    name = "transport_alarm" if row["kind"] == "NO_RECEIPT" else "gap_alarm"
    return {"event": name, "kind": row["kind"], "gap": row["id"], "referral": row["referral"], "about": row["about"],
            "from_agency": row["from_agency"], "to_agency": row["to_agency"], "case": row["source_case"]}  # fmt: skip


_END = f"""
UPDATE registry.gap_alarm g SET ended_at = :now, ended_why = t.why FROM (
    SELECT a.id, CASE
        WHEN r.state IN ('TAKEN_UP', 'LAPSED') THEN lower(r.state)
        WHEN a.kind = 'NO_RECEIPT' AND r.state <> 'SENT' THEN lower(r.state)
        WHEN a.kind = 'NOT_TAKEN_UP' AND r.state <> 'DELIVERED' THEN lower(r.state)
        WHEN a.kind = 'NO_ACT_AFTER_RETURN' AND r.settled THEN 'acted'
        WHEN a.kind = 'LISTED_NOT_ARRIVED' AND l.settled_at IS NOT NULL THEN l.settled_why
        WHEN a.kind <> 'NO_RECEIPT' AND d.holder_since > a.raised_at AND d.holder NOT IN ('-', a.from_agency) THEN 'new_holder'
        WHEN a.kind = 'CLOSED_NOT_HANDED' AND NOT EXISTS (SELECT 1 FROM {_CLOSED.replace("BETWEEN :since AND :until", "IS NOT NULL")}
            WHERE e.source_case = a.source_case AND e.sub_id = a.sub_id AND NOT {_HANDED}) THEN 'handed'
        END AS why
    FROM registry.gap_alarm a LEFT JOIN registry.referral r ON r.id = a.referral
    LEFT JOIN registry.listed_hand_over l ON l.id = a.listed LEFT JOIN registry.source_case c ON c.id = a.source_case
    LEFT JOIN registry.dispute d ON d.id = c.dispute WHERE a.ended_at IS NULL) t
WHERE g.id = t.id AND t.why IS NOT NULL RETURNING g.*
"""


def _end(uow: UnitOfWork) -> list[Event]:
    rows: Sequence[RowMapping] = uow.all(
        _END, now=uow.now, words=table()["handed_over"], before=table()["before_days"]
    )
    return [{**_event(dict(row)), "event": "gap_ended", "why": row["ended_why"]} for row in rows]


def list_hand_overs(
    uow: UnitOfWork, partner: str, agency: str, name: str, rows: Sequence[dict[str, Any]]
) -> int:
    """Take a partner's list of what it handed over; returns how many lines are new.

    `agency`: the partner's kind of agency. `name`: which list. Each row: `said_on` (date), `to_agency`, and
    `native_id` (the partner's key) or `message_id` (a message it says it sent, which never came).
    """
    made = [
        {"id": uow.new_id(), "partner": partner, "from_agency": agency, "list": name, "learnt_at": uow.now,
         "native_id": "", "message_id": "", **row, "due_at": _listed_due(row["said_on"], uow.now)}
        for row in rows
    ]  # fmt: skip
    if not made:
        return 0
    return len(uow.all(_LISTED, rows=orjson.dumps(made).decode()))


_LISTED_COLUMNS = (
    "id, partner, from_agency, to_agency, native_id, message_id, said_on, list, learnt_at, due_at"
)
_LISTED = (
    f"INSERT INTO registry.listed_hand_over ({_LISTED_COLUMNS}) SELECT {_LISTED_COLUMNS}"
    " FROM json_populate_recordset(NULL::registry.listed_hand_over, CAST(:rows AS json)) ON CONFLICT DO NOTHING RETURNING id"
)


def _listed_due(said_on: date, now: datetime) -> datetime:
    return max(over_after(midnight(said_on), table()["arrive_workdays"]), now)


def settle_listed(uow: UnitOfWork, partner: str, message_ids: Sequence[str], why: str) -> None:
    """Lines of a comparison whose message has come, or which the partner no longer says."""
    uow.execute(
        "UPDATE registry.listed_hand_over SET settled_at = :now, settled_why = :why WHERE partner = :p"
        " AND message_id = ANY(:ids) AND settled_at IS NULL",
        now=uow.now,
        why=why,
        p=partner,
        ids=list(message_ids),
    )


def open_gaps(uow: UnitOfWork, limit: int = 200, reader: Reader | None = None) -> list[dict[str, Any]]:
    """Open gap alarms, oldest first: kind, agencies, dispute (None where a list names none that is known), since when.

    `reader`: those of disputes whose persons this one may see, and those of none for people of no county; without one,
    all but those of sealed disputes.
    """
    seen, params = gaps_seen(reader, PERSON)
    rows = uow.all(
        "SELECT g.id, g.kind, g.from_agency, g.to_agency, g.due_at, g.raised_at, g.sub_id, d.number AS dispute, d.title,"
        " d.sealed, COALESCE(l.native_id || l.message_id, c.native_id) AS native_id, l.list FROM registry.gap_alarm g"
        " LEFT JOIN registry.source_case c ON c.id = g.source_case LEFT JOIN registry.dispute d ON d.id = c.dispute"
        " LEFT JOIN registry.listed_hand_over l ON l.id = g.listed"
        f" WHERE g.ended_at IS NULL AND g.kind <> 'NO_RECEIPT' AND {seen} ORDER BY g.raised_at, g.id LIMIT :limit",
        limit=limit,
        **params,
    )
    return [dict(row) for row in rows]


def gaps_seen(reader: Reader | None, kind: str) -> tuple[str, dict[str, Any]]:
    """The rule on gaps with their dispute `d`; what is of no dispute is as a dispute of no county."""
    if reader is None:
        return "(d.id IS NULL OR NOT d.sealed)", {}
    seen, params = row_filter(reader, kind, "d.")
    return (f"(d.id IS NULL OR {seen})" if sees_unplaced(reader, kind) else seen), params
