"""Every page for every role: shown or refused, empty or full."""

from __future__ import annotations

from collections.abc import Callable

from tests.console.conftest import Reader
from tests.console.world import County

Enter = Callable[[str], Reader]
EVERYBODY = (
    "clerk1", "mediator1", "reviewer1", "cashier1", "checker1", "releaser1", "supervisor1", "auditor1", "operator1",
)  # fmt: skip
# Page → who may not see it.
CLOSED = {
    "/": (),
    "/disputes": (),
    "/matters": (),
    "/escrow": ("clerk1",),
    "/escrow/suspense": ("clerk1",),
    "/escrow/decisions": ("clerk1",),
    "/escrow/reconciliation": ("clerk1",),
    "/exchange": tuple(set(EVERYBODY) - {"supervisor1", "auditor1", "operator1"}),
    "/exchange?way=out": tuple(set(EVERYBODY) - {"supervisor1", "auditor1", "operator1"}),
    "/matters/new": tuple(set(EVERYBODY) - {"clerk1", "mediator1", "reviewer1"}),
}

NOWHERE = (
        "/disputes/JF-2026-999999", "/proposals/00000000-0000-0000-0000-000000000000", "/proposals/x",
        "/matters/00000000-0000-0000-0000-000000000000", "/matters/x", "/escrow/cases/x", "/nowhere",
        "/escrow/cases/00000000-0000-0000-0000-000000000000", "/escrow/orders/00000000-0000-0000-0000-000000000000",
        "/exchange/in/00000000-0000-0000-0000-000000000000", "/exchange/out/x", "/escrow/of/nothing",
        "/matters/agreements/00000000-0000-0000-0000-000000000000/print",
)  # fmt: skip


def test_empty_pages_by_role(enter: Enter) -> None:
    for who in EVERYBODY:
        reader = enter(who)
        for path, closed in CLOSED.items():
            shown = reader.page(path, 403 if who in closed else 200)
            assert ("没有权限" in shown) == (who in closed), (who, path)


def test_empty_states_say_so(enter: Enter) -> None:
    texts = {
        "/": "现在没有等您办理的事项",
        "/disputes": "没有符合条件的纠纷",
        "/matters": "还没有案卷",
        "/escrow": "没有符合条件的托管案件",
        "/escrow/suspense": "没有挂账来款",
        "/escrow/decisions": "没有等第二人确认的事项",
        "/escrow/reconciliation": "没有差异",
        "/exchange": "没有符合条件的报文",
    }
    auditor = enter("auditor1")
    for path, text in texts.items():
        assert text in auditor.page(path), path


def test_full_pages(enter: Enter, county: County) -> None:
    number, conflict = county.petition(), county.conflict()
    county.proposal()
    case_id = county.funded(6_000_000, 3_000_000)
    order = county.order(case_id, 6_000_000)
    county.credit("99033990000010001", 120_000, "不明", ("林晓", "99551"), own=False)
    inbox = county.quarantined()
    county.alarm()
    auditor, officer, operator = enter("auditor1"), enter("supervisor1"), enter("operator1")
    for path, text in (
        ("/disputes", number), (f"/disputes/{number}", "江秀英"), (f"/disputes/{conflict}", "数据冲突"),
        (f"/escrow/cases/{case_id}", "60,000.00"), (f"/escrow/orders/{order}", "60,000.00"), ("/escrow", "90,000.00"),
        ("/escrow/suspense", "1,200.00"), ("/escrow/reconciliation", "账务不变量逐条检查通过"), (f"/exchange/in/{inbox}", "已隔离"),
        ("/exchange", "SAME_ID_OTHER_BYTES"),
    ):  # fmt: skip
        shown = auditor.page(path)
        assert text in shown, path
    assert "待确认归并" in operator.page("/") and "告警" in operator.page("/")
    assert "数据冲突" in enter("reviewer1").page("/") and "时限预警" in officer.page("/")


def test_wrong_id_is_a_page_that_says_so(enter: Enter) -> None:
    operator = enter("operator1")
    for path in NOWHERE:
        shown = operator.page(path, 404)
        assert "没有找到" in shown and "Traceback" not in shown, path


def test_two_languages(enter: Enter, county: County) -> None:
    county.petition()
    reader = enter("supervisor1")
    reader.client.get("/language/en?target=/disputes")
    shown = reader.page("/disputes")
    assert '<html lang="en">' in shown and "In petition" in shown and "Disputes" in shown
    reader.client.get("/language/zh?target=/")
    assert "信访办理" in reader.page("/disputes")


def test_nobody_is_let_in_without_a_session(enter: Enter) -> None:
    reader = enter("auditor1")
    reader.client.cookies.clear()
    answer = reader.client.get("/escrow?state=OPEN", follow_redirects=False)
    assert answer.status_code == 303 and answer.headers["location"] == "/login?target=/escrow%3Fstate%3DOPEN"
    for target in ("//evil.example/", "https://evil.example/", "/\\evil.example"):
        shown = reader.client.get("/login", params={"target": target}).text
        assert 'name="target" value="/"' in shown
    assert reader.client.post("/login", data={"id": "auditor1", "password": "wrong"}).status_code == 401
