"""A small world for the tests: made-up ways to pay, people with roles, cases, and what a holder's statements say.

Every step runs in a unit of work of its own, and the invariants are proved after it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

import escrow
from escrow.rails import Advice, StatementInfo, StatementLine, load_rails
from foundation.actors import SYSTEM, Actor
from foundation.clock import move_clock
from foundation.unit_of_work import UnitOfWork, unit_of_work
from schemas.money import Fen

RAILS = load_rails([Path(__file__).parent / "made_up_rails"])
HOUSE, PURSE = "house", "purse"
PARENT = "H000"


def person(name: str, *roles: str) -> Actor:
    return Actor(name, name, frozenset(roles), "瓯栖县")


CASHIER = person("ka", "cashier")
CASHIER_2 = person("kb", "cashier")
CHECKER = person("fu", "checker")
RELEASER = person("sh", "releaser")
ALL_ROLES = person("all", "cashier", "checker", "releaser")


class NoKeys:
    """The made-up rails sign nothing."""

    def private_key(self, name: str) -> Any:
        raise KeyError(name)

    certificate = trusted = secret = private_key


def made_up_desk() -> escrow.RailDesk:
    return escrow.RailDesk(NoKeys(), {HOUSE: RAILS[HOUSE], PURSE: RAILS[PURSE]})


def terms(
    key: str = "1",
    fens: tuple[int, ...] = (10000,),
    *,
    due: date = date(2026, 5, 12),
    payees: int = 1,
    **more: Any,
) -> escrow.AgreementTerms:
    """An agreement of a payer R1 and payees A1, A2 … who share each instalment evenly, the rest on the last."""
    seats = [f"A{n}" for n in range(1, payees + 1)]
    parties = [
        escrow.PartyTerms(
            seat, "PAYEE", f"收款人{key}{seat}", id_number="330399198401108161",
            accounts=(
                escrow.PayAccount(HOUSE, f"99{key}{seat}", f"收款人{key}{seat}", kind="card"),
                escrow.PayAccount(PURSE, f"100{key}{seat}", f"收款人{key}{seat}", kind="login"),
            ),
        )
        for seat in seats
    ]  # fmt: skip
    payer = escrow.PartyTerms(
        "R1", "PAYER", f"付款人{key}", accounts=(escrow.PayAccount(HOUSE, f"98{key}", f"付款人{key}"),)
    )
    instalments = []
    for at, fen in enumerate(fens):
        share = fen // payees
        parts = [share] * (payees - 1) + [fen - share * (payees - 1)]
        instalments.append(
            escrow.InstalmentTerms(
                at + 1, date(due.year, due.month + at, due.day), Fen(fen), "R1",
                tuple((seat, Fen(part)) for seat, part in zip(seats, parts, strict=True)),
            )
        )  # fmt: skip
    return escrow.AgreementTerms(
        dispute=f"D{key}", mediation_number=f"瓯栖调〔2026〕试验{key}号", agreement_no=f"XY{key}", title="买卖合同纠纷",
        signed_on=date(2026, 4, 1), parties=(*parties, payer), instalments=tuple(instalments),
        prefixes={HOUSE: f"H{key}I", PURSE: f"P{key}0"}, **more,
    )  # fmt: skip


@dataclass
class World:
    engine: Engine
    desk: escrow.RailDesk = field(default_factory=made_up_desk)
    sequence: int = 0
    proves: bool = True  # after each act; False where a test proves at its own steps
    events: list[dict[str, Any]] = field(default_factory=list)

    def at(self, when: str) -> None:
        """Set the clock, Beijing time."""
        with self.engine.begin() as conn:
            move_clock(conn, datetime.fromisoformat(when + "+08:00"))

    def act(self, actor: Actor, work: Callable[[UnitOfWork], Any]) -> Any:
        """Do one act as a person, keep its events, then prove the books."""
        with unit_of_work(self.engine, actor) as uow:
            found = work(uow)
        if isinstance(found, escrow.Result):
            self.events = found.events
        if self.proves:
            self.prove()
        return found

    def prove(self) -> None:
        with unit_of_work(self.engine) as uow:
            assert escrow.prove(uow) == []

    def look(self, work: Callable[[UnitOfWork], Any]) -> Any:
        with unit_of_work(self.engine) as uow:
            return work(uow)

    def case(self, ref: UUID | str) -> dict[str, Any]:
        return dict(self.look(lambda uow: escrow.escrow_case(uow, ref)))

    def figures(self, ref: UUID | str) -> tuple[Any, ...]:
        """state, balance, held, in transit, released, refunded: the columns of the published stories."""
        c = self.case(ref)
        return (
            c["state"],
            c["balance_fen"],
            c["held_fen"],
            c["in_transit_fen"],
            c["released_fen"],
            c["refunded_fen"],
        )

    def open(self, agreement: escrow.AgreementTerms, account: str | None = None, rail: str = HOUSE) -> UUID:
        case_id: UUID = self.act(SYSTEM, lambda uow: escrow.open_escrow(uow, agreement)).id
        number = account or f"S{agreement.dispute}"
        self.act(SYSTEM, lambda uow: escrow.record_subaccount(uow, self.desk, case_id, rail, number))
        return case_id

    def line(
        self, account: str, fen: int, direction: str = "CRDT", ref: str | None = None, **more: Any
    ) -> StatementLine:
        self.sequence += 1
        day = more.pop("day", None) or self.today()
        return StatementLine(
            account=account, booked=more.pop("booked", True), direction="DBIT" if direction == "DBIT" else "CRDT",
            amount=Fen(fen), bank_ref=ref or f"REF{self.sequence}", booking_date=day, value_date=day, **more,
        )  # fmt: skip

    def today(self) -> date:
        return date.fromisoformat(
            self.look(
                lambda uow: uow.scalar("SELECT (exchange.now() AT TIME ZONE 'Asia/Shanghai')::date::text")
            )
        )

    def notice(self, *lines: StatementLine, account: str | None = None, rail: str = HOUSE) -> escrow.Result:
        """A booked notice with these lines."""
        self.sequence += 1
        name = f"N{self.sequence}"
        info = StatementInfo(
            account or lines[0].account, name, "notice", day=lines[0].booking_date, lines=len(lines)
        )
        return self.take(rail, [info], [_of(line, name) for line in lines])

    def day(
        self, account: str, opening: int, *lines: StatementLine, closing: int | None = None, seq: int | None = None,
        rail: str = HOUSE, kind: str = "statement", name: str | None = None, day: date | None = None,
    ) -> escrow.Result:  # fmt: skip
        """The day's statement of an account."""
        self.sequence += 1
        name = name or f"T{self.sequence}"
        total = opening + sum(int(line.signed) for line in lines)
        info = StatementInfo(
            account, name, kind, seq, Fen(opening), Fen(total if closing is None else closing),  # type: ignore[arg-type]
            day=day or self.today(), lines=len(lines),
        )  # fmt: skip
        if kind == "bill":
            info = StatementInfo(account, name, "bill", day=day or self.today(), lines=len(lines))
        return self.take(rail, [info], [_of(line, name) for line in lines])

    def take(self, rail: str, infos: list[StatementInfo], lines: list[StatementLine]) -> escrow.Result:
        advice = Advice("statement", statements=tuple(infos), lines=tuple(lines))
        found: escrow.Result = self.act(SYSTEM, lambda uow: escrow.take_advice(uow, self.desk, rail, advice))
        return found

    def draft(
        self,
        case_id: UUID,
        fen: int,
        *,
        by: Actor = CASHIER,
        instalment: int = 1,
        payee: str = "A1",
        **more: Any,
    ) -> UUID:
        more.setdefault("rail", HOUSE)
        found: escrow.Result = self.act(
            by,
            lambda uow: escrow.draft_order(
                uow, self.desk, case_id, instalment=instalment, payee=payee, fen=fen, **more
            ),
        )
        assert found.id is not None
        return found.id

    def approve(self, order: UUID, checker: Actor = CHECKER, releaser: Actor = RELEASER) -> UUID:
        self.act(checker, lambda uow: escrow.check_order(uow, order))
        self.act(releaser, lambda uow: escrow.release_order(uow, order))
        return order

    def send(self, order: UUID, outcome: str | None = "ACCEPTED", code: str = "") -> escrow.Result:
        """Commit the intent, carry it, and take the reply; `outcome` None = no reply yet."""
        self.act(SYSTEM, lambda uow: escrow.dispatch(uow, self.desk, order))
        claims = self.act(SYSTEM, lambda uow: escrow.claim_to_send(uow, self.desk))
        assert [c.number for c in claims] == [self.number(order)]
        if outcome is None:
            return escrow.Result()
        return self.say(order, outcome, "REPLY", code)

    def say(self, order: UUID, outcome: str, source: str, code: str = "") -> escrow.Result:
        row = self.look(
            lambda uow: uow.one("SELECT rail, number FROM escrow.payment_order WHERE id = :id", id=order)
        )
        found: escrow.Result = self.act(
            SYSTEM,
            lambda uow: escrow.record_outcome(
                uow, self.desk, row["rail"], row["number"], outcome, source, code=code
            ),  # type: ignore[arg-type]
        )
        return found

    def number(self, order: UUID) -> str:
        return str(
            self.look(
                lambda uow: uow.scalar("SELECT number FROM escrow.payment_order WHERE id = :id", id=order)
            )
        )

    def order(self, order: UUID) -> dict[str, Any]:
        return dict(
            self.look(lambda uow: uow.one("SELECT * FROM escrow.payment_order WHERE id = :id", id=order))
        )

    def paid(self, order: UUID, **more: Any) -> escrow.Result:
        """The booked debit that proves an order."""
        row = self.order(order)
        return self.notice(
            self.line(row["debit_account"], row["amount_fen"], "DBIT", our_number=row["number"], **more),
            rail=row["rail"],
        )

    def breaks(self) -> list[str]:
        return [row["kind"] for row in self.look(lambda uow: escrow.list_breaks(uow))]


def _of(line: StatementLine, statement: str) -> StatementLine:
    from dataclasses import replace

    return replace(line, statement_id=statement)
