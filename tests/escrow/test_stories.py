"""The published cross-agency stories, escrow column: to the fen, step by step (see story.py)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from uuid import UUID

import pytest
from sqlalchemy import Engine

import escrow
from escrow.rails import Advice as RailAdvice
from escrow.rails import OrderOutcome, StatementInfo, StatementLine, all_rails
from foundation.actors import SYSTEM
from foundation.keys import KeyStore
from schemas.money import Fen, split_evenly
from tests.escrow.story import ALIPAY, BANK, PARENT, Story
from tests.escrow.world import CASHIER, CHECKER


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyStore:
    store = KeyStore(tmp_path_factory.mktemp("keys"))
    for rail in all_rails():
        store.make_pair(rail, f"test to {rail}")
    return store


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

    def overlap(s: Story) -> None:
        case = s.cases["S003"]
        s.act(
            SYSTEM,
            lambda uow: escrow.place_stop_by_rule(uow, case, "OVERLAP", "OVERLAP", "裁决重复", fen=1580900),
        )

    s.play({
        2: lambda s: s.agree("S003"),
        4: overlap,
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
    card = escrow.PayAccount(
        BANK, "9955000033055025297", "欧阳红国", "402339900012", "瓯栖农村合作银行石坦乡支行", "card"
    )
    heir = escrow.PartyTerms("A1", "PAYEE", "欧阳红国", id_number="330399195401193606", accounts=(card,))

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
