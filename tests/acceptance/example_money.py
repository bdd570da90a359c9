"""What the examples about money must bring about: holds, what was sent, words about it, statement lines, returns."""

from __future__ import annotations

from typing import Any

import pytest

import escrow
from foundation.actors import Actor
from foundation.unit_of_work import unit_of_work
from schemas.findings import Finding, Refused
from tests.acceptance.example_world import Played, World

CASHIERS = [Actor(name, name, frozenset({"cashier"}), "瓯栖县") for name in ("k1", "k2")]


def _holds(world: World) -> list[dict[str, Any]]:
    return world.rows(
        "SELECT document_no, amount_fen, queue_no, state, until_on FROM escrow.freeze ORDER BY queue_no"
    )


def frozen(world: World, played: Played) -> None:
    told = played.example.expected["effect"]["hold"]
    (hold,) = _holds(world)
    assert (hold["amount_fen"], hold["until_on"].isoformat(), hold["state"]) == (
        told["amount_fen"], told["until"], "ACTIVE",
    )  # fmt: skip
    case = world.case(world.case_of_account(told["account"]))
    assert case["state"] == "SUSPENDED" and case["free_fen"] >= 0


def waits_behind(world: World, played: Played) -> None:
    assert [h["state"] for h in _holds(world)] == ["ACTIVE", "WAITING"]
    account = world.rows(
        "SELECT c.balance_fen FROM escrow.v_case c JOIN escrow.freeze f ON f.case_id = c.id LIMIT 1"
    )
    assert account[0]["balance_fen"] >= 0


def next_in_line(world: World, played: Played) -> None:
    assert [h["state"] for h in _holds(world)] == ["LIFTED", "ACTIVE"]


def entered(world: World, played: Played) -> None:
    """What we sent is known from now on, each with the case of the account that it leaves."""
    for each in played.line["meta"]["sent"]:
        known = world.look(lambda uow, n=each["number"]: escrow.sent_instruction(uow, n))
        assert (
            known["fen"] == each["fen"]
            and known["batch_no"] == played.line["message_id"]
            and known["case_id"]
        )


def words(world: World, played: Played) -> None:
    outcomes = {each["rail_status"]: each["outcome"] for each in played.line["meta"]["outcomes"]}
    assert outcomes == {"ACSP": "IN_PROCESS", "RJCT": "REFUSED", "PDNG": "IN_PROCESS"}
    assert played.line["meta"]["batch"]["outcome"] == "UNKNOWN"
    for each in played.line["meta"]["outcomes"]:
        known = world.look(lambda uow, n=each["number"]: escrow.sent_instruction(uow, n))
        assert known["outcome"] == each["outcome"]
    assert "escrow.entry" not in played.changed


def first_file_stands(world: World, played: Played) -> None:
    batch = played.line["meta"]["batch"]
    assert (batch["rail_status"], batch["reason"], batch["outcome"]) == ("RJCT", "DU01", "UNKNOWN")


def proved(world: World, played: Played) -> None:
    (number,) = played.example.expected["proves"]
    known = world.look(lambda uow: escrow.sent_instruction(uow, number))
    assert known["proved_by"] is not None
    case = world.case(world.case_of_account(played.line["meta"]["statements"][0]["account"]))
    assert case["balance_fen"] == played.example.expected["closing_fen"], case["balance_fen"]


def break_opened(world: World, played: Played) -> None:
    codes = {each["code"] for each in played.line["findings"]}
    found = {
        row["detail"]["code"]
        for row in world.rows("SELECT detail FROM escrow.recon_break WHERE detail ? 'code'")
    }
    assert codes <= found and "escrow.statement_line" not in played.changed


def forecast(world: World, played: Played) -> None:
    meta = played.line["meta"]
    assert (meta["lines"], meta["booked"]) == (1, 0) and meta["entries"][0]["placed"] == "PENDING"
    assert "escrow.entry" not in played.changed and "escrow.statement_line" not in played.changed


def return_announced(world: World, played: Played) -> None:
    told = played.example.expected["effect"]
    assert played.line["meta"]["returns"][0]["number"] == told["order"]
    assert "escrow.entry" not in played.changed  # the money is back only when a line shows it


def return_proved(world: World, played: Played) -> None:
    (row,) = world.rows("SELECT proved_by, fen FROM escrow.return_advice")
    assert row["proved_by"] is not None and row["fen"] == played.example.expected["amount_fen"]
    case = world.case(world.case_of_account(played.line["meta"]["statements"][0]["account"]))
    assert case["balance_fen"] == case["funded_fen"] == case["agreed_fen"] and case["in_transit_fen"] == 0


def two_cases(world: World, played: Played) -> None:
    """Suspense with both cases proposed; parts that do not sum are refused; a second person confirms."""
    told = played.example.expected
    assert played.line["meta"]["entries"][0]["placed"] == "SUSPENSE"
    waiting = [s for s in world.look(escrow.open_suspense) if s["open_fen"] == told["sum_fen"]]
    assert len(waiting) == 1
    proposals = {p["fen"]: p["case_id"] for p in waiting[0]["proposals"]}
    assert sorted(proposals) == sorted(told["parts_fen"])
    parts = [(_case_id(proposals[fen]), fen) for fen in told["parts_fen"]]
    line = waiting[0]["line"]
    with pytest.raises(Refused), unit_of_work(world.hub.engine, CASHIERS[0]) as uow:
        escrow.propose_split(uow, line, [parts[0], (parts[1][0], parts[1][1] - 1)], "一笔两案")
    with pytest.raises(Refused), unit_of_work(world.hub.engine, CASHIERS[0]) as uow:
        escrow.propose_split(uow, line, parts, "一笔两案")
        raise Refused(
            Finding("ILLEGAL_STATE", "", "", "")
        )  # nothing of it is kept: the examples after it find the credit as it came
    assert [s["open_fen"] for s in world.look(escrow.open_suspense) if s["line"] == line] == [told["sum_fen"]]


def _case_id(text: Any) -> Any:
    import uuid

    return text if isinstance(text, uuid.UUID) else uuid.UUID(str(text))


def short_payment(world: World, played: Played) -> None:
    number = played.line["meta"]["entries"][0]["case"]
    case = world.case(number)
    assert case["state"] == "PART_FUNDED" and case["funded_fen"] < case["agreed_fen"]
    rows = world.rows(
        "SELECT f.third_party, f.fen FROM escrow.funding f JOIN escrow.escrow_case c ON c.id = f.case_id"
        " WHERE c.mediation_number = :n",
        n=number,
    )
    assert [(r["third_party"], r["fen"]) for r in rows] == [(True, played.example.expected["amount_fen"])]


def reversed_credit(world: World, played: Played) -> None:
    entry = played.line["meta"]["entries"][0]
    case = world.case(entry["case"])
    assert entry["placed"] == "REVERSAL" and (case["funded_fen"], case["balance_fen"]) == (0, 0)
    assert case["state"] in ("OPEN", "SIGNED"), case["state"]


def not_found(world: World, played: Played) -> None:
    """No statement of that day was taken, so it is not known whether it left."""
    (one,) = played.line["meta"]["outcomes"]
    assert one["outcome"] == "UNKNOWN"
    known = world.look(lambda uow: escrow.sent_instruction(uow, one["number"]))
    assert known["outcome"] == "IN_PROCESS"  # as the bank's report said; this reply takes nothing back


def transfer_entered(world: World, played: Played) -> None:
    (sent,) = played.line["meta"]["sent"]
    known = world.look(lambda uow: escrow.sent_instruction(uow, sent["number"]))
    assert known["fen"] == sent["fen"] and known["payee_name"] and known["payee_account"]


def new_number(world: World, played: Played) -> None:
    assert played.line["meta"]["outcomes"][0]["next"] == played.example.expected["next"]


def same_number(world: World, played: Played) -> None:
    assert "same number may be used again" in played.line["meta"]["outcomes"][0]["next"]


def order_stays(world: World, played: Played) -> None:
    assert played.alarms[0]["kind"] == "AMOUNT_MISMATCH"
    known = world.look(lambda uow: escrow.sent_instruction(uow, "OQAL202600016016"))
    assert known["outcome"] is None and known["proved_by"] is None


def contradiction(world: World, played: Played) -> None:
    assert [note["code"] for note in played.line["notes"]] == ["LATE_NOTICE"]
    meta = played.line["meta"]
    assert meta["ask"] == [meta["outcomes"][0]["number"]] and "escrow.entry" not in played.changed
    known = world.look(lambda uow: escrow.sent_instruction(uow, meta["ask"][0]))
    assert known["outcome"] != "REFUSED"


def query_once(world: World, played: Played) -> None:
    assert played.line["meta"]["outcomes"][0]["next"] == "query once to be sure"
