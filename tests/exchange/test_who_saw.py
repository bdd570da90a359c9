"""Who saw a person's data: by number, by name and telephone, over REST and by command; nobody else's rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from case_registry import Source
from foundation.settings import ROOT
from foundation.staff import add_staff
from foundation.unit_of_work import unit_of_work
from hub import sharing
from hub.pipeline import Hub
from hub.who_saw import who_saw
from schemas.findings import Refused
from tests.case_registry.make import episode, person
from tests.console.world import PAYEE, PAYEE_ID, PAYER_ID, County, resident
from tests.exchange.agreements import WHEREABOUTS, share, toml
from tests.exchange.open_side import served
from tests.exchange.partner_side import enter

STREET = Source("ouqi_street", "330399T", "street")
OTHER_ID = resident("19700101", 7)


@pytest.fixture
def hub(bare_hub: Hub) -> Hub:
    """Two disputes of different people; the street was shown each once, an officer read the first."""
    found = bare_hub
    county = County(found)
    told = {"cause": "相邻关系纠纷", "opened_on": "2026-03-05", "occurred_on": "2026-03-01"}
    sides = [
        person(PAYEE, id_number=PAYEE_ID, phone="10012340001"),
        person("戴超忠", "respondent", id_number=PAYER_ID),
    ]
    first = county.record(STREET, episode("JD-1", "OTHER", parties=sides, **told))
    second = county.record(
        STREET, episode("JD-2", "OTHER", parties=[person("郑宏", id_number=OTHER_ID)], **told)
    )
    assert first != second
    with unit_of_work(found.engine) as uow:
        fields = [*WHEREABOUTS, "parties", "parties.name"]
        enter(uow)
        share(uow, STREET.partner, fields=fields)
        record = {"stage": "OPEN", "parties": [{"name": PAYEE}]}
        sharing.shared_view(uow, STREET.partner, "whereabouts", record, "PROGRESS", subject=first)
        sharing.shared_view(uow, STREET.partner, "whereabouts", {"stage": "OPEN"}, "PROGRESS", subject="JD-2")
        add_staff(uow, "auditor1", "项华", "审计局", ["auditor"], "password-1")
        add_staff(uow, "clerk1", "林晓", "调解中心", ["intake_clerk"], "password-1")
    return found


def test_by_number_and_by_name_with_telephone(hub: Hub) -> None:
    with unit_of_work(hub.engine) as uow:
        (row,) = who_saw(uow, number=f" {PAYEE_ID} ")
        assert (row["recipient"], row["agreement"], row["personal"]) == (
            STREET.partner,
            f"T-{STREET.partner}",
            True,
        )
        assert who_saw(uow, name=PAYEE, phone="10012340001") == [row]
        assert who_saw(uow, name=PAYEE, phone="10012340009") == []
        # The dispute's own number in another agency's words leads to the same person.
        (other,) = who_saw(uow, number=OTHER_ID)
        assert (other["subject"], other["personal"]) == ("JD-2", False)
        for wrong in ({}, {"name": PAYEE}, {"phone": "10012340001"}):
            with pytest.raises(Refused):
                who_saw(uow, **wrong)


def test_over_rest_for_those_who_read_the_log(hub: Hub) -> None:
    with served(hub) as url, httpx.Client(base_url=url, trust_env=False) as http:

        def token(name: str) -> dict[str, str]:
            answer = http.post("/v1/session", json={"id": name, "password": "password-1"})
            return {"authorization": f"Bearer {answer.json()['token']}"}

        auditor, clerk = token("auditor1"), token("clerk1")
        found = http.post("/v1/who-saw", json={"number": PAYEE_ID}, headers=auditor).json()["disclosures"]
        assert [each["agreement"] for each in found] == [f"T-{STREET.partner}"]
        assert http.post("/v1/who-saw", json={}, headers=auditor).status_code == 422
        assert http.post("/v1/who-saw", json={"number": PAYEE_ID}, headers=clerk).status_code == 403
        listed = http.get("/v1/sharing-agreements", headers=auditor).json()["agreements"]
        assert f"T-{STREET.partner}" in [each["id"] for each in listed]
        assert all(each["state"] == "IN_FORCE" and each["legal_basis"] for each in listed)
        stop = {"stopped": True, "reason": "x"}
        assert (
            http.post(
                f"/v1/sharing-agreements/T-{STREET.partner}/stop", json=stop, headers=auditor
            ).status_code
            == 403
        )
        assert http.get("/v1/differences", headers=auditor).json() == {"differences": [], "comparisons": []}


def test_by_command(hub: Hub, database_url: str, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "CONCORD_DATABASE_URL": database_url,
        "CONCORD_VAR_DIR": str(tmp_path),
        "CONCORD_AMQP_URL": "",
    }

    def concord(*words: str, told: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "hub", "sharing", *words], cwd=ROOT, env=environment, input=told, capture_output=True,
            text=True, timeout=120, check=False,
        )  # fmt: skip

    saw = concord("who-saw", "--json", "--as", "auditor1", told=f"{PAYEE_ID}\n")
    assert saw.returncode == 0, saw.stderr
    assert len(json.loads(saw.stdout[saw.stdout.index("[") :])) == 1
    assert PAYEE_ID not in " ".join(saw.args[1:])
    file = tmp_path / "more.toml"
    file.write_bytes(toml({"id": "T-more", "from": "2027-01-01", "until": "2027-12-31"}))
    assert concord("check", str(file)).returncode == 0
    assert concord("enter", STREET.partner, str(file)).returncode == 0
    assert concord("enter", STREET.partner, str(file)).returncode == 1
    assert concord("stop", f"T-{STREET.partner}", "--reason", "a breach").returncode == 0
    states = {each["id"]: each["state"] for each in json.loads(concord("list", "--json").stdout)}
    assert (states["T-more"], states[f"T-{STREET.partner}"]) == ("NOT_YET", "STOPPED")
    assert concord("resume", f"T-{STREET.partner}", "--reason", "settled").returncode == 0
    file.write_bytes(
        toml({"fields": ["narrative"], "data_set": "mediation_result", "purpose": "CASE_RESULT"})
    )
    refused = concord("check", str(file))
    assert refused.returncode == 1 and "NOT_AUTHORISED" in refused.stderr
