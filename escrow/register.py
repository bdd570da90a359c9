"""The register of what we sent: "our order N had amount X", also for instructions of the time before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from escrow.cases import find_case
from escrow.rails import Instruction
from escrow.results import Result, refuse, said
from foundation.unit_of_work import UnitOfWork


def sent_instruction(uow: UnitOfWork, number: str, rail_id: str | None = None) -> dict[str, Any] | None:
    """What we sent under a number: rail, fen, payee, state and outcome; None when we never did."""
    row = uow.one(
        "SELECT a.id, a.rail, a.number, a.source, a.fen, a.debit_account, a.payee_name, a.payee_account, a.batch_no, a.outcome,"
        " a.outcome_code, a.was_unknown, a.intended_at, a.first_sent_at, a.proved_by, a.case_id, a.order_id, o.state"
        " FROM escrow.rail_attempt a LEFT JOIN escrow.payment_order o ON o.id = a.order_id"
        " WHERE a.number = :number AND (CAST(:rail AS text) IS NULL OR a.rail = :rail) LIMIT 1",
        number=number, rail=rail_id,
    )  # fmt: skip
    return None if row is None else dict(row)


def import_sent_instruction(
    uow: UnitOfWork, rail_id: str, number: str, fen: int, *, case: UUID | str | None = None, debit_account: str = "",
    payee_name: str = "", payee_account: str = "", batch_no: str = "", sent_at: datetime | None = None,
) -> Result:  # fmt: skip
    """Enter an instruction that was sent before this hub ran. The same again changes nothing.

    Raises Refused BUSINESS_KEY_CONFLICT when the number is known with another sum or payee.
    """
    said(number, "number", expected="an instruction number")
    if fen <= 0:
        raise refuse("AMOUNT_UNREADABLE", "fen", fen, "more than 0")
    known = sent_instruction(uow, number, rail_id)
    if known is not None:
        told = {"fen": fen, "payee_account": payee_account or known["payee_account"]}
        for name, value in told.items():
            if known[name] != value and known[name] not in ("", None):
                raise refuse("BUSINESS_KEY_CONFLICT", name, value, known[name])
        if known["source"] == "HISTORY":
            _complete(uow, known, case, debit_account, payee_name, payee_account, batch_no, sent_at)
        return Result(id=known["id"])
    attempt = uow.new_id()
    uow.execute(
        "INSERT INTO escrow.rail_attempt (id, case_id, rail, number, source, fen, debit_account, payee_name, payee_account,"
        " batch_no, intended_at, first_sent_at, state) VALUES (:id, :case, :rail, :number, 'HISTORY', :fen, :debit, :name,"
        " :account, :batch, :at, :at, 'SENT')",
        id=attempt, case=None if case is None else find_case(uow, case), rail=rail_id, number=number, fen=fen, debit=debit_account,
        name=payee_name, account=payee_account, batch=batch_no, at=sent_at or uow.now,
    )  # fmt: skip
    return Result(id=attempt)


def _complete(
    uow: UnitOfWork, known: dict[str, Any], case: UUID | str | None, debit_account: str, payee_name: str,
    payee_account: str, batch_no: str, sent_at: datetime | None,
) -> None:  # fmt: skip
    """What was not known of an old instruction when it was first entered."""
    uow.execute(
        "UPDATE escrow.rail_attempt SET case_id = coalesce(case_id, CAST(:case AS uuid)), first_sent_at = coalesce(:at,"
        " first_sent_at), debit_account = coalesce(nullif(debit_account, ''), :debit), payee_name ="
        " coalesce(nullif(payee_name, ''), :name), payee_account = coalesce(nullif(payee_account, ''), :account),"
        " batch_no = coalesce(nullif(batch_no, ''), :batch) WHERE id = :id",
        id=known["id"], case=None if case is None else find_case(uow, case), at=sent_at, debit=debit_account,
        name=payee_name, account=payee_account, batch=batch_no,
    )  # fmt: skip


def import_file(uow: UnitOfWork, rail_id: str, sent: Sequence[Instruction]) -> Result:
    """Enter all instructions of one file, or none. The case is that of the account they leave, else the one whose
    mediation number the remark names. Raises Refused as `import_sent_instruction`."""
    result = Result()
    for one in sent:
        result.add(
            import_sent_instruction(
                uow, rail_id, one.number, int(one.amount), case=_case_of(uow, rail_id, one), debit_account=one.debit_account,
                payee_name=one.payee_name, payee_account=one.payee_account, batch_no=one.batch_id, sent_at=one.created_at,
            )
        )  # fmt: skip
    return result


def _case_of(uow: UnitOfWork, rail_id: str, one: Instruction) -> UUID | None:
    found: UUID | None = uow.scalar(
        "SELECT coalesce((SELECT case_id FROM escrow.bank_account WHERE rail = :rail AND number = :account),"
        " (SELECT id FROM escrow.escrow_case WHERE starts_with(:remark, mediation_number) LIMIT 1))",
        rail=rail_id, account=one.debit_account, remark=one.remark,
    )  # fmt: skip
    return found
