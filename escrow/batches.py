"""A batch from draft to release: each person signs one digest that covers every order and every byte that will leave."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.exc import IntegrityError

from escrow import ledger, orders, stops
from escrow.batch_checks import check_free
from escrow.batch_drafts import AT_ONCE, sign_batch
from escrow.results import Event, Result, need_role, refuse, said
from foundation.unit_of_work import UnitOfWork

_MEMBERS = (
    "SELECT o.*, b.place, b.file FROM escrow.batch_order b JOIN escrow.payment_order o ON o.id = b.order_id"
    " WHERE b.batch = :batch"
)


def batch_row(uow: UnitOfWork, batch: UUID) -> RowMapping:
    """The batch, its cases locked in one order. Raises Refused NOT_FOUND."""
    row = uow.one("SELECT * FROM escrow.order_batch WHERE id = :id FOR UPDATE", id=batch)
    if row is None:
        raise refuse("NOT_FOUND", "batch", batch)
    cases = uow.all(
        "SELECT DISTINCT o.case_id FROM escrow.batch_order b JOIN escrow.payment_order o ON o.id = b.order_id"
        " WHERE b.batch = :batch LIMIT 200000",
        batch=batch,
    )
    ledger.lock_cases(uow, (each["case_id"] for each in cases))
    return row


def check_batch(uow: UnitOfWork, batch: UUID, digest: str) -> Result:
    """A second person checks the batch and signs its digest, and with it each order's. Raises Refused DIGEST_CHANGED,
    SAME_PERSON, ILLEGAL_STATE, PAYEE_NOT_AGREED."""
    need_role(uow, "check")
    row = batch_row(uow, batch)
    _digest(row, digest)
    _all_in(uow, batch, "DRAFTED")
    payees_stand(uow, batch)
    sign_batch(uow, batch, "CHECKER", digest)
    _move(uow, batch, "CHECKED")
    return Result([_told(row, "BATCH_CHECKED")], batch)


def release_batch(uow: UnitOfWork, batch: UUID, digest: str) -> Result:
    """Release a checked batch: a third person must where any order is above the tier. All money is set aside, or none.

    Raises Refused as `orders.release_order`.
    """
    need_role(uow, "release")
    row = batch_row(uow, batch)
    _digest(row, digest)
    _all_in(uow, batch, "CHECKED")
    payees_stand(uow, batch)
    _third_person(uow, batch)
    members = uow.all(f"{_MEMBERS} ORDER BY b.place LIMIT 200000", batch=batch)
    cases_may_pay(uow, members)
    wanted: dict[UUID, int] = {}
    for each in members:
        wanted[each["case_id"]] = wanted.get(each["case_id"], 0) + int(each["amount_fen"])
    check_free(uow, wanted)
    sign_batch(uow, batch, "RELEASER", digest)
    for start in range(0, len(members), AT_ONCE):
        _set_aside(uow, members[start : start + AT_ONCE])
    _move(uow, batch, "RELEASED")
    uow.wake()
    return Result([_told(row, "BATCH_RELEASED")], batch)


def cancel_batch(uow: UnitOfWork, batch: UUID, reason: str) -> Result:
    """Cancel what of a batch has not left: whole files, since a file leaves as it was signed or not at all.

    Raises Refused ILLEGAL_STATE when every file has left.
    """
    need_role(uow, "cancel")
    row = batch_row(uow, batch)
    why = said(reason, "reason")
    dropped = uow.all(
        "UPDATE escrow.batch_file SET state = 'DROPPED' WHERE batch = :batch AND state = 'WAITING' RETURNING no",
        batch=batch,
    )
    if not dropped:
        raise refuse("ILLEGAL_STATE", "batch", "every file has left", "a file that waits")
    members = uow.all(
        f"{_MEMBERS} AND b.file = ANY(:files) AND o.state IN ('DRAFTED', 'CHECKED', 'RELEASED') ORDER BY b.place LIMIT 200000",
        batch=batch, files=[each["no"] for each in dropped],
    )  # fmt: skip
    for each in members:
        if each["state"] == "RELEASED":
            stops.unhold(uow, each)
    uow.execute(
        "UPDATE escrow.payment_order SET state = 'CANCELLED', reason = :why, moved_at = :at WHERE id = ANY(CAST(:ids AS uuid[]))",
        why=why[:500], at=uow.now, ids=[each["id"] for each in members],
    )  # fmt: skip
    return Result([{**_told(row, "BATCH_CANCELLED"), "orders": len(members), "reason": why}], batch)


def batch_detail(uow: UnitOfWork, batch: UUID) -> dict[str, object] | None:
    """A batch with who signed it, its files, and how many of its orders are in which state."""
    row = uow.one("SELECT * FROM escrow.order_batch WHERE id = :id", id=batch)
    if row is None:
        return None
    approvals = uow.all(
        "SELECT role, person, digest, at FROM escrow.batch_approval WHERE batch = :id ORDER BY at", id=batch
    )
    files = uow.all(
        "SELECT no, number, digest, orders, fen, state, sends FROM escrow.batch_file WHERE batch = :id ORDER BY no LIMIT 1000",
        id=batch,
    )
    states = uow.all(
        "SELECT o.state, count(*) AS n FROM escrow.batch_order b JOIN escrow.payment_order o ON o.id = b.order_id"
        " WHERE b.batch = :id GROUP BY o.state ORDER BY o.state",
        id=batch,
    )
    return {
        **row, "approvals": [dict(each) for each in approvals], "files": [dict(each) for each in files],
        "states": {each["state"]: each["n"] for each in states},
    }  # fmt: skip


def payees_stand(uow: UnitOfWork, batch: UUID, file: int | None = None) -> None:
    """Every payee that was drafted is still the agreement's. Raises Refused PAYEE_NOT_AGREED naming the first that is not."""
    row = uow.one(
        f"{_MEMBERS} AND (b.file = :file OR CAST(:file AS int) IS NULL) AND NOT EXISTS (SELECT 1 FROM escrow.party p"
        " JOIN escrow.pay_account a ON a.party = p.id WHERE p.id = o.payee_party AND p.active AND a.active AND a.rail = o.rail"
        " AND a.number = o.payee_account) ORDER BY b.place LIMIT 1",
        batch=batch, file=file,
    )  # fmt: skip
    if row is not None:
        raise refuse(
            "PAYEE_NOT_AGREED",
            "payee",
            row["payee_name"],
            "the payee in force; cancel the batch and draft anew",
        )


def cases_may_pay(uow: UnitOfWork, members: Sequence[RowMapping]) -> None:
    """Each case may pay now, and no seat of it is stopped. Raises Refused."""
    ids = list(dict.fromkeys(each["case_id"] for each in members))
    rows = {
        row["id"]: row
        for row in uow.all("SELECT * FROM escrow.escrow_case WHERE id = ANY(CAST(:ids AS uuid[]))", ids=ids)
    }
    stopped = {
        row["case_id"]
        for row in uow.all(
            "SELECT DISTINCT case_id FROM escrow.stop WHERE ended_at IS NULL AND case_id = ANY(CAST(:ids AS uuid[]))",
            ids=ids,
        )
    }
    seen: set[UUID] = set()
    for each in members:
        if each["case_id"] not in seen or each["case_id"] in stopped:
            orders.may_pay(uow, rows[each["case_id"]], each["payee"], each["decision"])
            seen.add(each["case_id"])


def _set_aside(uow: UnitOfWork, members: Sequence[RowMapping]) -> None:
    keys = [(each["case_id"], each["payee"]) for each in members]
    payable = accounts(uow, "payable", keys)
    free = accounts(uow, "case_escrow", [(case_id, "") for case_id, _ in keys])
    ledger.post_many(
        uow,
        [
            ledger.Pair(
                f"hold/{each['id']}", "HOLD", int(each["amount_fen"]), free[(each["case_id"], "")],
                payable[(each["case_id"], each["payee"])], each["case_id"], ledger.Grounds(order=each["id"]),
            )
            for each in members
        ],
    )  # fmt: skip


def accounts(uow: UnitOfWork, kind: str, keys: Sequence[tuple[UUID, str]]) -> dict[tuple[UUID, str], UUID]:
    """The ledger accounts of that kind for each (case, key); made where they are not there."""
    wanted = list(dict.fromkeys(keys))
    told = {
        "kind": kind, "cases": [case_id for case_id, _ in wanted], "keys": [key for _, key in wanted],
        "ids": [uow.new_id() for _ in wanted],
    }  # fmt: skip
    uow.execute(
        "INSERT INTO escrow.account (id, kind, case_id, key) SELECT w.id, :kind, w.case_id, w.key FROM unnest(CAST(:ids AS uuid[]),"
        " CAST(:cases AS uuid[]), CAST(:keys AS text[])) AS w (id, case_id, key) ON CONFLICT (kind, case_id, key) DO NOTHING",
        **told,
    )
    rows = uow.all(
        "SELECT a.id, a.case_id, a.key FROM unnest(CAST(:cases AS uuid[]), CAST(:keys AS text[])) AS w (case_id, key)"
        " JOIN escrow.account a ON a.kind = :kind AND a.case_id = w.case_id AND a.key = w.key",
        kind=kind, cases=told["cases"], keys=told["keys"],
    )  # fmt: skip
    return {(row["case_id"], row["key"]): row["id"] for row in rows}


def _move(uow: UnitOfWork, batch: UUID, state: str) -> None:
    last = int(uow.scalar("SELECT max(place) FROM escrow.batch_order WHERE batch = :batch", batch=batch))
    try:
        for start in range(1, last + 1, AT_ONCE):
            uow.execute(
                "UPDATE escrow.payment_order o SET state = :state, moved_at = :at FROM escrow.batch_order b WHERE b.order_id = o.id"
                " AND b.batch = :batch AND b.place >= :start AND b.place < :stop",
                state=state, at=uow.now, batch=batch, start=start, stop=start + AT_ONCE,
            )  # fmt: skip
    except IntegrityError as error:
        diag = getattr(error.orig, "diag", None)
        if getattr(diag, "message_detail", "") == "NOT_APPROVED":
            raise refuse(
                "SAME_PERSON", "actor", uow.actor.id, str(getattr(diag, "message_primary", ""))
            ) from error
        raise


def _digest(row: RowMapping, digest: str) -> None:
    if digest != row["digest"]:
        raise refuse("DIGEST_CHANGED", "digest", digest, row["digest"])


def _all_in(uow: UnitOfWork, batch: UUID, state: str) -> None:
    other = uow.one(f"{_MEMBERS} AND o.state <> :state ORDER BY b.place LIMIT 1", batch=batch, state=state)
    if other is not None:
        raise refuse("ILLEGAL_STATE", f"order {other['number']}", other["state"], state)


def _third_person(uow: UnitOfWork, batch: UUID) -> None:
    above = uow.scalar(
        "SELECT EXISTS (SELECT 1 FROM escrow.batch_order b JOIN escrow.payment_order o ON o.id = b.order_id WHERE b.batch = :batch"
        " AND escrow.persons_needed(o.amount_fen, (o.drafted_at AT TIME ZONE 'Asia/Shanghai')::date) = 3)",
        batch=batch,
    )
    checker = uow.scalar(
        "SELECT person FROM escrow.batch_approval WHERE batch = :batch AND role = 'CHECKER'", batch=batch
    )
    if above and checker == uow.actor.id:
        raise refuse("SAME_PERSON", "actor", uow.actor.id, "a third person: a sum is above the tier")


def _told(row: RowMapping, name: str) -> Event:
    return {"event": name, "batch_id": row["id"], "orders": row["orders"], "fen": int(row["fen"])}
