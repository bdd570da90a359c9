"""Deposit 提存 and recovery 追回: what follows when a payee cannot be paid, or should not have been."""

from __future__ import annotations

from uuid import UUID

import pytest

import escrow
from foundation.actors import SYSTEM
from schemas.findings import Refused
from tests.escrow.world import CASHIER, CHECKER, HOUSE, RELEASER, World, terms

NOTARY = escrow.PartyTerms(
    "A1", "PAYEE", "瓯栖县公证处", kind="organisation", id_number="12330399MB0000001X",
    accounts=(escrow.PayAccount(HOUSE, "99N", "瓯栖县公证处", kind="card"),),
)  # fmt: skip


@pytest.fixture
def case(world: World) -> UUID:
    found = world.open(terms(fens=(10000,)))
    world.notice(world.line("SD1", 10000, party_name="付款人1", party_account="981"))
    return found


def detail(world: World, case: UUID) -> dict:  # type: ignore[type-arg]
    return dict(world.look(lambda uow: escrow.escrow_detail(uow, case)))


def pay(world: World, case: UUID, fen: int = 10000) -> UUID:
    order = world.approve(world.draft(case, fen))
    world.send(order)
    world.paid(order)
    return order


def propose(world: World, case: UUID, ground: str = "REFUSES", document: str = "提存决定书1号") -> UUID:
    made = world.act(
        CASHIER, lambda uow: escrow.propose_deposit(uow, case, "A1", ground, NOTARY, "拒不受领", document)
    )
    return UUID(str(made.id))


def test_a_deposit_is_decided_by_two_paid_proved_and_told_of(world: World, case: UUID) -> None:
    world.at("2026-05-01T10:00:00")
    before = world.draft(case, 10000)
    decision = propose(world, case)
    with pytest.raises(Refused, match="NOT_AUTHORISED"):
        world.act(CASHIER, lambda uow: escrow.confirm_decision(uow, world.desk, decision))
    world.act(CHECKER, lambda uow: escrow.confirm_decision(uow, world.desk, decision))
    assert world.order(before)["state"] == "STOPPED"
    assert [d["state"] for d in detail(world, case)["deposits"]] == ["DECIDED"]
    order = pay(world, case)
    assert world.order(order)["payee_name"] == "瓯栖县公证处"
    (deposit,) = detail(world, case)["deposits"]
    assert (deposit["state"], deposit["fen"], str(deposit["claim_until"])) == ("PLACED", 10000, "2031-05-01")
    assert world.figures(case)[0] == "COMPLETED" and "DEPOSIT_NOTICE" in world.case(case)["flags"]
    world.at("2026-05-05T10:00:00")
    said = world.act(SYSTEM, lambda uow: escrow.watch_instalments(uow)).names()
    assert said == ["DEPOSIT_NOTICE_DUE"]
    assert world.act(SYSTEM, lambda uow: escrow.watch_instalments(uow)).names() == []
    world.act(CASHIER, lambda uow: escrow.note_notice(uow, deposit["id"], "公告2026-18"))
    assert "DEPOSIT_NOTICE" not in world.case(case)["flags"]
    world.at("2031-04-20T10:00:00")
    assert set(world.act(SYSTEM, lambda uow: escrow.watch_instalments(uow)).names()) == {"DEPOSIT_CLAIM_ENDS"}
    with pytest.raises(Refused, match="DOCUMENT_REQUIRED"):
        world.act(CHECKER, lambda uow: escrow.end_deposit(uow, deposit["id"], "CLAIMED", " "))
    world.act(CHECKER, lambda uow: escrow.end_deposit(uow, deposit["id"], "CLAIMED", "领取凭证7号"))
    assert detail(world, case)["deposits"][0]["state"] == "CLAIMED"


def test_a_deposit_that_comes_back_is_no_deposit(world: World, case: UUID) -> None:
    world.act(CHECKER, lambda uow: escrow.confirm_decision(uow, world.desk, propose(world, case)))
    order = pay(world, case)
    row = world.order(order)
    world.notice(world.line(row["debit_account"], 10000, our_number=row["number"], returned="AC04"))
    (deposit,) = detail(world, case)["deposits"]
    assert (deposit["state"], deposit["fen"], deposit["claim_until"]) == ("DECIDED", 0, None)


def test_a_payee_who_turns_up_takes_his_seat_again(world: World, case: UUID) -> None:
    world.act(
        CHECKER, lambda uow: escrow.confirm_decision(uow, world.desk, propose(world, case, "NOT_FOUND"))
    )
    again = escrow.PartyTerms(
        "A1", "PAYEE", "收款人1A1", accounts=(escrow.PayAccount(HOUSE, "991A1", "收款人1A1", kind="card"),)
    )
    made = world.act(
        CASHIER, lambda uow: escrow.propose_payee(uow, case, "A1", again, "本人到场", "身份核验记录")
    )
    world.act(RELEASER, lambda uow: escrow.confirm_decision(uow, world.desk, made.id))
    assert [d["state"] for d in detail(world, case)["deposits"]] == ["DROPPED"]
    assert world.order(pay(world, case))["payee_name"] == "收款人1A1"


@pytest.mark.parametrize(
    ("ground", "document", "code"), [("REFUSES", " ", "DOCUMENT_REQUIRED"), ("TIRED", "x", "CODE_UNKNOWN")]
)
def test_a_deposit_needs_its_ground_and_paper(
    world: World, case: UUID, ground: str, document: str, code: str
) -> None:
    with pytest.raises(Refused, match=code):
        propose(world, case, ground, document)


def recovery(world: World, case: UUID) -> tuple[str, int, int]:
    (row,) = detail(world, case)["recoveries"]
    return row["state"], row["fen"], row["got_fen"]


def test_what_was_paid_under_a_void_agreement_comes_back_to_the_payer(world: World, case: UUID) -> None:
    pay(world, case)
    world.act(SYSTEM, lambda uow: escrow.void_agreement(uow, case, "法院撤销", "(2026)浙0399民撤1号"))
    assert recovery(world, case) == ("OPEN", 10000, 0) and "RECOVERY:10000" in world.case(case)["flags"]
    world.notice(world.line("SD1", 4000, party_name="收款人1A1", party_account="991A1"))
    assert recovery(world, case) == ("PART", 10000, 4000)
    # Not the payee's money any more: it does not go back to where it came from, but to the payer.
    with pytest.raises(Refused, match="OVER_AUTHORISED"):
        refund(world, case, "991A1", 4000)
    first = refund(world, case, "981", 4000)
    world.send(world.approve(first))
    world.paid(first)
    world.notice(world.line("SD1", 6000, party_name="收款人1A1"))
    assert recovery(world, case) == ("RECOVERED", 10000, 10000)
    last = refund(world, case, "981", 6000)
    world.send(world.approve(last))
    world.paid(last)
    assert world.figures(case) == ("REFUNDED", 0, 0, 0, 10000, 10000)
    assert world.case(case)["flags"] == []


def refund(world: World, case: UUID, account: str, fen: int) -> UUID:
    made = world.act(
        CASHIER, lambda uow: escrow.draft_refund(uow, world.desk, case, account=account, fen=fen, rail=HOUSE)
    )
    return UUID(str(made.id))


def test_a_payment_in_flight_when_the_agreement_falls_is_owed_back_too(world: World, case: UUID) -> None:
    order = world.approve(world.draft(case, 10000))
    world.send(order)
    world.act(SYSTEM, lambda uow: escrow.void_agreement(uow, case, "双方书面解除", "解除协议书"))
    assert detail(world, case)["recoveries"] == []
    world.paid(order)
    assert recovery(world, case) == ("OPEN", 10000, 0)
    row = world.order(order)
    world.notice(world.line(row["debit_account"], 10000, our_number=row["number"], returned="AC04"))
    assert recovery(world, case) == ("RECOVERED", 0, 0)


def test_a_recovery_is_filed_waived_and_owed_again_when_the_credit_is_reversed(
    world: World, case: UUID
) -> None:
    pay(world, case)
    world.act(SYSTEM, lambda uow: escrow.void_agreement(uow, case, "法院撤销", "判决书"))
    world.notice(world.line("SD1", 10000, party_name="收款人1A1", party_account="991A1"))
    assert recovery(world, case)[0] == "RECOVERED"
    world.notice(world.line("SD1", 10000, "DBIT", reversal=True))
    assert recovery(world, case) == ("OPEN", 10000, 0)
    (row,) = detail(world, case)["recoveries"]
    with pytest.raises(Refused, match="DOCUMENT_REQUIRED"):
        world.act(CHECKER, lambda uow: escrow.move_recovery(uow, row["id"], "file", ""))
    world.act(CHECKER, lambda uow: escrow.move_recovery(uow, row["id"], "file", "(2026)浙0399执9号"))
    world.act(RELEASER, lambda uow: escrow.move_recovery(uow, row["id"], "waive", "付款人放弃书"))
    assert recovery(world, case)[0] == "WAIVED" and "RECOVERY:10000" not in world.case(case)["flags"]
