"""A changed payee voids an order, however far it has come and by whatever way he was changed; generated attempts.

Each attempt takes an order to a state, changes the payee or his account by a way of the product or by SQL as the
application's role, and then tries every further step by every way. Nothing may be signed or leave for the old payee.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import escrow
from foundation.actors import SYSTEM
from schemas.findings import Refused
from tests.escrow.test_attacks import APP_ROLE
from tests.escrow.world import CASHIER, CHECKER, HOUSE, RELEASER, World, terms

FAR = ("DRAFTED", "CHECKED", "RELEASED")
SEAT = "SELECT id FROM escrow.party WHERE case_id = :case AND key = 'A1' AND active"
ACCOUNT = f"(SELECT a.id FROM escrow.pay_account a WHERE a.party = ({SEAT}) AND a.rail = 'house' LIMIT 1)"


class Attempt:
    """One order on its way, and the ways to change its payee and to push it on."""

    def __init__(self, world: World, key: str, far: str) -> None:
        self.world = world
        self.case = world.open(terms(key, (10000,)))
        world.notice(world.line(f"SD{key}", 10000, party_name=f"付款人{key}", party_account=f"98{key}"))
        self.order = world.draft(self.case, 10000)
        if far != "DRAFTED":
            world.act(CHECKER, lambda uow: escrow.check_order(uow, self.order))
        if far == "RELEASED":
            world.act(RELEASER, lambda uow: escrow.release_order(uow, self.order))
        self.key, self.far = key, far

    def two_persons(self, name: str, number: str) -> None:
        new = escrow.PartyTerms(
            "A1", "PAYEE", name, accounts=(escrow.PayAccount(HOUSE, number, name, kind="card"),)
        )
        made = self.world.act(
            CASHIER, lambda uow: escrow.propose_payee(uow, self.case, "A1", new, "变更", "公证书")
        )
        self.world.act(CHECKER, lambda uow: escrow.confirm_decision(uow, self.world.desk, made.id))

    def sql(self, statement: str, **more: Any) -> bool:
        """Whether the database let the application's role do it."""
        try:
            with self.world.engine.begin() as conn:
                conn.execute(text("SET LOCAL ROLE concord_app_test"))
                params = {"case": self.case, "order": self.order, **more}
                conn.execute(text(statement), {k: v for k, v in params.items() if f":{k}" in statement})
        except DBAPIError:
            return False
        return True

    # -- ways to change the payee: True when the payee in force is another now --------------------------------

    def heir(self) -> bool:
        self.two_persons("继承人", "99HEIR")
        return True

    def other_account(self) -> bool:
        self.two_persons(f"收款人{self.key}A1", "99OTHER")
        return True

    def deposit(self) -> bool:
        notary = escrow.PartyTerms(
            "A1", "PAYEE", "公证处", kind="organisation", accounts=(escrow.PayAccount(HOUSE, "99N", "公证处", kind="card"),)
        )  # fmt: skip
        made = self.world.act(
            CASHIER,
            lambda uow: escrow.propose_deposit(uow, self.case, "A1", "REFUSES", notary, "x", "决定书"),
        )
        self.world.act(CHECKER, lambda uow: escrow.confirm_decision(uow, self.world.desk, made.id))
        return True

    def seat_ended(self) -> bool:
        return self.sql(f"UPDATE escrow.party SET active = false WHERE id = ({SEAT})")

    def account_ended(self) -> bool:
        return self.sql(f"UPDATE escrow.pay_account SET active = false WHERE id = {ACCOUNT}")

    def account_rewritten(self) -> bool:
        """The row under the order, rewritten to a thief's account: the database refuses."""
        assert not self.sql(f"UPDATE escrow.pay_account SET number = '99THIEF' WHERE id = {ACCOUNT}")
        assert not self.sql(f"UPDATE escrow.pay_account SET name = '贼' WHERE id = {ACCOUNT}")
        assert not self.sql(f"UPDATE escrow.party SET name = '贼' WHERE id = ({SEAT})")
        assert not self.sql(f"DELETE FROM escrow.pay_account WHERE id = {ACCOUNT}")
        return False

    def order_rewritten(self) -> bool:
        """The order itself, to another payee or other bytes: the database refuses."""
        for change in (
            "payee_account = '99THIEF'",
            "payee_name = '贼'",
            "payload = 'x'",
            "digest = 'x'",
            "amount_fen = 1",
        ):
            assert not self.sql(f"UPDATE escrow.payment_order SET {change} WHERE id = :order")
        return False

    def revived(self) -> bool:
        """Ended, and in force again: an account that was ended stays so."""
        ended = self.account_ended()
        assert not self.sql(
            "UPDATE escrow.pay_account SET active = true WHERE NOT active AND party IN"
            " (SELECT id FROM escrow.party WHERE case_id = :case)"
        )
        return ended

    # -- ways to push the order on: True when it moved ------------------------------------------------------------

    def push(self, how: str) -> bool:
        before = self.world.order(self.order)["state"]
        acts: dict[str, Callable[[], Any]] = {
            "check": lambda: self.world.act(CHECKER, lambda uow: escrow.check_order(uow, self.order)),
            "release": lambda: self.world.act(RELEASER, lambda uow: escrow.release_order(uow, self.order)),
            "dispatch": lambda: self.world.act(
                SYSTEM, lambda uow: escrow.dispatch(uow, self.world.desk, self.order)
            ),
            "sql check": lambda: self._sql_sign("CHECKER", "fu", "CHECKED"),
            "sql release": lambda: self._sql_sign("RELEASER", "sh", "RELEASED"),
            "sql dispatch": lambda: self.sql(
                "UPDATE escrow.payment_order SET state = 'DISPATCHING' WHERE id = :order"
            ),
        }
        try:
            acts[how]()
        except Refused:
            pass
        return bool(self.world.order(self.order)["state"] != before)

    def _sql_sign(self, role: str, person: str, state: str) -> None:
        self.sql(
            "WITH signed AS (INSERT INTO escrow.approval SELECT gen_random_uuid(), id, :role, :person, digest, now()"
            " FROM escrow.payment_order WHERE id = :order RETURNING order_id)"
            " UPDATE escrow.payment_order SET state = :state WHERE id = :order",
            role=role, person=person, state=state,
        )  # fmt: skip


CHANGES = (
    "heir", "other_account", "deposit", "seat_ended", "account_ended", "account_rewritten", "order_rewritten", "revived",
)  # fmt: skip
PUSHES = ("check", "release", "dispatch", "sql check", "sql release", "sql dispatch")


@pytest.fixture
def ready(world: World) -> World:
    world.proves = False  # once at the end: what SQL has ended is no state of the product's
    with world.engine.begin() as conn:
        conn.execute(text(APP_ROLE))
    return world


def run(world: World, dice: random.Random, key: str, far: str, change: str) -> None:
    attempt = Attempt(world, key, far)
    changed = getattr(attempt, change)()
    pushes = [dice.choice(PUSHES) for _ in range(6)] + list(PUSHES)
    moved = [how for how in pushes if attempt.push(how)]
    row = world.order(attempt.order)
    left = world.look(
        lambda uow: uow.scalar(
            "SELECT count(*) FROM escrow.rail_attempt WHERE order_id = :id", id=attempt.order
        )
    )
    if changed:
        assert moved == [] and left == 0, (far, change, pushes, moved, row["state"])
        assert row["state"] in (far, "STOPPED")
    else:
        assert (row["payee_account"], row["payee_name"]) == (f"99{key}A1", f"收款人{key}A1")
        assert moved, "an order whose payee stands goes on"


def test_a_changed_payee_voids_the_order_by_every_way(ready: World) -> None:
    dice = random.Random(9)
    for place, change in enumerate(CHANGES):
        run(ready, dice, str(place + 1), FAR[place % 3], change)
    ready.prove()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6))
def test_a_changed_payee_voids_the_order_however_far_it_came(ready: World, seed: int) -> None:
    dice = random.Random(seed)
    for place, (far, change) in enumerate(itertools.product(FAR, CHANGES)):
        run(ready, dice, str(place + 1), far, change)
    ready.prove()
