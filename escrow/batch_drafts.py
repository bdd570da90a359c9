"""Drafting many payouts as one batch: the checks of `drafting.store`, asked for all orders at once.

A batch pays seats that have no order yet; a further part, a refund or a decision by a person is drafted by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import RowMapping
from sqlalchemy.exc import IntegrityError

from escrow import numbers
from escrow.batch_checks import BatchItem, cases_of, check_money, payees_of
from escrow.desk import RailDesk
from escrow.drafting import PURPOSE_TEXT
from escrow.rail_limits import check_instruction, execution_day
from escrow.rails import Instruction
from escrow.results import BEIJING, Result, need_role, refuse, said
from foundation.unit_of_work import UnitOfWork
from schemas.canonical import sha256_hex
from schemas.findings import Refused
from schemas.money import Fen

MOST = 170_000  # payees of the largest day on record (escrow.md, "What others reach")
AT_ONCE = 2_000  # rows a statement
PURPOSE = "COMPENSATION"


@dataclass(frozen=True)
class Drafted:
    """One order of the batch, ready to be stored."""

    id: UUID
    item: BatchItem
    case: RowMapping
    payee: RowMapping
    ordinal: int
    instruction: Instruction
    payload: bytes


def draft_batch(
    uow: UnitOfWork, desk: RailDesk, name: str, rail_id: str, items: Sequence[BatchItem]
) -> Result:  # fmt: skip
    """A cashier drafts many payouts on one rail as one batch and signs its digest. `name`: the batch's own key; the
    same name with the same orders gives the batch that is there, with others BUSINESS_KEY_CONFLICT.

    All or none. Raises Refused: MEMBER_LIMIT, NOT_FOUND, PAYEE_NOT_AGREED, MONEY_SHORT, OVER_AUTHORISED, LIMIT_EXCEEDED
    and what `orders.may_pay` raises, each naming the item.
    """
    need_role(uow, "draft")
    rail = desk.rail(rail_id)
    if rail.batch is None:
        raise refuse("NOT_FOUND", "rail", rail_id, "a rail that takes files of many payments")
    if not 1 <= len(items) <= MOST:
        raise refuse("MEMBER_LIMIT", "items", len(items), f"1 to {MOST}")
    known = uow.one("SELECT * FROM escrow.order_batch WHERE name = :name", name=said(name, "name"))
    if known is not None:
        return _same(uow, known, items)
    cases = cases_of(uow, items)
    payees = payees_of(uow, rail_id, cases, items)
    check_money(uow, cases, items)
    drafted = _orders(uow, desk, rail_id, cases, payees, items)
    try:
        _store(uow, rail_id, drafted)
    except IntegrityError as error:
        raise _refusal(error) from error
    batch = uow.new_id()
    _files(uow, desk, rail_id, batch, drafted)
    uow.execute(
        "INSERT INTO escrow.order_batch SELECT :id, :name, :rail, :orders, :fen, escrow.batch_digest(:id), :at",
        id=batch, name=name, rail=rail_id, orders=len(items), fen=sum(each.fen for each in items), at=uow.now,
    )  # fmt: skip
    digest = uow.scalar("SELECT digest FROM escrow.order_batch WHERE id = :id", id=batch)
    sign_batch(uow, batch, "MAKER", digest)
    told = {
        "event": "BATCH_DRAFTED",
        "batch_id": batch,
        "orders": len(items),
        "fen": sum(each.fen for each in items),
    }
    return Result([told], batch, data={"digest": digest, "orders": len(items)})


def sign_batch(uow: UnitOfWork, batch: UUID, role: str, digest: str) -> None:
    """The acting person signs the batch's digest, and thereby each of its orders. Raises Refused SAME_PERSON,
    DIGEST_CHANGED, ILLEGAL_STATE."""
    try:
        uow.execute(
            "INSERT INTO escrow.batch_approval VALUES (:batch, :role, :person, :digest, :at)",
            batch=batch, role=role, person=uow.actor.id, digest=digest, at=uow.now,
        )  # fmt: skip
        last = int(uow.scalar("SELECT max(place) FROM escrow.batch_order WHERE batch = :batch", batch=batch))
        for start in range(1, last + 1, AT_ONCE):
            rows = uow.all(
                "SELECT o.id, o.digest FROM escrow.batch_order b JOIN escrow.payment_order o ON o.id = b.order_id"
                " WHERE b.batch = :batch AND b.place >= :start AND b.place < :stop ORDER BY b.place",
                batch=batch, start=start, stop=start + AT_ONCE,
            )  # fmt: skip
            uow.execute(
                "INSERT INTO escrow.approval SELECT id, order_id, :role, :person, digest, :at, :batch FROM unnest("
                "CAST(:ids AS uuid[]), CAST(:orders AS uuid[]), CAST(:digests AS text[])) AS a (id, order_id, digest)",
                role=role, person=uow.actor.id, at=uow.now, batch=batch, ids=[uow.new_id() for _ in rows],
                orders=[row["id"] for row in rows], digests=[row["digest"] for row in rows],
            )  # fmt: skip
    except IntegrityError as error:
        raise _refusal(error) from error


def _same(uow: UnitOfWork, known: RowMapping, items: Sequence[BatchItem]) -> Result:
    rows = uow.all(
        "SELECT c.mediation_number, o.instalment, o.payee, o.amount_fen FROM escrow.batch_order b JOIN escrow.payment_order o"
        " ON o.id = b.order_id JOIN escrow.escrow_case c ON c.id = o.case_id WHERE b.batch = :id LIMIT 200000",
        id=known["id"],
    )
    stored = {
        BatchItem(row["mediation_number"], row["instalment"], row["payee"], int(row["amount_fen"]))
        for row in rows
    }
    if stored != set(items):
        raise refuse(
            "BUSINESS_KEY_CONFLICT", "items", len(items), f"the {known['orders']} orders drafted first"
        )
    return Result(id=known["id"], data={"digest": known["digest"], "orders": known["orders"]})


def _orders(
    uow: UnitOfWork, desk: RailDesk, rail_id: str, cases: Mapping[str, RowMapping],
    payees: Mapping[tuple[UUID, str], RowMapping], items: Sequence[BatchItem],
) -> list[Drafted]:  # fmt: skip
    ids = [case["id"] for case in cases.values()]
    ordinals = {
        row["case_id"]: int(row["last"])
        for row in uow.all(
            "SELECT case_id, max(ordinal) AS last FROM escrow.payment_order WHERE case_id = ANY(CAST(:ids AS uuid[]))"
            " AND rail = :rail AND purpose = :purpose GROUP BY case_id",
            ids=ids, rail=rail_id, purpose=PURPOSE,
        )
    }  # fmt: skip
    debits = {
        row["case_id"]: row["number"]
        for row in uow.all(
            "SELECT case_id, number FROM escrow.bank_account WHERE rail = :rail AND case_id = ANY(CAST(:ids AS uuid[]))",
            rail=rail_id, ids=ids,
        )
    }  # fmt: skip
    rail, spent = desk.rail(rail_id), 0
    found: list[Drafted] = []
    for each in sorted(items, key=lambda one: (one.case, one.instalment, one.seat)):
        case = cases[each.case]
        ordinals[case["id"]] = ordinals.get(case["id"], 0) + 1
        prefix = case["prefixes"].get(rail_id) or ""
        if case["id"] not in debits or not prefix:
            raise refuse(
                "CONDITION_OPEN",
                "items.case",
                each.case,
                "the case's sub-account and its prefix on this rail",
            )
        number = numbers.instruction_number(prefix, PURPOSE, ordinals[case["id"]])
        payee = payees[(case["id"], each.seat)]
        instruction = Instruction(
            number=number, amount=Fen(each.fen), debit_account=debits[case["id"]], payee_name=payee["name"],
            payee_account=payee["number"], execute_on=execution_day(rail.manifest, uow.now), created_at=uow.now,
            payee_id=payee["id_number"], payee_id_kind="organisation" if payee["kind"] == "organisation" else "person",
            payee_bank_code=payee["bank_code"], payee_bank_name=payee["bank_name"],
            payee_account_kind=payee["extra"].get("kind", ""), purpose=PURPOSE_TEXT[PURPOSE], remark=str(each.case),
        )  # fmt: skip
        wrong = check_instruction(rail.manifest, instruction, spent)
        if wrong:
            raise Refused.of(wrong)
        spent += each.fen
        payload = orjson.dumps(vars(instruction), default=_plain, option=orjson.OPT_SORT_KEYS)
        found.append(Drafted(uow.new_id(), each, case, payee, ordinals[case["id"]], instruction, payload))
    return found


def _plain(value: Any) -> str:
    return value.astimezone(BEIJING).isoformat() if isinstance(value, datetime) else str(value)


def _store(uow: UnitOfWork, rail_id: str, drafted: Sequence[Drafted]) -> None:
    for start in range(0, len(drafted), AT_ONCE):
        part = drafted[start : start + AT_ONCE]
        uow.execute(
            "INSERT INTO escrow.payment_order (id, case_id, purpose, version, instalment, payee, part, ordinal, rail, number,"
            " business_key, amount_fen, debit_account, payee_party, payee_name, payee_account, payee_bank, remark, content, payload,"
            " digest, drafted_at, moved_at) SELECT d.id, d.case_id, 'COMPENSATION', d.version, d.instalment, d.payee, 1, d.ordinal,"
            " :rail, d.number, d.key, d.fen, d.debit, d.party, d.name, d.account, d.bank, d.remark, convert_from(d.payload, 'UTF8')::jsonb,"
            " d.payload, encode(sha256(d.payload), 'hex'), :at, :at FROM unnest(CAST(:ids AS uuid[]), CAST(:cases AS uuid[]),"
            " CAST(:versions AS int[]), CAST(:instalments AS int[]), CAST(:payees AS text[]), CAST(:ordinals AS int[]),"
            " CAST(:numbers AS text[]), CAST(:keys AS text[]), CAST(:fens AS bigint[]), CAST(:debits AS text[]), CAST(:parties AS uuid[]),"
            " CAST(:names AS text[]), CAST(:accounts AS text[]), CAST(:banks AS text[]), CAST(:remarks AS text[]),"
            " CAST(:payloads AS bytea[])) AS d (id, case_id, version, instalment, payee, ordinal, number, key, fen, debit, party, name,"
            " account, bank, remark, payload)",
            rail=rail_id, at=uow.now,
            ids=[d.id for d in part], cases=[d.case["id"] for d in part], versions=[d.case["version"] for d in part],
            instalments=[d.item.instalment for d in part], payees=[d.item.seat for d in part], ordinals=[d.ordinal for d in part],
            numbers=[d.instruction.number for d in part], keys=[_key(d) for d in part], fens=[d.item.fen for d in part],
            debits=[d.instruction.debit_account for d in part], parties=[d.payee["id"] for d in part],
            names=[d.payee["name"] for d in part], accounts=[d.payee["number"] for d in part],
            banks=[d.payee["bank_code"] for d in part], remarks=[d.instruction.remark for d in part],
            payloads=[d.payload for d in part],
        )  # fmt: skip


def _key(one: Drafted) -> str:
    case = one.case
    return f"{case['mediation_number']}/{case['agreement_no']}#{case['version']}/{one.item.instalment}/{PURPOSE}/{one.item.seat}/1"


def _files(uow: UnitOfWork, desk: RailDesk, rail_id: str, batch: UUID, drafted: Sequence[Drafted]) -> None:
    """The instruction files, made now: their bytes are what is signed, and what leaves."""
    rail = desk.rail(rail_id)
    assert rail.batch is not None
    most = int(rail.manifest["limits"]["file_payments"])
    for no, start in enumerate(range(0, len(drafted), most), 1):
        part = drafted[start : start + most]
        number = f"B{batch.hex[:20].upper()}F{no:05d}"
        told = [Instruction(**{**vars(d.instruction), "batch_id": number}) for d in part]
        document = rail.batch(told, desk.context(uow, rail_id, uow.new_id().hex)).document
        uow.execute(
            "INSERT INTO escrow.batch_file (batch, no, rail, number, payload, digest, orders, fen) VALUES (:batch, :no, :rail,"
            " :number, :payload, :digest, :orders, :fen)",
            batch=batch, no=no, rail=rail_id, number=number, payload=document, digest=sha256_hex(document),
            orders=len(part), fen=sum(d.item.fen for d in part),
        )  # fmt: skip
        uow.execute(
            "INSERT INTO escrow.batch_order SELECT o, :batch, :no, place FROM unnest(CAST(:orders AS uuid[]), CAST(:places AS int[]))"
            " AS b (o, place)",
            batch=batch, no=no, orders=[d.id for d in part], places=list(range(start + 1, start + len(part) + 1)),
        )  # fmt: skip


def _refusal(error: IntegrityError) -> Exception:
    diag = getattr(error.orig, "diag", None)
    code, text = getattr(diag, "message_detail", "") or "", str(getattr(diag, "message_primary", "") or "")
    paths = {
        "OVER_AUTHORISED": "items.fen", "PAYEE_NOT_AGREED": "items.seat", "SAME_PERSON": "actor",
        "APPROVAL_OF_OTHER_BYTES": "digest", "APPROVAL_OUT_OF_TURN": "batch", "NOT_APPROVED": "batch",
    }  # fmt: skip
    if getattr(diag, "constraint_name", "") in ("payment_order_business_key_key", "payment_order_number"):
        return refuse(
            "BUSINESS_KEY_CONFLICT", "items.seat", text, "a seat without an order; draft it by itself"
        )
    return refuse(code, paths[code], text) if code in paths else error
