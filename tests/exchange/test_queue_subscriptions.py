"""Subscriptions by a queue of a real RabbitMQ: confirmed, in order, and the broker may vanish and come back."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pika
import pytest
from sqlalchemy import Engine

from foundation import subscriptions
from foundation.broker_queues import DEAD_QUEUE
from foundation.keys import KeyStore
from foundation.settings import Settings
from foundation.unit_of_work import unit_of_work
from foundation.wire import Wire
from hub import subscribing
from hub.pipeline import Hub
from hub.supervisor import rabbitmq
from hub.supervisor.children import INSTANCE, Child
from hub.teller import Teller
from tests.conftest import free_port
from tests.exchange.agreements import share
from tests.exchange.test_subscriptions import a_dispute, happen

pytestmark = [
    pytest.mark.long,
    pytest.mark.alone,
    pytest.mark.skipif(rabbitmq.find_server() is None, reason="RabbitMQ is not installed"),
]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[tuple[Child, str]]:
    server = rabbitmq.find_server()
    assert server is not None
    ports = (free_port(), free_port(), free_port())
    made, url = rabbitmq.program(server, tmp_path / "rabbit", f"t{os.getpid()}", *ports)
    child = Child(made, {**os.environ, INSTANCE: f"queue-test-{os.getpid()}"}, tmp_path)
    child.start()
    assert child.wait_ready(threading.Event()), child.tail()
    yield child, url
    child.ask_to_stop()
    child.finish_stop(10)


# RabbitMQ 3.10 forgets a quorum queue that was declared within its last seconds before a kill -9.
SETTLED_S = 12.0


def received(url: str, queue: str, count: int, *, reject: bool = False) -> list[dict[str, object]]:
    """Up to ``count`` events of a queue, taken (or rejected for good), within 10 s."""
    found = []
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        until = time.monotonic() + 10
        while len(found) < count and time.monotonic() < until:
            method, _properties, body = channel.basic_get(queue)
            if method is None:
                time.sleep(0.05)
                continue
            found.append(json.loads(body))
            if reject:
                channel.basic_reject(method.delivery_tag, requeue=False)
            else:
                channel.basic_ack(method.delivery_tag)
    return found


def test_told_in_order_whatever_the_broker_does(
    engine: Engine, database_url: str, tmp_path: Path, broker: tuple[Child, str]
) -> None:
    child, url = broker
    hub = Hub(engine, KeyStore(tmp_path / "keys"), Settings(database_url, url, tmp_path, 8600, "sandbox"))
    with unit_of_work(engine) as uow:
        share(uow, "p1")
        made, secret = subscribing.subscribe(uow, hub, "p1", "amqp", ["stage_changed"], approved=True)
        found = subscriptions.one(uow, made)
        dispute = a_dispute(uow, "JF-1", ["p1"])
    assert not secret and found is not None
    queue = found["address"]

    def tell(*stages: str) -> None:
        with unit_of_work(engine) as uow:
            for stage in stages:
                happen(uow, dispute, "JF-1", stage)
        work()

    def work() -> None:
        teller = Teller(hub, Wire())
        teller.turn()
        teller.close()

    tell("MEDIATING", "AGREED")
    assert [event["data"]["stage"] for event in received(url, queue, 2)] == ["MEDIATING", "AGREED"]  # type: ignore[index]
    assert child.pid is not None
    time.sleep(SETTLED_S)
    os.kill(child.pid, signal.SIGKILL)
    time.sleep(0.5)
    tell("CONFIRMED", "CLOSED")
    with unit_of_work(engine) as uow:
        (row,) = subscriptions.listed(uow)
        assert (row["waiting"], row["dead"]) == (2, 0) and row["last_error"]
    until = time.monotonic() + 60
    while not rabbitmq.reachable(url) and time.monotonic() < until:
        child.heal()
        time.sleep(0.1)
    assert child.wait_ready(threading.Event()), child.tail()
    with unit_of_work(engine) as uow:
        uow.execute("UPDATE exchange.subscription_delivery SET due = :now", now=uow.now)
        uow.execute("UPDATE exchange.subscription SET open_until = NULL")
    for _ in range(3):
        work()
    told = received(url, queue, 2, reject=True)
    assert [event["data"]["stage"] for event in told] == ["CONFIRMED", "CLOSED"]  # type: ignore[index]
    assert [event["id"] for event in received(url, DEAD_QUEUE, 2)] == [event["id"] for event in told]
