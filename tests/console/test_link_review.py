"""The review of links by ordinary forms and as the page's script asks: answers, two officers, looks, estimates."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from starlette.testclient import TestClient

import case_registry
from exchange_api.app import make_app
from foundation.unit_of_work import unit_of_work
from hub.jobs import audit_links
from tests.console.conftest import Reader, form_to
from tests.console.link_pairs import pairs
from tests.console.world import PASSWORD, County

Enter = Callable[[str], Reader]


def path_of(page: str) -> str:
    found = re.search(r'action="(/links/[0-9a-f-]{36})"', page)
    assert found is not None
    return found[1]


def count(county: County, sql: str) -> int:
    with unit_of_work(county.hub.engine) as uow:
        return int(uow.scalar(sql))


def test_pair_after_pair_by_forms(enter: Enter, county: County) -> None:
    pairs(county, 3)
    reviewer, clerk = enter("reviewer1"), enter("clerk1")
    assert 'href="/links"' in reviewer.page("/")
    shown = reviewer.page("/links")
    assert "姓名相同" in shown and "46,000.00" in shown and "何国平" in shown and "待判清单" in shown
    assert not re.search(r"JF-2026-\d", shown), "nothing tells which dispute each stands in"
    assert "由审核员或管理员决定" in clerk.page("/links")
    first = path_of(shown)
    shown = reviewer.send("/links", first, said="SAME", reason="")
    assert "已记：同一纠纷" in shown and path_of(shown) != first
    second = path_of(shown)
    shown = reviewer.send("/links", second, said="LATER", reason="等法院回函")
    assert "暂缓" in shown and path_of(shown) not in (first, second)
    third = path_of(shown)
    stale = form_to(shown, third)
    shown = reviewer.send("/links", third, said="DIFFERENT", reason="债务人不是一个人")
    assert path_of(shown) == second, "what was put off comes last"
    assert (
        count(
            county,
            "SELECT count(*) FROM registry.link_decision WHERE reason = '逐项核对相符，认定为同一纠纷'",
        )
        == 1
    )
    assert count(county, "SELECT count(*) FROM exchange.disclosure WHERE recipient = 'reviewer1'") >= 6, (
        "each look leaves lines"
    )
    shown = reviewer.send("/links", "/links/take-back")
    assert (
        "恢复原状" in shown
        and count(county, "SELECT count(*) FROM registry.proposal WHERE state = 'OPEN'") == 2
    )
    other = enter("operator1")
    answer = other.client.post(third, data={**stale, **_fresh(other, "/links"), "said": "SAME"})
    assert answer.status_code == 409 and "已重新列入清单" in answer.text


def _fresh(reader: Reader, page: str) -> dict[str, str]:
    """The token and the number of a form that this session's page holds."""
    shown = form_to(reader.page(page), "/links/take-back")
    return {name: shown[name] for name in ("token", "once")}


def test_as_the_script_asks(enter: Enter, county: County) -> None:
    pairs(county, 2)
    reviewer, other = enter("reviewer1"), enter("operator1")
    first = path_of(reviewer.page("/links"))
    assert path_of(other.page("/links")) != first, "what one has before him comes later for the other"
    card = other.page(first)
    assert "<html" not in card and 'data-card="' in card
    form = {**form_to(card, first), "said": "DIFFERENT"}
    answer = reviewer.client.post(
        first,
        data={**form_to(reviewer.page(first), first), "said": "SAME"},
        headers={"accept": "application/json"},
    )
    assert answer.json() == {"notice": "已记：同一纠纷", "at": None}
    refused = other.client.post(first, data=form, headers={"accept": "application/json"})
    assert refused.status_code == 409 and re.search("已由 陈娟 于 .* 判定：同一纠纷", refused.text)
    again = other.client.post(first, data=form, headers={"accept": "application/json"})
    assert again.status_code == 409, "what was refused counts as not sent"
    reviewer.page(first, 404)
    back = reviewer.client.post(
        "/links/take-back",
        data=form_to(reviewer.page("/links"), "/links/take-back"),
        headers={"accept": "application/json"},
    )
    assert back.status_code == 200 and reviewer.page(f"/links/{back.json()['at']}")


def test_estimates_say_when_they_cannot_say(enter: Enter, county: County) -> None:
    pairs(county, 2)
    county.conflict()
    reviewer, page = enter("reviewer1"), "/links/estimates"
    shown = reviewer.page(page)
    assert (
        "尚未抽样" in shown
        and shown.count("决定太少，尚不能说") >= 3
        and "至少需要（全部一致时） 765" in shown
    )
    assert "已随机抽取" in reviewer.send(page, "/links/draw", pairs="5")
    assert count(county, "SELECT count(*) FROM registry.link_audit WHERE stratum = 'LINK'") == 1
    assert "3" in re.search(r'id="left">(\d+)<', reviewer.page("/links"))[1]  # type: ignore[index]
    assert "已判" in reviewer.page(f"{page}?wanted=0.9") and "应为" in reviewer.page(f"{page}?wanted=x", 422)
    assert audit_links(county.hub)["drawn"] >= 1, "every week the same, by itself"
    assert "English" in shown and "Precision of what links by itself" in _english(reviewer, page)


def _english(reader: Reader, page: str) -> str:
    reader.client.get(f"/language/en?target={page}")
    return reader.page(page)


def test_a_floor_is_adopted_and_taken_back(enter: Enter, county: County) -> None:
    pairs(county, 5)
    reviewer, page = enter("reviewer1"), "/links/estimates?wanted=0.5"
    for _ in range(4):
        path = path_of(reviewer.page("/links"))
        reviewer.send("/links", path, said="DIFFERENT", reason="")
    with unit_of_work(county.hub.engine) as uow:
        uow.execute("UPDATE registry.link_decision SET score = score - row.n FROM (SELECT id, row_number() OVER (ORDER BY id) AS n"
                    " FROM registry.link_decision) row WHERE row.id = link_decision.id")  # fmt: skip
        assert case_registry.link_estimates(uow, 0.5)["learnt"]["floor"] is None, (
            "4 of one kind bear out no more than .51"
        )
    path = path_of(reviewer.page("/links"))
    reviewer.send("/links", path, said="SAME", reason="")
    shown = reviewer.page(page)
    assert "决定所支持的下限" in shown
    assert "缺少必填内容" in reviewer.send(page, "/links/floor", 422, reason="")
    assert "新下限已生效" in reviewer.send(page, "/links/floor", reason="四件都不是")
    assert "四件都不是" in reviewer.page(page)
    assert "已恢复前一个下限" in reviewer.send(page, "/links/floor/take-back", reason="样本太小")
    assert (
        count(county, "SELECT count(*) FROM registry.link_floor WHERE floor IS NULL AND takes_back = 1") == 1
    )


def test_over_rest(county: County) -> None:
    pairs(county, 2)
    client = TestClient(make_app(county.hub), raise_server_exceptions=False)

    def call(who: str, method: str, path: str, **body: Any) -> tuple[int, Any]:
        token = client.post("/v1/session", json={"id": who, "password": PASSWORD}).json()["token"]
        answer = client.request(method, path, json=body or None, headers={"Authorization": f"Bearer {token}"})
        return answer.status_code, answer.json()

    status, told = call("reviewer1", "GET", "/v1/link-reviews")
    assert status == 200 and told["counts"]["all"] == 2
    first, second = (f"/v1/link-reviews/{row['id']}" for row in told["reviews"])
    shown = call("reviewer1", "GET", first)[1]
    assert shown["one"]["values"]["cause"] == "民间借贷纠纷" and "looked_at" not in shown
    said = {"answer": "SAME", "reason": "核实", "version": shown["version"]}
    assert call("clerk1", "POST", f"{first}/answer", **said)[0] == 403
    assert call("reviewer1", "POST", f"{first}/answer", **said)[0] == 200
    status, problem = call("operator1", "POST", f"{first}/answer", **said)
    assert status == 409 and problem["code"] == "NOT_ALLOWED" and "陈娟" in problem["detail"]
    assert call("operator1", "POST", f"{second}/answer", **said | {"version": "0"})[0] == 409
    assert call("operator1", "POST", "/v1/link-answers/take-back", reason="不是我的")[0] == 409
    status, back = call("reviewer1", "POST", "/v1/link-answers/take-back", reason="再看")
    assert status == 200 and call("reviewer1", "GET", f"/v1/link-reviews/{back['review']}")[0] == 200
    assert call("reviewer1", "POST", "/v1/link-audits", pairs=3)[0] == 201
    estimates = call("auditor1", "GET", "/v1/link-reviews/estimates?wanted=0.9")[1]
    assert estimates["learnt"]["needed"] == 35 and estimates["links"]["value"] is None
    assert call("reviewer1", "POST", "/v1/link-floors", wanted=0.9, score=1, reason="早")[0] == 409
    assert call("auditor1", "GET", "/v1/link-floors")[1] == {"floors": []}
    assert call("reviewer1", "POST", "/v1/link-floors/1/take-back", reason="无")[0] == 409
