"""Access on every surface: a person of one county sees neither rows nor counts of another, by page, list, act and REST."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

import case_registry
from exchange_api.app import make_app
from hub.cli.app import app
from tests.console.conftest import Reader
from tests.console.two_counties import HERE, THERE, Side, both
from tests.console.world import PASSWORD, County

Enter = Callable[[str], Reader]

LISTS = {
    "mediator": ("/", "/matters", "/escrow", "/escrow/suspense", "/escrow/decisions", "/escrow/reconciliation", "/supervision"),
    "reviewer": ("/matters", "/escrow", "/supervision"),
    "cashier": ("/", "/matters", "/escrow", "/escrow/suspense", "/escrow/decisions", "/escrow/reconciliation"),
    "checker": ("/", "/escrow/decisions"),
    "watch": ("/", "/matters", "/escrow", "/supervision", "/supervision?state=", "/disputes"),
    "score": ("/matters",),
}  # fmt: skip


def one_pages(side: Side) -> dict[str, tuple[str, ...]]:
    """Pages about one thing of a county, by desk."""
    money = (f"/escrow/cases/{side.case}", f"/escrow/orders/{side.order}", f"/escrow/of/{side.number}")
    matter = (f"/matters/{side.matter}", f"/matters/agreements/{side.agreement}/print")
    return {
        "mediator": (
            *matter,
            *money,
            f"/supervision/{side.supervision}",
            f"/matters/{side.matter}/agreements/new",
        ),
        "cashier": (*matter, *money),
        "watch": (*matter, *money, f"/supervision/{side.supervision}"),
    }


def acts(side: Side) -> dict[str, tuple[str, ...]]:
    """Forms about one thing of a county, by desk."""
    case, order = f"/escrow/cases/{side.case}", f"/escrow/orders/{side.order}"
    return {
        "mediator": (f"/matters/{side.matter}/moves", f"/matters/{side.matter}/parties/A1/account",
                     f"/matters/{side.matter}/agreements", f"/matters/agreements/{side.agreement}/void"),
        "cashier": (f"{case}/orders", f"{case}/refunds", f"{case}/stops", f"{case}/payees", f"{case}/deposits", f"{order}/cancel"),
        "checker": (f"{order}/check", f"/escrow/decisions/{side.decision}/confirm", f"/escrow/decisions/{side.decision}/reject"),
        "watch": (f"/supervision/{side.supervision}", f"{case}/stops"),
    }  # fmt: skip


def one_pages_told(text: str, side: Side) -> list[str]:
    """What a page tells of a county beyond the address that was asked for."""
    for asked in (side.order, side.case, side.supervision, side.number):
        text = text.replace(str(asked), "")
    return [each for each in side.telling if each in text]


@pytest.fixture
def people_in(enter: Enter) -> Enter:
    """One session a person: a log-in is dear."""
    known: dict[str, Reader] = {}

    def entered(who: str) -> Reader:
        if who not in known:
            known[who] = enter(who)
        return known[who]

    return entered


def test_no_page_tells_of_another_county(county: County, people_in: Enter) -> None:
    here, there = both(county)
    own: set[str] = set()
    for desk, paths in LISTS.items():
        for path in paths:
            shown = people_in(f"{desk}-{HERE}").page(path)
            assert not [text for text in there.telling if text in shown], (desk, path)
            own |= {text for text in here.telling if text in shown}
    assert own == set(here.telling), "one's own are there"
    for desk, paths in one_pages(there).items():
        far = people_in(f"{desk}-{HERE}")
        for path in paths:
            assert not one_pages_told(far.page(path, 404), there), path
            people_in(f"{desk}-city").page(path)
        for path in one_pages(here)[desk]:
            far.page(path)
    scored = people_in(f"score-{HERE}").page(f"/matters/{here.matter}")
    assert here.number in scored and not [name for name in here.telling[:2] if name in scored], (
        "handling, no persons"
    )
    looks = county.act(
        lambda uow: uow.all(
            "SELECT DISTINCT actor, subject FROM exchange.disclosure WHERE subject <> :n", n=here.dispute
        )
    )
    assert looks and {row["actor"] for row in looks} <= {f"{desk}-city" for desk in LISTS}, (
        "refused looks show nothing"
    )
    mine = county.act(
        lambda uow: uow.all(
            "SELECT DISTINCT purpose, fields FROM exchange.disclosure WHERE subject = :n AND actor LIKE '%330399'",
            n=here.dispute,
        )
    )
    assert {(row["purpose"], *row["fields"]) for row in mine} == {
        ("handle", "matter"), ("pay", "matter"), ("supervise", "matter"), ("handle", "escrow"), ("pay", "escrow"),
        ("supervise", "escrow"), ("handle", "order"), ("pay", "order"), ("supervise", "order"), ("handle", "supervision"),
        ("supervise", "supervision"), ("score", "handling"),
    }  # fmt: skip


def test_no_act_count_or_call_reaches_another_county(
    county: County, people_in: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = both(county)
    for desk, paths in acts(there).items():
        far = people_in(f"{desk}-{HERE}")
        for path in paths:
            hidden = dict(
                re.findall(
                    r'<input type="hidden" name="(token|once)" value="([^"]*)"',
                    far.page("/matters/new" if desk == "mediator" else "/"),
                )
            )
            answer = far.client.post(path, data={**hidden, "once": str(uuid.uuid4()), "what": "urge", "text": "x", "event": "fail",
                                                 "reason": "试", "digest": "0" * 64})  # fmt: skip
            assert answer.status_code == 404, (path, answer.status_code, answer.text[:300])
    far, city = ({name: figure(people_in(f"{desk}-{region}").page(path), label) for name, (desk, path, label) in FIGURES.items()}
                 for region in (HERE, "city"))  # fmt: skip
    assert far == {"waiting": "1", "suspense": "1,000.01", "gaps": "1", "cases": "2"}
    assert city == {"waiting": "2", "suspense": "2,000.03", "gaps": "2", "cases": "4"}
    boards = {code: county.act(lambda uow, c=code: case_registry.board(uow, c)) for code in (HERE, THERE, "")}
    for name in ("all", "gaps", "proposals", "conflicts"):
        assert boards[HERE][name] > 0 and boards[HERE][name] + boards[THERE][name] == boards[""][name], name
    rest(county, there)
    commands(county, here, there, monkeypatch)


FIGURES = {
    "waiting": ("cashier", "/escrow", r"<b>(\d+)</b><span>等第二人确认"), "suspense": ("cashier", "/escrow", r"<b>([\d,.]+)</b><span>挂账"),
    "gaps": ("watch", "/supervision", r"移送脱管 <small>(\d+)"), "cases": ("watch", "/supervision", r"督办件 <small>(\d+)"),
}  # fmt: skip


def figure(page: str, pattern: str) -> str:
    found = re.search(pattern, page)
    assert found, pattern
    return found[1]


def rest(county: County, there: Side) -> None:
    """The same over REST."""
    client = TestClient(make_app(county.hub), raise_server_exceptions=False)
    tokens = {
        who: client.post("/v1/session", json={"id": who, "password": PASSWORD}).json()["token"]
        for desk in ("mediator", "cashier", "checker", "releaser")
        for who in (f"{desk}-{HERE}", f"{desk}-city")
    }
    number = {"mediation_number": there.number}
    reason = {"reason": "试"}
    calls: list[tuple[str, str, str, dict[str, Any]]] = [
        ("mediator", "GET", f"/v1/matter?mediation_number={there.number}", {}),
        ("mediator", "POST", f"/v1/matters/{there.matter}/moves", {"event": "fail", **reason}),
        ("mediator", "POST", f"/v1/agreements/{there.agreement}/void", reason),
        ("mediator", "GET", f"/v1/agreements/{there.agreement}/print", {}),
        ("cashier", "GET", f"/v1/escrow?mediation_number={there.number}", {}),
        ("cashier", "GET", f"/v1/orders/{there.order}", {}),
        ("cashier", "POST", f"/v1/orders/{there.order}/cancel", reason),
        ("cashier", "POST", "/v1/stops", {**number, **reason}),
        ("checker", "POST", f"/v1/orders/{there.order}/check", {"digest": "0" * 64}),
        ("checker", "POST", f"/v1/decisions/{there.decision}/confirm", {}),
        ("checker", "POST", "/v1/escrow/resume", {**number, **reason}),
    ]
    for desk, method, path, body in calls:
        answer = client.request(
            method, path, json=body or None, headers={"Authorization": f"Bearer {tokens[f'{desk}-{HERE}']}"}
        )
        assert answer.status_code == 404 and not one_pages_told(answer.text, there), (path, answer.text)
    for path in (
        "/v1/matters",
        "/v1/escrows",
        "/v1/suspense",
        "/v1/decisions",
        "/v1/reconciliation",
        "/v1/board",
    ):
        desk = "mediator" if path in ("/v1/matters", "/v1/board") else "cashier"
        far, city = (
            client.get(path, headers={"Authorization": f"Bearer {tokens[f'{desk}-{region}']}"}).text
            for region in (HERE, "city")
        )
        assert not [text for text in there.telling if text in far], path
        assert city != far, path


def commands(county: County, here: Side, there: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same by the command line; nobody of the staff sees where a dispute stands, and no names."""
    monkeypatch.setattr("hub.cli.person.hub_of_process", lambda: county.hub)
    monkeypatch.delenv("CONCORD_PERSON", raising=False)

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, [*words])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.output

    for side, code in ((here, 0), (there, 1)):
        assert run("dispute", side.number, "--json", "--as", f"watch-{HERE}")[0] == code
        assert run("supervision", "show", str(side.supervision), "--as", f"watch-{HERE}")[0] == code
    for words in (("list", "--state", ""), ("gaps",), ("times",)):
        status, text = run("supervision", *words, "--json", "--as", f"watch-{HERE}")
        assert status == 0 and not [each for each in there.telling if each in text], words
    assert there.dispute in run("supervision", "list", "--json", "--as", "watch-city")[1]
    assert (
        run("supervision", "act", str(there.supervision), "issue", "seal=x", "--as", f"watch-{HERE}")[0] == 1
    )
    assert (
        run(
            "supervision",
            "draft",
            there.dispute,
            "L3",
            "court",
            "RED_LAMP",
            "--why",
            "x",
            "--as",
            f"watch-{HERE}",
        )[0]
        == 1
    )
    status, text = run("dispute", there.number, "--json")
    assert status == 0 and there.dispute in text and not [name for name in there.telling[:2] if name in text]
    assert run("sharing", "who-saw", "--name", "x", "--phone", "1")[0] == 1
    assert run("dispute", there.number, "--as", "nobody")[0] == 1
    who = county.act(
        lambda uow: uow.all("SELECT recipient FROM exchange.disclosure WHERE recipient LIKE '%(cli/%'")
    )
    assert {row["recipient"].split(" ")[0] for row in who} == {f"watch-{HERE}"}
