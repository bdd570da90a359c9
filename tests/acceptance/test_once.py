"""One message many times at once has one effect; our own trouble is told in each partner's own words."""

from __future__ import annotations

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import text

from foundation.database import make_engine
from tests.acceptance.conftest import Api
from tests.acceptance.row_counts import counts, more
from tests.acceptance.senders import (
    ALIPAY,
    ARBITRATION,
    BANK,
    COURT,
    PETITION,
    PROCURATORATE,
    SENDERS,
    Sender,
)

pytestmark = pytest.mark.slow
TIMES = 50
# The made-up messages are of the same people, so each further case is linked to more of the earlier ones.
LINKS = {
    "registry.board_count",
    "registry.link_edge",
    "registry.supervision_case",  # one case on a dispute whose people petition again, however often
    "registry.supervision_act",
    "registry.factor",
    "registry.factor_log",
    "exchange.event",
}


@pytest.mark.parametrize(
    "sender", (COURT, PETITION, PROCURATORATE, ARBITRATION, BANK), ids=lambda each: each.name
)
def test_fifty_at_once_have_one_effect(api: Api, sender: Sender) -> None:
    """All are told that it was taken; the registry and the books changed as by one."""
    _one_call(api, sender, *sender.seal(sender.right()))  # what the first message of a partner leaves once
    before = counts(api.engine)
    single = sender.right()
    _one_call(api, sender, *sender.seal(single))
    by_one = _effect(before, counts(api.engine))
    again = counts(api.engine)
    # A new message; the same bytes each time, but where the contract wants each sending sealed anew.
    content = sender.right()
    sealed = (
        [sender.seal(content) for _ in range(TIMES)]
        if sender is PROCURATORATE
        else [sender.seal(content)] * TIMES
    )
    with ThreadPoolExecutor(TIMES) as pool:
        answers = list(pool.map(lambda each: _one_call(api, sender, *each), sealed))
    assert _effect(again, counts(api.engine)) == by_one
    assert Counter(answer.status_code for answer in answers) == {200: TIMES}
    assert all(sender.said(200, answer.content) is None for answer in answers)
    if sender in (COURT, ARBITRATION):  # the answer carries nothing but the receipt: the same, byte for byte
        assert len({answer.content for answer in answers}) == 1
    states = _states_of_newest(api, TIMES)
    assert states == {"APPLIED": 1, "DUPLICATE": TIMES - 1}


def _effect(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {name: rows for name, rows in more(before, after).items() if name not in LINKS}


def _one_call(api: Api, sender: Sender, body: bytes, headers: dict[str, str]) -> httpx.Response:
    return httpx.post(api.hub.url + sender.path, content=body, headers=headers, timeout=60, trust_env=False)


def _states_of_newest(api: Api, number: int) -> dict[str, int]:
    with api.engine.connect() as conn:
        rows = conn.execute(
            text("SELECT state FROM exchange.inbox ORDER BY seq DESC LIMIT :n"), {"n": number}
        ).scalars()
        return dict(Counter(rows))


BUSY = {
    "court": (200, b"<code>C9007</code>"),
    "court batches": (200, b"<code>C9007</code>"),
    "petition": (200, b'"Message":"E99"'),
    "procuratorate": (503, b"<Code>J0503</Code>"),
    "arbitration": (503, b'"code": "UNAVAILABLE"'),
    "bank": (200, b'"code":"E00503"'),
    "wallet": (200, b"fail"),
}


def test_without_its_database_it_says_so(api: Api) -> None:
    """Every partner hears "later" in its own code, REST gives 503 with Retry-After; then all goes on by itself."""
    name = api.engine.url.database
    admin = make_engine(api.engine.url.set(database="postgres").render_as_string(hide_password=False))
    sent = {sender.name: sender.seal(sender.right()) for sender in SENDERS}
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'))
        conn.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :n"), {"n": name}
        )
        try:
            for sender in SENDERS:
                answer = _one_call(api, sender, *sent[sender.name])
                status, words = BUSY[sender.name]
                assert (answer.status_code, words in answer.content) == (status, True), (
                    sender.name,
                    answer.text,
                )
                if status == 503:
                    assert int(answer.headers["Retry-After"]) > 0
            for path in ("/health", "/v1/health"):
                answer = httpx.get(api.hub.url + path, timeout=30, trust_env=False)
                assert (answer.status_code, answer.json()["code"]) == (503, "BUSY")
                assert int(answer.headers["Retry-After"]) > 0
        finally:
            conn.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'))
    admin.dispose()
    api.engine.dispose()
    limit = time.monotonic() + 20
    while httpx.get(f"{api.hub.url}/health", timeout=30, trust_env=False).status_code != 200:
        assert time.monotonic() < limit
        time.sleep(0.2)
    for sender in SENDERS:
        if sender is not ALIPAY:
            answer = _one_call(api, sender, *sent[sender.name])
            assert sender.said(answer.status_code, answer.content) is None, (sender.name, answer.text)


def test_a_fault_of_ours_says_nothing_about_people(api: Api) -> None:
    """A table is gone: the answer is a problem with a number, and the log has the place but no text of the row."""
    person = "张三丰100123456789"
    with api.engine.begin() as conn:
        conn.execute(text("ALTER TABLE exchange.staff RENAME TO staff_away"))
    try:
        answer = httpx.post(
            f"{api.hub.url}/v1/session", json={"id": person, "password": person}, timeout=30, trust_env=False
        )
    finally:
        with api.engine.begin() as conn:
            conn.execute(text("ALTER TABLE exchange.staff_away RENAME TO staff"))
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    told = json.loads(answer.text)
    assert told["code"] == "INTERNAL"
    assert "SELECT" not in answer.text
    log = (api.hub.var_dir / "exchange_api.log").read_text(encoding="utf-8")
    number = told["errors"][0]["found"]
    assert f"fault {number} at POST /v1/session" in log
    assert "foundation/staff.py" in log
    assert person not in log
