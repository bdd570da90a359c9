"""Likelihoods of escalation in the database: rated by the watch, told with their hit rate or not at all.

Where no back-test of the weights in force counts, nothing is rated either: what may not be told is not worked out (PIPL 6).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, time
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

from case_registry.access import PERSON, Reader, check_seen, classes_seen, row_filter
from case_registry.escalation import Likelihood, likelihood, model, table
from case_registry.escalation_signs import known, look
from case_registry.outside import Facts, facts_of
from case_registry.refresh import Whole, load
from case_registry.told import BEIJING
from foundation.unit_of_work import UnitOfWork

FORECAST = "forecast"
"""The class of fields that a likelihood is of (``access.toml``)."""
BATCH = 2_000
NO_BACK_TEST = "NO_BACK_TEST"
NOT_RATED = "NOT_RATED"
_OVER = "('CLOSED', 'NONE')"


def hit_rate(uow: UnitOfWork) -> dict[str, Any] | None:
    """The back-test by which the weights in force may be told, None where there is none.

    The latest on this database's own record with enough cases; in a sandbox also the one on generated histories that came
    with the weights. On a city's own people only its own record proves anything.
    """
    row = uow.one(_PROOF, model=model().digest, least=table()["least_cases"])
    assert row is not None
    return _proof(row)


def _proof(row: RowMapping) -> dict[str, Any] | None:
    if row["own"] is not None:
        own = dict(row["own"])
        return {**own.pop("figures"), **own, "history": "record"}
    generated = model().back_test
    return dict(generated) if generated is not None and row["sandbox"] else None


_PROOF = """
SELECT registry.is_sandbox() AS sandbox, (
    SELECT jsonb_build_object('model', model, 'version', version, 'seed', seed, 'on', (at AT TIME ZONE 'Asia/Shanghai')::date,
                              'from', from_day, 'until', until_day, 'disputes', disputes, 'figures', figures)
    FROM registry.escalation_back_test
    WHERE model = :model AND cases >= :least AND escalated > 0 AND escalated < cases ORDER BY id DESC LIMIT 1) AS own
"""


def rate_escalations(uow: UnitOfWork, most: int = BATCH) -> int:
    """Rate open disputes anew that moved since, or were not rated today; the oldest ratings first. Returns how many.

    Ratings of disputes that closed or were merged end, and all of them where no hit rate may be told.
    """
    if hit_rate(uow) is None:
        _end(
            uow,
            [
                row["dispute"]
                for row in uow.all("SELECT dispute FROM registry.escalation LIMIT :most", most=most)
            ],
        )
        return 0
    _end(uow, [row["dispute"] for row in uow.all(_ENDED, most=most)])
    day = datetime.combine(uow.now.astimezone(BEIJING).date(), time(), BEIJING)
    due = [row["id"] for row in uow.all(_DUE, day=day, model=model().digest, most=most)]
    if not due:
        return 0
    wholes = load(uow, due, {})
    facts = facts_of(uow, [case["id"] for whole in wholes for case in whole.cases])
    rated = {whole.row["id"]: rate(whole, facts, uow.now) for whole in wholes}
    _keep(uow, rated)
    return len(rated)


_ENDED = f"""
SELECT e.dispute FROM registry.escalation e JOIN registry.dispute d ON d.id = e.dispute
WHERE d.merged_into IS NOT NULL OR d.stage IN {_OVER} LIMIT :most
"""
_DUE = f"""
SELECT d.id FROM registry.dispute d LEFT JOIN registry.escalation e ON e.dispute = d.id
WHERE d.merged_into IS NULL AND d.stage NOT IN {_OVER}
  AND (e.dispute IS NULL OR e.rated_at < d.moved_at OR e.rated_at < :day OR e.model <> :model)
ORDER BY e.rated_at NULLS FIRST, d.seq LIMIT :most
"""


def rate(whole: Whole, facts: Mapping[int, Facts], now: datetime) -> Likelihood:
    """The likelihood of a dispute as known now. Pure."""
    own = Facts.together(facts, [case["id"] for case in whole.cases])
    return likelihood(model(), look(known(whole.held, own, now)).signs)


def _keep(uow: UnitOfWork, rated: Mapping[UUID, Likelihood]) -> None:
    before = {
        row["dispute"]: row
        for row in uow.all(
            "SELECT dispute, band, model FROM registry.escalation WHERE dispute = ANY(:ids)", ids=list(rated)
        )
    }
    rows = [
        {"dispute": dispute, "rated_at": uow.now, "model": model().digest, **asdict(found)}
        for dispute, found in rated.items()
    ]
    uow.execute(_SAVE, rows=orjson.dumps(rows).decode())
    changed = [
        {"dispute": d, "at": uow.now, "by": uow.actor.id, "model": model().digest, "was": before[d]["band"] if d in before else "",
         "now": found.band, "percent": found.percent, "reasons": found.reasons}
        for d, found in rated.items()
        if d not in before or before[d]["band"] != found.band
    ]  # fmt: skip
    _log(uow, changed)


_SAVE = """
INSERT INTO registry.escalation (dispute, rated_at, model, percent, band, reasons)
SELECT dispute, rated_at, model, percent, band, reasons FROM json_populate_recordset(NULL::registry.escalation, CAST(:rows AS json))
ON CONFLICT (dispute) DO UPDATE SET rated_at = excluded.rated_at, model = excluded.model, percent = excluded.percent,
    band = excluded.band, reasons = excluded.reasons
"""


def _end(uow: UnitOfWork, disputes: Sequence[UUID]) -> None:
    if not disputes:
        return
    gone = uow.all(
        "DELETE FROM registry.escalation WHERE dispute = ANY(:ids) RETURNING dispute, band, model",
        ids=list(disputes),
    )
    _log(uow, [
        {"dispute": row["dispute"], "at": uow.now, "by": uow.actor.id, "model": row["model"], "was": row["band"], "now": "",
         "percent": None, "reasons": []}
        for row in gone
    ])  # fmt: skip


def _log(uow: UnitOfWork, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        uow.execute(
            "INSERT INTO registry.escalation_log (dispute, at, by, model, was, now, percent, reasons)"
            " SELECT dispute, at, by, model, was, now, percent, reasons"
            " FROM json_populate_recordset(NULL::registry.escalation_log, CAST(:rows AS json))",
            rows=orjson.dumps(rows).decode(),
        )


def told_of(uow: UnitOfWork, dispute: UUID) -> dict[str, Any]:
    """What is told of one dispute: the likelihood with its reasons and the hit rate; or only `why` there is nothing.

    `hit_rate` None = NO_BACK_TEST: then neither a likelihood nor its reasons. NOT_RATED: closed, or not looked at yet.
    """
    row = uow.one(_TOLD, d=dispute, model=model().digest, least=table()["least_cases"])
    assert row is not None
    proof = _proof(row)
    if proof is None:
        return {"hit_rate": None, "why": NO_BACK_TEST}
    if row["percent"] is None:
        return {"hit_rate": proof, "why": NOT_RATED}
    told = {name: row[name] for name in ("rated_at", "percent", "band", "reasons")}
    return {**told, "horizon_days": table()["horizon_days"], "hit_rate": proof, "why": ""}


_TOLD = f"""
SELECT p.*, e.rated_at, e.percent, e.band, e.reasons FROM ({_PROOF}) p
LEFT JOIN registry.escalation e ON e.dispute = :d AND e.model = :model
"""


def likeliest(uow: UnitOfWork, reader: Reader, *, band: str = "", limit: int = 50) -> dict[str, Any]:
    """The disputes that are likeliest to escalate and that this person may see, with the hit rate; none without one.

    `band`: only that one; "" = HIGH and RAISED. Each row names its three weightiest reasons.
    """
    proof = hit_rate(uow)
    if proof is None:
        return {"hit_rate": None, "why": NO_BACK_TEST, "disputes": []}
    seen, params = row_filter(reader, FORECAST, "d.")
    rows = [dict(row) for row in uow.all(
        "SELECT d.id, d.number, d.title, d.cause, d.county, d.town, d.agencies, d.sealed, d.stage, d.holder, d.grade, e.percent,"
        " e.band, e.reasons, e.rated_at FROM registry.escalation e JOIN registry.dispute d ON d.id = e.dispute"
        f" WHERE d.merged_into IS NULL AND d.stage NOT IN {_OVER} AND e.model = :model AND e.band = ANY(:bands) AND {seen}"
        " ORDER BY e.percent DESC, d.seq LIMIT :limit",
        model=model().digest, bands=[band] if band else ["HIGH", "RAISED"], limit=limit, **params,
    )]  # fmt: skip
    allowed = check_seen(uow, reader, [row["id"] for row in rows]) if rows else set()
    for row in rows:
        row["reasons"] = row["reasons"][:3]
        if PERSON not in classes_seen(reader, row):
            row["title"] = row["cause"]
    return {"hit_rate": proof, "why": "", "horizon_days": table()["horizon_days"],
            "disputes": [row for row in rows if row["id"] in allowed]}  # fmt: skip
