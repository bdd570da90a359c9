"""Desks of two persons and of the watch: suspense, breaks, stops, payees, links, conflicts, clocks, hand-overs, replay."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

import escrow
from foundation.unit_of_work import unit_of_work
from tests.console.conftest import Reader
from tests.console.world import County, card

Enter = Callable[[str], Reader]


def found(pattern: str, text: str) -> str:
    hit = re.search(pattern, text)
    assert hit is not None, pattern
    return hit[1]


def test_suspense_by_two_persons(enter: Enter, county: County) -> None:
    case_id = county.funded(1_000_000, 500_000, paid=1_000_000)
    county.credit("99033990000010001", 500_000, "赔偿款", ("林晓", card(7)), own=False)
    cashier, checker = enter("cashier1"), enter("checker1")
    path = found(r'action="(/escrow/suspense/[0-9a-f-]{36})"', cashier.page("/escrow/suspense"))
    number = found(r"(瓯栖调〔2026〕石坦\d{4}号)", cashier.page(f"/escrow/cases/{case_id}"))
    part = {"case": [number, ""], "reason": "附言与协议相符"}
    shown = cashier.send("/escrow/suspense", path, 422, yuan=["4999.99", ""], **part)
    assert "拆分金额之和不等于总额" in shown
    shown = cashier.send("/escrow/suspense", path, yuan=["5,000.00", ""], **part)
    assert "您是提出人" in shown and "确认并办理" not in shown
    assert "等第二人确认" in checker.page("/")
    confirm = found(r'action="(/escrow/decisions/[0-9a-f-]{36}/confirm)"', checker.page("/escrow/decisions"))
    assert "已确认并办理" in checker.send("/escrow/decisions", confirm)
    assert "没有挂账来款" in cashier.page("/escrow/suspense")
    assert "15,000.00" in cashier.page(f"/escrow/cases/{case_id}")


def test_a_break_gets_an_owner_and_a_document(enter: Enter, county: County) -> None:
    county.funded(1_000_000)
    county.credit("99033990000010001", 120_000, "不明", ("林晓", card(8)), own=False)
    county.act(lambda uow: escrow.reconcile_day(uow, date(2026, 4, 1)))
    cashier, page = enter("cashier1"), "/escrow/reconciliation"
    assert "账务不变量逐条检查通过" in cashier.page(page)
    own = found(r'action="(/escrow/breaks/[0-9a-f-]{36}/own)"', cashier.page(page))
    assert "差异已由您认领" in cashier.send(page, own)
    assert "周敏" in cashier.page(page)
    close = own.replace("/own", "/close")
    assert "须有书面依据" in cashier.send(page, close, 422, document="")
    assert "差异已了结" in cashier.send(page, close, document="银行说明 2026-04-02")
    assert "银行说明 2026-04-02" in cashier.page(f"{page}?closed=true")


def test_stop_and_end(enter: Enter, county: County) -> None:
    case = f"/escrow/cases/{county.funded(1_000_000)}"
    officer, checker = enter("supervisor1"), enter("checker1")
    shown = officer.send(case, f"{case}/stops", kind="PERSON", payee="", amount="", reason="当事人身份待查")
    assert "已停付" in shown and "暂停付款" in shown and "由复核或审批解除" in shown
    assert "停付已解除" in checker.send(case, f"{case}/stops/end", reason="已核实")
    assert "已恢复" in checker.send(case, f"{case}/resume", reason="已核实")


def test_another_payee_by_two_persons(enter: Enter, county: County) -> None:
    case = f"/escrow/cases/{county.funded(1_000_000)}"
    cashier, releaser = enter("cashier1"), enter("releaser1")
    told = {"seat": "A1", "name": "夏晓", "kind": "person", "account": card(9), "bank_name": "瓯栖农商银行",
            "bank_code": "402339900017", "reason": "原卡注销"}  # fmt: skip
    assert "缺少必填内容" in cashier.send(case, f"{case}/payees", 422, document="", **told)
    assert "等待第二人确认" in cashier.send(case, f"{case}/payees", document="申请书 1 号", **told)
    confirm = found(r'action="(/escrow/decisions/[0-9a-f-]{36}/confirm)"', releaser.page("/escrow/decisions"))
    releaser.send("/escrow/decisions", confirm)
    assert card(9) in cashier.page(case) and "已更换" in cashier.page(case)


def test_a_deposit_by_two_persons(enter: Enter, county: County) -> None:
    case = f"/escrow/cases/{county.funded(1_000_000)}"
    cashier, checker = enter("cashier1"), enter("checker1")
    told = {"seat": "A1", "name": "瓯栖县公证处", "ground": "NOT_FOUND", "account": card(31), "bank_name": "瓯栖农商银行",
            "bank_code": "402339900017", "reason": "多次联系未果"}  # fmt: skip
    assert "缺少必填内容" in cashier.send(case, f"{case}/deposits", 422, document="", **told)
    assert "等待第二人确认" in cashier.send(case, f"{case}/deposits", document="提存决定书 1 号", **told)
    waiting = checker.page("/escrow/decisions")
    assert "下落不明" in waiting and card(31) in waiting
    checker.send("/escrow/decisions", found(r'action="(/escrow/decisions/[0-9a-f-]{36}/confirm)"', waiting))
    shown = cashier.page(case)
    assert "已决定提存" in shown and "瓯栖县公证处" in shown and "提存决定书 1 号" in shown


def test_a_recovery_is_shown_and_waived(enter: Enter, county: County) -> None:
    case_id = county.funded(1_000_000)
    county.pay_out(case_id, 1_000_000)
    county.act(lambda uow: escrow.void_agreement(uow, case_id, "法院撤销", "(2026)浙0399民撤1号"))
    case, checker = f"/escrow/cases/{case_id}", enter("checker1")
    shown = checker.page(case)
    assert "待追回 10,000.00 元" in shown and "(2026)浙0399民撤1号" in shown
    checker.send(
        case, found(rf'action="({case}/recoveries/[0-9a-f-]+)"', shown), event="waive", document="放弃书"
    )
    assert "付款人放弃" in checker.page(case) and "待追回 10,000.00 元" not in checker.page(case)


def test_refund_goes_to_its_source(enter: Enter, county: County) -> None:
    case = f"/escrow/cases/{county.funded(1_000_000, paid=1_200_000)}"
    cashier = enter("cashier1")
    rail = found(
        r'<select id="rail-refund" name="rail" required>\s*<option value="([a-z_]+)"', cashier.page(case)
    )
    account = found(
        r'<select id="account-refund" name="account" required><option value="(\d+)"', cashier.page(case)
    )
    shown = cashier.send(
        case, f"{case}/refunds", account=account, rail=rail, amount="2,000.00", bank_code="402339900017",
        bank_name="瓯栖农商银行", decision="",
    )  # fmt: skip
    assert "退款" in shown and "2,000.00" in shown


def test_a_proposal_is_decided_and_taken_back(enter: Enter, county: County) -> None:
    one, other = county.proposal()
    clerk, reviewer = enter("clerk1"), enter("reviewer1")
    path = found(r'href="(/proposals/[0-9a-f-]{36})"', clerk.page("/"))
    assert "由审核员或管理员决定" in clerk.page(path)
    shown = reviewer.page(path)
    assert 'accesskey="s"' in shown and "姓名相同" in shown and "46,000.00" in shown and "何国平" in shown
    assert "缺少必填内容" in reviewer.send(path, path, 422, verdict="same", reason="")
    assert "已确认为同一纠纷" in reviewer.send(path, path, verdict="same", reason="当事人、金额、日期均相符")
    assert reviewer.page(f"/disputes/{other}").count("法院") > 1
    undo = found(r'action="(/link-decisions/[0-9a-f-]{36}/undo)"', reviewer.page(f"/disputes/{one}"))
    shown = reviewer.send(f"/disputes/{one}", undo, reason="另有其人")
    assert "两份档案各自恢复" in shown
    assert clerk.page(path, 404)


def test_a_conflict_is_decided(enter: Enter, county: County) -> None:
    number = county.conflict()
    reviewer, page = enter("reviewer1"), f"/disputes/{number}"
    assert "有争议" in reviewer.page(page)
    path = found(r'action="(/conflicts/[0-9a-f-]{36})"', reviewer.page(page))
    assert "已裁定" in reviewer.send(page, path, voice="other", other="32,000.50", reason="按庭审核对")
    shown = reviewer.page(page)
    assert "32,000.50" in shown and "已由人裁定" in shown and "有争议" not in shown


def test_both_time_axes(enter: Enter, county: County) -> None:
    number = county.petition()
    officer = enter("supervisor1")
    shown = officer.page(f"/disputes/{number}?true_on=2026-03-01&known_on=2026-03-31")
    assert "您看到的是历史档案" in shown and "还没有任何来源提供内容" in shown
    assert "日期无法识别" in officer.page(f"/disputes/{number}?true_on=2026-13-01", 422)


def test_look_ups_leave_a_line(enter: Enter, county: County) -> None:
    number = county.petition()
    officer = enter("auditor1")
    assert number in str(officer.client.get("/disputes", params={"text": "XF2026001"}).url)
    with unit_of_work(county.hub.engine) as uow:
        assert uow.scalar("SELECT count(*) FROM exchange.disclosure WHERE subject = :n", n=number) == 1
    assert "江秀英" in officer.page("/disputes?text=江秀英")
    assert "搜索词至少两个字" in officer.page("/disputes?text=江")
    for page in (f"/disputes/{number}", "/disputes"):
        assert "10012345678" not in officer.page("/disputes") and officer.page(page)


def test_filters_and_next_page(enter: Enter, county: County) -> None:
    for n in range(52):
        county.petition(
            f"XF20262{n:03d}", claimed_fen=10_000 + n, cause=f"劳动争议{n}", opened_on="2026-01-02"
        )
    officer = enter("supervisor1")
    first = officer.page("/disputes?stage=IN_PETITION&holder=petition")
    following = found(r'rel="next" href="([^"]+)"', first).replace("&amp;", "&")
    second = officer.page(following)
    numbers = [set(re.findall(r"/disputes/(JF-2026-\d{6})", page)) for page in (first, second)]
    assert len(numbers[0]) == 50 and numbers[1] and not numbers[0] & numbers[1]
    assert "没有符合条件的纠纷" in officer.page("/disputes?stage=CLOSED")
    officer.page("/disputes?after=nonsense", 422)


def test_watch(enter: Enter, county: County) -> None:
    """A clock is extended and paused, a risk noted, a grade set, a hand-over drafted and sent by another."""
    number = county.petition()
    page = f"/disputes/{number}"
    officer, reviewer, clerk = enter("supervisor1"), enter("reviewer1"), enter("clerk1")
    dispute_id = found(r'action="/factors/([0-9a-f-]{36})/notes"', officer.page(page))
    note = f"/factors/{dispute_id}/notes"
    assert "已记录" in officer.send(page, note, indicator="U05/words", reason="扬言闹事", source="派出所")
    assert "暴力威胁" in officer.page(page)
    shown = officer.send(
        page, note, indicator="U20/posts", reason="网帖扩散", source="网信办", until="2026-04-20"
    )
    assert "网络传播" in shown and "计至 2026-04-20" in shown
    back = f"/factors/{dispute_id}/withdrawals"
    assert "已撤回，等级随之更新" in officer.send(page, back, reason="帖子已删", at=back)
    shown = officer.page(page)
    assert "帖子已删" in shown and "暴力威胁" in shown and shown.count(f'action="{back}"') == 1
    grade = {
        "grade": "RED",
        "code": "VERIFIED",
        "reason": "经与派出所和村委会两次核对，当事人情绪激动，扬言采取过激行为",
        "until": "2026-04-10",
    }
    assert "等级已调整" in officer.send(page, f"/factors/{dispute_id}/grade", **grade)
    assert "红" in officer.page(page)
    wrong = {**grade, "until": "2026-09-01"}
    officer.send(page, f"/factors/{dispute_id}/grade", 409, **wrong)
    shown = clerk.send(page, "/hand-overs", **{"from": "petition", "to": "mediation", "reason": "适宜调解"})
    assert "移送已拟稿" in shown
    move = found(r'action="(/hand-overs/[0-9a-f-]{36})"', shown)
    assert "拟稿人不能自己发出" in clerk.send(page, move, 409, what="send")
    assert "已发出" in reviewer.send(page, move, what="send")
    assert "已送达" in reviewer.send(page, move, what="receipt", detail="HZ0001")
    assert "已收回" in reviewer.send(page, move, what="recall", detail="另行处理")


def test_clocks(enter: Enter, county: County) -> None:
    number = county.number_of(county.matter())
    officer = enter("supervisor1")
    page = f"/disputes/{found(r'(JF-2026-[0-9]{6})', officer.page(f'/disputes?text={number}'))}"
    path = found(r'action="(/clocks/[0-9a-f-]{36})"', officer.page(page))
    shown = officer.send(page, path, what="suspend", ground="appraisal", reason="委托鉴定")
    assert "时限已更新" in shown and "恢复计时" in shown
    assert "计时中" in officer.send(page, path, what="resume", reason="鉴定完成")


def test_replay_of_a_quarantined_message(enter: Enter, county: County) -> None:
    path = f"/exchange/in/{county.quarantined()}"
    operator, auditor = enter("operator1"), enter("auditor1")
    assert "由运维重新处理" in auditor.page(path)
    assert "缺少必填内容" in operator.send(path, f"{path}/replay", 422, reason="")
    assert "仍被隔离" in operator.send(path, f"{path}/replay", reason="对方更正后复核")


def test_alarm_is_closed_with_a_reason(enter: Enter, county: County) -> None:
    county.alarm()
    operator = enter("operator1")
    path = found(r'action="(/alarms/[0-9a-f-]{36}/close)"', operator.page("/"))
    assert "告警已关闭" in operator.send("/", path, reason="对方系统检修")
    assert "现在没有等您办理的事项" in operator.page("/")
