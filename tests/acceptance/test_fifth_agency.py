"""Acceptance 6: a fifth agency and a third way to pay are two folders, and work the whole path; nothing else changes.

Both are written at run time under ids that nobody can know; the hub runs as it does for people (API and worker as
processes), and both new sides are servers of their own that judge by their own books.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sandbox.stories.hub_api import wait_for
from schemas.identifiers import resident_check_digit
from tests.acceptance.agency_side import Desk, accident_desk
from tests.acceptance.hub_process import RunningHub, running_hub
from tests.acceptance.made_up_folders import write_folder
from tests.acceptance.rail_side import Post, post_office

pytestmark = pytest.mark.slow
WITHIN_S = 40.0
CLERK, MEDIATOR, OPERATOR, AUDITOR = "clerk1", "mediator1", "operator1", "auditor1"


@dataclass
class Town:
    """Everybody in this test: the hub, the agency with its id, the post with its id, and the case."""

    hub: RunningHub
    agency: str
    desk: Desk
    rail: str
    post: Post
    case: dict[str, Any]
    fen: int

    @property
    def door(self) -> str:
        return f"{self.hub.url}/partners/{self.agency}/cases"

    @property
    def callback(self) -> str:
        return f"{self.hub.url}/rails/{self.rail}/told"

    def clock(self, at: str) -> None:
        self.hub.people.put(OPERATOR, "/v1/clock", {"at": f"{at}+08:00"})

    def where(self, reference: str = "") -> dict[str, Any]:
        ref = reference or f"traffic_police:{self.case['number']}"
        found: dict[str, Any] = self.hub.people.get(AUDITOR, "/v1/whereabouts", ref=[ref])
        return found

    def escrow(self, number: str) -> dict[str, Any]:
        found: dict[str, Any] = self.hub.people.get(AUDITOR, "/v1/escrow", mediation_number=number)
        return found


@pytest.fixture
def town(database_url: str, tmp_path: Path) -> Iterator[Town]:
    chance = Random(secrets.randbits(64))
    mark = f"{chance.randrange(16**6):06x}"
    agency, rail = f"accident_desk_{mark}", f"postal_{mark}"
    folders = {
        "CONCORD_CONNECTOR_PATH": write_folder(
            "agency", tmp_path / "more agencies", id=agency, institution=f"OQJJ{mark[:3].upper()}"
        ),
        "CONCORD_RAIL_PATH": write_folder("rail", tmp_path / "more rails", id=rail),
    }
    seals = {f"{agency}.seal": secrets.token_hex(16), f"{rail}.shared": secrets.token_hex(16)}
    with (
        accident_desk(seals[f"{agency}.seal"]) as desk,
        post_office(seals[f"{rail}.shared"]) as post,
        running_hub(
            database_url,
            tmp_path / "var",
            more={name: str(path) for name, path in folders.items()},
            addresses={agency: desk.url, rail: post.url},
            secrets=seals,
        ) as hub,
    ):
        yield Town(hub, agency, desk, rail, post, _case(chance), chance.randrange(100_000, 9_000_000))


def _case(chance: Random) -> dict[str, Any]:
    def person(role: str, surname: str, year: int) -> dict[str, str]:
        first = f"330399{year}{chance.randrange(1, 13):02d}{chance.randrange(1, 29):02d}{chance.randrange(1000):03d}"
        return {
            "role": role,
            "kind": "person",
            "name": surname + chance.choice("安平宁远康达") + chance.choice("明华文君"),
            "idNo": first + resident_check_digit(first),
            "phone": f"100{chance.randrange(10**8):08d}",
        }

    return {
        "number": f"瓯公交认〔2026〕{chance.randrange(1, 99999):05d}号",
        "version": 1,
        "updatedAt": "2026-04-02T08:30:00+08:00",
        "state": "HANDED_OVER",
        "cause": "机动车交通事故责任纠纷",
        "occurredOn": "2026-03-28",
        "people": [person("applicant", "池", 1984), person("respondent", "苗", 1990)],
    }


def test_the_whole_path(town: Town) -> None:
    try:
        dispute = _pushed(town)
        number = _taken_up(town, dispute)
        _pulled(town, dispute)
        account = _signed(town, number)
        _paid_in(town, number, account)
        _paid_out(town, number, account)
        _told_and_closed(town, number, dispute)
        _reconciled(town, number, account)
    except BaseException:
        print(town.hub.logs())
        raise


def _pushed(town: Town) -> str:
    """A case is pushed, once with a wrong seal, twice the same, and once with other content under the same id."""
    town.clock("2026-04-02T09:00:00")
    assert town.desk.push(town.door, "M1", town.case, seal="0" * 64).json()["code"] == "D401"
    assert town.where()["dispute"] is None
    first = town.desk.push(town.door, "M1", town.case)
    assert first.status_code == 200, first.text
    assert first.json()["code"] == "D200"
    assert town.desk.push(town.door, "M1", town.case).content == first.content
    other = town.desk.push(town.door, "M1", {**town.case, "cause": "财产损害赔偿纠纷"})
    assert other.json()["code"] == "D409"
    found = town.where()
    assert found["dispute"]
    assert (found["stage"], found["holder"]) == ("MEDIATING", "mediation")
    return str(found["dispute"])


def _taken_up(town: Town, dispute: str) -> str:
    """The office takes it up under the agency's own number; the agency is told."""
    parties = [
        {
            "key": key,
            **{name: each[name] for name in ("role", "kind", "name", "phone")},
            "id_number": each["idNo"],
        }
        for key, each in zip(("A1", "R1"), town.case["people"], strict=True)
    ]
    parties[0]["account"] = {"wallet": f"88{town.fen:010d}", "wallet_type": "POSTAL_BOOK"}
    body = {
        "committee": "瓯栖县交通事故纠纷人民调解委员会",
        "mediator": "金杰",
        "cause": town.case["cause"],
        "accepted_on": "2026-04-02",
        "claimed_fen": town.fen,
        "referral": town.case["number"],
        "parties": parties,
    }
    matter = town.hub.people.post(CLERK, "/v1/matters", body)
    assert town.where(f"mediation:{matter['mediation_number']}")["dispute"] == dispute
    assert wait_for(lambda: town.desk.heard("taken_up"), WITHIN_S), (
        "the desk was not told that it was taken up"
    )
    (told,) = town.desk.heard("taken_up")
    assert told["case"] == town.case["number"]
    return str(matter["mediation_number"])


def _pulled(town: Town, dispute: str) -> None:
    """What the agency adds later is pulled by the same command that pulls from everyone."""
    town.desk.cases.append({**town.case, "version": 2, "place": "瓯栖县石坦乡公路12公里处"})
    for accepted in (1, 0):
        done = town.hub.command("pull", town.agency, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        assert f'"accepted": {accepted}' in done.stdout
    record = town.hub.people.get(AUDITOR, "/v1/dispute", number=dispute)
    assert "瓯栖县石坦乡公路12公里处" in str(record)


def _signed(town: Town, number: str) -> str:
    """An agreement is signed; the escrow opens on the new way to pay. Returns the case's account there."""
    town.clock("2026-04-03T10:00:00")
    people = town.hub.people
    matter = people.get(MEDIATOR, "/v1/matter", mediation_number=number)
    terms = {
        "total_fen": town.fen,
        "terms": "被申请人一次性赔偿申请人。",
        "instalments": [{"no": 1, "due_on": "2026-04-20", "fen": town.fen, "payer": "R1", "payee": "A1"}],
    }
    draft = people.post(MEDIATOR, f"/v1/matters/{matter['id']}/agreements", terms)
    signers = [{"signer": each["key"], "name": each["name"]} for each in matter["parties"]]
    signers += [
        {"signer": "mediator", "name": matter["mediator"]},
        {"signer": "seal", "name": matter["committee"], "method": "seal"},
    ]
    people.post(MEDIATOR, f"/v1/agreements/{draft['id']}/signatures", {"signatures": signers})
    accounts = wait_for(lambda: _accounts(town, number), WITHIN_S)
    assert accounts == list(town.post.accounts.values()), "the account that the post opened is the case's"
    assert town.escrow(number)["state"] == "OPEN"
    assert town.where()["stage"] == "AGREED"
    return str(accounts[0])


def _accounts(town: Town, number: str) -> list[str]:
    return [
        each["number"]
        for each in town.escrow(number)["accounts"]
        if each["rail"] == town.rail and each["kind"] == "SUB"
    ]


def _paid_in(town: Town, number: str, account: str) -> None:
    """The payer pays; a notice with a wrong seal moves nothing, the right one funds the case once."""
    payer = town.case["people"][1]
    line = town.post.book(account, town.fen, payer["name"], "7700999")
    wrong = town.post.send(
        town.callback, b'{"id":"L0","of":"x","day":"2026-04-03","lines":[]}', seal="0" * 64
    )
    assert wrong.json() == {"code": "P401", "reason": "SIGNATURE_INVALID", "path": "X-Post-Seal"}
    for _ in range(2):
        assert town.post.tell(town.callback, account, [line], "2026-04-03").json() == {"code": "P200"}
    shown = town.escrow(number)
    assert (shown["state"], shown["funded_fen"], shown["balance_fen"]) == ("FUNDED", town.fen, town.fen)


def _paid_out(town: Town, number: str, account: str) -> None:
    """Drafted, checked and released by three persons; sent over the wire; done by the post's word; proved by its line."""
    people = town.hub.people
    body = {"mediation_number": number, "rail": town.rail, "fen": town.fen, "payee_key": "A1"}
    order = people.post("cashier1", "/v1/orders", body)
    order = people.post("checker1", f"/v1/orders/{order['id']}/check", {"digest": order["digest"]})
    if order["state"] == "CHECKED":
        order = people.post("releaser1", f"/v1/orders/{order['id']}/release", {"digest": order["digest"]})
    assert wait_for(lambda: town.post.payments, WITHIN_S), "the post received no payment"
    (payment,) = town.post.payments.values()
    assert payment["number"] == order["number"]
    assert (payment["fen"], payment["from"], payment["to"]) == (town.fen, account, f"88{town.fen:010d}")
    lines = town.post.pay_out()
    town.clock("2026-04-03T10:05:00")
    done = wait_for(lambda: people.get(AUDITOR, f"/v1/orders/{order['id']}")["outcome"] == "DONE", WITHIN_S)
    assert done, "the hub did not ask what became of it"
    assert town.escrow(number)["state"] == "RELEASING", "the post's word alone proves nothing"
    assert town.post.tell(town.callback, account, lines, "2026-04-03").json() == {"code": "P200"}
    assert people.get(AUDITOR, f"/v1/orders/{order['id']}")["state"] == "PAID"
    shown = town.escrow(number)
    assert (shown["state"], shown["released_fen"], shown["balance_fen"]) == ("COMPLETED", town.fen, 0)


def _told_and_closed(town: Town, number: str, dispute: str) -> None:
    """The agency hears that all was paid, and with that the dispute is closed."""
    assert wait_for(lambda: town.desk.heard("performed"), WITHIN_S), "the desk was not told of the payment"
    (told,) = town.desk.heard("performed")
    assert told["paidFen"] == town.fen
    assert [each["what"] for each in town.desk.told.values()] == ["taken_up", "agreed", "performed"]
    assert wait_for(lambda: town.where()["stage"] == "CLOSED", WITHIN_S), town.where()
    assert town.where()["dispute"] == dispute
    timeline = town.hub.people.get(AUDITOR, "/v1/dispute/timeline", number=town.case["number"])["timeline"]
    assert len(timeline) >= 5


def _reconciled(town: Town, number: str, account: str) -> None:
    """Ledger and the post's own books agree to the fen; nothing went out twice."""
    day = date(2026, 4, 3).isoformat()
    assert town.post.tell(town.callback, account, town.post.lines[account], day, whole=True).json() == {
        "code": "P200"
    }
    town.clock("2026-04-04T11:00:00")
    done = town.hub.people.post(OPERATOR, "/v1/jobs/reconcile", {"day": day})
    assert (done["broken_invariants"], done["open_breaks"]) == (0, {})
    assert town.post.balance(account) == town.escrow(number)["balance_fen"] == 0
    assert (len(town.post.payments), town.post.repeats, town.desk.repeats) == (1, 0, 0)
    assert town.hub.people.get(AUDITOR, "/v1/reconciliation")["violations"] == []
