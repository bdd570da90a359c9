"""Supervision on the screen: a case from draft to close by its forms, gaps and times, and who may."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

from case_registry import list_hand_overs, watch_deadlines
from tests.console.conftest import Reader
from tests.console.world import County

Enter = Callable[[str], Reader]


def act(reader: Reader, path: str, what: str, **proof: str) -> str:
    return reader.send(path, path, what=what, **proof)


def test_a_case_from_draft_to_close(enter: Enter, county: County) -> None:
    number = county.petition()
    officer = enter("supervisor1")
    shown = officer.send(
        f"/disputes/{number}",
        "/supervision",
        level="L3",
        agency="petition",
        code="RED_LAMP",
        reason="信访办理超期",
    )
    found = re.search(r'action="(/supervision/[0-9a-f-]{36})"', shown)
    assert found and "拟稿" in shown
    path = found[1]
    assert "一般督办" in act(officer, path, "issue", seal="联合督查办印")
    act(officer, path, "sign_for", agency="petition", receipt="收字1号")
    act(officer, path, "assign_handler", handler="王一", phone="10012345678")
    refused = act_status(officer, path, "report_result", 409, result="done", papers="", head="局长")
    assert "papers" in refused
    act(officer, path, "report_result", result="done", papers="办理结果报告\n协议", head="局长")
    act(officer, path, "start_verify", verifier="supervisor1", verifier_agency="supervision")
    act(officer, path, "pass", record="<b>当事人确认</b>", reached="1")
    closed = act(officer, path, "close", note="已化解")
    assert "办结销号" in closed and "&lt;b&gt;当事人确认" in closed and "督〔2026〕L3-0001" in closed
    assert "督〔2026〕L3-0001" in officer.page(
        "/supervision?state=CLOSED"
    ) and "督〔2026〕L3-0001" in officer.page(f"/disputes/{number}")
    assert "信访局" in officer.page("/supervision").split('id="times"')[1], "times by agency"
    auditor, clerk = enter("auditor1"), enter("clerk1")
    assert "督办卷" in auditor.page(path) and 'name="what"' not in auditor.page(path)
    clerk.page("/supervision", status=403)


def act_status(reader: Reader, path: str, what: str, status: int, **proof: str) -> str:
    return reader.send(path, path, status, what=what, **proof)


def test_gaps_stand_on_the_page(enter: Enter, county: County) -> None:

    row = {"native_id": "XF999", "to_agency": "mediation", "said_on": date(2026, 3, 20)}
    county.act(lambda uow: list_hand_overs(uow, "petition", "petition", "三月移送清单", [row]) and [])
    county.act(watch_deadlines)
    shown = enter("supervisor1").page("/supervision")
    assert "对方清单有、本方未收到" in shown and "XF999" in shown and "三月移送清单" in shown


def test_drafts_wait_under_my_work(enter: Enter, county: County) -> None:
    number = county.petition()
    officer = enter("supervisor1")
    officer.send(
        f"/disputes/{number}", "/supervision", level="L1", agency="petition", code="DEATH", reason="一人死亡"
    )
    assert "督办事项" in officer.page("/")
    english = officer.client.get("/language/en?target=/supervision").text
    assert "Placard" in english and "Supervision cases" in english
