"""Acceptance 7: bad input to each service gives a fault or problem with code and path, soon, and leaves nothing."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from connectors import all_connectors
from escrow import all_rails
from tests.acceptance.attacks import Attack, content_attacks, wire_attacks
from tests.acceptance.conftest import Api
from tests.acceptance.row_counts import counts, more
from tests.acceptance.senders import SENDERS, Sender

pytestmark = pytest.mark.slow
WITHIN_S = 2.0
EACH = pytest.mark.parametrize("sender", SENDERS, ids=lambda sender: sender.name)


@pytest.fixture
def listener() -> Iterator[tuple[str, list[bytes]]]:
    """An address that notes whoever calls it."""
    heard: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def listen() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            heard.append(connection.recv(1000))
            connection.close()

    threading.Thread(target=listen, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}", heard
    server.close()


def test_every_service_has_a_sender() -> None:
    """A new partner endpoint or callback must be attacked too."""
    paths = {
        f"/partners/{each.id}{endpoint.path}"
        for each in all_connectors().values()
        if each.service is not None
        for endpoint in each.service.ENDPOINTS
    }
    paths |= {
        f"/rails/{each.id}/{each.manifest['callback']['path']}"
        for each in all_rails().values()
        if each.has("callback")
    }
    assert paths == {sender.path for sender in SENDERS}


@EACH
def test_what_is_right_is_taken(api: Api, sender: Sender) -> None:
    """The attacks start from messages that are really taken; else they would show nothing."""
    body, headers = sender.seal(sender.right())
    answer = httpx.post(api.hub.url + sender.path, content=body, headers=headers, timeout=30, trust_env=False)
    said = sender.said(answer.status_code, answer.content)
    assert said is None or sender.name == "wallet", (said, answer.text)


@EACH
def test_attacks_on_the_wire(api: Api, sender: Sender, listener: tuple[str, list[bytes]]) -> None:
    address, heard = listener
    wrong = judge(api, sender, wire_attacks(sender, address))
    assert heard == [], "somebody was made to call"
    assert not wrong, "\n".join(wrong)


@EACH
def test_attacks_inside_a_sealed_message(api: Api, sender: Sender) -> None:
    wrong = judge(api, sender, content_attacks(sender))
    assert not wrong, "\n".join(wrong)


def judge(api: Api, sender: Sender, attacks: Iterator[Attack]) -> list[str]:
    """Send each; returns what was not as it must be."""
    wrong = []
    before = counts(api.engine)
    with httpx.Client(base_url=api.hub.url, timeout=10, trust_env=False) as client:
        for attack in attacks:
            try:
                answer, took = timed(client, sender, attack)
            except httpx.HTTPError as error:
                wrong.append(f"{sender.name}, {attack.name}: no answer, {type(error).__name__} {error}")
                continue
            after = counts(api.engine)
            for each in _faults(sender, attack, answer, took, more(before, after)):
                wrong.append(f"{sender.name}, {attack.name}: {each}")
            before = after
    return wrong


def timed(client: httpx.Client, sender: Sender, attack: Attack) -> tuple[httpx.Response, float]:
    """The answer and its time; measured once more when it was slow, for other tests run on this machine too."""
    times = []
    for _ in range(2):
        began = time.monotonic()
        answer = client.request(attack.method, sender.path, content=attack.body, headers=attack.headers)
        times.append(time.monotonic() - began)
        if times[-1] <= WITHIN_S:
            break
    return answer, min(times)


def _faults(
    sender: Sender, attack: Attack, answer: httpx.Response, took: float, changed: dict[str, int]
) -> Iterator[str]:
    if took > WITHIN_S:
        yield f"took {took:.1f} s"
    try:
        said = sender.said(answer.status_code, answer.content)
    except Exception as error:
        yield f"answer {answer.status_code} is in no form of the contract: {type(error).__name__} {str(error)[:200]} {answer.text[:300]}"
        return
    if b"root:" in answer.content:
        yield "the answer quotes a file of this machine"
    if said is None:
        if attack.must:
            yield f"was taken: {answer.text[:300]}"
        return
    if not (said.code and said.path):
        yield f"refused without code or path: {said}"
    if changed:
        yield f"refused as {said}, and yet it left {changed}"
