"""The review list: pairs that a person is asked about, in the order that serves, and what the person answers.

Order: first where time runs (a red lamp on either side, then a yellow one, then any that is still open), within that the
oldest question. Not the nearest to the floor and not the surest: either would leave the rest unasked for good, and a pair
that was drawn for the audit would be known by its place. What a person put off comes last for that person, and what
another has before him comes later meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from case_registry import link_decisions
from case_registry.access import PERSON, Reader, check_seen, row_filter
from case_registry.link_floor import rules
from case_registry.linking import lock
from case_registry.source import Event, NotAllowed, Unknown
from case_registry.told import BEIJING
from foundation.unit_of_work import UnitOfWork

SAME, DIFFERENT, LATER = "SAME", "DIFFERENT", "LATER"
ANSWERS = (SAME, DIFFERENT, LATER)
MAX_LISTED = 200


@dataclass(frozen=True)
class Asked:
    """Which pairs. `county`: division code of either side; `kind`: a kind of proceeding of either side; `band`: place of
    the score among `link_review.toml`'s bands. "" and None = any."""

    county: str = ""
    kind: str = ""
    band: int | None = None


_ITEMS = """
SELECT p.id, p.a, p.b, p.score, p.opened_at, 'PROPOSAL' AS asked FROM registry.proposal p WHERE p.state = 'OPEN'
UNION ALL
SELECT u.id, u.a, u.b, u.score, u.opened_at, 'AUDIT' FROM registry.link_audit u WHERE u.answer IS NULL
    AND NOT EXISTS (SELECT 1 FROM registry.proposal q WHERE q.a = u.a AND q.b = u.b AND q.state = 'OPEN')
"""
_SIDES = (
    " JOIN registry.source_case ca ON ca.id = i.a JOIN registry.source_case cb ON cb.id = i.b"
    " JOIN registry.dispute da ON da.id = ca.dispute JOIN registry.dispute db ON db.id = cb.dispute"
)
_STAKE = (
    "CASE WHEN 'RED' IN (da.lamp, db.lamp) THEN 3 WHEN 'YELLOW' IN (da.lamp, db.lamp) THEN 2"
    " WHEN da.stage <> 'CLOSED' OR db.stage <> 'CLOSED' THEN 1 ELSE 0 END"
)
_PUT_OFF = "SELECT max(o.at) FROM registry.link_put_off o WHERE o.item = i.id AND o.by = :me AND o.taken_back_at IS NULL"
_TAKEN = "SELECT 1 FROM registry.link_look l WHERE l.item = i.id AND l.by <> :me AND l.until > :now"
# What a page was made from: another word of either agency, or another standing of the two, makes another.
VERSION = (
    "md5(concat_ws('|', i.id, ca.features_digest, cb.features_digest, ca.dispute = cb.dispute, i.score))"
)


def reviews(
    uow: UnitOfWork, asked: Asked = Asked(), *, reader: Reader, limit: int = 50
) -> list[dict[str, Any]]:
    """Pairs to decide, in the list's order, of which this person may see both sides: `id`, both cases, `score`, `stake`
    (3 red, 2 yellow, 1 open, 0 closed), `opened_at`, `put_off_at`, `taken` (another person has it before him)."""
    where, params = _where(asked, reader)
    rows = uow.all(
        f"SELECT * FROM (SELECT i.id, i.a, i.b, i.score, i.opened_at, {_STAKE} AS stake, ({_PUT_OFF}) AS put_off_at,"
        f" EXISTS ({_TAKEN}) AS taken, ca.agency AS one_agency, ca.native_id AS one_native, cb.agency AS other_agency,"
        f" cb.native_id AS other_native, da.id AS one_dispute, db.id AS other_dispute FROM ({_ITEMS}) i {_SIDES} WHERE {where}) x"
        " ORDER BY put_off_at NULLS FIRST, taken, stake DESC, opened_at, a, b LIMIT :limit",
        **params,
        me=uow.actor.id,
        now=uow.now,
        limit=min(limit, MAX_LISTED),
    )
    seen = check_seen(uow, reader, [row[side] for row in rows for side in ("one_dispute", "other_dispute")])
    return [_listed(row) for row in rows if {row["one_dispute"], row["other_dispute"]} <= seen]


def _listed(row: RowMapping) -> dict[str, Any]:
    """A row of the list. Which dispute each stands in is not told: of a pair that was drawn it may be one."""
    return {
        **{name: row[name] for name in ("id", "score", "opened_at", "stake", "put_off_at", "taken")},
        "one": {"agency": row["one_agency"], "native_id": row["one_native"]},
        "other": {"agency": row["other_agency"], "native_id": row["other_native"]},
    }


def review_counts(uow: UnitOfWork, asked: Asked = Asked(), *, reader: Reader) -> dict[str, Any]:
    """How many pairs wait: `all`, `by_band`, `by_county` (of either side), under the filters but the one counted."""
    found: dict[str, Any] = {"all": 0, "by_band": [0] * (len(rules()["bands"]) + 1), "by_county": {}}
    where, params = _where(Asked(kind=asked.kind), reader)
    rows = uow.all(
        "SELECT width_bucket(CAST(i.score AS numeric), CAST(:bands AS numeric[])) AS band, da.county AS one, db.county AS other,"
        f" count(*) AS n FROM ({_ITEMS}) i {_SIDES} WHERE {where} GROUP BY 1, 2, 3",
        **params,
        bands=rules()["bands"],
    )
    for row in rows:
        sides = {row["one"], row["other"]}
        in_county, in_band = asked.county in ("", *sides), asked.band in (None, row["band"])
        if in_county:
            found["by_band"][row["band"]] += row["n"]
        if in_band:
            for county in sorted(sides - {""}):
                found["by_county"][county] = found["by_county"].get(county, 0) + row["n"]
        if in_county and in_band:
            found["all"] += row["n"]
    return found


def _where(asked: Asked, reader: Reader) -> tuple[str, dict[str, Any]]:
    clauses: list[str] = []
    params: dict[str, Any] = {}
    for side in ("da.", "db."):
        seen, more = row_filter(reader, PERSON, side)
        clauses.append(seen)
        params |= more
    if asked.county:
        clauses.append(":county IN (da.county, db.county)")
        params["county"] = asked.county
    if asked.kind:
        clauses.append(
            "(ca.features -> 'kinds' @> to_jsonb(CAST(:kind AS text)) OR cb.features -> 'kinds' @> to_jsonb(CAST(:kind AS text)))"
        )
        params["kind"] = asked.kind
    if asked.band is not None:
        limits = [None, *rules()["bands"], None]
        if not 0 <= asked.band < len(limits) - 1:
            raise NotAllowed(f"band: 0 to {len(limits) - 2}")
        low, high = limits[asked.band], limits[asked.band + 1]
        if low is not None:
            clauses.append("i.score >= :low")
            params["low"] = low
        if high is not None:
            clauses.append("i.score < :high")
            params["high"] = high
    return " AND ".join(clauses), params


def find(uow: UnitOfWork, item: UUID, reader: Reader) -> RowMapping | None:
    """The open question of that id with both cases and its `version`, None where there is none that the reader may see."""
    seen, params = _where(Asked(), reader)
    return uow.one(
        f"SELECT i.id, i.a, i.b, i.score, i.opened_at, i.asked, {VERSION} AS version, {_STAKE} AS stake,"
        " ca.dispute AS one_dispute, cb.dispute AS other_dispute"
        f" FROM ({_ITEMS}) i {_SIDES} WHERE i.id = :item AND {seen}",
        item=item,
        **params,
    )


def answer(
    uow: UnitOfWork, item: UUID, said: str, reason: str, version: str, *, reader: Reader
) -> list[Event]:
    """What a person says of a pair: SAME, DIFFERENT, or LATER (cannot tell). Who, when and why stay with it.

    `version`: of the pair as it was shown. Raises Unknown (no such question, or not this reader's), NotAllowed (answered
    by now; another look is due; no reason).
    """
    if said not in ANSWERS or not reason.strip():
        raise NotAllowed(f"an answer is one of {', '.join(ANSWERS)}, with a reason")
    lock(uow)
    found = find(uow, item, reader)
    if found is None:
        raise _gone(uow, item, reader)
    if found["version"] != version:
        raise NotAllowed("what the agencies say of this pair has changed since it was shown: look again")
    if said == LATER:
        uow.execute(
            "INSERT INTO registry.link_put_off (id, item, at, by, reason) VALUES (:id, :item, :now, :by, :reason)",
            id=uow.new_id(),
            item=item,
            now=uow.now,
            by=uow.actor.id,
            reason=reason,
        )
        events: list[Event] = []
    elif found["asked"] == "PROPOSAL":
        events = link_decisions.settle(uow, item, said == SAME, reason)
    else:
        decision = link_decisions.decide(uow, found["a"], found["b"], said, reason, item, "AUDIT")
        decided: Event = {
            "event": "link_decided",
            "proposal": item,
            "decision": decision,
            "accepted": said == SAME,
        }
        events = [decided, *link_decisions.follow(uow, [found["a"], found["b"]], reason)]
    uow.execute("DELETE FROM registry.link_look WHERE item = :item", item=item)
    return events


_ANSWERED = """
SELECT d.at, d.verdict, coalesce(s.name, d.by) AS who, d.undone_at IS NOT NULL AS undone FROM registry.link_decision d
LEFT JOIN exchange.staff s ON s.id = d.by WHERE d.proposal = :item ORDER BY d.undone_at IS NOT NULL, d.id DESC LIMIT 1
"""
_SAID = {SAME: "同一纠纷 one dispute", DIFFERENT: "不同纠纷 two disputes"}


def _gone(uow: UnitOfWork, item: UUID, reader: Reader) -> Exception:
    """Why a question is not there any more, told to somebody who may see both its sides."""
    pair = uow.one(
        "SELECT ca.dispute AS one, cb.dispute AS other FROM (SELECT a, b FROM registry.proposal WHERE id = :item"
        " UNION ALL SELECT a, b FROM registry.link_audit WHERE id = :item) i"
        " JOIN registry.source_case ca ON ca.id = i.a JOIN registry.source_case cb ON cb.id = i.b",
        item=item,
    )
    if pair is None or not {pair["one"], pair["other"]} <= check_seen(
        uow, reader, [pair["one"], pair["other"]]
    ):
        return Unknown("question", item)
    row = uow.one(_ANSWERED, item=item)
    if row is None:
        return NotAllowed(
            "this question has settled itself: the two were linked by other means, or the signs are gone"
        )
    if row["undone"]:
        return NotAllowed(
            "the answer to this question was taken back, and it is asked anew: take it from the list"
        )
    at = row["at"].astimezone(BEIJING).strftime("%m-%d %H:%M")
    return NotAllowed(f"这一对已由 {row['who']} 于 {at} 判定：{_SAID[row['verdict']]} (decided before you)")


def take_back(uow: UnitOfWork, reason: str) -> tuple[UUID | None, list[Event]]:
    """Take the acting person's last answer of this review back, of the last `back_hours`: everything stands as before it.

    Returns the question that is open again (None where the signs are gone meanwhile) and the events. Raises NotAllowed
    where there is nothing to take back.
    """
    if not reason.strip():
        raise NotAllowed("taking a decision back needs a reason")
    lock(uow)
    last = uow.one(
        "SELECT * FROM (SELECT id, at, proposal AS item, a, b, true AS decided FROM registry.link_decision"
        "   WHERE by = :me AND asked <> '' AND undone_at IS NULL"
        " UNION ALL SELECT id, at, item, NULL, NULL, false FROM registry.link_put_off WHERE by = :me AND taken_back_at IS NULL) x"
        " WHERE at > :since ORDER BY at DESC, id DESC LIMIT 1",
        me=uow.actor.id,
        since=uow.now - timedelta(hours=rules()["back_hours"]),
    )
    if last is None:
        raise NotAllowed("there is no answer of yours to take back")
    if not last["decided"]:
        uow.execute(
            "UPDATE registry.link_put_off SET taken_back_at = :now WHERE id = :id", now=uow.now, id=last["id"]
        )
        return last["item"], []
    events = link_decisions.undo(uow, last["id"], reason)
    return _asked_again(uow, last), events


def _asked_again(uow: UnitOfWork, last: RowMapping) -> UUID | None:
    row = uow.one(
        f"SELECT i.id FROM ({_ITEMS}) i WHERE i.id = :item OR (i.a = :a AND i.b = :b) ORDER BY i.id <> :item LIMIT 1",
        item=last["item"],
        a=last["a"],
        b=last["b"],
    )
    return row["id"] if row else None
