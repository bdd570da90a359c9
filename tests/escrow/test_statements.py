"""Statements: recognised, chained, complete; what contradicts is a break and nothing is posted twice."""

from __future__ import annotations

from datetime import date, timedelta

import escrow
from foundation.actors import SYSTEM
from tests.escrow.world import CASHIER, CHECKER, HOUSE, PARENT, PURSE, World, terms


def test_a_line_is_posted_from_the_first_message_that_shows_it(world: World) -> None:
    case = world.open(terms())
    credit = world.line("SD1", 10000, ref="R1")
    world.notice(credit)
    world.notice(credit)
    world.day("SD1", 0, credit, seq=1, name="T")
    world.day("SD1", 0, credit, seq=1, name="T")
    assert world.figures(case) == ("FUNDED", 10000, 0, 0, 0, 0)
    assert world.breaks() == []
    assert world.look(lambda uow: uow.scalar("SELECT count(*) FROM escrow.statement_line")) == 1


def test_the_day_holds_all_so_another_reference_is_the_same_item(world: World) -> None:
    case = world.open(terms())
    world.notice(world.line("SD1", 10000, ref="FIRST"))
    world.day("SD1", 0, world.line("SD1", 10000, ref="SECOND"))
    assert world.figures(case) == ("FUNDED", 10000, 0, 0, 0, 0)
    assert world.breaks() == []
    # In one notice two equal sums are two items; the day's statement was there before them and lacks both.
    world.notice(world.line("SD1", 5), world.line("SD1", 5))
    assert world.case(case)["balance_fen"] == 10010
    assert world.breaks() == ["MISSING_LINE", "MISSING_LINE"]


def test_a_line_that_the_day_lacks_is_a_break_and_the_cut_off_closes_it(world: World) -> None:
    case = world.open(terms())
    late = world.line("SD1", 10000, ref="LATE")
    world.notice(late)
    world.day("SD1", 0, seq=1)
    assert world.breaks() == ["MISSING_LINE"]
    world.at("2026-04-02T09:00")
    world.day("SD1", 0, world.line("SD1", 10000, ref="LATE"), seq=2)
    assert world.breaks() == []
    assert world.case(case)["balance_fen"] == 10000
    closed = world.look(lambda uow: escrow.list_breaks(uow, open_only=False))
    assert sorted(row["kind"] for row in closed) == ["CUTOFF", "MISSING_LINE"]


def test_pending_is_shown_and_never_posted(world: World) -> None:
    case = world.open(terms())
    world.notice(world.line("SD1", 10000, ref="P", booked=False))
    assert world.figures(case)[:2] == ("OPEN", 0)
    assert len(world.look(lambda uow: escrow.escrow_detail(uow, case))["pending"]) == 1
    world.notice(world.line("SD1", 10000, ref="P"))
    assert world.figures(case)[:2] == ("FUNDED", 10000)
    assert world.look(lambda uow: escrow.escrow_detail(uow, case))["pending"] == []


def test_gap_and_broken_chain_refuse_the_whole_statement(world: World) -> None:
    case = world.open(terms())
    world.day("SD1", 0, world.line("SD1", 10000), seq=1)
    world.at("2026-04-04T23:30")
    refused = world.day("SD1", 9900, world.line("SD1", 50), seq=3)
    assert [(f.code, f.found, f.expected) for f in refused.findings] == [
        ("STATEMENT_GAP", "3", "2"), ("BALANCE_NOT_CHAINED", "9900", "10000"),
    ]  # fmt: skip
    assert sorted(world.breaks()) == ["BALANCE", "SEQUENCE"]
    assert world.case(case)["balance_fen"] == 10000
    again = world.day("SD1", 0, world.line("SD1", 7), seq=1, name="OTHER", closing=8)
    assert [f.code for f in again.findings] == ["BALANCE_MISMATCH"]


def test_notices_may_share_the_row_of_numbers(world: World) -> None:
    """Days without a statement: what notices booked in between explains the opening balance (S05)."""
    world.open(terms())
    world.day("SD1", 0, world.line("SD1", 4000), seq=2)
    world.at("2026-04-03T10:00")
    world.notice(world.line("SD1", 6000))
    world.at("2026-04-06T23:30")
    assert world.day("SD1", 10000, seq=3).findings == []
    assert world.breaks() == []


def test_same_statement_with_other_content_is_refused(world: World) -> None:
    world.open(terms())
    world.day("SD1", 0, world.line("SD1", 4000, ref="A"), name="T")
    refused = world.day("SD1", 0, world.line("SD1", 4001, ref="A"), name="T")
    assert [f.code for f in refused.findings] == ["SAME_ID_OTHER_BYTES"]
    assert world.breaks() == ["DUPLICATE"]


def test_same_reference_with_another_sum_is_a_break(world: World) -> None:
    case = world.open(terms())
    world.notice(world.line("SD1", 4000, ref="A"))
    world.notice(world.line("SD1", 4001, ref="A"))
    assert (world.breaks(), world.case(case)["balance_fen"]) == (["AMOUNT"], 4000)


def test_an_opening_balance_from_before_is_named(world: World) -> None:
    world.day("S-OLD", 3905300, world.line("S-OLD", 3905300, "DBIT", reversal=True))
    assert sorted(world.breaks()) == ["EXCESS", "REVERSAL"]


def test_reversal_falls_back_by_funding_and_never_below_zero(world: World) -> None:
    case = world.open(terms(fens=(10000,)))
    world.notice(world.line("SD1", 10000))
    world.notice(world.line("SD1", 10000, "DBIT", reversal=True))
    assert world.figures(case) == ("OPEN", 0, 0, 0, 0, 0)
    world.notice(world.line("SD1", 10000))
    order = world.approve(world.draft(case, 10000))
    world.send(order)
    world.paid(order)
    world.notice(world.line("SD1", 10000, "DBIT", reversal=True))
    assert (world.breaks(), world.figures(case)[0]) == (["REVERSAL"], "COMPLETED")
    # The payment comes back: what waited can be posted now.
    world.notice(world.line("SD1", 10000, our_number="H1I1", returned="AC01"))
    assert (world.breaks(), world.case(case)["balance_fen"]) == ([], 0)


def test_an_unexpected_debit_waits_and_is_undone_by_the_holder(world: World) -> None:
    case = world.open(terms())
    world.notice(world.line("SD1", 10000))
    world.notice(world.line("SD1", 300, "DBIT", text="其他"))
    assert (world.breaks(), world.case(case)["balance_fen"]) == (["UNEXPECTED_DEBIT"], 10000)
    world.notice(world.line("SD1", 300, reversal=True))
    assert (world.breaks(), world.case(case)["balance_fen"]) == ([], 10000)


def test_a_fee_is_booked_by_two_persons(world: World) -> None:
    case = world.open(terms())
    world.notice(world.line("SD1", 10000))
    world.notice(world.line("SD1", 50, "DBIT", text="手续费"))
    assert world.breaks() == ["FEE"]
    line = world.look(
        lambda uow: uow.scalar("SELECT line FROM escrow.line_placing WHERE placed = 'UNPOSTED'")
    )
    proposal = world.act(CASHIER, lambda uow: escrow.propose_fee(uow, line, case, "合同约定由付款人承担"))
    world.act(CHECKER, lambda uow: escrow.confirm_decision(uow, world.desk, proposal.id))
    assert (world.breaks(), world.figures(case)[:2]) == ([], ("FUNDED", 9950))


def test_third_person_pays_and_the_payer_is_recorded(world: World) -> None:
    case = world.open(terms(fens=(10466820,)))
    world.notice(
        world.line("SD1", 10464820, party_name="代付人徐先生", party_account="9900000000000001", text="代付")
    )
    assert world.events[0]["third_party"] is True
    assert world.figures(case)[0] == "PART_FUNDED"
    world.notice(world.line("SD1", 1000, party_name="付**", party_account=""))
    assert world.events[0]["third_party"] is False
    world.notice(world.line("SD1", 1001, party_name="", party_account="981"))
    assert (world.events[0]["third_party"], world.events[0]["excess_fen"]) == (False, 1)
    assert world.case(case)["flags"] == ["EXCESS:1"]


def test_money_in_suspense_is_split_to_the_fen_by_two(world: World) -> None:
    import pytest

    from schemas.findings import Refused

    one, two = world.open(terms("1", (6000,))), world.open(terms("2", (4000,)))
    world.notice(world.line(PARENT, 10000, party_name="付款人1", text="两笔"), account=PARENT)
    (waiting,) = world.look(lambda uow: escrow.open_suspense(uow))
    assert {p["dispute"]: p["fen"] for p in waiting["proposals"]} == {"D1": 6000, "D2": 4000}
    assert (world.case(one)["flags"], world.case(two)["flags"]) == (["SUSPENSE"], ["SUSPENSE"])

    def propose(a: int, b: int) -> escrow.Result:
        found: escrow.Result = world.act(
            CASHIER,
            lambda uow: escrow.propose_split(uow, waiting["line"], [(one, a), (two, b)], "付款人说明"),
        )
        return found

    with pytest.raises(Refused, match="PARTS_NOT_SUM"):
        propose(6000, 3999)
    proposal = propose(6000, 4000)
    with pytest.raises(Refused, match="NOT_AUTHORISED"):
        world.act(CASHIER, lambda uow: escrow.confirm_decision(uow, world.desk, proposal.id))
    world.act(CHECKER, lambda uow: escrow.confirm_decision(uow, world.desk, proposal.id))
    assert world.look(lambda uow: escrow.suspense_fen(uow, PARENT)) == 0
    assert (world.figures(one)[:2], world.figures(two)[:2]) == (("FUNDED", 6000), ("FUNDED", 4000))
    # The bank moves it to the cases' own accounts: nothing is counted twice, half a move is listed.
    world.notice(world.line("SD1", 6000, party_account=PARENT))
    assert [i["item"] for i in world.look(lambda uow: escrow.list_listed_items(uow))] == ["HALF_MOVE"]
    world.notice(world.line(PARENT, 6000, "DBIT", party_account="SD1"), account=PARENT)
    assert world.look(lambda uow: escrow.list_listed_items(uow)) == []
    assert (world.figures(one)[:2], world.breaks()) == (("FUNDED", 6000), [])


def test_a_top_up_is_an_order_with_lines_on_both_sides(world: World) -> None:
    case = world.open(terms(fens=(10000,)))
    world.notice(world.line("SD1", 10000))
    world.draft(case, 4000, rail=PURSE)
    top_up = world.act(
        CASHIER, lambda uow: escrow.draft_top_up(uow, world.desk, case, to_rail=PURSE, fen=4000, rail=HOUSE)
    ).id
    world.send(world.approve(top_up))
    assert world.number(top_up) == "H1IT1"
    world.paid(top_up)
    assert world.case(case)["balance_fen"] == 10000
    payout = world.look(lambda uow: uow.scalar("SELECT id FROM escrow.payment_order WHERE rail = 'purse'"))
    world.send(world.approve(payout))
    world.notice(world.line("P000", 4000, our_number="H1IT1"), rail=PURSE)
    world.day(
        "P000", 0, world.line("P000", 4000, "DBIT", our_number=world.number(payout)), rail=PURSE, kind="bill"
    )
    assert world.look(lambda uow: escrow.list_listed_items(uow)) == []
    accounts = {a["rail"]: a["ledger_fen"] for a in world.look(lambda uow: escrow.custody_accounts(uow))}
    assert accounts == {HOUSE: 6000, PURSE: 0}
    assert world.case(case)["released_fen"] == 4000


def test_a_top_up_outside_our_sight_is_listed_until_it_is_shown(world: World) -> None:
    case = world.open(terms(fens=(10000,)))
    world.notice(world.line("SD1", 10000))
    order = world.approve(world.draft(case, 10000, rail=PURSE))
    world.send(order)
    world.paid(order)
    assert world.figures(case)[0] == "COMPLETED"
    (item,) = world.look(lambda uow: escrow.list_listed_items(uow))
    assert (item["item"], item["fen"], item["rail"]) == ("TOP_UP_NOT_SHOWN", -10000, PURSE)


def test_reconcile_names_every_difference_and_run_again_changes_nothing(world: World) -> None:
    case = world.open(terms(fens=(10000,)))
    world.notice(world.line("SD1", 10000))
    world.notice(world.line(PARENT, 77, text="不明"), account=PARENT)
    order = world.approve(world.draft(case, 10000))
    world.send(order, "DONE")
    day = date(2026, 4, 1)
    world.at("2026-04-03T06:00")

    def run() -> escrow.Result:
        found: escrow.Result = world.act(
            SYSTEM, lambda uow: escrow.reconcile_day(uow, day + timedelta(days=1))
        )
        return found

    run()
    assert sorted(world.breaks()) == ["STATUS", "UNKNOWN_PAYER"]
    assert run().events == []
    world.act(SYSTEM, lambda uow: escrow.reconcile_day(uow, day))
    assert sorted(world.breaks()) == ["SEQUENCE", "SEQUENCE", "STATUS", "UNKNOWN_PAYER"]
    owned = world.look(lambda uow: escrow.list_breaks(uow))[0]
    world.act(CASHIER, lambda uow: escrow.own_break(uow, owned["id"]))
    assert world.look(lambda uow: escrow.list_breaks(uow))[0]["owner"] == "ka"


def test_a_break_without_an_owner_is_a_violation_after_its_limit(world: World) -> None:
    world.open(terms())
    world.notice(world.line("SD1", 300, "DBIT"))
    world.proves = False
    world.at("2026-04-01T13:30")
    assert [v.invariant for v in world.look(escrow.prove)] == ["I12"]
    break_id = world.look(lambda uow: escrow.list_breaks(uow))[0]["id"]
    world.act(CASHIER, lambda uow: escrow.own_break(uow, break_id))
    assert world.look(escrow.prove) == []


def test_the_day_root_joins_all_heads(world: World) -> None:
    world.open(terms())
    world.notice(world.line("SD1", 300))
    one = world.act(SYSTEM, lambda uow: escrow.seal_day(uow, date(2026, 4, 1)))
    assert one.data["accounts"] == 2
    assert world.act(SYSTEM, lambda uow: escrow.seal_day(uow, date(2026, 4, 1))).data == {}
    world.notice(world.line("SD1", 1))
    two = world.act(SYSTEM, lambda uow: escrow.seal_day(uow, date(2026, 4, 2)))
    assert one.data["root"] != two.data["root"]
