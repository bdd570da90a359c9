"""Sharing agreements, who saw a person's data, and differences on the screen: what is shown, to whom, and what is done."""

from __future__ import annotations

from collections.abc import Callable

from connectors import all_connectors
from foundation.unit_of_work import unit_of_work
from hub import sharing, sharing_register
from tests.console.conftest import Reader
from tests.console.world import PAYEE_ID, County

Enter = Callable[[str], Reader]
PAGE, SAW = "/exchange/sharing", "/exchange/who-saw"


def test_agreements_are_shown_whole_and_stopped_with_a_reason(enter: Enter, county: County) -> None:
    auditor, officer = enter("auditor1"), enter("supervisor1")
    shown = auditor.page(PAGE)
    with unit_of_work(county.hub.engine) as uow:
        listed = sharing_register.listed(uow)
    assert listed and all(each.agreement.id in shown and each.agreement.basis in shown for each in listed)
    assert "姓名：只留首字" in shown or "完整" in shown
    assert "停止共享" not in shown and "没有权限" in enter("mediator1").page(PAGE, 403)
    one = listed[0].agreement
    assert "缺少必填内容" in officer.send(PAGE, f"{PAGE}/{one.id}/stop", 422, reason="")
    shown = officer.send(PAGE, f"{PAGE}/{one.id}/stop", reason="对方超范围使用")
    assert "共享已停止" in shown and "对方超范围使用" in shown and "恢复共享" in shown
    with unit_of_work(county.hub.engine) as uow:
        assert sharing.may_share(uow, one.partner, one.data_set, one.purpose) is None
    assert "共享已恢复" in officer.send(PAGE, f"{PAGE}/{one.id}/stop", reason="已纠正")
    with unit_of_work(county.hub.engine) as uow:
        assert sharing.may_share(uow, one.partner, one.data_set, one.purpose) is not None


def test_who_saw_a_person_is_answered_and_noted(enter: Enter, county: County) -> None:
    number = county.number_of(county.matter())
    partner = next(each.id for each in all_connectors().values() if each.agency == "court")
    with unit_of_work(county.hub.engine) as uow:
        sharing.shared_view(
            uow, partner, "mediation_result", {"outcome": "AGREED"}, "CASE_RESULT", subject=number
        )
    enter("mediator1").page(f"/disputes/{_dispute(county, number)}")
    auditor = enter("auditor1")
    assert "没有权限" in enter("operator1").page(SAW, 403)
    shown = auditor.send(SAW, SAW, number=PAYEE_ID)
    assert all_connectors()[partner].name_zh in shown and "告知调解结果" in shown and "GX-C-01" in shown
    assert "mediator1" in shown and "含个人信息" in shown
    assert "没有披露记录" in auditor.send(SAW, SAW, number="330399190001010013")
    assert "缺少必填内容" in auditor.send(SAW, SAW, name="夏晓")
    assert "GX-C-01" in auditor.send(SAW, SAW, name="夏晓", phone="10012340001")
    with unit_of_work(county.hub.engine) as uow:
        rows = uow.all("SELECT ref, detail FROM exchange.journal WHERE kind = 'disclosures_read'")
        assert len(rows) == 3 and {row["ref"] for row in rows} == {"auditor1"}
        assert PAYEE_ID not in str([dict(row) for row in rows])


def _dispute(county: County, number: str) -> str:
    with unit_of_work(county.hub.engine) as uow:
        return str(uow.scalar("SELECT number FROM registry.dispute WHERE numbers @> ARRAY[:n]", n=number))


def test_differences_are_shown_with_what_was_done(enter: Enter, county: County) -> None:
    operator = enter("operator1")
    assert "没有差异" in operator.page("/exchange/differences") and "还没有核对过" in operator.page(
        "/exchange/differences"
    )
    with unit_of_work(county.hub.engine) as uow:
        comparison = uow.new_id()
        uow.execute(
            "INSERT INTO exchange.comparison (id, partner, since, until, at, finished_at, ours, theirs, calls, rows) VALUES"
            " (:id, 'ouqi_street', '2026-03-01', '2026-03-31', :now, :now, 7001, 7002, 9, 321)", id=comparison, now=uow.now,
        )  # fmt: skip
        for name, kind, done in (
            ("M-1", "MISSING_HERE", "ASKED"),
            ("<b>M-2", "DIFFERENT", "PERSON"),
            ("M-3", "WITHDRAWN", "GONE"),
        ):
            uow.execute(
                "INSERT INTO exchange.difference (id, partner, way, day, message_id, kind, comparison, found_at, done, done_at, note)"
                " VALUES (:id, 'ouqi_street', 'to_hub', '2026-03-05', :name, :kind, :c, :now, :done, :now, 'QUARANTINED')",
                id=uow.new_id(), name=name, kind=kind, c=comparison, now=uow.now, done=done,
            )  # fmt: skip
    shown = operator.page("/exchange/differences")
    assert (
        "我方缺" in shown
        and "已索要" in shown
        and "待人工处理" in shown
        and "已隔离" in shown
        and "7001" in shown
    )
    assert "&lt;b&gt;M-2" in shown and "M-3" not in shown
    assert "M-3" in operator.page("/exchange/differences?gone=true")
    assert "没有权限" in enter("mediator1").page("/exchange/differences", 403)
