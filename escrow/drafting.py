"""Making an order's row: key, number, payee, exact bytes. Called under the case's lock."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import RowMapping
from sqlalchemy.exc import IntegrityError

from escrow import case_state, numbers
from escrow.desk import RailDesk, custody_of
from escrow.payees import Draft, Payee, payee_of
from escrow.rail_limits import check_instruction, execution_day
from escrow.rails import Instruction
from escrow.results import BEIJING, Result, beijing_day, refuse
from foundation.unit_of_work import UnitOfWork
from schemas.canonical import sha256_hex
from schemas.findings import Refused
from schemas.money import Fen

# What a payee reads of it; the remark is the mediation number.
PURPOSE_TEXT = {"COMPENSATION": "调解款", "REFUND": "退还调解款", "TOP_UP": "调解款调拨"}
_DEAD = ("CANCELLED", "STOPPED", "FAILED", "RETURNED", "REISSUED", "CLOSED")


def store(uow: UnitOfWork, desk: RailDesk, case: RowMapping, draft: Draft) -> Result:
    """Store the draft and sign it as its maker. See `orders.draft_order` for what it raises."""
    if isinstance(draft.fen, bool) or not isinstance(draft.fen, int) or draft.fen <= 0:
        raise refuse("AMOUNT_UNREADABLE", "fen", draft.fen, "a whole number of fen above 0")
    payee = payee_of(uow, desk, case, draft)
    part, known = _part(uow, case, draft)
    if known is not None:
        return _same(known, draft, payee)
    _within(uow, case, draft)
    order_id = uow.new_id()
    ordinal, number = _number(uow, case, draft)
    debit = _debit_account(uow, desk, case, draft.rail)
    instruction = _instruction(uow, desk, case, draft, payee, number, debit)
    wrong = check_instruction(desk.rail(draft.rail).manifest, instruction, _spent_today(uow, draft.rail))
    if wrong:
        raise Refused.of(wrong)
    replaces = _replaces(uow, case, draft)
    document = desk.rail(draft.rail).order(instruction, desk.context(uow, draft.rail, order_id.hex)).document
    try:
        uow.execute(
            "INSERT INTO escrow.payment_order (id, case_id, purpose, version, instalment, payee, part, ordinal, rail, number,"
            " business_key, request_key, amount_fen, debit_account, payee_party, payee_name, payee_account, payee_bank, remark,"
            " decision, content, payload, digest, replaces, drafted_at, moved_at) VALUES (:id, :case_id, :purpose, :version,"
            " :instalment, :payee, :part, :ordinal, :rail, :number, :business_key, :request_key, :fen, :debit, :party, :name,"
            " :account, :bank, :remark, :decision, CAST(:content AS jsonb), :payload, :digest, :replaces, :at, :at)",
            id=order_id, case_id=case["id"], purpose=draft.purpose, version=case["version"], instalment=draft.instalment,
            payee=draft.payee, part=part, ordinal=ordinal, rail=draft.rail, number=number,
            business_key=f"{_base_key(case, draft)}/{part}", request_key=draft.request_key, fen=draft.fen, debit=debit,
            party=payee.party, name=payee.name, account=payee.account, bank=payee.bank_code, remark=instruction.remark,
            decision=draft.decision, content=orjson.dumps(vars(instruction), default=str).decode(), payload=document,
            digest=sha256_hex(document), replaces=replaces, at=uow.now,
        )  # fmt: skip
    except IntegrityError as error:
        raise _refusal(error, draft) from error
    _maker(uow, order_id, sha256_hex(document))
    _reissued(uow, replaces)
    drafted = case_state.event(uow, case["id"], "ORDER_DRAFTED", order_id=order_id, number=number, fen=draft.fen,
                               purpose=draft.purpose, instalment=draft.instalment)  # fmt: skip
    return Result([drafted], order_id, data={"number": number, "digest": sha256_hex(document)})


def _maker(uow: UnitOfWork, order_id: UUID, digest: str) -> None:
    uow.execute(
        "INSERT INTO escrow.approval VALUES (:id, :order_id, 'MAKER', :person, :digest, :at)",
        id=uow.new_id(), order_id=order_id, person=uow.actor.id, digest=digest, at=uow.now,
    )  # fmt: skip


def _refusal(error: IntegrityError, draft: Draft) -> Exception:
    diag = getattr(error.orig, "diag", None)
    code, text = getattr(diag, "message_detail", ""), str(getattr(diag, "message_primary", ""))
    paths = {"OVER_AUTHORISED": "fen", "REFUND_NOT_TO_SOURCE": "payee", "PAYEE_NOT_AGREED": "payee"}
    return refuse(code, paths[code], text) if code in paths else error


def _base_key(case: RowMapping, draft: Draft) -> str:
    return f"{case['mediation_number']}/{case['agreement_no']}#{case['version']}/{draft.instalment}/{draft.purpose}/{draft.payee}"


def _part(uow: UnitOfWork, case: RowMapping, draft: Draft) -> tuple[int, RowMapping | None]:
    """Which part this is, and the order that is there already under its key (or under the caller's own key)."""
    if draft.request_key is not None:
        known = uow.one("SELECT * FROM escrow.payment_order WHERE request_key = :key", key=draft.request_key)
        if known is not None:
            return known["part"], known
    if draft.part is not None:
        known = uow.one(
            "SELECT * FROM escrow.payment_order WHERE business_key = :key",
            key=f"{_base_key(case, draft)}/{draft.part}",
        )
        return draft.part, known
    last = uow.one(
        "SELECT * FROM escrow.payment_order WHERE starts_with(business_key, :base) AND case_id = :case ORDER BY part DESC LIMIT 1",
        base=f"{_base_key(case, draft)}/", case=case["id"],
    )  # fmt: skip
    if last is None:
        return 1, None
    if last["state"] in _DEAD or last["state"] == "PAID":
        return last["part"] + 1, None
    return last["part"], last


def _same(known: RowMapping, draft: Draft, payee: Payee) -> Result:
    """The stored answer for the same request; another body is refused, naming the field that differs."""
    wanted = {"purpose": draft.purpose, "instalment": draft.instalment, "payee": draft.payee, "amount_fen": draft.fen,
              "rail": draft.rail, "payee_account": payee.account, "payee_name": payee.name}  # fmt: skip
    for name, value in wanted.items():
        if known[name] != value:
            raise refuse("BUSINESS_KEY_CONFLICT", name, value, known[name])
    return Result(id=known["id"], data={"number": known["number"], "digest": known["digest"]})


def _within(uow: UnitOfWork, case: RowMapping, draft: Draft) -> None:
    """No draft for more than is free now: a freeze, a stop or another order may have the money."""
    f = case_state.figures(uow, case["id"])
    ours = int(f["stopped_fen"]) if draft.purpose == "COMPENSATION" else 0
    available = max(0, int(f["free_fen"]) - ours)
    if draft.fen > available:
        raise refuse("MONEY_SHORT", "fen", draft.fen, f"at most {available}")


def _number(uow: UnitOfWork, case: RowMapping, draft: Draft) -> tuple[int, str]:
    """The first ordinal after all that left or may still leave, and its number, which was never used by anyone."""
    ordinal = int(
        uow.scalar(
            "SELECT coalesce(max(ordinal), 0) FROM escrow.payment_order WHERE case_id = :case AND rail = :rail"
            " AND purpose = :purpose AND state NOT IN ('CANCELLED', 'STOPPED')",
            case=case["id"], rail=draft.rail, purpose=draft.purpose,
        )
    )  # fmt: skip
    prefix = _prefix(uow, case, draft.rail)
    while True:
        ordinal += 1
        number = numbers.instruction_number(prefix, draft.purpose, ordinal)
        if (
            uow.scalar(
                "SELECT 1 FROM escrow.rail_attempt WHERE rail = :rail AND number = :n",
                rail=draft.rail,
                n=number,
            )
            is None
        ):
            return ordinal, number


def _prefix(uow: UnitOfWork, case: RowMapping, rail: str) -> str:
    """The case's prefix on this rail; one from the sequence, kept for ever, where the agreement brought none."""
    prefix = case["prefixes"].get(rail)
    if not prefix:
        no = int(uow.scalar("SELECT nextval('escrow.case_no')"))
        prefix = f"E{beijing_day(uow.now):%y}{no:07d}I"
        uow.execute(
            "UPDATE escrow.escrow_case SET prefixes = prefixes || jsonb_build_object(CAST(:rail AS text), CAST(:prefix AS text))"
            " WHERE id = :id",
            rail=rail, prefix=prefix, id=case["id"],
        )  # fmt: skip
    return str(prefix)


def _debit_account(uow: UnitOfWork, desk: RailDesk, case: RowMapping, rail: str) -> str:
    """The account it leaves: the case's own where the rail has one for it, else the rail's custody account."""
    own = uow.scalar(
        "SELECT number FROM escrow.bank_account WHERE rail = :rail AND case_id = :case",
        rail=rail,
        case=case["id"],
    )
    if own is not None:
        return str(own)
    if desk.rail(rail).has("opens_subaccounts"):
        raise refuse("CONDITION_OPEN", "sub_account", "", "the case's sub-account, opened by the holder")
    return str(uow.scalar("SELECT number FROM escrow.custody WHERE id = :id", id=custody_of(uow, desk, rail)))


def _replaces(uow: UnitOfWork, case: RowMapping, draft: Draft) -> UUID | None:
    """The returned order that this one pays again: the one named, else the one of the same seat that waits for it."""
    row = uow.one(
        "SELECT r.id, r.state FROM escrow.payment_order r WHERE r.case_id = :case AND r.purpose = :purpose AND r.payee = :payee"
        " AND r.instalment = :instalment AND (r.id = :named OR CAST(:named AS uuid) IS NULL) AND (r.state = 'RETURNED' OR"
        " r.state = 'REISSUED' AND NOT EXISTS (SELECT 1 FROM escrow.payment_order n WHERE n.replaces = r.id"
        " AND n.state NOT IN ('CANCELLED', 'STOPPED', 'FAILED'))) ORDER BY r.moved_at LIMIT 1",
        case=case["id"], purpose=draft.purpose, payee=draft.payee, instalment=draft.instalment, named=draft.replaces,
    )  # fmt: skip
    if row is None and draft.replaces is not None:
        raise refuse("ILLEGAL_STATE", "replaces", draft.replaces, "a returned order of this seat")
    return None if row is None else row["id"]


def _reissued(uow: UnitOfWork, replaced: UUID | None) -> None:
    uow.execute(
        "UPDATE escrow.payment_order SET state = 'REISSUED', moved_at = :at WHERE id = :id AND state = 'RETURNED'",
        at=uow.now, id=replaced,
    )  # fmt: skip


def _spent_today(uow: UnitOfWork, rail: str) -> int:
    return int(
        uow.scalar(
            "SELECT coalesce(sum(fen), 0) FROM escrow.rail_attempt WHERE rail = :rail AND source = 'HUB' AND intended_at >= :start",
            rail=rail, start=datetime.combine(beijing_day(uow.now), time(), BEIJING),
        )
    )  # fmt: skip


def _instruction(
    uow: UnitOfWork, desk: RailDesk, case: RowMapping, draft: Draft, payee: Payee, number: str, debit: str
) -> Instruction:
    return Instruction(
        number=number, amount=Fen(draft.fen), debit_account=debit, payee_name=payee.name, payee_account=payee.account,
        execute_on=execution_day(desk.rail(draft.rail).manifest, uow.now), created_at=uow.now, payee_id=payee.id_number,
        payee_id_kind="organisation" if payee.kind == "organisation" else "person", payee_bank_code=payee.bank_code,
        payee_bank_name=payee.bank_name, payee_account_kind=payee.account_kind, purpose=PURPOSE_TEXT[draft.purpose],
        remark=str(case["mediation_number"]),
    )  # fmt: skip


def instruction_of(row: Any) -> Instruction:
    """The instruction of a stored order, as the rail needs it to ask about it."""
    content = dict(row["content"])
    content["amount"] = Fen(int(content["amount"]))
    content["execute_on"] = date.fromisoformat(content["execute_on"])
    content["created_at"] = datetime.fromisoformat(content["created_at"])
    return Instruction(**content)
