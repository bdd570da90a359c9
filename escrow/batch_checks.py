"""What must hold before many payouts are drafted: cases that may pay, agreed payees, free money; asked for all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import RowMapping

from escrow import ledger, orders
from escrow.results import refuse
from foundation.unit_of_work import UnitOfWork


@dataclass(frozen=True)
class BatchItem:
    """One payout: `case` by its mediation number, the payee's `seat`, `fen` of one instalment."""

    case: str
    instalment: int
    seat: str
    fen: int


def cases_of(uow: UnitOfWork, items: Sequence[BatchItem]) -> dict[str, RowMapping]:
    """The cases by number, locked in one order, each of which may pay now."""
    wanted = {each.case for each in items}
    ids = [
        row["id"]
        for row in uow.all(
            "SELECT id FROM escrow.escrow_case WHERE mediation_number = ANY(:numbers)", numbers=sorted(wanted)
        )
    ]
    found = {row["mediation_number"]: row for row in ledger.lock_cases(uow, ids).values()}
    if missing := sorted(wanted - found.keys()):
        raise refuse("NOT_FOUND", "items.case", missing[0], "a case of this escrow")
    seats: dict[str, str] = {each.case: each.seat for each in items}
    for number, case in found.items():
        orders.may_pay(uow, case, seats[number], "")
    stopped = {
        (row["case_id"], row["payee"])
        for row in uow.all(
            "SELECT case_id, payee FROM escrow.stop WHERE ended_at IS NULL AND payee <> '' AND case_id = ANY(CAST(:ids AS uuid[]))",
            ids=ids,
        )
    }
    for each in items:
        if stopped and (found[each.case]["id"], each.seat) in stopped:
            raise refuse("RELEASES_STOPPED", "items.seat", f"{each.case}/{each.seat}")
    return found


def payees_of(
    uow: UnitOfWork, rail_id: str, cases: Mapping[str, RowMapping], items: Sequence[BatchItem]
) -> dict[tuple[UUID, str], RowMapping]:
    """The payee of each seat with his account on this rail. Raises Refused PAYEE_NOT_AGREED."""
    rows = uow.all(
        "SELECT DISTINCT ON (p.case_id, p.key) p.case_id, p.key, p.id, p.kind, p.id_number, a.number, a.name, a.bank_code,"
        " a.bank_name, a.extra FROM escrow.escrow_case c JOIN escrow.party p ON p.case_id = c.id AND p.version = c.version"
        " JOIN escrow.pay_account a ON a.party = p.id WHERE c.id = ANY(CAST(:ids AS uuid[])) AND p.role = 'PAYEE' AND p.active"
        " AND a.active AND a.rail = :rail ORDER BY p.case_id, p.key, a.id",
        ids=[case["id"] for case in cases.values()], rail=rail_id,
    )  # fmt: skip
    found = {(row["case_id"], row["key"]): row for row in rows}
    for each in items:
        if (cases[each.case]["id"], each.seat) not in found:
            expected = f"a payee of the agreement with an account on {rail_id}"
            raise refuse("PAYEE_NOT_AGREED", "items.seat", f"{each.case}/{each.seat}", expected)
    return found


def check_money(uow: UnitOfWork, cases: Mapping[str, RowMapping], items: Sequence[BatchItem]) -> None:
    """No draft for more than is free now in each case."""
    wanted: dict[UUID, int] = {}
    for each in items:
        if isinstance(each.fen, bool) or not isinstance(each.fen, int) or each.fen <= 0:
            raise refuse("AMOUNT_UNREADABLE", "items.fen", each.fen, "a whole number of fen above 0")
        case_id = cases[each.case]["id"]
        wanted[case_id] = wanted.get(case_id, 0) + each.fen
    check_free(uow, wanted)


def check_free(uow: UnitOfWork, wanted: Mapping[UUID, int]) -> None:
    """Raise Refused MONEY_SHORT unless each case has that much free money, less what stops hold."""
    rows = uow.all(
        "SELECT case_id, mediation_number, free_fen - stopped_fen AS free FROM escrow.v_figures"
        " WHERE case_id = ANY(CAST(:ids AS uuid[]))",
        ids=list(wanted),
    )
    for row in rows:
        if wanted[row["case_id"]] > max(0, int(row["free"])):
            raise refuse("MONEY_SHORT", "fen", f"{wanted[row['case_id']]} of {row['mediation_number']}",
                         f"at most {max(0, int(row['free']))}")  # fmt: skip
