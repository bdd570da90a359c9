"""The escrow column of the published cross-agency stories, played through the front door with the real rails.

Bank messages are the story's own files, read by the rail; orders are drafted, approved and dispatched by people,
and what is sent is compared with the story's file. After each step the figures must be equal to the fen, and all
invariants must hold.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine

import escrow
from escrow.rails import Advice as RailAdvice
from escrow.rails import OrderOutcome, StatementInfo, StatementLine, all_rails
from foundation.actors import SYSTEM
from foundation.keys import KeyStore
from schemas.money import Fen, split_evenly
from tests.escrow.world import CASHIER, CHECKER, RELEASER, World

PACK = Path(__file__).parents[2] / "sandbox" / "story_pack" / "contract" / "scenarios"
BANK, ALIPAY = "bank_direct", "alipay"
PARENT = "9900339900000100000"
DISPUTES = {
    row["dispute"]: row for row in csv.DictReader((PACK / "disputes.csv").read_text("utf-8").splitlines())
}
OTHERS = {"TWO_TRACKS", "COURT_WITHDRAWN", "SEQ_HOLE", "PARKED"}  # flags of the registry, not of the escrow
FIGURES = (
    "funded_fen",
    "balance_fen",
    "held_fen",
    "in_transit_fen",
    "released_fen",
    "refunded_fen",
    "suspense_fen",
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyStore:
    store = KeyStore(tmp_path_factory.mktemp("keys"))
    for rail in all_rails():
        store.make_pair(rail, f"test to {rail}")
    return store


class Story(World):
    def __init__(self, engine: Engine, keys: KeyStore, name: str) -> None:
        super().__init__(engine, escrow.RailDesk(keys), proves=False)
        self.name = name
        self.told: dict[str, Any] = json.loads((PACK / name / "expected.json").read_text("utf-8"))
        self.cases: dict[str, UUID] = {}
        self.orders: list[UUID] = []

    def play(self, acts: dict[int, Callable[[Story], Any]]) -> None:
        for step in self.told["steps"]:
            self.at(step["at"] if len(step["at"]) > 16 else step["at"] + ":00")
            act = acts.get(step["step"])
            if act is not None:
                act(self)
            elif step["sender"] == "bank":
                self.bank(step["file"])
            self.compare(step)

    def compare(self, step: dict[str, Any]) -> None:
        seen: list[str] = []
        for dispute, wanted in step["escrow"].items():
            if dispute == "_parent":
                assert self.look(lambda uow: escrow.suspense_fen(uow, PARENT)) == wanted["suspense_fen"], (
                    step["step"]
                )
                continue
            found = self.case(DISPUTES[dispute]["mediation_no"])
            told = {"state": found["state"], **{name: found[name] for name in FIGURES}}
            assert told == {"state": wanted["state"], **{name: wanted[name] for name in FIGURES}}, (
                self.name,
                step["step"],
            )
            seen += found["flags"]
        ours = {flag for flag in step["flags"] if flag.split(":")[0] not in OTHERS}
        assert set(seen) == ours, (self.name, step["step"])
        self.prove()

    def bank(self, name: str) -> escrow.Result:
        content = (PACK / self.name / name).read_bytes()

        def take(uow: Any) -> escrow.Result:
            context = self.desk.context(uow, BANK)
            advice = self.desk.rail(BANK).statement(content, context)
            assert advice.findings == ()
            return escrow.take_advice(uow, self.desk, BANK, advice)

        found: escrow.Result = self.act(SYSTEM, take)
        assert found.findings == []
        return found

    def agree(
        self,
        dispute: str,
        fens: list[int] | None = None,
        *,
        opened: bool = True,
        due: list[date] | None = None,
        **more: Any,
    ) -> None:
        row = DISPUTES[dispute]
        agreed = int(row["agreed_fen"])
        fens = fens or [agreed]
        signed = date.fromisoformat(row["agreed_on"])
        due = due or [signed + timedelta(days=300 + 30 * n) for n in range(len(fens))]
        payee, payee_id = row["applicants"].split("|")[0].split(":")
        payer, payer_id = row["respondents"].split("|")[0].split(":")
        agreement = escrow.AgreementTerms(
            dispute=dispute, mediation_number=row["mediation_no"], agreement_no=f"XY{dispute}", title=row["cause"], signed_on=signed,
            parties=(
                escrow.PartyTerms("A1", "PAYEE", payee, id_number=payee_id, accounts=self.accounts(row, payee)),
                escrow.PartyTerms("R1", "PAYER", payer, "organisation" if "公司" in payer or "医院" in payer else "person",
                                  payer_id, self.payer_accounts(dispute, payer)),
            ),
            instalments=tuple(
                escrow.InstalmentTerms(n, on, Fen(fen), "R1", (("A1", Fen(fen)),))
                for n, (fen, on) in enumerate(zip(fens, due, strict=True), 1)
            ),
            prefixes={BANK: row["bank_e2e_prefix"], ALIPAY: row["alipay_out_biz_no"]}, **more,
        )  # fmt: skip
        self.cases[dispute] = self.act(SYSTEM, lambda uow: escrow.open_escrow(uow, agreement)).id
        if opened:
            self.subaccount(dispute)

    def accounts(self, row: dict[str, str], payee: str) -> tuple[escrow.PayAccount, ...]:
        """The payee's card as the story's own payment files name it, and a wallet."""
        found = [escrow.PayAccount(ALIPAY, "10057702997", payee, kind="ALIPAY_LOGON_ID")]
        for path in sorted((PACK / self.name).glob("*pain001*")):
            paid = payee_of(path.read_text("utf-8"))
            if paid["name"] == payee:
                found.append(
                    escrow.PayAccount(BANK, paid["account"], payee, paid["bank"], paid["bank_name"], "card")
                )
        return tuple(found)

    def payer_accounts(self, dispute: str, payer: str) -> tuple[escrow.PayAccount, ...]:
        for path in sorted((PACK / self.name).glob("*pain001_refund*")):
            paid = payee_of(path.read_text("utf-8"))
            return (escrow.PayAccount(BANK, paid["account"], payer, paid["bank"], paid["bank_name"], "card"),)
        return ()

    def subaccount(self, dispute: str) -> None:
        number = DISPUTES[dispute]["subaccount"]
        self.act(
            SYSTEM, lambda uow: escrow.record_subaccount(uow, self.desk, self.cases[dispute], BANK, number)
        )

    def pay(
        self,
        dispute: str,
        file: str | None,
        fen: int,
        *,
        sent: bool = True,
        instalment: int = 1,
        rail: str = BANK,
        **more: Any,
    ) -> UUID:
        order = self.draft(self.cases[dispute], fen, rail=rail, instalment=instalment, **more)
        return self.approve_and_send(order, file, sent)

    def approve_and_send(self, order: UUID, file: str | None, sent: bool = True) -> UUID:
        two = self.order(order)["amount_fen"] <= 5_000_000
        self.approve(order, CHECKER, CHECKER if two else RELEASER)  # below the tier the checker may release
        self.orders.append(order)
        if sent:
            self.act(SYSTEM, lambda uow: escrow.dispatch(uow, self.desk, order))
            (claim,) = self.act(SYSTEM, lambda uow: escrow.claim_to_send(uow, self.desk))
            if file is not None:
                assert facts(claim.request.document.decode()) == facts(
                    (PACK / self.name / file).read_text("utf-8")
                )
        return order


def payee_of(xml: str) -> dict[str, str]:
    cut = xml[xml.index("<CdtrAgt>") :]
    one = lambda tag: re.search(rf"<{tag}>([^<]*)</{tag}>", cut)  # noqa: E731
    bank, bank_name = one("MmbId"), one("Nm")
    name = re.search(r"<Cdtr><Nm>([^<]*)</Nm>", cut)
    account = re.search(r"<CdtrAcct><Id><Othr><Id>([^<]*)</Id>", cut)
    assert bank and bank_name and name and account
    return {"bank": bank[1], "bank_name": bank_name[1], "name": name[1], "account": account[1]}


def facts(xml: str) -> dict[str, str]:
    """What a payment file says that matters: number, sum, from, to."""
    number = re.search(r"<EndToEndId>([^<]*)<", xml)
    amount = re.search(r"<InstdAmt Ccy=\"CNY\">([^<]*)<", xml)
    debit = re.search(r"<DbtrAcct><Id><Othr><Id>([^<]*)<", xml)
    on = re.search(r"<ReqdExctnDt>.*?<Dt>([^<]*)<", xml)
    assert number and amount and debit and on
    return {"number": number[1], "amount": amount[1], "from": debit[1], "on": on[1], **payee_of(xml)}


@pytest.fixture
def story(engine: Engine, keys: KeyStore) -> Callable[[str], Story]:
    return lambda name: Story(engine, keys, name)


def watch(s: Story) -> None:
    s.act(SYSTEM, lambda uow: escrow.watch_instalments(uow))


def test_s01_three_instalments_confirmation_default_enforcement(story: Callable[[str], Story]) -> None:
    s = story("S01")
    parts = [int(p) for p in split_evenly(Fen(9201800), 3)]
    due = [date(2026, 4, 12), date(2026, 5, 12), date(2026, 6, 12)]

    def ended(s: Story) -> None:
        watch(s)
        told = next(e for e in s.events if e["event"] == "ESCROW_DEFAULTED")
        assert (told["unpaid_fen"], told["remedy"]) == (6134534, "ENFORCEMENT")

    def late(s: Story) -> None:
        assert "LATE_MONEY" in [e["event"] for e in s.bank("13_camt054_late.xml").events]

    s.play({
        3: lambda s: s.agree("S005", parts, opened=False, due=due, acceleration=True),
        4: lambda s: s.subaccount("S005"),
        6: lambda s: s.act(SYSTEM, lambda uow: escrow.confirmation_result(uow, s.cases["S005"], "CONFIRMED", amount_fen=9201800)),
        7: lambda s: s.pay("S005", "07_pain001_1.xml", 3067266),
        10: watch,
        11: ended,
        12: lambda s: s.act(SYSTEM, lambda uow: escrow.enforcement_filed(uow, s.cases["S005"])),
        13: late,
    })  # fmt: skip


def test_s02_no_escrow_is_ever_opened(story: Callable[[str], Story]) -> None:
    story("S02").play({})


def test_s03_award_overlaps_the_agreement(story: Callable[[str], Story]) -> None:
    s = story("S03")
    s.play({
        2: lambda s: s.agree("S003"),
        4: lambda s: s.act(SYSTEM, lambda uow: escrow.place_stop_by_rule(uow, s.cases["S003"], "OVERLAP", "OVERLAP", "裁决重复", fen=1580900)),
        5: lambda s: s.pay("S003", "05_pain001_rest.xml", 1580900),
        7: lambda s: s.act(SYSTEM, lambda uow: escrow.end_stop_by_rule(uow, s.cases["S003"], "OVERLAP", "撤回")),
        8: lambda s: s.pay("S003", "08_pain001_last.xml", 1580900),
    })  # fmt: skip


def test_s04_court_withdraws_while_money_is_in_flight(story: Callable[[str], Story]) -> None:
    s = story("S04")

    def funded(s: Story) -> None:
        s.agree("S002")
        s.bank("02_camt054.xml")

    s.play({
        2: funded,
        3: lambda s: s.pay("S002", "03_pain001.xml", 3916800),
        4: lambda s: s.act(SYSTEM, lambda uow: escrow.note_withdrawal(uow, s.cases["S002"])),
    })  # fmt: skip


def test_s05_payment_comes_back_and_is_paid_again(story: Callable[[str], Story]) -> None:
    s = story("S05")

    def again(s: Story) -> None:
        found = s.bank("06_pacs004_again.xml")
        assert found.events == []

    s.play({
        1: lambda s: (s.agree("S011"), s.bank("01_camt054.xml")),
        2: lambda s: s.pay("S011", "02_pain001.xml", 6230729),
        6: again,
        7: lambda s: s.pay("S011", "07_pain001_new.xml", 6230729),
    })  # fmt: skip
    assert [s.order(order)["state"] for order in s.orders] == ["REISSUED", "PAID"]
    assert s.order(s.orders[1])["replaces"] == s.orders[0]


def test_s06_a_freeze_between_approval_and_sending(story: Callable[[str], Story]) -> None:
    s = story("S06")
    freeze = escrow.CourtDocument("(2026)浙0399执保61号", "FREEZE", "9900339900000130009", 1017562, "(2026)浙0399执13009号",
                                  date(2026, 4, 7), date(2027, 4, 6))  # fmt: skip
    lift = escrow.CourtDocument("(2026)浙0399执保61号之一", "LIFT", "9900339900000130009", 1017562)

    def frozen(s: Story) -> None:
        s.act(SYSTEM, lambda uow: escrow.take_court_document(uow, freeze))
        assert s.order(s.orders[0])["state"] == "STOPPED"
        s.act(SYSTEM, lambda uow: escrow.take_court_document(uow, freeze))
        assert s.events == []

    s.play({
        1: lambda s: (s.agree("S010"), s.bank("01_camt054.xml")),
        2: lambda s: s.pay("S010", None, 4070250, sent=False),
        3: frozen,
        5: lambda s: s.pay("S010", "05_pain001_free_part.xml", 3052688),
        7: lambda s: s.act(SYSTEM, lambda uow: escrow.take_court_document(uow, lift)),
        8: lambda s: s.pay("S010", "08_pain001_rest.xml", 1017562),
    })  # fmt: skip


def test_s08_system_error_then_the_query_says_paid(story: Callable[[str], Story]) -> None:
    s = story("S08")

    def word(outcome: str, source: str) -> Callable[[Story], None]:
        def say(s: Story) -> None:
            one = OrderOutcome("OQAL202700000009", outcome, outcome)  # type: ignore[arg-type]
            kind = "notice" if source == "NOTICE" else "outcome"
            advice = RailAdvice(kind, outcomes=(one,), ask=("OQAL202700000009",) if kind == "notice" else ())  # type: ignore[arg-type]
            told = "QUERY" if source == "NOTICE" else source
            s.act(SYSTEM, lambda uow: escrow.take_advice(uow, s.desk, ALIPAY, advice, source=told))  # type: ignore[arg-type]

        return say

    def send(s: Story) -> None:
        order = s.pay("S009", None, 5592701, rail=ALIPAY)
        assert s.number(order) == "OQAL202700000009"

    def bill(s: Story) -> None:
        line = StatementLine("2088000000000000", True, "DBIT", Fen(5592701), "2026000000000000000000009908", date(2026, 3, 21),
                             date(2026, 3, 21), "OQAL202700000009", "古*", "(100******97)", statement_id="B1")  # fmt: skip
        info = StatementInfo("2088000000000000", "B1", "bill", day=date(2026, 3, 21), lines=1)
        s.take(ALIPAY, [info], [line])
        items = s.look(lambda uow: escrow.list_listed_items(uow))
        assert [(i["item"], i["fen"]) for i in items] == [("TOP_UP_NOT_SHOWN", -5592701)]

    s.play({
        2: lambda s: (s.agree("S009"), s.bank("02_camt054.xml")),
        3: send,
        4: word("UNKNOWN", "REPLY"),
        5: word("IN_PROCESS", "QUERY"),
        6: word("DONE", "NOTICE"),
        7: word("DONE", "QUERY"),
        8: bill,
    })  # fmt: skip


def test_s09_one_credit_for_two_cases(story: Callable[[str], Story]) -> None:
    s = story("S09")

    def credit(s: Story) -> None:
        s.agree("S006")
        s.agree("S007")
        s.bank("01_camt054.xml")

    def split(s: Story) -> None:
        (waiting,) = s.look(lambda uow: escrow.open_suspense(uow, PARENT))
        assert sorted(p["dispute"] for p in waiting["proposals"]) == ["S006", "S007"]
        parts: list[tuple[UUID | str, int]] = [(s.cases["S006"], 6849975), (s.cases["S007"], 2820660)]
        proposal = s.act(CASHIER, lambda uow: escrow.propose_split(uow, waiting["line"], parts, "付款人说明"))
        s.act(CHECKER, lambda uow: escrow.confirm_decision(uow, s.desk, proposal.id))

    s.play({1: credit, 2: split, 4: lambda s: s.pay("S006", "04_pain001.xml", 6849975)})
    assert s.order(s.orders[0])["state"] == "FAILED"


def test_s10_confirmation_refused_and_money_back_to_the_payer(story: Callable[[str], Story]) -> None:
    s = story("S10")

    def refund(s: Story) -> None:
        drafted = s.act(CASHIER, lambda uow: escrow.draft_refund(
            uow, s.desk, s.cases["S012"], account="9955000033049006858", fen=5910310, rail=BANK))  # fmt: skip
        s.approve_and_send(drafted.id, "04_pain001_refund.xml")

    s.play({
        1: lambda s: (s.agree("S012"), s.bank("01_camt054.xml")),
        2: lambda s: s.act(SYSTEM, lambda uow: escrow.confirmation_result(uow, s.cases["S012"], "REFUSED")),
        3: lambda s: s.act(SYSTEM, lambda uow: escrow.void_agreement(uow, s.cases["S012"], "双方书面解除", "解除协议书")),
        4: refund,
    })  # fmt: skip


def test_s12_payee_dies_before_the_second_part(story: Callable[[str], Story]) -> None:
    s = story("S12")
    heir = escrow.PartyTerms("A1", "PAYEE", "欧阳红国", id_number="330399195401193606",
                             accounts=(escrow.PayAccount(BANK, "9955000033055025297", "欧阳红国", "402339900012", "瓯栖农村合作银行石坦乡支行", "card"),))  # fmt: skip

    def dead(s: Story) -> None:
        s.act(
            SYSTEM,
            lambda uow: escrow.place_stop_by_rule(
                uow, s.cases["S019"], "PAYEE_DEAD", "PAYEE_DEAD", "人口库核查", payee="A1"
            ),
        )

    def replaced(s: Story) -> None:
        proposal = s.act(
            CASHIER,
            lambda uow: escrow.propose_payee(uow, s.cases["S019"], "A1", heir, "继承", "继承公证书1号"),
        )
        s.act(CHECKER, lambda uow: escrow.confirm_decision(uow, s.desk, proposal.id))

    s.play({
        1: lambda s: (s.agree("S019", [5475978, 5475979]), s.bank("01_camt054.xml")),
        2: lambda s: s.pay("S019", "02_pain001_1.xml", 5475978),
        4: dead,
        5: replaced,
        6: lambda s: s.pay("S019", "06_pain001_heir.xml", 5475979, instalment=2),
    })  # fmt: skip
