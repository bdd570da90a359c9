"""The exchange desk: a mended copy, many messages again, subscriptions."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from connectors import all_connectors
from foundation.unit_of_work import unit_of_work
from hub.operations import OPERATIONS, TAKES
from tests.console.conftest import Reader
from tests.console.world import County

Enter = Callable[[str], Reader]


def written_in(page: str) -> str:
    """What stands in the text field of the repair form."""
    found = re.search(r'<textarea id="content"[^>]*>(.*?)</textarea>', page, re.S)
    assert found is not None
    return html.unescape(found[1])


def test_a_mended_copy_is_a_message_of_its_own(enter: Enter, county: County) -> None:
    path = f"/exchange/in/{county.quarantined()}"
    operator, auditor = enter("operator1"), enter("auditor1")
    assert "修正后重新提交" not in auditor.page(path)
    text = written_in(operator.page(path))
    assert "应为" in operator.send(
        path, f"{path}/repair", 422, content=text, reason="照原样"
    )  # nothing was mended
    shown = operator.send(path, f"{path}/repair", content="<not xml", reason="改坏了")
    assert "修正件仍未通过" in shown and "本件是下列报文的修正件" in shown
    mended = text.replace('"BBH": 1', '"BBH": 2').replace('"CZLX": "A"', '"CZLX": "U"')
    assert mended != text
    shown = operator.send(path, f"{path}/repair", content=mended, reason="对方电话确认是更新件")
    assert "修正件已采纳" in shown and "已采纳" in shown
    assert "已隔离" in operator.page(path)  # what came stays as it came
    with unit_of_work(county.hub.engine) as uow:
        kept = uow.all("SELECT state, channel, headers FROM exchange.inbox ORDER BY seq")
        assert [row["state"] for row in kept] == ["APPLIED", "QUARANTINED", "REFUSED", "APPLIED"]
        assert kept[3]["headers"]["x-concord-repairs"] == path.rsplit("/", 1)[1]
        assert uow.scalar("SELECT count(*) FROM exchange.journal WHERE kind = 'repaired'") == 2
        assert uow.scalar("SELECT count(*) FROM exchange.alarm WHERE closed_at IS NULL") == 0


def test_many_again(enter: Enter, county: County) -> None:
    inbox = county.quarantined()
    operator = enter("operator1")
    listed = "/exchange?way=in&state=QUARANTINED"
    assert "缺少必填内容" in operator.send(listed, "/exchange/replay", 422, reason="", message=str(inbox))
    assert "仍被隔离 1" in operator.send(listed, "/exchange/replay", reason="复核", message=str(inbox))
    assert 'name="message"' not in enter("auditor1").page(listed)


def test_subscriptions(enter: Enter, county: County) -> None:
    page = "/exchange/subscriptions"
    operator = enter("operator1")
    assert "还没有订阅" in operator.page(page)
    assert "没有权限" in enter("mediator1").page(page, 403)
    chosen = re.search(r'<option value="([^"]+)"', operator.page(page).split('id="partner"')[1])
    assert chosen is not None
    what = {"partner": chosen[1], "kind": "webhook", "topic": ["stage_changed", "linked"]}
    assert "https" in operator.send(page, page, 422, address="http://partner.example/hook", **what)
    shown = operator.send(page, page, address="https://partner.example/hook", **what)
    assert "订阅已建立" in shown and "whsec_" in shown and "阶段变动" in shown
    assert "whsec_" not in operator.page(page)
    path = re.search(r'action="(/exchange/subscriptions/[0-9a-f-]{36})/state"', shown)
    assert path is not None
    assert "测试事件已排入发送" in operator.send(page, f"{path[1]}/test")
    assert "订阅已暂停" in operator.send(page, f"{path[1]}/state", state="PAUSED", reason="对方检修")
    assert "订阅已终止" in operator.send(page, f"{path[1]}/state", state="ENDED", reason="对方不再需要")
    assert f"{path[1]}/state" not in operator.page(page)


def test_the_service_catalogue_is_made_from_the_code(enter: Enter, county: County) -> None:
    county.quarantined()
    shown = enter("operator1").page("/exchange/catalogue")
    for adapter in all_connectors().values():
        assert adapter.name_zh in shown, adapter.id
        for endpoint in adapter.service.ENDPOINTS if adapter.service is not None else ():
            assert f"/partners/{adapter.id}{endpoint.path}" in shown
    assert all(operation in shown for operation in (*TAKES, *OPERATIONS))
    assert "没有权限" in enter("clerk1").page("/exchange/catalogue", 403)
