"""A subscriber's own queue at the broker: a quorum queue, publisher confirms, a dead-letter exchange.

What the subscriber rejects too often goes to ``concord.dead``, where people find it. The broker may vanish and
come back at any time: what it has not confirmed is published again under the same message id.
"""

from __future__ import annotations

import logging

import pika

from foundation.broker import connected

log = logging.getLogger("concord.broker")

DEAD_EXCHANGE = "concord.dead"
DEAD_QUEUE = "concord.dead"
MOST_REDELIVERIES = 20
MOST_WAITING = 1_000_000


class BrokerAway(Exception):
    """The broker could not be reached or did not confirm; nothing may be taken as published."""


class QueuePublisher:
    """Publishes to subscribers' queues; one connection, used by one thread only (pika is not thread-safe)."""

    def __init__(self, amqp_url: str) -> None:
        self._url = amqp_url
        self._connection: pika.BlockingConnection | None = None
        self._channel: pika.adapters.blocking_connection.BlockingChannel | None = None
        self._declared: set[str] = set()

    def publish(self, queue: str, body: bytes, message_id: str) -> None:
        """Publish one CloudEvent (structured mode) and return when the broker has confirmed. Raises BrokerAway."""
        try:
            channel = self._open(queue)
            channel.basic_publish(
                "",
                queue,
                body,
                pika.BasicProperties(
                    content_type="application/cloudevents+json; charset=utf-8",
                    delivery_mode=2,
                    message_id=message_id,
                ),
                mandatory=True,
            )
        except (pika.exceptions.AMQPError, OSError) as error:
            self.close()
            raise BrokerAway(f"{type(error).__name__}: {error}"[:300]) from error

    def _open(self, queue: str) -> pika.adapters.blocking_connection.BlockingChannel:
        if self._channel is None or not self._channel.is_open:
            self._connection = connected(self._url)
            self._channel = self._connection.channel()
            self._channel.confirm_delivery()
            self._declared = set()
        if queue not in self._declared:
            declare(self._channel, queue)
            self._declared.add(queue)
        return self._channel

    def close(self) -> None:
        """Drop the connection; the next publish opens another."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None and connection.is_open:
            try:
                connection.close()
            except (pika.exceptions.AMQPError, OSError) as error:
                log.info("broker away while closing: %s", error)


def declare(channel: pika.adapters.blocking_connection.BlockingChannel, queue: str) -> None:
    """Make a subscriber's queue and the place for what it rejects; nothing when they are there."""
    channel.exchange_declare(DEAD_EXCHANGE, "fanout", durable=True)
    channel.queue_declare(DEAD_QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
    channel.queue_bind(DEAD_QUEUE, DEAD_EXCHANGE)
    channel.queue_declare(
        queue,
        durable=True,
        arguments={
            "x-queue-type": "quorum",
            "x-delivery-limit": MOST_REDELIVERIES,
            "x-dead-letter-exchange": DEAD_EXCHANGE,
            "x-max-length": MOST_WAITING,
            "x-overflow": "reject-publish",
        },
    )
