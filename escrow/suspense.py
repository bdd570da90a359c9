"""Suspense 挂账: to whom a credit may belong (hints), and its split over cases by two persons."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from escrow.results import refuse
from foundation.conditions import Condition, every_row
from foundation.unit_of_work import UnitOfWork
from schemas.identifiers import normalise_name

MAX_HINTS = 10
# Cases that may still be paid in; the figures are computed for candidates only.
_CANDIDATES = (
    "SELECT f.case_id, f.dispute, f.mediation_number, f.agreed_fen - f.balance_fen - f.released_fen AS open_fen"
    " FROM escrow.v_figures f WHERE f.case_id IN (SELECT c.id FROM escrow.escrow_case c WHERE c.void_at IS NULL"
    " AND c.state IN ('SIGNED', 'OPEN', 'PART_FUNDED', 'RELEASING', 'SUSPENDED', 'DEFAULTED', 'ENFORCEMENT_REQUESTED')"
    " AND ({sign}) ORDER BY c.created_at DESC LIMIT 50) AND f.agreed_fen > f.balance_fen + f.released_fen"
)
_BY_SIGN = (
    "c.agreed_fen = :fen OR EXISTS (SELECT 1 FROM escrow.instalment i WHERE i.case_id = c.id AND i.version = c.version"
    " AND i.state IN ('DUE', 'PART_PAID', 'OVERDUE') AND i.fen - i.paid_fen = :fen) OR length(split_part(c.mediation_number, '〕', 2)) >= 6"
    " AND position(split_part(c.mediation_number, '〕', 2) IN :text) > 0"
    " OR EXISTS (SELECT 1 FROM escrow.party p LEFT JOIN escrow.pay_account a ON a.party = p.id WHERE p.case_id = c.id"
    " AND p.version = c.version AND p.role = 'PAYER' AND (p.name = :name OR a.number = :account AND :account <> ''"
    " OR position(p.name IN :text) > 0))"
)


def propose_cases(uow: UnitOfWork, line: RowMapping) -> list[dict[str, Any]]:
    """Cases that the credit may be for, by payer, number in the text and sum. Never applied by itself.

    One credit may be for two cases: where a case matches by its payer and wants less than came, another that wants
    exactly the rest is proposed beside it.
    """
    text = line["text"].replace(" ", "")
    rows = uow.all(
        _CANDIDATES.format(sign=_BY_SIGN),
        fen=line["fen"],
        text=text,
        name=line["other_name"],
        account=line["other_account"],
    )
    payers = _payers(uow, [row["case_id"] for row in rows])
    hints: list[dict[str, Any]] = []
    for row in rows:
        signs = _signs(line, row, payers.get(row["case_id"], ([], [])))
        if signs:
            hints.append({**row, "fen": min(int(row["open_fen"]), int(line["fen"])), "signs": signs})
    hints = sorted(hints, key=lambda h: -len(h["signs"]))[:MAX_HINTS]
    for hint in [h for h in hints if h["signs"] != ["SUM"]]:
        rest = int(line["fen"]) - int(hint["open_fen"])
        others = uow.all(_CANDIDATES.format(sign="c.agreed_fen = :rest"), rest=rest) if rest > 0 else []
        known = [h["case_id"] for h in hints]
        hints += [
            {**row, "fen": rest, "signs": ["REST_OF_SUM"]} for row in others if row["case_id"] not in known
        ][:MAX_HINTS]
    uow.execute_many(
        "INSERT INTO escrow.suspense_hint VALUES (:line, :case_id, :fen, :signs) ON CONFLICT DO NOTHING",
        [{"line": line["id"], "case_id": h["case_id"], "fen": h["fen"], "signs": h["signs"]} for h in hints],
    )
    return hints


def _payers(uow: UnitOfWork, case_ids: list[UUID]) -> dict[UUID, tuple[list[str], list[str]]]:
    found: dict[UUID, tuple[list[str], list[str]]] = {}
    for row in uow.all(
        "SELECT p.case_id, p.name, array(SELECT number FROM escrow.pay_account a WHERE a.party = p.id) AS accounts"
        " FROM escrow.party p JOIN escrow.escrow_case c ON c.id = p.case_id AND c.version = p.version"
        " WHERE p.role = 'PAYER' AND p.case_id = ANY(CAST(:ids AS uuid[]))",
        ids=case_ids,
    ):
        names, accounts = found.setdefault(row["case_id"], ([], []))
        names.append(normalise_name(row["name"]))
        accounts.extend(row["accounts"])
    return found


def _signs(line: RowMapping, case: RowMapping, payers: tuple[list[str], list[str]]) -> list[str]:
    names, accounts = payers
    told = normalise_name(line["other_name"])
    text = line["text"].replace(" ", "")
    signs = []
    if line["other_account"] and line["other_account"] in accounts:
        signs.append("PAYER_ACCOUNT")
    if told and told in names:
        signs.append("PAYER_NAME")
    # Texts are cut at 35 characters, often from the left: the tail of the number is enough to be a hint.
    tail = case["mediation_number"].rsplit("〕", 1)[-1]
    if case["mediation_number"] in text:
        signs.append("NUMBER")
    elif len(tail) >= 6 and tail in text:
        signs.append("NUMBER_TAIL")
    if any(name and name in text for name in names):
        signs.append("NAME_IN_TEXT")
    if case["open_fen"] == line["fen"]:
        signs.append("SUM")
    return signs


def open_suspense(
    uow: UnitOfWork, account: str | None = None, seen: Condition = every_row, line: UUID | None = None
) -> list[dict[str, Any]]:
    """Credits in suspense with their proposals, oldest first: of one holder's account, one `line`, or all.

    `seen`: by mediation number, which cases the person who looks may see: only those are proposed, and only credits that
    may be for one of them are shown, or all where what belongs to no case is seen.
    """
    hint, params = seen("c.mediation_number")
    unplaced, _ = seen("CAST(NULL AS text)")
    hints = (
        "FROM escrow.suspense_hint h JOIN escrow.escrow_case c ON c.id = h.case_id"
        f" WHERE h.line = s.line AND {hint}"
    )
    rows = uow.all(
        "SELECT s.*, (SELECT coalesce(jsonb_agg(jsonb_build_object('case_id', h.case_id, 'dispute', c.dispute,"
        " 'mediation_number', c.mediation_number, 'title', c.title, 'fen', h.fen, 'signs', h.signs)), '[]')"
        f" {hints}) AS proposals FROM escrow.v_suspense s WHERE (CAST(:account AS text) IS NULL OR s.account = :account)"
        f" AND (CAST(:line AS uuid) IS NULL OR s.line = :line) AND ({unplaced} OR EXISTS (SELECT 1 {hints}))"
        " ORDER BY s.known_at LIMIT 1000",
        account=account,
        line=line,
        **params,
    )
    return [dict(row) for row in rows]


def suspense_fen(uow: UnitOfWork, account: str | None = None) -> int:
    """Fen in suspense: of one holder's account, or of all."""
    return int(
        uow.scalar(
            "SELECT coalesce(sum(open_fen), 0) FROM escrow.v_suspense WHERE CAST(:account AS text) IS NULL OR account = :account",
            account=account,
        )
    )


def check_split(uow: UnitOfWork, line_id: UUID, parts: list[tuple[UUID, int]]) -> RowMapping:
    """The suspense credit that `parts` share out to the fen. Raises Refused NOT_FOUND, PARTS_NOT_SUM."""
    row = uow.one("SELECT * FROM escrow.v_suspense WHERE line = :line", line=line_id)
    if row is None:
        raise refuse("NOT_FOUND", "line", line_id, "a credit in suspense")
    total = sum(fen for _, fen in parts)
    if not parts or any(fen <= 0 for _, fen in parts) or len({case for case, _ in parts}) != len(parts):
        raise refuse(
            "PARTS_NOT_SUM", "parts", str([fen for _, fen in parts]), "each case once, each part above 0"
        )
    if total != row["open_fen"]:
        raise refuse("PARTS_NOT_SUM", "parts", total, row["open_fen"])
    return row
