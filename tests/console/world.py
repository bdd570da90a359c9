"""A small county for the console's tests, made through the rooms' front doors: disputes, a proposal, a conflict,
matters and agreements, a funded escrow, a credit in suspense, a quarantined message, an alarm."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import case_registry
import escrow
import mediation
from escrow.rails import Advice, StatementInfo, StatementLine
from foundation.actors import SYSTEM, Actor
from foundation.journal import raise_alarm
from foundation.staff import add_staff
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub import choreography, payments
from hub.filing import ingest_file
from hub.pipeline import Hub
from hub.setup_keys import PEOPLE
from schemas.identifiers import resident_check_digit
from schemas.money import Fen
from tests.case_registry.make import ARBITRATION, COURT, PETITION, body, episode, person
from tests.connectors.petition_side import envelope, told

PASSWORD = "console-test"
COMMITTEE = "瓯栖县石坦乡人民调解委员会"
PAYER, PAYEE = "戴超忠", "夏晓"


def resident(birth: str, serial: int) -> str:
    """A made-up resident id of the made-up county."""
    first = f"330399{birth}{serial:03d}"
    return first + resident_check_digit(first)


def card(serial: int) -> str:
    """A made-up card number that passes Luhn."""
    first = f"9955{serial:011d}"
    total = sum(sum(divmod(int(d) * 2, 10)) if i % 2 == 0 else int(d) for i, d in enumerate(reversed(first)))
    return first + str(-total % 10)


PAYEE_ID, PAYER_ID = resident("19540623", 761), resident("19570717", 977)
PAYEE_CARD, PAYER_CARD = card(1), card(2)


@dataclass
class County:
    """One hub with people in it; every act is a unit of work of its own."""

    hub: Hub
    numbers: list[str] = field(default_factory=list)
    sequence: int = 0

    def act(self, work: Callable[[UnitOfWork], Any], who: Actor = SYSTEM) -> Any:
        with unit_of_work(self.hub.engine, who) as uow:
            found = work(uow)
            choreography.follow(uow, _events(found))
        return found

    def staff(self) -> None:
        def enter(uow: UnitOfWork) -> None:
            for name, shown, office, roles in PEOPLE:
                add_staff(uow, name, shown, office, roles, PASSWORD)

        self.act(enter)

    # -- disputes -----------------------------------------------------------------------------------------

    def record(self, source: case_registry.Source, *records: Any) -> str:
        """Tell records as a partner would; returns the number of the dispute."""
        found = self.act(lambda uow: case_registry.record(uow, source, uow.new_id(), records))
        return str(found.disputes[0].number)

    def petition(self, native_id: str = "XF2026001", **more: Any) -> str:
        people = [person("江秀英", phone="10012345678"), body("瓯栖县恒达工程有限公司")]
        told = {"cause": "劳动争议", "claimed_fen": 9_200_000, "opened_on": "2026-03-20", **more}
        return self.record(PETITION, episode(native_id, "PETITION", parties=people, **told))

    def proposal(self) -> tuple[str, str]:
        """Two cases with names and sum only: a person decides."""
        sides = [person("何国平"), person("林志远", "respondent")]
        told = {"cause": "民间借贷纠纷", "claimed_fen": 4_600_000, "occurred_on": "2026-02-11"}
        one = self.record(
            PETITION, episode("XF2026009", "PETITION", parties=sides, opened_on="2026-03-01", **told)
        )
        other = self.record(
            COURT,
            episode("FY2026009", "PRE_LITIGATION_MEDIATION", parties=sides, opened_on="2026-03-12", **told),
        )
        return one, other

    def conflict(self) -> str:
        """A suit and an arbitration of the same people that claim different sums."""
        sides = [
            person("吴小梅", id_number=resident("19800512", 24)),
            person("郑宏", "respondent", id_number=resident("19751108", 33)),
        ]
        told = {"cause": "劳动争议", "occurred_on": "2026-01-05", "opened_on": "2026-03-02"}
        number = self.record(
            ARBITRATION, episode("ZC2026003", "ARBITRATION", parties=sides, claimed_fen=3_000_000, **told)
        )
        self.record(
            COURT,
            episode(
                "FY2026003",
                "TRIAL",
                sub_id="(2026)浙0399民初301号",
                parties=sides,
                claimed_fen=3_500_000,
                case_number="(2026)浙0399民初301号",
                **told,
            ),
        )
        return number

    # -- the office ---------------------------------------------------------------------------------------

    def matter(self, cause: str = "机动车交通事故责任纠纷", claimed: int = 13_000_000) -> UUID:
        parties = (
            mediation.MatterParty(
                "A1", "applicant", "person", PAYEE, PAYEE_ID, "10012340001", "瓯栖县石坦乡", _account(PAYEE, PAYEE_CARD)
            ),
            mediation.MatterParty(
                "R1", "respondent", "person", PAYER, PAYER_ID, "10012340002", None, _account(PAYER, PAYER_CARD)
            ),
        )  # fmt: skip
        new = mediation.NewMatter(
            COMMITTEE,
            "金杰",
            cause,
            date(2026, 3, 6),
            parties,
            claimed_fen=claimed,
            narrative="<b>原文</b>中的尖括号",
        )

        def accept(uow: UnitOfWork) -> UUID:
            matter_id, events = mediation.accept_matter(uow, new)
            choreography.follow(uow, events)
            return matter_id

        found: UUID = self.act(accept)
        return found

    def agree(self, matter_id: UUID, *fens: int) -> UUID:
        parts = tuple(
            mediation.AgreedInstalment(n, date(2026, 4 + n, 10), fen, "R1", "A1")
            for n, fen in enumerate(fens, 1)
        )
        new = mediation.NewAgreement(sum(fens), f"被申请人给付申请人 {sum(fens)} 分，分期履行。", parts)
        agreement: UUID = self.act(lambda uow: mediation.draft_agreement(uow, matter_id, new))
        names = {"A1": PAYEE, "R1": PAYER, "mediator": "金杰", "seal": COMMITTEE}
        signatures = tuple(
            mediation.Signature(key, name, "seal" if key == "seal" else "handwritten")
            for key, name in names.items()
        )
        self.act(lambda uow: mediation.sign_agreement(uow, agreement, signatures))
        return agreement

    def number_of(self, matter_id: UUID) -> str:
        return str(self.act(lambda uow: mediation.matter(uow, matter_id)["mediation_number"]))

    # -- money --------------------------------------------------------------------------------------------

    @property
    def desk(self) -> escrow.RailDesk:
        return payments.desk_of(self.hub)

    def funded(self, *fens: int, paid: int = 0) -> UUID:
        """A signed agreement whose sub-account is open and received ``paid`` fen (all of it by default)."""
        matter_id = self.matter()
        self.agree(matter_id, *fens)
        number = self.number_of(matter_id)
        rail = self.desk.money_rail().id
        self.sequence += 1
        account = f"99033990000010{self.sequence:05d}"
        case_id: UUID = self.act(
            lambda uow: escrow.record_subaccount(uow, self.desk, number, rail, account)
        ).id
        self.credit(account, paid or sum(fens), f"{number} 调解款")
        return case_id

    def credit(
        self,
        account: str,
        fen: int,
        text: str,
        payer: tuple[str, str] = (PAYER, PAYER_CARD),
        own: bool = True,
    ) -> None:
        """A booked credit as the holder's notice says it."""
        self.sequence += 1
        name, day = f"N{self.sequence}", date(2026, 4, 1)
        line = StatementLine(
            account=account, booked=True, direction="CRDT", amount=Fen(fen), bank_ref=f"REF{self.sequence}",
            booking_date=day, value_date=day, party_name=payer[0], party_account=payer[1], text=text,
            statement_id=name, own_account=own,
        )  # fmt: skip
        advice = Advice(
            "statement", statements=(StatementInfo(account, name, "notice", day=day, lines=1),), lines=(line,)
        )
        self.act(lambda uow: escrow.take_advice(uow, self.desk, self.desk.money_rail().id, advice))

    def order(self, case_id: UUID, fen: int, instalment: int = 1, maker: str = "cashier1") -> UUID:
        who = Actor(maker, maker, frozenset({"cashier"}), "司法局")
        made = self.act(
            lambda uow: escrow.draft_order(
                uow,
                self.desk,
                case_id,
                instalment=instalment,
                payee="A1",
                fen=fen,
                rail=self.desk.money_rail().id,
            ),
            who,
        )
        assert made.id is not None
        return UUID(str(made.id))

    def pay_out(self, case_id: UUID, fen: int) -> None:
        """An order signed by three, committed, and proved by the holder's notice of the debit."""
        order = self.order(case_id, fen)
        for signer, role, work in (
            ("checker1", "checker", escrow.check_order),
            ("releaser1", "releaser", escrow.release_order),
        ):
            self.act(lambda uow, w=work: w(uow, order), Actor(signer, signer, frozenset({role}), "司法局"))
        self.act(lambda uow: escrow.dispatch(uow, self.desk, order))
        row = self.act(lambda uow: escrow.order_detail(uow, order))
        self.sequence += 1
        name, day = f"N{self.sequence}", date(2026, 4, 2)
        line = StatementLine(
            account=row["debit_account"], booked=True, direction="DBIT", amount=Fen(fen), bank_ref=f"REF{self.sequence}",
            booking_date=day, value_date=day, our_number=row["number"], party_name=row["payee_name"],
            party_account=row["payee_account"], statement_id=name,
        )  # fmt: skip
        info = StatementInfo(row["debit_account"], name, "notice", day=day, lines=1)
        advice = Advice("statement", statements=(info,), lines=(line,))
        self.act(lambda uow: escrow.take_advice(uow, self.desk, self.desk.money_rail().id, advice))

    # -- exchange -----------------------------------------------------------------------------------------

    def quarantined(self) -> UUID:
        """A petition, then the same message id with other content."""
        letter = told("x01")
        for text in (letter, {**letter, "NR": "<script>alert(1)</script> 另一份内容"}):
            content = envelope("AddXfj", json.dumps(text, ensure_ascii=False)).encode()
            with unit_of_work(self.hub.engine) as uow:
                now = uow.now
            ingest_file(self.hub, "petition", "letter.xml", content, None, now)
        with unit_of_work(self.hub.engine) as uow:
            found = uow.scalar("SELECT id FROM exchange.inbox WHERE state = 'QUARANTINED'")
        assert isinstance(found, UUID)
        return found

    def alarm(self) -> None:
        self.act(lambda uow: raise_alarm(uow, "not_delivered", "<i>C0001</i>", attempts=8))


def _account(name: str, number: str) -> dict[str, str]:
    return {"name": name, "account": number, "bank_code": "402339900017", "bank_name": "瓯栖农商银行石坦支行"}


def _events(found: Any) -> list[dict[str, Any]]:
    if isinstance(found, escrow.Result | case_registry.RecordResult):
        return list(found.events)
    if isinstance(found, list):
        return [each for each in found if isinstance(each, dict) and "event" in each]
    return []
