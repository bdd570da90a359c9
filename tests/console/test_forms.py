"""Forms: genuine, taken once, for the role, never by the same person twice; what was typed is text, not markup."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from threading import Thread

from foundation.unit_of_work import unit_of_work
from tests.console.conftest import Reader, form_to
from tests.console.world import COMMITTEE, County

Enter = Callable[[str], Reader]
NOBODY = "00000000-0000-0000-0000-000000000000"
POSTS = (
    f"/alarms/{NOBODY}/close", f"/proposals/{NOBODY}", f"/link-decisions/{NOBODY}/undo", f"/conflicts/{NOBODY}",
    f"/links/{NOBODY}", "/links/take-back", "/links/draw", "/links/floor", "/links/floor/take-back",
    f"/clocks/{NOBODY}", f"/factors/{NOBODY}/notes", f"/factors/{NOBODY}/grade", f"/factors/{NOBODY}/withdrawals",
    "/hand-overs", f"/hand-overs/{NOBODY}",
    "/supervision", f"/supervision/{NOBODY}",
    "/matters", "/matters/new", f"/matters/{NOBODY}/moves", f"/matters/{NOBODY}/parties/A1/account",
    f"/matters/{NOBODY}/agreements", f"/matters/{NOBODY}/agreements/new", f"/matters/agreements/{NOBODY}/sign",
    f"/matters/agreements/{NOBODY}/void", f"/matters/agreements/{NOBODY}/confirmation",
    f"/escrow/cases/{NOBODY}/orders", f"/escrow/cases/{NOBODY}/refunds", f"/escrow/cases/{NOBODY}/top-ups",
    f"/escrow/cases/{NOBODY}/stops", f"/escrow/cases/{NOBODY}/stops/end", f"/escrow/cases/{NOBODY}/resume",
    f"/escrow/cases/{NOBODY}/deposits", f"/escrow/cases/{NOBODY}/deposits/{NOBODY}/notice",
    f"/escrow/cases/{NOBODY}/deposits/{NOBODY}/end", f"/escrow/cases/{NOBODY}/recoveries/{NOBODY}",
    f"/escrow/cases/{NOBODY}/waivers", f"/escrow/cases/{NOBODY}/payees", f"/escrow/orders/{NOBODY}/check",
    f"/escrow/orders/{NOBODY}/release", f"/escrow/orders/{NOBODY}/cancel", f"/escrow/orders/{NOBODY}/ask",
    f"/escrow/orders/{NOBODY}/settle", f"/escrow/orders/{NOBODY}/short-return", f"/escrow/orders/{NOBODY}/give-up",
    f"/escrow/orders/{NOBODY}/close", f"/escrow/suspense/{NOBODY}", f"/escrow/decisions/{NOBODY}/confirm",
    f"/escrow/decisions/{NOBODY}/reject", f"/escrow/breaks/{NOBODY}/own", f"/escrow/breaks/{NOBODY}/close",
    f"/escrow/lines/{NOBODY}/fee", f"/exchange/in/{NOBODY}/replay", f"/exchange/out/{NOBODY}/replay",
    f"/exchange/in/{NOBODY}/repair", "/exchange/replay", "/exchange/subscriptions", f"/exchange/subscriptions/{NOBODY}/state",
    f"/exchange/subscriptions/{NOBODY}/test", f"/exchange/subscriptions/{NOBODY}/again",
    f"/exchange/partners/{NOBODY}/revoke", f"/exchange/partners/{NOBODY}/try",
    f"/exchange/partners/{NOBODY}/resume", f"/exchange/partners/{NOBODY}/suspend", f"/exchange/sharing/{NOBODY}/stop",
    "/exchange/who-saw", "/logout",
)  # fmt: skip


def test_every_form_is_in_the_list(county: County) -> None:
    from console.app import make_console

    app = make_console(county.hub)
    routes = {route.path for route in app.routes if "POST" in getattr(route, "methods", ())} - {"/login"}
    listed = {re.sub(NOBODY, "{}", path).replace("/A1/", "/{}/") for path in POSTS}
    assert {re.sub(r"\{[^}]+\}", "{}", path) for path in routes} == listed


def test_no_form_goes_without_the_token_of_its_session(enter: Enter) -> None:
    """Not without a token, not with another session's, not from somebody who is not logged in."""
    officer, stranger = enter("operator1"), enter("auditor1")
    token = re.search(r'name="token" value="([0-9a-f]{32})"', stranger.page("/"))
    assert token is not None
    for path in POSTS:
        for fields in ({}, {"token": "x"}, {"token": token[1], "once": str(uuid.uuid4())}, {"token": "龙"}):
            answer = officer.client.post(path, data=fields, follow_redirects=False)
            assert answer.status_code == 403, (path, fields, answer.status_code)
    officer.client.cookies.clear()
    for path in POSTS[:-1]:
        answer = officer.client.post(path, data={"token": token[1]}, follow_redirects=False)
        assert answer.status_code == 303 and answer.headers["location"].startswith("/login"), path


def test_auditors_change_nothing(enter: Enter) -> None:
    """Who saw a person's data is a question, though it is sent as a form."""
    auditor = enter("auditor1")
    token = re.search(r'name="token" value="([0-9a-f]{32})"', auditor.page("/"))
    assert token is not None
    for path in POSTS[:-2]:
        fields = {"token": token[1], "once": str(uuid.uuid4()), "reason": "x", "digest": "0" * 64}
        answer = auditor.client.post(path, data=fields)
        assert answer.status_code in (403, 404), (path, answer.status_code)


def test_what_was_typed_is_text(enter: Enter, county: County) -> None:
    """Narratives, alarms and raw messages with markup in them are shown as they were written."""
    matter_id = county.matter()
    county.alarm()
    inbox = county.quarantined()
    reader, operator = enter("reviewer1"), enter("operator1")
    assert "&lt;b&gt;原文&lt;/b&gt;" in reader.page(f"/matters/{matter_id}")
    assert "&lt;i&gt;C0001&lt;/i&gt;" in operator.page("/")
    shown = operator.page(f"/exchange/in/{inbox}")
    assert "<script>" not in shown and "script&amp;gt;alert(1)" in shown
    assert "<script>" not in operator.page("/disputes?text=%3Cscript%3E")
    operator.client.cookies.set("concord_notice", "%3Cscript%3E")
    assert "<script>" not in operator.page("/")


def accepted(reader: Reader) -> str:
    """Accept a matter through its form; returns the matter's path."""
    form = form_to(reader.page("/matters/new"), "/matters")
    parties = {
        "party_role": ["applicant", "respondent"], "party_kind": ["person", "person"], "party_name": ["夏晓", "戴超忠"],
        "party_id": ["", ""], "party_phone": ["10012340001", ""], "party_address": ["", ""],
    }  # fmt: skip
    fields = {
        **form, **parties, "committee": COMMITTEE, "mediator": "金杰", "accepted_on": "2026-04-01", "cause": "相邻关系纠纷",
        "source": "A1", "medium": "W1", "claimed": "12,345.60",
    }  # fmt: skip
    first = reader.client.post("/matters", data=fields, follow_redirects=False)
    assert first.status_code == 303, first.text
    again = reader.client.post("/matters", data=fields, follow_redirects=False)
    assert again.headers["location"] == first.headers["location"], "a second click makes no second matter"
    return str(first.headers["location"])


def test_accept_draft_sign_void_replace(enter: Enter, county: County) -> None:
    clerk, mediator = enter("clerk1"), enter("mediator1")
    path = accepted(clerk)
    assert clerk.page("/matters").count(path) == 1
    shown = clerk.page(path)
    assert "瓯栖调〔2026〕石坦0001号" in shown and "12,345.60" in shown and "起草协议" not in shown
    assert "查不到" not in clerk.page("/matters?number=瓯栖调〔2026〕石坦0001号")
    new = f"{path}/agreements/new"
    even = mediator.send(
        new,
        new,
        at=f"{path}/agreements",
        more="split",
        total="100.00",
        parts="3",
        first_due="2026-01-31",
        terms="赔偿。",
    )
    assert [*re.findall(r'name="yuan" value="([^"]+)"', even)] == ["33.33", "33.33", "33.34"]
    assert [*re.findall(r'name="due_on" value="([^"]+)"', even)] == ["2026-01-31", "2026-02-28", "2026-03-31"]
    wrong = {
        "terms": "赔偿。",
        "total": "100.01",
        "due_on": ["2026-05-01"],
        "yuan": ["100.001"],
        "payer": ["R1"],
        "payee": ["A9"],
    }
    shown = mediator.send(new, f"{path}/agreements", 422, **wrong)
    assert "金额无法识别" in shown and "代码不在代码表中" in shown and "赔偿。" in shown
    right = {
        "terms": "赔偿。",
        "total": "100.00",
        "due_on": ["2026-05-01", ""],
        "yuan": ["100", ""],
        "payer": ["R1"] * 2,
        "payee": ["A1"] * 2,
    }
    mediator.send(new, f"{path}/agreements", **right)
    shown = mediator.page(path)
    sign = re.search(r'action="(/matters/agreements/[^"]+/sign)"', shown)
    assert sign is not None
    signers = {
        "signer": ["A1", "R1", "mediator", "seal"],
        "name": ["夏晓", "戴超忠", "金杰", "章"],
        "method": ["handwritten"] * 3 + ["seal"],
    }
    assert "缺少签名" in mediator.send(path, sign[1], 422, signed=["A1", "R1", "mediator"], **signers)
    assert "协议已签署" in mediator.send(path, sign[1], signed=signers["signer"], **signers)
    paper = mediator.page(sign[1].replace("/sign", "/print"))
    assert "壹佰元整" in paper
    shown = mediator.page(path)
    assert "/escrow/cases/" in shown and "登记账户</summary>" not in shown
    assert "司法确认：未申请" in shown
    assert "已申请" in mediator.send(path, sign[1].replace("/sign", "/confirmation"))
    assert "草稿" in mediator.send(f"{new}?replaces={sign[1].split('/')[3]}", f"{path}/agreements", **right)
    void = sign[1].replace("/sign", "/void")
    assert "协议已撤销" in mediator.send(path, void, reason="双方书面解除")


def test_account_before_signing(enter: Enter, county: County) -> None:
    clerk = enter("clerk1")
    path = accepted(clerk)
    to = f"{path}/parties/A1/account"
    shown = clerk.send(path, to, 422, account="9955000000000010", bank_code="12")
    assert "银行卡号校验位不对" in shown
    assert "账户已登记" in clerk.send(
        path, to, account="9900339900000100001", bank_name="瓯栖农商银行", bank_code="402339900017"
    )
    assert "9900339900000100001" in clerk.page(path)


def test_moves_of_a_matter(enter: Enter) -> None:
    clerk = enter("clerk1")
    path = accepted(clerk)
    assert "调解中" in clerk.send(path, f"{path}/moves", event="mediate")
    assert "缺少必填内容" in clerk.send(path, f"{path}/moves", 422, event="fail")
    assert "调解不成" in clerk.send(path, f"{path}/moves", event="fail", reason="双方差距过大")
    form = form_to(clerk.page(path), f"{path}/moves")
    answer = clerk.client.post(f"{path}/moves", data={**form, "event": "close", "reason": "x"})
    assert answer.status_code == 409 and "状态已变化" in answer.text


def test_an_order_by_three_people(enter: Enter, county: County) -> None:
    """Each step for its role, never twice by one person, each on the digest that was shown."""
    case = f"/escrow/cases/{county.funded(6_000_000, 3_000_000)}"
    cashier, checker, releaser = enter("cashier1"), enter("checker1"), enter("releaser1")
    seat = re.search(r'<option value="(A1\|[a-z_]+)">', cashier.page(case))
    assert seat is not None
    drafted = cashier.send(case, f"{case}/orders", seat=seat[1], instalment="1", amount="60000.00")
    order = re.search(r"/escrow/orders/[0-9a-f-]{36}", drafted)
    assert order is not None and "您是这条指令的经办" not in drafted and "须由复核或审批办理" in drafted
    short = cashier.send(case, f"{case}/orders", 422, seat=seat[1], instalment="2", amount="50000.01")
    assert "超出协议约定的金额" in short, short
    path = order[0]
    digest = re.search(r'name="digest" value="([0-9a-f]{64})"', checker.page(path))
    assert digest is not None
    assert "所核内容与指令内容不一致" in checker.send(path, f"{path}/check", 422, digest="0" * 64)
    assert "已复核签署" in checker.send(path, f"{path}/check")
    assert "放行人须与复核人不同" in checker.page(path)
    form = form_to(releaser.page(path), f"{path}/release")
    forced = checker.client.post(f"{path}/release", data={**form, "token": _token(checker)})
    assert forced.status_code == 403 and "同一人不得办理两道手续" in forced.text
    answers = [releaser.client.post(f"{path}/release", data=form) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert "已放行" in answers[0].text and "已放行" in answers[1].text
    assert "60,000.00" in releaser.page(case)


def _token(reader: Reader) -> str:
    found = re.search(r'name="token" value="([0-9a-f]{32})"', reader.page("/"))
    assert found is not None
    return found[1]


def test_two_clicks_at_once_are_one(enter: Enter, county: County) -> None:
    case = f"/escrow/cases/{county.funded(1_000_000)}"
    cashier = enter("cashier1")
    seat = re.search(r'<option value="(A1\|[a-z_]+)">', cashier.page(case))
    assert seat is not None
    form = {
        **form_to(cashier.page(case), f"{case}/orders"),
        "seat": seat[1],
        "instalment": "1",
        "amount": "10.00",
    }
    places: list[str] = []
    cookies = dict(cashier.client.cookies)

    def click() -> None:
        answer = enter("cashier1").client.post(
            f"{case}/orders", data=form, cookies=cookies, follow_redirects=False
        )
        places.append(answer.headers.get("location", answer.text[:300]))

    threads = [Thread(target=click) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(places) == 3 and len(set(places)) == 1, places
    with unit_of_work(county.hub.engine) as uow:
        assert uow.scalar("SELECT count(*) FROM escrow.payment_order") == 1


def test_cancel_needs_a_reason(enter: Enter, county: County) -> None:
    order = county.order(county.funded(1_000_000), 1_000_000)
    cashier, path = enter("cashier1"), f"/escrow/orders/{order}"
    assert "缺少必填内容" in cashier.send(path, f"{path}/cancel", 422, reason=" ")
    assert "指令已撤回" in cashier.send(path, f"{path}/cancel", reason="收款人要求改期")


def test_no_sum_but_a_sum(enter: Enter, county: County) -> None:
    case, cashier = f"/escrow/cases/{county.funded(1_000_000)}", enter("cashier1")
    for amount in ("0", "-1", "1.001", "NaN", "1e5", "1,2", "壹佰", "9" * 13, ""):
        shown = cashier.send(case, f"{case}/orders", 422, seat="A1|x", instalment="1", amount=amount)
        assert "金额无法识别" in shown or "缺少必填内容" in shown, amount
