"""What happened to a dispute, in order: what was told, what moved, what was decided, whose clock changed."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from case_registry.access import Reader, reading_as
from case_registry.disputes import dispute_ref
from case_registry.source import Unknown
from case_registry.words import word
from foundation.unit_of_work import UnitOfWork

_TIMELINE = """
WITH mine AS (SELECT id, agency, partner, native_id FROM registry.source_case WHERE dispute = :d)
SELECT s.recorded_at AS at, 'told' AS what, c.agency, c.native_id, s.sub_id, s.kind AS name, s.event_at AS told_at,
       s.message::text AS ref, jsonb_build_object('data', s.data, 'parked', s.parked, 'retracted', s.retracted_at IS NOT NULL,
       'fields', (SELECT jsonb_object_agg(k.field, k.value) FROM registry.claim k
                  WHERE k.statement = s.id AND k.field IN ('proceeding_kind', 'state', 'case_number', 'holder'))) AS detail
    FROM registry.statement s JOIN mine c ON c.id = s.source_case
UNION ALL
SELECT m.from_at, 'belongs', c.agency, c.native_id, '', 'joined',
       NULL, d.number, jsonb_build_object('by', m.by, 'why', m.why, 'left', m.to_at)
    FROM registry.membership m JOIN mine c ON c.id = m.source_case JOIN registry.dispute d ON d.id = m.dispute
UNION ALL
SELECT x.at, 'decided', c.agency, c.native_id, '', x.verdict, NULL, x.id::text,
       jsonb_build_object('by', x.by, 'reason', x.reason, 'undone', x.undone_at, 'undone_reason', x.undone_reason)
    FROM registry.link_decision x JOIN mine c ON c.id = x.a
UNION ALL
SELECT f.at, f.kind, c.agency, c.native_id, '', f.value ->> 'state', NULL, '', f.value - 'flags'
    FROM registry.outside_fact f JOIN mine c ON c.id = f.source_case WHERE f.kind = 'escrow'
UNION ALL
SELECT e.at, 'clock', k.agency, c.native_id, k.sub_id, e.kind, NULL, k.rule, e.detail
    FROM registry.clock_event e JOIN registry.clock k ON k.id = e.clock JOIN mine c ON c.id = k.source_case
    WHERE e.kind <> 'REMIND'
UNION ALL
SELECT l.at, 'grade', '', '', '', l.now, NULL, l.rule_version, jsonb_build_object('from', l.was, 'score', l.score, 'cause', l.cause)
    FROM registry.factor_log l WHERE l.dispute = :d
UNION ALL
SELECT v.at, 'hand-over', v.agency, c.native_id, '', v.name, NULL, r.id::text, jsonb_build_object('to', r.to_agency, 'reason', r.reason)
    FROM registry.referral r JOIN mine c ON c.id = r.source_case
    CROSS JOIN LATERAL (VALUES (r.drafted_at, r.from_agency, 'DRAFTED'), (r.sent_at, r.from_agency, 'SENT'),
        (r.delivered_at, r.to_agency, 'DELIVERED'), (r.ended_at, r.to_agency, r.state)) AS v(at, agency, name)
    WHERE v.at IS NOT NULL
UNION ALL
SELECT g.set_at, 'flag', '', c.native_id, '', g.flag, NULL, '', jsonb_build_object('by', g.set_by, 'reason', g.reason,
       'cleared', g.cleared_at)
    FROM registry.flag g JOIN mine c ON c.id = g.source_case
ORDER BY 1, 2, 4, 5, 6 LIMIT :limit
"""


def timeline(
    uow: UnitOfWork, number: str, limit: int = 1_000, reader: Reader | None = None
) -> list[dict[str, Any]]:
    """Everything that happened to a dispute, in the order in which the hub learnt it; none where there is no dispute.

    Each line: `at` (when we learnt it), `told_at` (when it was true, as told), `what`, `name`, `text` (Chinese),
    `source` (agency and its key), `ref` (message, decision or rule), `detail`. `reader`: what the database lets this
    person see of it.
    """
    try:
        ident = dispute_ref(uow, number).id
    except Unknown:
        return []
    with reading_as(uow, reader) if reader else nullcontext():
        rows = uow.all(_TIMELINE, d=ident, limit=limit)
    return [_line(dict(row)) for row in rows]


def _line(row: dict[str, Any]) -> dict[str, Any]:
    row["source"] = " ".join(
        p for p in (word("agency", row["agency"]) if row["agency"] else "", row["native_id"]) if p
    )
    row["text"] = f"{word('what', row['what'])}：{_text(row)}"
    return row


def _text(row: dict[str, Any]) -> str:
    detail, name = row["detail"] or {}, str(row["name"] or "")
    if row["what"] == "told":
        fields = detail.get("fields") or {}
        parts = [word("told", name), word("kind", str(fields.get("proceeding_kind") or "")), row["sub_id"],
                 word("state", str(fields.get("state") or "")), str(fields.get("holder") or ""),
                 str((detail.get("data") or {}).get("result") or (detail.get("data") or {}).get("measure") or ""),
                 "（待案件到达）" if detail.get("parked") else ""]  # fmt: skip
        return " ".join(p for p in parts if p)
    if row["what"] == "clock" and name == "LAMP":
        return f"{row['ref']} {word('event', detail['from'])}→{word('event', detail['to'])}"
    if row["what"] == "clock":
        return f"{row['ref']} {word('event', name)} {detail.get('last_day', detail.get('day', ''))}".strip()
    if row["what"] in ("escrow", "notices"):
        return name or str(detail)
    reason = detail.get("reason") or detail.get("why") or detail.get("cause") or ""
    return " ".join(p for p in (word("event", name), str(reason)) if p)
