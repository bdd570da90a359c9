"""To whom an order goes: a seat of the agreement, the account money came from, or another custody account."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import RowMapping

from escrow.desk import RailDesk
from escrow.results import refuse
from foundation.unit_of_work import UnitOfWork


@dataclass(frozen=True)
class Draft:
    """What is to be paid. `payee`: seat, payer's account (refund) or rail of the other custody account (top-up)."""

    purpose: str
    instalment: int
    payee: str
    fen: int
    rail: str
    part: int | None = None
    decision: str = ""
    request_key: str | None = None
    replaces: UUID | None = None
    source_bank: tuple[str, str] = (
        "",
        "",
    )  # bank code and name of a refund's account, where nobody told them yet
    source_id: str = ""


@dataclass(frozen=True)
class Payee:
    """To whom the bytes say it goes."""

    name: str
    account: str
    bank_code: str = ""
    bank_name: str = ""
    id_number: str = ""
    kind: str = "person"
    account_kind: str = ""
    party: UUID | None = None


def payee_of(uow: UnitOfWork, desk: RailDesk, case: RowMapping, draft: Draft) -> Payee:
    if draft.purpose == "REFUND":
        return _source(uow, case["id"], draft)
    if draft.purpose == "TOP_UP":
        into = desk.context(uow, draft.payee).account
        return Payee(
            into("owner"), into("deposit_account") or into("parent"), into("deposit_bank_code"),
            into("deposit_bank_name"), into("deposit_id"), kind="organisation",
        )  # fmt: skip
    row = uow.one(
        "SELECT p.id, p.kind, p.id_number, a.number, a.name, a.bank_code, a.bank_name, a.extra FROM escrow.party p"
        " JOIN escrow.pay_account a ON a.party = p.id WHERE p.case_id = :case AND p.version = :version AND p.key = :key"
        " AND p.role = 'PAYEE' AND p.active AND a.active AND a.rail = :rail ORDER BY a.id LIMIT 1",
        case=case["id"], version=case["version"], key=draft.payee, rail=draft.rail,
    )  # fmt: skip
    if row is None:
        raise refuse(
            "PAYEE_NOT_AGREED",
            "payee",
            draft.payee,
            f"a payee of the agreement with an account on {draft.rail}",
        )
    return Payee(row["name"], row["number"], row["bank_code"], row["bank_name"], row["id_number"], row["kind"],
                 row["extra"].get("kind", ""), row["id"])  # fmt: skip


def _source(uow: UnitOfWork, case_id: UUID, draft: Draft) -> Payee:
    """Where money of this case came from (I6); bank data from the parties' accounts where they name it."""
    row = uow.one(
        "SELECT coalesce(a.name, f.payer_name) AS name, f.payer_account, a.bank_code, a.bank_name, p.id_number, p.kind"
        " FROM escrow.funding f"
        " LEFT JOIN escrow.pay_account a ON a.number = f.payer_account AND a.rail = :rail AND a.party IN"
        " (SELECT id FROM escrow.party WHERE case_id = :case)"
        " LEFT JOIN escrow.party p ON p.id = a.party WHERE f.case_id = :case AND f.payer_account = :account LIMIT 1",
        case=case_id, account=draft.payee, rail=draft.rail,
    )  # fmt: skip
    if row is None or not draft.payee:
        raise refuse(
            "REFUND_NOT_TO_SOURCE", "payee", draft.payee, "an account from which money of this case came"
        )
    code, bank = draft.source_bank
    return Payee(row["name"], row["payer_account"], code or row["bank_code"] or "", bank or row["bank_name"] or "",
                 draft.source_id or row["id_number"] or "", row["kind"] or "person")  # fmt: skip
