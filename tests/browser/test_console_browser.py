"""Each task that a page is for, done once in a real browser: look up, link, accept and sign, pay, replay."""

from __future__ import annotations

import re

import pytest

from tests.browser.conftest import Site
from tests.console.world import COMMITTEE, PAYEE, PAYER

pytestmark = pytest.mark.browser


def test_look_up_a_dispute(site: Site) -> None:
    number = site.county.petition()
    site.county.conflict()
    officer = site.enter("supervisor1")
    officer.go("/disputes")
    officer.page.fill("#text", "XF2026001")
    officer.press("查询")
    assert officer.page.url.endswith(f"/disputes/{number}")
    assert "江秀英" in officer.page.inner_text("#people")
    assert "信访局" in officer.page.inner_text("#record")
    officer.page.fill("#known_on", "2026-03-01")
    officer.press("查看")
    assert "您看到的是历史档案" in officer.page.inner_text("main")
    officer.page.click("text=English")
    officer.look()
    assert officer.page.locator("html").get_attribute("lang") == "en"


def test_confirm_a_proposed_link_by_keyboard(site: Site) -> None:
    one, _ = site.county.proposal()
    reviewer = site.enter("reviewer1")
    reviewer.page.click("text=去办理")
    reviewer.look()
    assert "姓名相同" in reviewer.page.inner_text("main")
    reviewer.page.fill("#reason", "当事人、金额、发生日期均相符")
    reviewer.access_key("s")
    reviewer.page.wait_for_url(f"{site.url}/")
    assert reviewer.notice() == "已确认为同一纠纷"
    reviewer.go(f"/disputes/{one}")
    assert "人工确认同一纠纷" in reviewer.page.inner_text("#links")


def test_accept_draft_and_sign(site: Site) -> None:
    mediator = site.enter("mediator1")
    mediator.go("/matters")
    mediator.page.click("text=受理新案")
    mediator.look()
    page = mediator.page
    page.fill("#committee", COMMITTEE)
    page.fill("#cause", "相邻关系纠纷")
    page.fill("#claimed", "48,128.00")
    page.fill("#party_name1", PAYEE)
    mediator.press("增加一名当事人")
    assert page.input_value("#party_name1") == PAYEE
    page.fill("#party_name2", PAYER)
    mediator.press("受理")
    assert mediator.notice() == "已受理，调解案号已生成"
    assert "瓯栖调〔2026〕石坦0001号" in page.inner_text("h1")
    page.locator("#parties summary").first.click()
    page.fill("#account-A1", "9900339900000100001")
    page.fill("#bank_name-A1", "瓯栖农商银行")
    page.fill("#bank_code-A1", "402339900017")
    mediator.press("保存账户")
    page.click("text=起草协议")
    mediator.look()
    page.fill("#terms", "被申请人赔偿申请人 28876.80 元，分两期给付。")
    page.fill("#total", "28876.80")
    mediator.unfold("按月平均分期")
    page.fill("#parts", "2")
    page.fill("#first_due", "2026-04-30")
    mediator.press("平均分期，尾差在末期")
    mediator.press("保存草稿")
    mediator.unfold("签署")
    for box in page.locator("#agreements input[type=checkbox]").all():
        box.check()
    mediator.press("签署协议")
    assert mediator.notice() == "协议已签署，托管已开立"
    assert "已签署" in page.inner_text("#agreements")
    page.click("text=打印协议书")
    assert "贰万捌仟捌佰柒拾陆元捌角" in page.inner_text("body")
    page.go_back()
    page.click("text=托管账户")
    mediator.look()
    assert "28,876.80" in page.inner_text("main")


def test_three_people_approve_a_payment(site: Site) -> None:
    case = f"/escrow/cases/{site.county.funded(6_000_000, 3_000_000)}"
    cashier = site.enter("cashier1")
    cashier.go("/escrow")
    cashier.page.click("text=瓯栖调〔2026〕石坦0001号")
    cashier.page.fill("#amount", "60,000.00")
    cashier.press("起草并签名")
    path = cashier.page.url.removeprefix(site.url)
    assert "您是这条指令的经办" not in cashier.page.inner_text("#acts")
    checker = site.enter("checker1")
    checker.go(path)
    checker.press("复核无误，签署", within="#acts", exact=False)
    assert checker.notice() == "已复核签署"
    assert "放行人须与复核人不同" in checker.page.inner_text("#acts")
    releaser = site.enter("releaser1")
    assert "等我签署的付款指令" in releaser.page.inner_text("main")
    releaser.page.locator("main table a").first.click()
    releaser.press("放行", within="#acts", exact=False)
    assert "已放行" in releaser.notice()
    steps = releaser.page.inner_text("ol.steps")
    assert re.search(r"周敏.*郑强.*王琳", steps, re.S)
    releaser.go(case)
    assert "60,000.00" in releaser.page.inner_text("#ledger")


def test_replay_a_quarantined_message(site: Site) -> None:
    site.county.quarantined()
    site.county.alarm()
    operator = site.enter("operator1")
    operator.go("/exchange?state=QUARANTINED")
    operator.page.locator("main table a").first.click()
    operator.look()
    operator.page.fill("#reason", "对方更正后复核")
    operator.press("重新处理")
    assert operator.notice() == "已重新处理：仍被隔离"
    operator.go("/")
    operator.page.locator("#alarms input[name=reason]").first.fill("对方系统检修，已联系")
    operator.press("关闭")
    assert operator.notice() == "告警已关闭"


def test_narrow_screen_and_the_other_desks(site: Site) -> None:
    """Every page at 390 px: nothing sticks out, nothing hides its words."""
    county = site.county
    number, conflict = county.petition(), county.conflict()
    case_id = county.funded(6_000_000, 3_000_000)
    order = county.order(case_id, 1_000_000, instalment=2)
    county.credit("99033990000010001", 500_000, "赔偿款 石坦0001号", ("林晓", "9955000000000077"), own=False)
    message = county.quarantined()
    desks = ("suspense", "decisions", "reconciliation")
    for who, paths in {
        "cashier1": ("/", "/escrow", f"/escrow/cases/{case_id}", f"/escrow/orders/{order}", *(f"/escrow/{d}" for d in desks)),
        "supervisor1": ("/", "/disputes", f"/disputes/{number}"),
        "reviewer1": ("/matters", "/matters/new", f"/disputes/{conflict}"),
        "operator1": ("/exchange", "/exchange?way=out", f"/exchange/in/{message}"),
    }.items():  # fmt: skip
        visitor = site.enter(who, width=390)
        for path in paths:
            visitor.go(path)
