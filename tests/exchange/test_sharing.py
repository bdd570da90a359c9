"""Sharing agreements: default deny on every path, masking, ends and stops, concessions never, each line written down."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from case_registry import Source
from connectors import all_connectors
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub import sharing, sharing_register
from schemas.findings import Refused
from tests.acceptance.made_up_folders import write_folder
from tests.exchange.agreements import WHEREABOUTS, share, toml
from tests.exchange.sharing_world import SECRET

Clock = Callable[[datetime | str], None]
STREET = Source("ouqi_street", "330399T", "street")


# ---- one record ---------------------------------------------------------------------------------------------


def test_a_view_is_cut_masked_and_written_down(uow: UnitOfWork) -> None:
    fields = [
        *WHEREABOUTS,
        "parties",
        "parties.name",
        "parties.id_number",
        "parties.phone",
        "parties.address",
    ]
    share(uow, "p1", fields=fields, unmasked=["parties.phone"], unmasked_because="to call")
    record = {
        "dispute": "JF-1", "stage": "AGREED", "county": "330399", "narrative": SECRET,
        "parties": [{"role": "applicant", "name": "江秀英", "id_number": "330399198805160222", "phone": "10012345678",
                     "address": "瓯栖县石坦乡石坦村12号"},
                    {"name": "江小英", "minor": True}],
    }  # fmt: skip
    seen = sharing.shared_view(uow, "p1", "whereabouts", record, "PROGRESS", subject="JF-1")
    assert seen.record["parties"] == [
        {"name": "江*", "id_number": "330399********0222", "phone": "10012345678", "address": "瓯栖县石坦乡*"},
        {"name": "江某某"},
    ]  # fmt: skip
    assert set(seen.record) == {"dispute", "stage", "parties"}
    assert seen.withheld == ("county", "narrative", "parties.minor", "parties.role")
    line = uow.one("SELECT * FROM exchange.disclosure")
    assert line is not None
    assert (line["agreement"], line["recipient"], line["purpose"], line["subject"]) == (
        "T-p1",
        "p1",
        "PROGRESS",
        "JF-1",
    )
    assert line["fields"] == ["dispute", "parties", "stage"] and line["basis"] == "人民调解法 第31条"
    assert (
        uow.scalar(
            "SELECT count(*) FROM exchange.journal WHERE kind = 'disclosed' AND ref = :r", r=str(line["id"])
        )
        == 1
    )


@pytest.mark.parametrize(
    ("rule", "value", "shown"),
    [
        ("name", "张三", "张*"), ("name", "欧阳小明", "欧*"), ("name", "张", "***"), ("phone", "13812345678", "138****5678"),
        ("account", "9955000000000000017", "***************0017"), ("id_number", "12345", "***"), ("name", None, None),
        ("address", "幸福小区", "***"), ("address", "石坦乡", "石坦乡"), ("minor_name", "张三", "张某某"),
    ],
)  # fmt: skip
def test_masks(rule: str, value: str | None, shown: str | None) -> None:
    from hub.masking import masked
    from hub.sharing_terms import vocabulary

    assert masked(value, vocabulary()["masks"][rule]) == shown


@pytest.mark.parametrize(
    "wrong",
    [
        {"data_set": "payee"}, {"purpose": "CASE_RESULT"}, {"from": "2026-04-02"}, {"until": "2026-03-31"},
    ],
)  # fmt: skip
def test_other_data_purpose_or_time_is_not_covered(uow: UnitOfWork, wrong: dict[str, Any]) -> None:
    more = {"fields": ["name"]} if "data_set" in wrong else {}
    share(uow, "p1", **wrong, **more)
    with pytest.raises(Refused) as refused:
        sharing.shared_view(uow, "p1", "whereabouts", {"stage": "AGREED"}, "PROGRESS", subject="JF-1")
    assert refused.value.findings[0].code == "NOT_SHARED"
    assert uow.scalar("SELECT count(*) FROM exchange.disclosure") == 0


def test_it_holds_on_its_last_day_and_not_the_day_after(engine: Engine, set_clock: Clock) -> None:
    with unit_of_work(engine) as uow:
        share(uow, "p1", until="2026-05-31")
    for at, holds in (("2026-05-31T23:59:59", True), ("2026-06-01T00:00:00", False)):
        set_clock(at)
        with unit_of_work(engine) as uow:
            assert (sharing.may_share(uow, "p1", "whereabouts", "PROGRESS") is not None) is holds


def test_people_are_warned_thirty_days_before_unless_one_follows(engine: Engine, set_clock: Clock) -> None:
    with unit_of_work(engine) as uow:
        share(uow, "p1", until="2026-05-31")
        share(uow, "p2", until="2026-05-31")
        share(uow, "p2", id="T-next", **{"from": "2026-06-01"})
    for at, alarms in (("2026-04-30T12:00:00", 0), ("2026-05-01T12:00:00", 1), ("2026-05-02T12:00:00", 1)):
        set_clock(at)
        with unit_of_work(engine) as uow:
            sharing_register.warn(uow)
            rows = uow.all("SELECT subject, role FROM exchange.alarm WHERE kind = 'sharing_ends'")
        assert [row["subject"] for row in rows] == ["T-p1"] * alarms


def test_a_stop_acts_at_once_and_can_be_taken_back(uow: UnitOfWork) -> None:
    share(uow, "p1")
    sharing_register.stop(uow, "T-p1", "a breach", stopped=True)
    assert sharing.may_share(uow, "p1", "whereabouts", "PROGRESS") is None
    sharing_register.stop(uow, "T-p1", "settled", stopped=False)
    assert sharing.may_share(uow, "p1", "whereabouts", "PROGRESS") is not None
    with pytest.raises(Refused):
        sharing_register.stop(uow, "T-none", "x", stopped=True)


# ---- files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"data_set": "mediation_result", "purpose": "CASE_RESULT", "fields": ["narrative"]}, "NOT_AUTHORISED"),
        ({"data_set": "mediation_result", "purpose": "CASE_RESULT", "fields": ["on", "offers"]}, "NOT_AUTHORISED"),
        ({"fields": ["bank_secret"]}, "CODE_UNKNOWN"), ({"purpose": "whatever"}, "CODE_UNKNOWN"),
        ({"duty": None}, "FIELD_MISSING"), ({"assessment": ""}, "FIELD_MISSING"), ({"stop_conditions": []}, "FIELD_MISSING"),
        ({"until": "2025-12-31"}, "WRONG_DATE_ORDER"), ({"from": '"2026"'}, "DATE_UNREADABLE"), ({"extra": "x"}, "UNKNOWN_FIELD"),
        ({"unmasked": ["stage"]}, "FIELD_MISSING"), ({"unmasked": ["x"], "unmasked_because": "y"}, "CODE_UNKNOWN"),
    ],
)  # fmt: skip
def test_a_faulty_agreement_is_refused_whole(uow: UnitOfWork, wrong: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refused:
        sharing_register.enter(uow, "p1", "street", toml({}, {"id": "T-2", **wrong}))
    assert code in [each.code for each in refused.value.findings]
    assert uow.scalar("SELECT count(*) FROM exchange.sharing_agreement") == 0


def test_two_agreements_for_the_same_time_are_refused(uow: UnitOfWork) -> None:
    with pytest.raises(Refused):
        sharing_register.enter(uow, "p1", "street", toml({}, {"id": "T-2", "from": "2026-06-01"}))
    with pytest.raises(Refused):
        sharing_register.enter(uow, "p1", "street", b"not toml [")
    share(uow, "p1")
    with pytest.raises(Refused):
        share(uow, "p1")


def test_every_adapters_own_file_holds_and_names_no_secret(uow: UnitOfWork) -> None:
    listed = sharing_register.listed(uow)
    assert {each.state for each in listed} == {"IN_FORCE"}
    # Whoever is told of anything has an agreement for it.
    for adapter in all_connectors().values():
        for event in adapter.manifest.get("notices", {}):
            purpose = sharing.vocabulary()["notices"].get(event)
            if purpose:
                assert sharing.may_share(uow, adapter.id, "mediation_result", purpose), (adapter.id, event)


def test_a_spoilt_file_counts_as_none_for_its_partner_only(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"accident_desk_{secrets.token_hex(3)}"
    folder = write_folder("agency", tmp_path, id=name, institution="OQJJ001")
    monkeypatch.setenv("CONCORD_CONNECTOR_PATH", str(folder))
    all_connectors.cache_clear()
    try:
        path = folder / name / "sharing.toml"
        good = path.read_text("utf-8")
        for text, holds in (
            (good, True),
            (good.replace('"paid_fen"', '"narrative"'), False),
            (good, True),
            ("[", False),
        ):
            path.write_text(text, encoding="utf-8")
            os.utime(
                path, ns=(0, len(text) + path.stat().st_mtime_ns)
            )  # a change acts also within one tick of the clock
            with unit_of_work(engine) as uow:
                assert (sharing.may_share(uow, name, "mediation_result", "CASE_RESULT") is not None) is holds
                others = {each.agreement.partner for each in sharing_register.listed(uow)} - {name}
                assert others and sharing_register.warn(uow) == 0
        with unit_of_work(engine) as uow:
            rows = uow.all("SELECT subject FROM exchange.alarm WHERE kind = 'sharing_broken'")
        assert [row["subject"] for row in rows] == [name]
    finally:
        monkeypatch.undo()
        all_connectors.cache_clear()
