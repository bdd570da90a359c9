"""Partners on the screen: key dates, suspension with a reason, revocation, the address tried."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connectors import all_connectors
from foundation.directory import load
from foundation.partner_keys import register_key
from foundation.unit_of_work import unit_of_work
from tests.console.conftest import Reader
from tests.console.world import County
from tests.exchange.partner_side import enter as enter_partner
from tests.exchange.partner_side import pem

Enter = Callable[[str], Reader]
PAGE = "/exchange/partners/ouqi_street"


@pytest.fixture
def street(county: County) -> County:
    with unit_of_work(county.hub.engine) as uow:
        enter_partner(uow)
        register_key(uow, "ouqi_street", "http", pem(days=100), key_id="street-1")
    return county


def test_partners_are_listed_with_their_next_key(enter: Enter, street: County) -> None:
    shown = enter("operator1").page("/exchange/partners")
    assert "瓯栖街道" in shown and "通用约定" in shown and "剩余天数 9" in shown
    assert all(each.name_zh in shown for each in all_connectors().values() if each.client)
    assert "没有权限" in enter("mediator1").page("/exchange/partners", 403)


def test_suspension_wants_a_reason_and_acts(enter: Enter, street: County) -> None:
    operator, auditor = enter("operator1"), enter("auditor1")
    assert "停用的理由" not in auditor.page(PAGE)
    assert "缺少必填内容" in operator.send(PAGE, f"{PAGE}/suspend", 422, reason="")
    shown = operator.send(PAGE, f"{PAGE}/suspend", reason="合同到期")
    assert "伙伴已停用" in shown and "合同到期" in shown and "operator1" in shown
    with unit_of_work(street.hub.engine) as uow:
        assert load(uow.conn).partners["ouqi_street"].state == "suspended"
    assert "伙伴已恢复" in operator.send(PAGE, f"{PAGE}/resume", reason="已续签")
    adapter = next(each.id for each in all_connectors().values() if each.client)
    shown = operator.send(
        f"/exchange/partners/{adapter}", f"/exchange/partners/{adapter}/suspend", reason="维护"
    )
    assert "伙伴已停用" in shown


def test_a_key_is_revoked(enter: Enter, street: County) -> None:
    shown = enter("operator1").send(PAGE, f"{PAGE}/revoke", key="street-1", reason="私钥外泄")
    assert "密钥已吊销" in shown and "已吊销" in shown and "私钥外泄" in shown


def test_the_address_is_tried(enter: Enter, street: County) -> None:
    assert "未通：没有登记地址" in enter("operator1").send(PAGE, f"{PAGE}/try")
