"""All twelve published stories, the registry's side: the agencies' real messages through their adapters, the office's
and the escrow's facts as the stories state them; stage, holder and flags must match step by step."""

from __future__ import annotations

import csv
import importlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from case_registry import (
    Source,
    decide_link,
    escrow_summary,
    proposals,
    rebuilt_hash,
    record,
    set_notices_owed,
    state_hash,
    whereabouts_of,
)  # fmt: skip
from case_registry.flags import ORDER
from case_registry.told import BEIJING
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub.office_import import causes
from schemas.claims import Claim, PartyClaim, Record
from schemas.exchange import Known, RawMessage

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
PACK = ROOT / "sandbox" / "story_pack" / "contract" / "scenarios"
ADAPTER = {
    "court": "court_feed",
    "petition": "petition_asmx",
    "procuratorate": "procuratorate_wss",
    "arbitration": "arbitration_rest",
}
AGENCY_KEYS = {"court": "court_mark", "petition": "petition_no", "arbitration": "arbitration_id",
               "procuratorate": "procuratorate_no", "mediation": "mediation_no"}  # fmt: skip
DISPUTES = {row["dispute"]: row for row in csv.DictReader((PACK / "disputes.csv").open(encoding="utf-8"))}
OFFICE = Source("office", "office", "mediation")
# Stages that only the office's own doing explains, as the state of its case.
OFFICE_STATE = {"AGREED": "AGREED", "MEDIATION_FAILED": "FAILED"}


class Story:
    """One story played into the registry."""

    def __init__(self, name: str) -> None:
        self.folder = PACK / name
        self.told = json.loads((self.folder / "expected.json").read_text("utf-8"))
        self.versions: dict[str, int] = {}
        self.office: dict[str, str] = {}

    def agency(self, uow: UnitOfWork, step: dict[str, Any]) -> None:
        adapter = ADAPTER[step["sender"]]
        content = (self.folder / step["file"]).read_bytes()
        at = datetime.fromisoformat(step["at"]).replace(tzinfo=BEIJING)
        mapping = importlib.import_module(f"connectors.{adapter}.mapping")
        raw = RawMessage(adapter, "file", "", content, at, {}, step["file"])
        reading = mapping.read(raw, Known(check_authenticity=False))
        assert reading.records and not reading.refused, reading.findings
        record(uow, Source(adapter, step["sender"], step["sender"]), uow.new_id(), reading.records)

    def by_office(self, uow: UnitOfWork, dispute: str, state: str, at: str) -> None:
        if self.office.get(dispute) == state:
            return
        self.office[dispute] = state
        row = DISPUTES[dispute]
        self.versions[dispute] = self.versions.get(dispute, 0) + 1
        agreed = state == "AGREED"
        values = {
            "proceeding_kind": "MEDIATION", "state": state, "cause": causes()[row["type"]], "claimed_fen": int(row["claim_fen"]),
            "opened_on": row["accepted_on"], "organisation": row["committee"], "mediator": row["mediator"],
            "agreed_fen": int(row["agreed_fen"]) if agreed else None, "agreed_on": row["agreed_on"] if agreed else None,
        }  # fmt: skip
        told = Record("episode", row["mediation_no"], (self.versions[dispute],), at,
                      claims=tuple(Claim(k, v) for k, v in values.items()), parties=tuple(_parties(row)))  # fmt: skip
        record(uow, OFFICE, uow.new_id(), [told])

    def follow(self, uow: UnitOfWork, step: dict[str, Any]) -> None:
        """What the office and the escrow do in this step."""
        for dispute, expected in step["registry"].items():
            stage, number = expected["stage"], DISPUTES[dispute]["mediation_no"]
            if stage in OFFICE_STATE and (step["sender"], stage) != ("court", "MEDIATION_FAILED"):
                self.by_office(uow, dispute, OFFICE_STATE[stage], step["at"])
            elif stage == "MEDIATING" and self.office.get(dispute) == "AGREED":
                self.by_office(uow, dispute, "OPEN", step["at"])
            escrow = step["escrow"].get(dispute, {"state": "NONE"})
            if dispute in self.office and escrow["state"] != "NONE":
                owed = escrow["state"] == "COMPLETED" and stage != "CLOSED"
                set_notices_owed(uow, number, int(owed))
                own = [f for f in step["flags"] if f.split(":")[0] not in ORDER]
                escrow_summary(uow, number, {**escrow, "flags": own})


def _parties(row: dict[str, str]) -> list[PartyClaim]:
    made = []
    for role, column in (("applicant", "applicants"), ("respondent", "respondents")):
        for i, told in enumerate(row[column].split("|")):
            name, identity = told.split(":")
            body = identity.startswith("91")
            made.append(PartyClaim(role, "organisation" if body else "person", name, f"{role}{i}",  # type: ignore[arg-type]
                                   id_number=None if body else identity, credit_code=identity if body else None))  # fmt: skip
    return made


@pytest.mark.parametrize("name", [f"S{n:02d}" for n in range(1, 13)])
def test_story(engine: Any, set_clock: Any, name: str) -> None:
    story = Story(name)
    for step in story.told["steps"]:
        set_clock(step["at"])
        with unit_of_work(engine) as uow:
            if step["sender"] in ADAPTER and step["file"]:
                story.agency(uow, step)
            story.follow(uow, step)
            for proposal in proposals(uow):  # the person who confirms names, cause, sum and date
                assert name in ("S02", "S04"), proposal
                decide_link(uow, proposal["id"], True, "同一当事人、案由、金额、日期")
            for dispute, expected in step["registry"].items():
                row = DISPUTES[dispute]
                spot = whereabouts_of(uow, [(agency, row[key]) for agency, key in AGENCY_KEYS.items()])
                where = (name, step["step"], dispute, spot)
                assert spot.stage == expected["stage"], where
                if len(step["registry"]) == 1:
                    assert (spot.holder, sorted(spot.flags)) == (step["holder"], sorted(step["flags"])), where
            assert state_hash(uow) == rebuilt_hash(uow)
