"""Issue 6, rails: a case worked through a second bank in its own XML dialect, statements by drop folder: from the sub-account to the
reconciled day. The hub runs as it does for people; the bank is a server that judges by its own book."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sandbox.city_bank.files import put
from sandbox.city_bank.service import Bank, serving
from sandbox.stories.hub_api import wait_for
from tests.acceptance.hub_process import RunningHub, running_hub
from tests.console.world import card, resident
from tests.platform.tree import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.long]
WITHIN_S = 60.0
RAIL, CLERK, MEDIATOR, AUDITOR = "city_bank", "clerk1", "mediator1", "auditor1"
COMMITTEE, PAYEE, PAYER = "瓯栖县石坦乡人民调解委员会", "夏晓", "戴超忠"
DAY = date(2026, 4, 3)


@dataclass
class Desk:
    """The hub, the bank and the folder between them."""

    hub: RunningHub
    bank: Bank
    folder: Path
    fen: int

    def escrow(self, number: str) -> dict[str, Any]:
        found: dict[str, Any] = self.hub.people.get(AUDITOR, "/v1/escrow", mediation_number=number)
        return found

    def clock(self, at: str) -> None:
        self.hub.people.put("operator1", "/v1/clock", {"at": f"{at}+08:00"})


@pytest.fixture
def desk(database_url: str, tmp_path: Path) -> Iterator[Desk]:
    secret, fen = secrets.token_hex(16), Random(secrets.randbits(64)).randrange(100_000, 4_000_000)
    with (
        serving(Bank(secret)) as bank,
        running_hub(
            database_url, tmp_path / "var", more={"CONCORD_RAIL_PATH": str(ROOT / "escrow" / "more_rails")},
            addresses={RAIL: bank.url}, secrets={f"{RAIL}.shared": secret},
        ) as hub,
    ):  # fmt: skip
        folder = tmp_path / "var" / "drop" / RAIL
        folder.mkdir(parents=True)
        yield Desk(hub, bank, folder, fen)


def test_a_case_through_the_second_bank(desk: Desk) -> None:
    try:
        number = _signed(desk)
        account = _opened(desk, number)
        desk.bank.book.credit(account, desk.fen, PAYER, card(2), "赔偿款", DAY)
        put(desk.folder, desk.bank.book, account, DAY, "R")
        assert wait_for(lambda: desk.escrow(number)["funded_fen"] == desk.fen, WITHIN_S), desk.escrow(number)
        _paid_out(desk, number, account)
        put(desk.folder, desk.bank.book, account, DAY)
        assert wait_for(lambda: not list(desk.folder.glob("*.dz")), WITHIN_S)
        desk.clock("2026-04-04T11:00:00")
        done = desk.hub.people.post("operator1", "/v1/jobs/reconcile", {"day": DAY.isoformat()})
        assert (done["broken_invariants"], done["open_breaks"]) == (0, {})
        assert desk.bank.book.balance(account) == desk.escrow(number)["balance_fen"] == 0
        assert list(desk.bank.book.paid().values()) == [desk.fen], "paid once, by the bank's own book"
    except BaseException:
        print(desk.hub.logs(), desk.bank.calls)
        raise


def _signed(desk: Desk) -> str:
    desk.clock("2026-04-03T10:00:00")
    people = desk.hub.people
    parties = [
        {"key": "A1", "role": "applicant", "kind": "person", "name": PAYEE, "id_number": resident("19540623", 761),
         "account": {"name": PAYEE, "account": card(1), "bank_code": "402339900017", "bank_name": "瓯栖农商银行"}},
        {"key": "R1", "role": "respondent", "kind": "person", "name": PAYER, "id_number": resident("19570717", 977)},
    ]  # fmt: skip
    matter = people.post(CLERK, "/v1/matters", {
        "committee": COMMITTEE, "mediator": "金杰", "cause": "相邻关系纠纷", "accepted_on": "2026-04-02",
        "claimed_fen": desk.fen, "parties": parties,
    })  # fmt: skip
    terms = {
        "total_fen": desk.fen, "terms": "一次付清。",
        "instalments": [{"no": 1, "due_on": "2026-04-20", "fen": desk.fen, "payer": "R1", "payee": "A1"}],
    }  # fmt: skip
    draft = people.post(MEDIATOR, f"/v1/matters/{matter['id']}/agreements", terms)
    signers = [
        {"signer": key, "name": name} for key, name in (("A1", PAYEE), ("R1", PAYER), ("mediator", "金杰"))
    ]
    signers.append({"signer": "seal", "name": COMMITTEE, "method": "seal"})
    people.post(MEDIATOR, f"/v1/agreements/{draft['id']}/signatures", {"signatures": signers})
    return str(matter["mediation_number"])


def _opened(desk: Desk, number: str) -> str:
    def accounts() -> list[str]:
        return [
            each["number"]
            for each in desk.escrow(number)["accounts"]
            if each["rail"] == RAIL and each["kind"] == "SUB"
        ]

    found = wait_for(accounts, WITHIN_S)
    assert found == list(desk.bank.book.opened.values())
    return str(found[0])


def _paid_out(desk: Desk, number: str, account: str) -> None:
    """The bank takes the payment and its answer is lost: UNKNOWN, asked, done by its word, proved by its line."""
    people = desk.hub.people
    desk.bank.faults = ["after_500"]
    body = {"mediation_number": number, "rail": RAIL, "fen": desk.fen, "payee_key": "A1"}
    order = people.post("cashier1", "/v1/orders", body)
    order = people.post("checker1", f"/v1/orders/{order['id']}/check", {"digest": order["digest"]})
    if order["state"] == "CHECKED":
        order = people.post("releaser1", f"/v1/orders/{order['id']}/release", {"digest": order["digest"]})

    def outcome() -> str:
        return str(people.get(AUDITOR, f"/v1/orders/{order['id']}")["outcome"])

    assert wait_for(lambda: outcome() == "UNKNOWN", WITHIN_S), outcome()
    desk.bank.book.carry_out(DAY)
    desk.clock("2026-04-03T10:20:00")
    assert wait_for(lambda: outcome() == "DONE", WITHIN_S), "it was not asked"
    assert desk.escrow(number)["released_fen"] == 0, "the bank's word alone proves nothing"
    put(desk.folder, desk.bank.book, account, DAY, "R")
    assert wait_for(lambda: desk.escrow(number)["released_fen"] == desk.fen, WITHIN_S), desk.escrow(number)
    assert [call.split()[0] for call in desk.bank.calls].count("PAY01") == 1, "never sent a second time"
