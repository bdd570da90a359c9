"""A partner with an adapter that was suspended is told to come back later, in its own words, and is taken when it does."""

from __future__ import annotations

import pytest

from foundation.unit_of_work import unit_of_work
from hub import partner_desk
from tests.acceptance.conftest import Api
from tests.acceptance.senders import ARBITRATION, COURT, PETITION, PROCURATORATE, Sender
from tests.acceptance.test_once import BUSY, _one_call

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("sender", (COURT, PETITION, PROCURATORATE, ARBITRATION), ids=lambda each: each.name)
def test_calls_of_a_suspended_partner_are_put_off(api: Api, sender: Sender) -> None:
    partner = sender.path.split("/")[2]
    sealed = sender.seal(sender.right())
    stored = "SELECT count(*) FROM exchange.inbox"
    with unit_of_work(api.engine) as uow:
        partner_desk.turn(uow, partner, "维护", suspend=True)
        before = uow.scalar(stored)
    answer = _one_call(api, sender, *sealed)
    status, words = BUSY[sender.name]
    assert (answer.status_code, words in answer.content) == (status, True), answer.text
    with unit_of_work(api.engine) as uow:
        assert uow.scalar(stored) == before
        partner_desk.turn(uow, partner, "维护结束", suspend=False)
    answer = _one_call(api, sender, *sealed)
    assert sender.said(answer.status_code, answer.content) is None, answer.text
