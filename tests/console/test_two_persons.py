"""Two persons for every order, three above the tier, by person whatever roles they hold (I10): attempts by every door.

Attempts are generated: who, by which door, what, in which order. After each the approvals that are stored are judged.
The doors: console, API, the functions that jobs and commands call, and plain SQL as the application's role.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from starlette.testclient import TestClient

import escrow
from exchange_api.app import make_app
from foundation.actors import Actor
from foundation.staff import add_staff
from hub import payments
from schemas.findings import Refused
from tests.console.conftest import Reader
from tests.console.world import PASSWORD, County
from tests.escrow.test_attacks import APP_ROLE

# Three people who may do everything, so that nothing but the rule of two persons stands in the way.
PEOPLE = ("all1", "all2", "all3")
ROLES = ("cashier", "checker", "releaser")
LARGE, SMALL = 5_000_001, 300_000
ATTEMPTS = 40


class Doors:
    """The same two acts by every door; each gives True when the door let it through."""

    def __init__(self, county: County, enter: Callable[[str], Reader]) -> None:
        self.county = county
        self.readers = {name: enter(name) for name in PEOPLE}
        self.api = TestClient(make_app(county.hub))
        self.tokens = {name: self._token(name) for name in PEOPLE}
        self.by = {"console": self.console, "api": self.rest, "function": self.function, "sql": self.sql}

    def _token(self, name: str) -> str:
        answer = self.api.post("/v1/session", json={"id": name, "password": PASSWORD})
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json()["token"])

    def console(self, who: str, act: str, order: UUID, digest: str) -> bool:
        path = f"/escrow/orders/{order}"
        reader = self.readers[who]
        csrf = dict(_hidden(reader.page(path)))
        answer = reader.client.post(
            f"{path}/{act}", data={**csrf, "digest": digest}, headers={"referer": f"http://testserver{path}"}
        )
        return answer.status_code in (200, 303)

    def rest(self, who: str, act: str, order: UUID, digest: str) -> bool:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        answer = self.api.post(f"/v1/orders/{order}/{act}", json={"digest": digest}, headers=headers)
        assert answer.status_code != 404, "the door is somewhere else now"
        return answer.status_code == 200

    def function(self, who: str, act: str, order: UUID, digest: str) -> bool:
        work = {"check": escrow.check_order, "release": escrow.release_order}[act]
        try:
            self.county.act(lambda uow: work(uow, order, digest), Actor(who, who, frozenset(ROLES), "瓯栖县"))
        except Refused:
            return False
        return True

    def sql(self, who: str, act: str, order: UUID, digest: str) -> bool:
        """An approval and the new state, written straight into the tables with the application's rights."""
        role, state = {"check": ("CHECKER", "CHECKED"), "release": ("RELEASER", "RELEASED")}[act]
        try:
            with self.county.hub.engine.begin() as conn:
                conn.execute(text("SET LOCAL ROLE concord_app_test"))
                conn.execute(
                    text(
                        "INSERT INTO escrow.approval VALUES (gen_random_uuid(), :o, :role, :who, :digest, now())"
                    ),
                    {"o": order, "role": role, "who": who, "digest": digest},
                )
                conn.execute(
                    text("UPDATE escrow.payment_order SET state = :s WHERE id = :o"), {"s": state, "o": order}
                )
        except DBAPIError:
            return False
        return True


def _hidden(page: str) -> list[tuple[str, str]]:
    import re

    return re.findall(r'<input type="hidden" name="(csrf[^"]*)" value="([^"]*)"', page)


@pytest.fixture
def doors(county: County, enter: Callable[[str], Reader]) -> Doors:
    def people(uow: Any) -> None:
        for name in PEOPLE:
            add_staff(uow, name, name, "瓯栖县司法局", list(ROLES), PASSWORD)

    county.act(people)
    with county.hub.engine.begin() as conn:
        conn.execute(text(APP_ROLE))
    return Doors(county, enter)


def signed(county: County, order: UUID) -> tuple[str, int, dict[str, str]]:
    """State, sum and who signed as what."""
    row = county.act(
        lambda uow: uow.one("SELECT state, amount_fen FROM escrow.payment_order WHERE id = :id", id=order)
    )
    rows = county.act(
        lambda uow: uow.all("SELECT role, person FROM escrow.approval WHERE order_id = :id", id=order)
    )
    return str(row["state"]), int(row["amount_fen"]), {each["role"]: each["person"] for each in rows}


def lawful(state: str, fen: int, persons: dict[str, str]) -> bool:
    """Whether an order may stand in this state with these signatures."""
    maker, checker, releaser = (persons.get(role) for role in ("MAKER", "CHECKER", "RELEASER"))
    if state == "DRAFTED":
        return checker is None
    if state == "CHECKED":
        return checker not in (None, maker)
    return None not in (maker, checker, releaser) and len({maker, checker, releaser}) >= (
        3 if fen > 5_000_000 else 2
    )


NOBODY = (
    "ALL1",
    "all1 ",
    " all1",
    "all1\u200b",
    "ａｌｌ１",
    "",
    "system",
    "operator1",
    "cashier1",
    "mediator1",
)


@pytest.mark.parametrize("maker", ["all1", "cashier1"])
def test_no_name_but_a_second_persons_signs_by_sql(doors: Doors, maker: str) -> None:
    """The maker under another spelling, people without the role, and names of nobody: refused by the database itself."""
    county = doors.county
    order = county.order(county.funded(SMALL, paid=SMALL), SMALL, maker=maker)
    digest = str(
        county.act(lambda uow: uow.scalar("SELECT digest FROM escrow.payment_order WHERE id = :id", id=order))
    )
    for act in ("check", "release"):
        for who in (maker, *NOBODY):
            assert not doors.sql(who, act, order, digest), (who, act)
    assert signed(county, order) == ("DRAFTED", SMALL, {"MAKER": maker})
    assert doors.sql("all2", "check", order, digest)
    for who in (maker, *NOBODY):
        assert not doors.sql(who, "release", order, digest), who
    assert signed(county, order)[0] == "CHECKED"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nobody_is_two_by_any_door(doors: Doors, seed: int) -> None:
    county, dice = doors.county, random.Random(seed)
    case = county.funded(LARGE, SMALL, paid=LARGE + SMALL)
    through: dict[str, int] = {}
    for instalment, fen in ((1, LARGE), (2, SMALL)):
        order = county.order(case, fen, instalment, maker=dice.choice(PEOPLE))
        digest = str(
            county.act(
                lambda uow, o=order: uow.scalar(
                    "SELECT digest FROM escrow.payment_order WHERE id = :id", id=o
                )
            )
        )
        for _ in range(ATTEMPTS):
            door = dice.choice(sorted(doors.by))
            who, act = dice.choice(PEOPLE), dice.choice(("check", "release"))
            state, _, before = signed(county, order)
            done = doors.by[door](who, act, order, digest)
            after = signed(county, order)
            assert lawful(*after), (door, who, act, before, after)
            assert done == (after[0] != state), (door, who, act, before, after)
            through[door] = through.get(door, 0) + done
        assert not payments_sent(county, order) or lawful("RELEASED", fen, signed(county, order)[2])
    assert sum(through.values()) >= 2, "some of it is lawful and must go through"


def payments_sent(county: County, order: UUID) -> bool:
    """Whether an intent to send was committed."""
    return bool(
        county.act(lambda uow: uow.scalar("SELECT 1 FROM escrow.rail_attempt WHERE order_id = :id", id=order))
    )


def test_jobs_approve_nothing(county: County) -> None:
    """What the worker and the DAGs run leaves drafts and checked orders where they are."""
    case = county.funded(SMALL, SMALL, paid=2 * SMALL)
    order = county.order(case, SMALL)
    for _ in range(2):
        payments.work(county.hub, NoWire())  # type: ignore[arg-type]
        payments.watch(county.hub)
        assert signed(county, order)[0] == "DRAFTED"


class NoWire:
    """Nothing is to be carried here."""

    def request(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("an order that nobody approved was carried")


def test_the_command_line_has_no_way_to_approve() -> None:
    """Nothing under hub/cli signs an order: people do, at the console or by the API with their own session."""
    from pathlib import Path

    import hub.cli

    sources = Path(str(hub.cli.__file__)).parent.glob("*.py")
    assert not [
        path.name
        for path in sources
        if "check_order" in path.read_text() or "release_order" in path.read_text()
    ]
