"""Acceptance 8: nothing of a sealed dispute leaks through search, counts, pages, errors or logs; each look leaves a line."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

import case_registry
from exchange_api.app import make_app
from foundation.staff import add_staff
from tests.case_registry.make import COURT, PETITION, episode, person
from tests.console.conftest import Reader
from tests.console.world import PASSWORD, County, resident

Enter = Callable[[str], Reader]
NAME, OTHER = "欧阳封存", "司徒不见"
NATIVE, CAUSE = "SEALED-330399-1", "侵害未成年人权益纠纷"
TELLING = (NAME, OTHER, NATIVE, CAUSE)
WITHOUT = ("clerk1", "mediator1", "reviewer1", "cashier1", "operator1")
WITH = ("supervisor1", "auditor1")


def sealed(county: County, *, sealed: bool = True) -> str:
    """A dispute of two agencies with a child in it; ``sealed`` as the court says."""
    parties = [
        person(NAME, "applicant", id_number=resident("20140623", 761)),
        person(OTHER, "respondent", id_number=resident("19800623", 761)),
    ]
    number = county.record(
        COURT, episode(NATIVE, "TRIAL", cause=CAUSE, sealed=sealed, place_code="330399", parties=parties)
    )
    county.record(
        PETITION, episode("XF-NAMED", "PETITION", cause="邻里", parties=[person(NAME, "applicant")])
    )
    return number


def api(county: County, who: str) -> Callable[..., tuple[int, str]]:
    client = TestClient(make_app(county.hub), raise_server_exceptions=False)
    token = client.post("/v1/session", json={"id": who, "password": PASSWORD}).json()["token"]

    def get(path: str, **params: str) -> tuple[int, str]:
        answer = client.get(path, params=params, headers={"Authorization": f"Bearer {token}"})
        return answer.status_code, answer.text

    return get


PATHS = (
    ("/v1/disputes", {}), ("/v1/disputes", {"text": NAME}), ("/v1/disputes", {"text": NATIVE}),
    ("/v1/disputes", {"agency": "court"}), ("/v1/board", {}), ("/v1/my-work", {}), ("/v1/conflicts", {}),
    ("/v1/proposals", {}), ("/v1/link-reviews", {}), ("/v1/whereabouts", {"ref": f"court:{NATIVE}"}),
)  # fmt: skip


def test_the_api_tells_nothing_of_it(county: County, caplog: pytest.LogCaptureFixture) -> None:
    number = sealed(county)
    with caplog.at_level(logging.DEBUG):
        for who in WITHOUT:
            get = api(county, who)
            for path, params in PATHS:
                status, text = get(path, **params)
                assert status in (200, 403), (who, path, text)
                assert number not in text and not any(each in text for each in (NATIVE, CAUSE, OTHER)), (
                    who,
                    path,
                    params,
                    text,
                )
            for path in ("/v1/dispute", "/v1/dispute/timeline"):
                for name in (number, NATIVE):
                    told = get(path, number=name)
                    unknown = get(path, number="JF-2026-888888")
                    assert told[0] == 404
                    assert told[1].replace(name, "#") == unknown[1].replace("JF-2026-888888", "#"), (
                        who,
                        path,
                    )
        for who in WITH:
            get = api(county, who)
            assert get("/v1/dispute", number=NATIVE)[0] == 200
            assert number in get("/v1/disputes", text=NAME)[1]
    logged = "\n".join(
        record.getMessage() for record in caplog.records if not record.name.startswith("httpx")
    )
    assert not any(each in logged for each in TELLING)
    looks = county.act(
        lambda uow: uow.all("SELECT actor, purpose FROM exchange.disclosure WHERE subject = :n", n=number)
    )
    assert {(look["actor"], look["purpose"]) for look in looks} == {
        ("supervisor1", "supervise"),
        ("auditor1", "audit"),
    }


def test_pages_tell_nothing_of_it(county: County, enter: Enter) -> None:
    number = sealed(county)
    pages = (
        "/",
        "/disputes",
        f"/disputes?text={NAME}",
        f"/disputes?text={NATIVE}",
        f"/disputes?text={number}",
    )
    for who in WITHOUT:
        reader = enter(who)
        for path in pages:
            shown = reader.page(path)
            rest = (
                shown.replace(f'value="{NAME}"', "")
                .replace(f'value="{NATIVE}"', "")
                .replace(f'value="{number}"', "")
            )
            assert f"/disputes/{number}" not in rest and CAUSE not in rest and OTHER not in rest, (who, path)
        told, unknown = reader.page(f"/disputes/{number}", 404), reader.page("/disputes/JF-2026-888888", 404)
        assert CAUSE not in told and NAME not in told
        assert told.replace(number, "#") == unknown.replace("JF-2026-888888", "#")
    for who in WITH:
        assert NAME in enter(who).page(f"/disputes/{number}")


def test_counts_are_the_same_with_and_without_it(county: County) -> None:
    before = county.act(case_registry.board)
    sealed(county)
    after = county.act(case_registry.board)
    assert after["all"] == before["all"] + 1, "the petition alone"
    assert {k: v for k, v in after["stage"].items() if k != "IN_PETITION"} == before["stage"]
    assert (after["proposals"], after["conflicts"], after["gaps"]) == (
        before["proposals"],
        before["conflicts"],
        before["gaps"],
    )


def test_a_county_and_an_agency_see_their_own(county: County) -> None:
    """Region and agency of the person bound what is seen; an operator sees where it stands, and no names."""
    number = sealed(county, sealed=False)
    for who, role, region, agency in (
        ("own", "mediator", "330399", ""), ("far", "mediator", "330302", ""), ("court", "mediator", "330399", "court"),
        ("labour", "mediator", "330399", "arbitration"), ("pays", "cashier", "330399", "arbitration"),
        ("runs", "operator", "", ""),
    ):  # fmt: skip
        county.act(
            lambda uow, a=(who, role, region, agency): add_staff(
                uow, a[0], a[0], "", [a[1]], PASSWORD, region=a[2], agency=a[3]
            )
        )
    seen = {
        who: api(county, who)("/v1/dispute", number=number)[0]
        for who in ("own", "far", "court", "labour", "pays")
    }
    assert seen == {"own": 200, "far": 404, "court": 200, "labour": 404, "pays": 200}
    status, text = api(county, "runs")("/v1/dispute", number=number)
    assert status == 200 and NAME not in text and CAUSE not in text and NATIVE in text
    assert api(county, "runs")("/v1/dispute", number=number, purpose="audit")[0] in (403, 422)


def test_an_export_is_marked_and_written_down_and_holds_nothing_sealed(county: County, enter: Enter) -> None:
    number = sealed(county)
    open_number = county.record(
        COURT,
        episode("C-OPEN", "TRIAL", cause="=1+1", place_code="330399", parties=[person("@公开", "applicant")]),
    )
    answer = enter("mediator1").client.get("/disputes-export")
    text = answer.content.decode("utf-8-sig")
    rows = text.splitlines()
    assert answer.headers["content-type"].startswith("text/csv") and number not in text and OTHER not in text
    taken = answer.headers["content-disposition"].split('"')[1].removesuffix(".csv")
    assert open_number in text and len(rows) >= 3
    assert all(f"{taken} mediator1 2026-04-01" in row and row.endswith(" handle") for row in rows[1:])
    assert not any(cell.startswith(("=", "@")) for row in rows for cell in row.split(","))
    written = county.act(
        lambda uow: uow.all(
            "SELECT subject FROM exchange.disclosure WHERE purpose = 'export handle' AND actor = 'mediator1'"
        )
    )
    assert len(written) == len(rows) - 1
    line = county.act(
        lambda uow: uow.one(
            "SELECT detail FROM exchange.journal WHERE kind = 'exported' AND ref = :r", r=taken
        )
    )
    assert line["detail"]["rows"] == len(rows) - 1
    assert OTHER in enter("auditor1").client.get("/disputes-export", params={"text": OTHER}).content.decode()
