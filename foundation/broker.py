"""The broker: wakes workers and publishes events; the truth stays in PostgreSQL.

Two ways to wake, the same workers: RabbitMQ (pika) where there is one, PostgreSQL LISTEN/NOTIFY always.
Losing the broker loses speed, never data (design, "The way of a message").
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pika
import psycopg

log = logging.getLogger("concord.broker")

EXCHANGE = "concord.events"
WORK_QUEUE = "concord.work"
HEARTBEAT_S = 30
POLL_S = 1.0


def connected(amqp_url: str) -> pika.BlockingConnection:
    """A connection to the broker, with every wait bounded. Raises AMQPError or OSError."""
    parameters = pika.URLParameters(amqp_url)
    parameters.heartbeat = HEARTBEAT_S
    parameters.blocked_connection_timeout = 5
    parameters.socket_timeout = 3
    parameters.connection_attempts = 1
    return pika.BlockingConnection(parameters)


class Publisher:
    """Publishes events with confirms; one connection, used by one thread only (pika is not thread-safe)."""

    def __init__(self, amqp_url: str) -> None:
        self._url = amqp_url
        self._connection: pika.BlockingConnection | None = None
        self._channel: pika.adapters.blocking_connection.BlockingChannel | None = None

    def publish(self, topic: str, body: bytes, message_id: str) -> bool:
        """True when the broker has confirmed; False when it could not be reached (the caller keeps the row)."""
        try:
            channel = self._open()
            channel.basic_publish(
                EXCHANGE,
                topic,
                body,
                pika.BasicProperties(
                    content_type="application/cloudevents+json", delivery_mode=2, message_id=message_id
                ),
            )
            return True
        except (pika.exceptions.AMQPError, OSError) as error:
            log.warning("broker not reached: %s", error)
            self.close()
            return False

    def _open(self) -> pika.adapters.blocking_connection.BlockingChannel:
        if self._channel is None or not self._channel.is_open:
            self._connection = connected(self._url)
            self._channel = self._connection.channel()
            self._channel.confirm_delivery()
            self._channel.exchange_declare(EXCHANGE, "topic", durable=True)
            self._channel.queue_declare(WORK_QUEUE, durable=True, arguments={"x-max-length": 10_000})
            self._channel.queue_bind(WORK_QUEUE, EXCHANGE, "#")
        return self._channel

    def service(self) -> None:
        """Answer heartbeats; call it at least every ``HEARTBEAT_S`` seconds."""
        if self._connection is not None and self._connection.is_open:
            try:
                self._connection.process_data_events(0)
            except (pika.exceptions.AMQPError, OSError):
                self.close()

    def close(self) -> None:
        """Drop the connection; the next publish opens another."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None and connection.is_open:
            try:
                connection.close()
            except (pika.exceptions.AMQPError, OSError):
                pass


def listen(database_url: str, wake: Callable[[], None], stop: threading.Event) -> None:
    """Call ``wake`` whenever a transaction that made work commits (LISTEN/NOTIFY); returns when ``stop`` is set.

    Also wakes once a second-ish poll is due, because time itself makes work (retries, lamps).
    """
    url = database_url.replace("+psycopg", "")
    while not stop.is_set():
        try:
            with psycopg.connect(url, autocommit=True) as conn:
                conn.execute("LISTEN concord_work")
                while not stop.is_set():
                    for _ in conn.notifies(timeout=POLL_S, stop_after=1):
                        pass
                    wake()
        except psycopg.OperationalError as error:
            log.warning("database not reached while listening: %s", error)
            stop.wait(POLL_S)


def consume(amqp_url: str, wake: Callable[[], None], stop: threading.Event) -> None:
    """Call ``wake`` for each event the broker hands over; reconnects until ``stop`` is set."""
    while not stop.is_set():
        try:
            with connected(amqp_url) as connection:
                channel = connection.channel()
                channel.exchange_declare(EXCHANGE, "topic", durable=True)
                channel.queue_declare(WORK_QUEUE, durable=True, arguments={"x-max-length": 10_000})
                channel.queue_bind(WORK_QUEUE, EXCHANGE, "#")
                channel.basic_qos(prefetch_count=100)
                for method, _properties, _body in channel.consume(WORK_QUEUE, inactivity_timeout=POLL_S):
                    if stop.is_set():
                        break
                    if method is not None:
                        channel.basic_ack(method.delivery_tag)
                        wake()
        except (pika.exceptions.AMQPError, OSError) as error:
            log.info("broker away: %s", error)
            stop.wait(POLL_S)
