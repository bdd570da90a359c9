"""Credits: to the case whose sub-account they reached, to suspense, or moved inside one holder's accounts."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import RowMapping

from escrow import case_state, freezes, ledger, recoveries, suspense
from escrow.line_rows import Placed
from escrow.machines import SHADOW
from escrow.results import Event
from escrow.same_name import same_name
from foundation.unit_of_work import UnitOfWork


def to_case(uow: UnitOfWork, line: RowMapping) -> Placed:
    """A credit on a case's own sub-account is that case's money, whoever paid it."""
    fen, case_id = int(line["fen"]), line["case_id"]
    parts = [(line["custody_ledger"], fen), (ledger.account(uow, "case_escrow", case_id), -fen)]
    grounds = ledger.Grounds(line=line["id"], custody=line["custody"])
    ledger.post(uow, f"line/{line['id']}", "CREDIT", fen, parts, case_id, grounds)
    return Placed("POSTED", "CREDIT", case_id, events=fund(uow, case_id, line, fen))


def fund(uow: UnitOfWork, case_id: UUID, line: RowMapping, fen: int) -> list[Event]:
    """What follows when money reaches a case: its source is noted, freezes take theirs, instalments and state follow."""
    case = ledger.lock_case(uow, case_id)
    late = case["state"] in SHADOW
    recovery = recoveries.of_credit(uow, case_id, line) if case["void_at"] is not None else None
    third = recovery is None and not _payer_known(uow, case, line)
    funding = uow.new_id()
    uow.execute(
        "INSERT INTO escrow.funding VALUES (:id, :case, :line, :fen, :account, :name, :third, :late, :at)",
        id=funding, case=case_id, line=line["id"], fen=fen, account=line["other_account"], name=line["other_name"],
        third=third, late=late, at=uow.now,
    )  # fmt: skip
    if late:
        uow.execute(
            "UPDATE escrow.escrow_case SET late_fen = late_fen + :fen WHERE id = :id", fen=fen, id=case_id
        )
    events = recoveries.receive(uow, recovery, funding, fen) if recovery is not None else []
    events += freezes.fill(uow, case_id)
    events += case_state.allocate(uow, case_id)
    events += case_state.move_if_allowed(uow, case_id, "credit")
    f = case_state.figures(uow, case_id)
    excess = max(0, int(f["balance_fen"]) + int(f["released_fen"]) - int(f["agreed_fen"]))
    credited = case_state.event(
        uow, case_id, "CREDITED", fen=fen, funded_fen=int(f["funded_fen"]), agreed_fen=int(f["agreed_fen"]),
        third_party=third, payer=line["other_name"], excess_fen=excess, void=case["void_at"] is not None,
    )  # fmt: skip
    if late:
        events.append(case_state.event(uow, case_id, "LATE_MONEY", fen=fen))
    return [credited, *events]


def _payer_known(uow: UnitOfWork, case: RowMapping, line: RowMapping) -> bool:
    """Whether the payer is one of the agreement's; some holders mask names (王**), and a name may be missing."""
    rows = uow.all(
        "SELECT p.name, array(SELECT number FROM escrow.pay_account a WHERE a.party = p.id) AS accounts"
        " FROM escrow.party p WHERE p.case_id = :case AND p.version = :version AND p.role = 'PAYER'",
        case=case["id"], version=case["version"],
    )  # fmt: skip
    if not line["other_name"]:
        return any(line["other_account"] in row["accounts"] for row in rows)
    return any(
        line["other_account"] in row["accounts"] or same_name(line["other_name"], row["name"]) for row in rows
    )


def to_suspense(uow: UnitOfWork, line: RowMapping) -> Placed:
    """A credit that nobody can match: held apart, with proposals, until two persons say whose it is."""
    fen = int(line["fen"])
    parts = [(line["custody_ledger"], fen), (ledger.account(uow, "suspense", None, str(line["id"])), -fen)]
    grounds = ledger.Grounds(line=line["id"], custody=line["custody"])
    ledger.post(uow, f"line/{line['id']}", "SUSPENSE", fen, parts, None, grounds)
    hints = suspense.propose_cases(uow, line)
    named = [
        {
            "case_id": h["case_id"],
            "dispute": h["dispute"],
            "mediation_number": h["mediation_number"],
            "fen": h["fen"],
            "signs": h["signs"],
        }
        for h in hints
    ]
    told = case_state.event(uow, None, "SUSPENSE_CREDIT", line=line["id"], fen=fen, account=line["account"],
                            payer=line["other_name"], text=line["text"], proposals=named)  # fmt: skip
    return Placed("POSTED", "SUSPENSE", events=[told])


def place_move(uow: UnitOfWork, line: RowMapping) -> Placed | None:
    """The holder moves a case's money between its own accounts (S09): expected, so no money is counted twice."""
    credit = line["direction"] == "CREDIT"
    here, there, column = (
        ("to_account", "from_account", "credit") if credit else ("from_account", "to_account", "debit")
    )
    row = uow.one(
        f"SELECT m.* FROM escrow.place_move m WHERE m.rail = :rail AND m.{here} = :account AND m.fen = :fen AND m.{column} IS NULL"
        f" AND (:other = m.{there} OR :other = '' AND (NOT :credit OR m.debit IS NOT NULL OR :name = :owner))"
        f" ORDER BY (:other = m.{there}) DESC, m.id LIMIT 1",
        rail=line["rail"], account=line["account"], fen=line["fen"], other=line["other_account"], credit=credit,
        name=line["other_name"], owner=_owner(uow, line),
    )  # fmt: skip
    if row is None:
        return None
    uow.execute(
        f"UPDATE escrow.place_move SET {column} = :line WHERE id = :id", line=line["id"], id=row["id"]
    )
    events: list[Event] = []
    whole = row["debit"] if credit else row["credit"]
    if whole is not None:
        waiting = uow.scalar(
            "SELECT EXISTS (SELECT 1 FROM escrow.place_move WHERE case_id = :case AND credit IS NULL)",
            case=row["case_id"],
        )
        if not waiting:
            uow.execute(
                "UPDATE escrow.escrow_case SET split_missing = false WHERE id = :id", id=row["case_id"]
            )
        events.append(
            case_state.event(
                uow, row["case_id"], "MONEY_MOVED", fen=int(row["fen"]), account=row["to_account"]
            )
        )
    return Placed("MOVE", "PLACE_MOVE", row["case_id"], events=events)


def _owner(uow: UnitOfWork, line: RowMapping) -> str:
    return str(uow.scalar("SELECT name FROM escrow.custody WHERE id = :id", id=line["custody"]))


def expect_move(uow: UnitOfWork, case_id: UUID, line: RowMapping, fen: int) -> None:
    """Money assigned to a case lies on another account than the case's own: expect the holder to move it."""
    own = uow.scalar(
        "SELECT number FROM escrow.bank_account WHERE rail = :rail AND case_id = :case",
        rail=line["rail"],
        case=case_id,
    )
    if own is not None and own != line["account"]:
        uow.execute(
            "INSERT INTO escrow.place_move (id, case_id, source, rail, from_account, to_account, fen) VALUES"
            " (:id, :case, :source, :rail, :here, :there, :fen)",
            id=uow.new_id(), case=case_id, source=line["id"], rail=line["rail"], here=line["account"], there=own, fen=fen,
        )  # fmt: skip
