"""What the escrow core hands to the ways to pay, and what they may look up (escrow.md, "Rails")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from escrow import ledger, rail_words
from escrow.rails import KnownOrder, LastStatement, Rail, RailContext, all_rails
from escrow.results import beijing_day, refuse
from foundation.unit_of_work import UnitOfWork
from schemas.exchange import Keys
from schemas.money import Fen


@dataclass(frozen=True)
class RailDesk:
    """The rails of this installation. `settings`: rail → values that differ from the manifest's account table."""

    keys: Keys
    rails: Mapping[str, Rail] = field(default_factory=all_rails)
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def rail(self, rail_id: str) -> Rail:
        """The rail of that id. Raises Refused NOT_FOUND."""
        if rail_id not in self.rails:
            raise refuse("NOT_FOUND", "rail", rail_id, ", ".join(sorted(self.rails)))
        return self.rails[rail_id]

    def money_rail(self) -> Rail:
        """The rail whose custody account holds case money (manifest: holds_case_money). Raises Refused NOT_FOUND."""
        for each in self.rails.values():
            if each.has("holds_case_money"):
                return each
        raise refuse("NOT_FOUND", "rail", "none holds case money", "a rail with holds_case_money")

    def context(self, uow: UnitOfWork, rail_id: str, request_id: str = "", sequence: int = 1) -> RailContext:
        """The context of one call to a rail, with read-only lookups into this unit of work."""
        return RailContext(
            manifest=self.rail(rail_id).manifest,
            keys=self.keys,
            now=uow.now,
            request_id=request_id,
            sequence=sequence,
            known_order=lambda number: known_order(uow, rail_id, number),
            last_statement=lambda account: last_statement(uow, rail_id, account),
            number_of_reference=lambda reference: rail_words.number_of(uow, rail_id, reference),
            settings=self.settings.get(rail_id, {}),
        )


def next_sequence(uow: UnitOfWork, rail_id: str) -> int:
    """The next of our own running numbers towards a rail."""
    return int(
        uow.scalar(
            "INSERT INTO escrow.rail_counter VALUES (:rail, 1)"
            " ON CONFLICT (rail) DO UPDATE SET last = escrow.rail_counter.last + 1 RETURNING last",
            rail=rail_id,
        )
    )


def known_order(uow: UnitOfWork, rail_id: str, number: str) -> KnownOrder | None:
    """What we know of an instruction that we sent, also of the time before."""
    row = uow.one(
        "SELECT a.*, o.state AS order_state, (SELECT max(n.at) FROM escrow.outcome_note n WHERE n.attempt = a.id"
        " AND n.applied) AS outcome_at FROM escrow.rail_attempt a"
        " LEFT JOIN escrow.payment_order o ON o.id = a.order_id WHERE a.rail = :rail AND a.number = :number",
        rail=rail_id, number=number,
    )  # fmt: skip
    if row is None:
        return None
    sent_at = row["first_sent_at"] or row["intended_at"]
    return KnownOrder(
        number=number,
        amount=Fen(row["fen"]),
        state=row["order_state"] or "",
        outcome=row["outcome"],
        outcome_at=row["outcome_at"],
        sent_at=sent_at,
        statement_taken=row["proved_by"] is None
        and day_covered(uow, rail_id, row["debit_account"], beijing_day(sent_at)),
        told_done=row["outcome"] == "DONE" or rail_words.told_done(uow, rail_id, number),
    )


def day_taken(uow: UnitOfWork, rail_id: str, account: str, day: date) -> bool:
    """Whether a day's statement of that account for `day` or a later day was taken."""
    return bool(
        uow.scalar(
            "SELECT EXISTS (SELECT 1 FROM escrow.statement WHERE rail = :rail AND account = :account AND kind = 'DAY'"
            " AND day >= :day)",
            rail=rail_id, account=account, day=day,
        )
    )  # fmt: skip


def day_covered(uow: UnitOfWork, rail_id: str, account: str, day: date) -> bool:
    """Whether statements show what an account did on `day`: its own of that day or later, or its holder's of a later day.

    A sub-account that did not move has no statement that day, the parent always has (bank contract, transport). The
    parent's next night is waited for, so that a late statement of the sub-account has come before.
    """
    return bool(
        uow.scalar(
            "SELECT EXISTS (SELECT 1 FROM escrow.statement WHERE rail = :rail AND kind = 'DAY' AND (account = :account"
            " AND day >= :day OR day > :day AND account = (SELECT number FROM escrow.custody WHERE rail = :rail)))",
            rail=rail_id, account=account, day=day,
        )
    )  # fmt: skip


def last_statement(uow: UnitOfWork, rail_id: str, account: str) -> LastStatement | None:
    """What we hold of an account's statements; None when no day's statement was taken yet."""
    row = uow.one(
        "SELECT last_day, last_seq, last_closing FROM escrow.bank_account WHERE rail = :rail AND number = :account",
        rail=rail_id, account=account,
    )  # fmt: skip
    if row is None or row["last_day"] is None or row["last_closing"] is None:
        return None
    return LastStatement(
        sequence=row["last_seq"] or 0,
        closing=Fen(row["last_closing"]),
        stated=_numbers(uow, rail_id, account, "DAY"),
        noticed=_numbers(uow, rail_id, account, "NOTICE"),
        booked_since=tuple(
            (line["booked_on"], Fen(line["signed"]))
            for line in lines_since(uow, rail_id, account, row["last_day"])
        ),
    )


def lines_since(uow: UnitOfWork, rail_id: str, account: str, day: date) -> list[Mapping[str, Any]]:
    """Booked lines after `day` that no day's statement held yet: (booked_on, signed fen)."""
    return [
        dict(row)
        for row in uow.all(
            "SELECT l.booked_on, CASE l.direction WHEN 'CREDIT' THEN l.fen ELSE -l.fen END AS signed"
            " FROM escrow.statement_line l WHERE l.rail = :rail AND l.account = :account AND l.booked_on > :day"
            " AND NOT EXISTS (SELECT 1 FROM escrow.line_sighting s JOIN escrow.statement t ON t.id = s.statement"
            " WHERE s.line = l.id AND t.kind = 'DAY') ORDER BY l.booked_on",
            rail=rail_id, account=account, day=day,
        )
    ]  # fmt: skip


def _numbers(uow: UnitOfWork, rail_id: str, account: str, kind: str) -> frozenset[int]:
    rows = uow.all(
        "SELECT seq FROM escrow.statement WHERE rail = :rail AND account = :account AND kind = :kind"
        " AND seq IS NOT NULL ORDER BY day DESC LIMIT 5000",
        rail=rail_id, account=account, kind=kind,
    )  # fmt: skip
    return frozenset(row["seq"] for row in rows)


def custody_of(uow: UnitOfWork, desk: RailDesk, rail_id: str) -> UUID:
    """The custody account of a rail, as its manifest names it; entered in the books when it is not there."""
    found = uow.scalar("SELECT id FROM escrow.custody WHERE rail = :rail", rail=rail_id)
    if found is None:
        context = desk.context(uow, rail_id)
        number = context.account("parent") or context.account("wallet") or "-"
        uow.execute(
            "INSERT INTO escrow.custody VALUES (:id, :rail, :number, :name, :ledger, :at) ON CONFLICT (rail) DO NOTHING",
            id=uow.new_id(), rail=rail_id, number=number, name=desk.rail(rail_id).name_zh,
            ledger=ledger.account(uow, "custody", None, rail_id), at=uow.now,
        )  # fmt: skip
        found = uow.scalar("SELECT id FROM escrow.custody WHERE rail = :rail", rail=rail_id)
        _enter(uow, rail_id, number, found, "PARENT")
    assert isinstance(found, UUID)
    return found


def known_account(uow: UnitOfWork, desk: RailDesk, rail_id: str, number: str) -> RowMapping:
    """The books' row of a holder's account, locked; entered when a statement names it for the first time."""
    sql = "SELECT * FROM escrow.bank_account WHERE rail = :rail AND number = :number FOR NO KEY UPDATE"
    row = uow.one(sql, rail=rail_id, number=number)
    if row is None:
        custody = custody_of(uow, desk, rail_id)
        _enter(
            uow,
            rail_id,
            number,
            custody,
            "OTHER" if desk.rail(rail_id).has("opens_subaccounts") else "PARENT",
        )
        row = uow.one(sql, rail=rail_id, number=number)
    assert row is not None
    return row


def _enter(uow: UnitOfWork, rail_id: str, number: str, custody: UUID, kind: str) -> None:
    uow.execute(
        "INSERT INTO escrow.bank_account (rail, number, custody, kind) VALUES (:rail, :number, :custody, :kind)"
        " ON CONFLICT DO NOTHING",
        rail=rail_id, number=number, custody=custody, kind=kind,
    )  # fmt: skip


def custody_ledger(uow: UnitOfWork, custody: UUID) -> UUID:
    """The ledger account of a custody account."""
    found: UUID = uow.scalar("SELECT ledger FROM escrow.custody WHERE id = :id", id=custody)
    return found
