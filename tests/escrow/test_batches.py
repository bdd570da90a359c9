"""Many orders as one batch: one digest signed by each person, files of many, and no way round either."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError

import escrow
from escrow.rails import Rail
from foundation.actors import SYSTEM
from foundation.wire import WireReply
from schemas.findings import Refused
from tests.escrow.world import CASHIER, CASHIER_2, CHECKER, HOUSE, RAILS, RELEASER, NoKeys, World, terms


def files_of_many(rail: Rail) -> Rail:
    """The made-up house, taking files of two payments: its documents one after the other."""

    def batch(instructions: Any, ctx: Any) -> Any:
        whole = b"\n".join(rail.order(each, ctx).document for each in instructions)
        return replace(rail.wrap(whole, ctx), number=instructions[0].batch_id)

    return replace(
        rail,
        batch=batch,
        manifest={**rail.manifest, "limits": {**rail.manifest["limits"], "file_payments": 2}},
    )


@pytest.fixture
def town(world: World) -> World:
    world.desk = escrow.RailDesk(NoKeys(), {HOUSE: files_of_many(RAILS[HOUSE])})  # type: ignore[arg-type]
    for key in ("1", "2"):
        world.open(terms(key, fens=(30000,), payees=3))
        world.notice(world.line(f"SD{key}", 30000, ref=f"R{key}"))
    return world


def items(*keys: str, fen: int = 10000) -> list[escrow.BatchItem]:
    return [
        escrow.BatchItem(f"瓯栖调〔2026〕试验{key}号", 1, f"A{n}", fen) for key in keys for n in (1, 2, 3)
    ]


def drafted(town: World, name: str = "四月") -> tuple[UUID, str]:
    found = town.act(CASHIER, lambda uow: escrow.draft_batch(uow, town.desk, name, HOUSE, items("1", "2")))
    return found.id, found.data["digest"]


def refused(code: str, work: Any) -> None:
    with pytest.raises(Refused) as no:
        work()
    assert no.value.findings[0].code == code


def test_a_batch_goes_from_draft_to_proof(town: World) -> None:
    batch, digest = drafted(town)
    again = town.act(CASHIER, lambda uow: escrow.draft_batch(uow, town.desk, "四月", HOUSE, items("2", "1")))
    assert (again.id, again.data["digest"]) == (batch, digest)
    refused("SAME_PERSON", lambda: town.act(
        replace(CASHIER, roles=frozenset({"checker"})), lambda uow: escrow.check_batch(uow, batch, digest)))  # fmt: skip
    refused("DIGEST_CHANGED", lambda: town.act(CHECKER, lambda uow: escrow.check_batch(uow, batch, "0" * 64)))
    refused("ILLEGAL_STATE", lambda: town.act(RELEASER, lambda uow: escrow.release_batch(uow, batch, digest)))
    town.act(CHECKER, lambda uow: escrow.check_batch(uow, batch, digest))
    town.act(RELEASER, lambda uow: escrow.release_batch(uow, batch, digest))
    assert [no for _, no, _ in town.look(escrow.waiting_files)] == [1, 2, 3]
    assert town.look(escrow.released_orders) == []
    for no in (1, 2, 3):
        _, claim = town.act(SYSTEM, lambda uow, n=no: escrow.dispatch_file(uow, town.desk, batch, n))
        lost = no == 3
        reply = WireReply(
            "NOT_SENT" if lost else "ANSWERED",
            200,
            {},
            b'{"number": "%s", "outcome": "ACCEPTED"}' % claim.number.encode(),
        )
        town.act(SYSTEM, lambda uow, c=claim, r=reply: escrow.take_file_reply(uow, town.desk, c, r))
    assert town.look(lambda uow: escrow.claim_files(uow, town.desk)) == []
    town.at("2026-04-01T10:00")
    (claim,) = town.act(SYSTEM, lambda uow: escrow.claim_files(uow, town.desk))
    town.act(
        SYSTEM,
        lambda uow: escrow.take_file_reply(uow, town.desk, claim, WireReply("UNKNOWN", error="no answer")),
    )
    rows = town.look(
        lambda uow: uow.all(
            "SELECT number, debit_account, outcome, id FROM escrow.payment_order ORDER BY number"
        )
    )
    assert [row["outcome"] for row in rows] == ["ACCEPTED"] * 4 + ["UNKNOWN"] * 2
    for account in ("SD1", "SD2"):
        mine = [row for row in rows if row["debit_account"] == account]
        town.notice(*[town.line(account, 10000, "DBIT", our_number=row["number"]) for row in mine])
    found = town.look(lambda uow: escrow.batch_detail(uow, batch))
    assert found["states"] == {"PAID": 6} and [each["state"] for each in found["files"]] == ["SENT"] * 3
    shown = town.look(lambda uow: escrow.order_detail(uow, rows[0]["id"]))["approvals"]
    assert {each["person"] for each in shown} == {"ka", "fu", "sh"}
    assert {each["batch_digest"] for each in shown} == {digest}


def test_nobody_takes_an_order_out_of_its_batch(town: World) -> None:
    batch, digest = drafted(town)
    order = town.look(lambda uow: uow.scalar("SELECT order_id FROM escrow.batch_order WHERE place = 1"))
    with pytest.raises((Refused, IntegrityError), match="APPROVED_AS_BATCH"):
        town.act(CHECKER, lambda uow: escrow.check_order(uow, order))
    for act in (
        "UPDATE escrow.batch_file SET payload = 'x', digest = encode(sha256('x'), 'hex')",
        "UPDATE escrow.batch_order SET file = 2",
        "DELETE FROM escrow.batch_approval",
        "UPDATE escrow.batch_file SET state = 'SENDING'",
        "INSERT INTO escrow.batch_approval SELECT id, 'RELEASER', 'zz', digest, now() FROM escrow.order_batch",
        "INSERT INTO escrow.batch_approval SELECT id, 'CHECKER', 'ka', digest, now() FROM escrow.order_batch",
    ):
        with pytest.raises(IntegrityError):
            town.act(SYSTEM, lambda uow, a=act: uow.execute(a))
    town.act(CHECKER, lambda uow: escrow.check_batch(uow, batch, digest))
    town.act(RELEASER, lambda uow: escrow.release_batch(uow, batch, digest))
    refused("ILLEGAL_STATE", lambda: town.act(SYSTEM, lambda uow: escrow.dispatch(uow, town.desk, order)))
    case = town.look(
        lambda uow: uow.scalar("SELECT case_id FROM escrow.payment_order WHERE id = :id", id=order)
    )
    town.act(CASHIER, lambda uow: escrow.place_stop(uow, case, "DISPUTED", "有人投诉"))
    with pytest.raises(Refused):
        town.act(SYSTEM, lambda uow: escrow.dispatch_file(uow, town.desk, batch, 1))
    town.act(CASHIER_2, lambda uow: escrow.cancel_batch(uow, batch, "重新制单"))
    assert set(town.look(lambda uow: escrow.batch_detail(uow, batch))["states"]) <= {"CANCELLED", "STOPPED"}


def test_a_batch_is_drafted_whole_or_not_at_all(town: World) -> None:
    def draft(wanted: list[escrow.BatchItem]) -> Any:
        return lambda: town.act(
            CASHIER, lambda uow: escrow.draft_batch(uow, town.desk, "五月", HOUSE, wanted)
        )

    refused("MONEY_SHORT", draft(items("1", fen=10001)))
    refused("PAYEE_NOT_AGREED", draft([*items("1"), escrow.BatchItem("瓯栖调〔2026〕试验1号", 1, "A9", 1)]))
    refused("NOT_FOUND", draft([*items("1"), escrow.BatchItem("无此案", 1, "A1", 1)]))
    refused("AMOUNT_UNREADABLE", draft(items("1", fen=0)))
    assert town.look(lambda uow: uow.scalar("SELECT count(*) FROM escrow.payment_order")) == 0
    drafted(town)
    refused("BUSINESS_KEY_CONFLICT", lambda: town.act(
        CASHIER, lambda uow: escrow.draft_batch(uow, town.desk, "四月", HOUSE, items("1"))))  # fmt: skip
