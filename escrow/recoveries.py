"""Recovery 追回: an agreement was set aside after money was paid under it; each payee gives back what he got (Civil
Code 157). What he pays into the case's sub-account is the payer's, and goes back to where the payer's money came from."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import RowMapping

from escrow import case_state, ledger
from escrow.machines import RECOVERY
from escrow.results import Event, Result, need_role, refuse, said
from escrow.same_name import same_name
from foundation.unit_of_work import UnitOfWork

# What each payee has got of a case by proved payments, less returns.
_GOT = (
    "SELECT payee_party AS party, sum(amount_fen) FILTER (WHERE state = 'PAID') AS fen FROM escrow.payment_order"
    " WHERE case_id = :case AND purpose = 'COMPENSATION' AND state IN ('PAID', 'RETURNED', 'REISSUED', 'CLOSED') GROUP BY payee_party"
)


def reckon(uow: UnitOfWork, case_id: UUID) -> list[Event]:
    """Bring the recoveries of a void agreement to what was proved paid under it; nothing while it is in force. Called
    under the case's lock, when the agreement is set aside and after each proof or return that follows."""
    case = uow.one("SELECT void_at, void_reason FROM escrow.escrow_case WHERE id = :id", id=case_id)
    if case is None or case["void_at"] is None:
        return []
    events: list[Event] = []
    for got in uow.all(_GOT, case=case_id):
        fen = int(got["fen"] or 0)
        row = uow.one(
            "SELECT * FROM escrow.recovery WHERE case_id = :case AND party = :party FOR UPDATE", case=case_id, party=got["party"]
        )  # fmt: skip
        if row is not None:
            events += _stand(uow, row, fen, int(row["got_fen"]))
        elif fen:
            uow.execute(
                "INSERT INTO escrow.recovery (id, case_id, party, fen, document, opened_at, moved_at) VALUES"
                " (:id, :case, :party, :fen, :paper, :at, :at)",
                id=uow.new_id(), case=case_id, party=got["party"], fen=fen, paper=case["void_reason"], at=uow.now,
            )  # fmt: skip
            events.append(case_state.event(uow, case_id, "RECOVERY_OPENED", fen=fen))
    return events


def _stand(uow: UnitOfWork, row: RowMapping, fen: int, got: int) -> list[Event]:
    got = min(got, fen)
    if row["state"] in RECOVERY.final or (fen, got) == (row["fen"], row["got_fen"]):
        return []
    guard = {"full"} if got == fen else {"part"} if got else set()
    after = RECOVERY.next(row["state"], "reckon", guard)
    uow.execute(
        "UPDATE escrow.recovery SET state = :after, fen = :fen, got_fen = :got, moved_at = :at WHERE id = :id",
        after=after, fen=fen, got=got, at=uow.now, id=row["id"],
    )  # fmt: skip
    if after == row["state"]:
        return []
    return [case_state.event(uow, row["case_id"], f"RECOVERY_{after}", fen=fen, got_fen=got)]


def of_credit(uow: UnitOfWork, case_id: UUID, line: RowMapping) -> RowMapping | None:
    """The open recovery that a credit is for: it came from that payee's account, or under his whole name."""
    rows = uow.all(
        "SELECT r.*, p.name, array(SELECT number FROM escrow.pay_account a WHERE a.party = p.id) AS accounts"
        " FROM escrow.recovery r JOIN escrow.party p ON p.id = r.party WHERE r.case_id = :case AND r.got_fen < r.fen"
        " AND r.state <> 'WAIVED' ORDER BY r.opened_at, r.id FOR UPDATE OF r",
        case=case_id,
    )
    by_account = [row for row in rows if line["other_account"] and line["other_account"] in row["accounts"]]
    by_name = [
        row
        for row in rows
        if line["other_name"] and "*" not in line["other_name"] and same_name(line["other_name"], row["name"])
    ]
    return next(iter([*by_account, *by_name]), None)


def receive(uow: UnitOfWork, row: RowMapping, funding: UUID, fen: int) -> list[Event]:
    """A credit gives back what it can of a recovery."""
    taken = min(fen, int(row["fen"]) - int(row["got_fen"]))
    uow.execute(
        "INSERT INTO escrow.recovery_receipt VALUES (:funding, :id, :fen)",
        funding=funding,
        id=row["id"],
        fen=taken,
    )
    return _stand(uow, row, int(row["fen"]), int(row["got_fen"]) + taken)


def reversed_credit(uow: UnitOfWork, line: UUID, funding: UUID) -> list[Event]:
    """The holder took a credit back that had given something back: that is owed again. `line`: of the credit."""
    row = uow.one(
        "SELECT r.*, t.fen AS taken FROM escrow.recovery_receipt t JOIN escrow.funding f ON f.id = t.funding"
        " JOIN escrow.recovery r ON r.id = t.recovery WHERE f.line = :line AND t.fen > 0",
        line=line,
    )
    if row is None:
        return []
    uow.execute(
        "INSERT INTO escrow.recovery_receipt VALUES (:funding, :id, :fen)", funding=funding, id=row["id"], fen=-int(row["taken"])
    )  # fmt: skip
    return _stand(uow, row, int(row["fen"]), int(row["got_fen"]) - int(row["taken"]))


def move_recovery(uow: UnitOfWork, recovery_id: UUID, event: str, document: str) -> Result:
    """A suit or enforcement was filed for what is still owed (`file`), or the payer asks no more (`waive`), on paper.

    Raises Refused NOT_FOUND, ILLEGAL_STATE, CODE_UNKNOWN, DOCUMENT_REQUIRED.
    """
    need_role(uow, "confirm")
    if event not in ("file", "waive"):
        raise refuse("CODE_UNKNOWN", "event", event, "file, waive")
    case_id = uow.scalar("SELECT case_id FROM escrow.recovery WHERE id = :id", id=recovery_id)
    if case_id is None:
        raise refuse("NOT_FOUND", "recovery", recovery_id)
    ledger.lock_case(uow, case_id)
    state = str(uow.scalar("SELECT state FROM escrow.recovery WHERE id = :id FOR UPDATE", id=recovery_id))
    if not RECOVERY.allows(state, event):
        raise refuse("ILLEGAL_STATE", "recovery.state", state, f"a state that allows {event}")
    after = RECOVERY.next(state, event, {"document"})
    uow.execute(
        "UPDATE escrow.recovery SET state = :after, end_document = :paper, moved_at = :at WHERE id = :id",
        after=after, paper=said(document, "document", "DOCUMENT_REQUIRED", "the paper"), at=uow.now, id=recovery_id,
    )  # fmt: skip
    return Result([case_state.event(uow, case_id, f"RECOVERY_{after}")], recovery_id)


def flags(uow: UnitOfWork, case_id: UUID) -> list[str]:
    """RECOVERY with the sum that payees still have to give back."""
    owed = int(
        uow.scalar(
            "SELECT coalesce(sum(fen - got_fen), 0) FROM escrow.recovery WHERE case_id = :id AND state <> 'WAIVED'", id=case_id
        )
    )  # fmt: skip
    return [f"RECOVERY:{owed}"] if owed else []
