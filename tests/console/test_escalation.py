"""Likelihood of escalation on the screen and over REST: with reasons and hit rate, or a sentence that says there is none."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from case_registry import escalation, escalation_rating
from exchange_api.app import make_app
from foundation.unit_of_work import unit_of_work
from hub import jobs
from hub.cli import person as cli_person
from hub.cli.app import app
from tests.case_registry.make import MEDIATION, PETITION, episode, person, resident
from tests.console.conftest import Reader
from tests.console.world import PASSWORD, County

Enter = Callable[[str], Reader]
HINT = "不得据此作出决定"
WITHOUT = "没有有效的回测结果"


def likely(county: County) -> str:
    """A labour dispute whose mediation failed some days ago, petitioned twice; rated."""
    sides = [person("夏冬", id_number=resident(7)), person("郑宏", "respondent", id_number=resident(8))]
    told = {
        "cause": "追索劳动报酬纠纷",
        "claimed_fen": 11_082_850,
        "parties": sides,
        "place_code": "330399001",
    }
    county.record(
        MEDIATION,
        episode("T1", "MEDIATION", "FAILED", opened_on="2026-02-01", closed_on="2026-03-25", **told),
    )
    county.record(PETITION, episode("X1", "PETITION", opened_on="2026-03-02", **told))
    number = county.record(PETITION, episode("X2", "PETITION", opened_on="2026-03-28", **told))
    assert jobs.watch_deadlines(county.hub)["escalations_rated"] == 1
    return number


def test_shown_with_reasons_and_hit_rate_to_those_who_watch(enter: Enter, county: County) -> None:
    number = likely(county)
    officer = enter("supervisor1")
    shown = officer.page(f"/disputes/{number}")
    card = shown[shown.index('id="escalation"') :]
    for text in (
        "近 60 日内调解不成",
        "重复信访",
        "命中率",
        "依据模拟历史，非真实案件",
        "20261124",
        "95% 区间",
        HINT,
    ):
        assert text in card, text
    listed = officer.page("/escalation")
    assert (
        number in listed
        and HINT in listed
        and "命中率" in listed
        and "/escalation" in officer.page("/supervision")
    )
    assert number in officer.page("/escalation?band=HIGH") and number not in officer.page(
        "/escalation?band=RAISED"
    )
    officer.client.get("/language/en?target=/")
    assert "On made-up histories, not real cases" in officer.page(f"/disputes/{number}")
    assert "Nothing may be decided" in officer.page("/escalation")
    with unit_of_work(county.hub.engine) as uow:
        looks = uow.all(
            "SELECT recipient, subject FROM exchange.disclosure WHERE fields = '[\"escalation\"]'"
        )
    assert {(row["recipient"], row["subject"]) for row in looks} == {("supervisor1", number)}
    for who in ("mediator1", "cashier1"):
        other = enter(who)
        assert 'id="escalation"' not in other.page(f"/disputes/{number}")
        other.page("/escalation", 403)


def test_without_a_hit_rate_a_sentence_and_nothing_else(
    enter: Enter, county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = likely(county)
    weights = escalation.model()
    bare = escalation.Model(weights.version, weights.base, weights.weights)
    monkeypatch.setattr(escalation_rating, "model", lambda: bare)
    officer = enter("supervisor1")
    shown = officer.page(f"/disputes/{number}")
    card = shown[shown.index('id="escalation"') : shown.index("</section>", shown.index('id="escalation"'))]
    assert WITHOUT in card and "%" not in card and "近 60 日内" not in card
    listed = officer.page("/escalation")
    assert WITHOUT in listed and number not in listed


def test_over_rest(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    number = likely(county)
    with TestClient(make_app(county.hub)) as client:

        def get(who: str, path: str, **asked: str) -> tuple[int, dict]:  # type: ignore[type-arg]
            token = client.post("/v1/session", json={"id": who, "password": PASSWORD}).json()["token"]
            answer = client.get(path, params=asked, headers={"Authorization": f"Bearer {token}"})
            return answer.status_code, answer.json()

        status, listed = get("supervisor1", "/v1/escalations")
        assert status == 200 and [row["number"] for row in listed["disputes"]] == [number]
        assert listed["hit_rate"]["history"] == "generated" and listed["horizon_days"] == 60
        told = get("supervisor1", "/v1/dispute", number=number)[1]["escalation"]
        assert (
            told["band"] == "HIGH"
            and told["hit_rate"]["high"]["flagged"] > 100
            and told["reasons"][0]["points"]
        )
        assert get("cashier1", "/v1/dispute", number=number)[1]["escalation"] is None
        assert get("mediator1", "/v1/escalations")[0] == 403
        assert get("supervisor1", "/v1/escalations", purpose="pay")[0] in (403, 422)
        bare = escalation.Model("t", -2.0, {"U02": 1.0})
        monkeypatch.setattr(escalation_rating, "model", lambda: bare)
        nothing = {"hit_rate": None, "why": "NO_BACK_TEST"}
        assert get("supervisor1", "/v1/escalations")[1] == {**nothing, "disputes": []}
        assert get("supervisor1", "/v1/dispute", number=number)[1]["escalation"] == nothing


def test_by_command(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    number = likely(county)
    monkeypatch.setattr(cli_person, "hub_of_process", lambda: county.hub)

    def run(*words: str) -> tuple[int, str]:
        told = CliRunner().invoke(app, ["escalation", *words])
        return told.exit_code, told.stdout

    code, listed = run("list", "--as", "supervisor1", "--json")
    assert code == 0 and [row["number"] for row in json.loads(listed)["disputes"]] == [number]
    code, listed = run("list", "--as", "supervisor1")
    assert code == 0 and number in listed and "hit rate: generated" in listed and "plain rule" in listed
    assert json.loads(run("list", "--as", "cashier1", "--json")[1])["disputes"] == []
    # Opened only now: no day lies a whole horizon behind.
    assert run("back-test")[0] == 1
    county.act(lambda uow: uow.execute("UPDATE registry.dispute SET opened_at = '2025-10-20'"))
    code, told = run("back-test", "--seed", "3")
    assert code == 1 and not told  # nor was anything known of it then
