"""Carries what subscribers are to be told: each subscription by one thread at a time, none waiting for another."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from uuid import UUID

from sqlalchemy import RowMapping

from foundation import subscriptions
from foundation.broker_queues import BrokerAway, QueuePublisher
from foundation.journal import raise_alarm
from foundation.unit_of_work import unit_of_work
from foundation.wire import Wire
from hub import sharing
from hub.pipeline import Hub
from hub.subscribing import FAN_OUT, fan_out, signed_headers

log = logging.getLogger("concord.teller")

BATCH = 50
AT_ONCE = 16
WEBHOOK_TIMEOUT_S = 10.0
TURN_S = 5.0
LONGEST_WAIT_S = 86_400.0
GONE = "HTTP 410"


class Teller:
    """Carries deliveries: one thread for queues, a few for webhooks, each subscription by one at a time."""

    def __init__(self, hub: Hub, wire: Wire) -> None:
        self.hub = hub
        self.wire = wire
        self.pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="tell")
        self.busy: set[UUID] = set()
        self.lock = threading.Lock()

    def turn(self) -> None:
        """Fan out what is new and start what is due; does not wait for subscribers."""
        while fan_out(self.hub) == FAN_OUT:
            pass
        with unit_of_work(self.hub.engine) as uow:
            # What waits does not leave after its agreement's end; it waits on, and goes when there is one again.
            due = [
                row
                for row in subscriptions.with_work(uow)
                if sharing.may_share(uow, row["partner"], "whereabouts", "PROGRESS") is not None
            ]
        for row in due:
            if row["kind"] == "amqp" and not self.hub.settings.amqp_url:
                continue  # it waits until there is a broker again
            with self.lock:
                if row["id"] in self.busy or len(self.busy) >= AT_ONCE:
                    continue
                self.busy.add(row["id"])
            self.pool.submit(self._tell, row).add_done_callback(lambda done, s=row["id"]: self._done(s, done))

    def close(self) -> None:
        """Let what is under way end, and drop connections."""
        self.pool.shutdown(wait=True, cancel_futures=True)

    def _done(self, subscription: UUID, done: Future[None]) -> None:
        with self.lock:
            self.busy.discard(subscription)
        if not done.cancelled() and done.exception() is not None:
            log.error("subscription %s could not be told: %s", subscription, done.exception())

    def _tell(self, subscription: RowMapping) -> None:
        # A connection of its own: a queue that the broker cannot write to holds up nobody else.
        queue = QueuePublisher(self.hub.settings.amqp_url) if subscription["kind"] == "amqp" else None
        try:
            self._tell_by(subscription, queue)
        finally:
            if queue is not None:
                queue.close()

    def _tell_by(self, subscription: RowMapping, queue: QueuePublisher | None) -> None:
        until = time.monotonic() + TURN_S
        while time.monotonic() < until:
            with unit_of_work(self.hub.engine) as uow:
                rows = subscriptions.lease_due(uow, subscription["id"], BATCH)
            if not rows:
                return
            for place, row in enumerate(rows):
                if not self._one(subscription, row, queue):
                    with unit_of_work(self.hub.engine) as uow:
                        subscriptions.release(uow, rows[place + 1 :])
                    return

    def _one(self, subscription: RowMapping, row: RowMapping, queue: QueuePublisher | None) -> bool:
        """One telling and what came of it; False when the subscriber is not to be called again now."""
        message_id = f"{row['event']}-{subscription['id'].hex[-8:]}"
        if queue is not None:
            error, for_good, wait = _to_queue(queue, subscription["address"], bytes(row["body"]), message_id)
        else:
            error, for_good, wait = self._to_webhook(subscription, bytes(row["body"]), message_id)
        with unit_of_work(self.hub.engine) as uow:
            if not error:
                subscriptions.taken(uow, row)
                return True
            if error == GONE:
                subscriptions.move(uow, subscription["id"], "ENDED", "the subscriber answered 410 Gone")
            state = subscriptions.not_taken(uow, row, error, for_good=for_good, wait_s=wait)
            if state == "DEAD" or error == GONE:
                raise_alarm(uow, "subscriber_not_told", str(subscription["id"]), error=error[:300])
            return for_good and error != GONE

    def _to_webhook(
        self, subscription: RowMapping, body: bytes, message_id: str
    ) -> tuple[str, bool, float | None]:
        headers = signed_headers(self.hub.keys, subscription["id"], message_id, body)
        reply = self.wire.request(
            "POST", subscription["address"], headers=headers, content=body, timeout_s=WEBHOOK_TIMEOUT_S
        )
        if reply.status is None:
            return reply.error or "no answer", False, None
        if 200 <= reply.status < 300:
            return "", False, None
        if reply.status == 410:
            return GONE, True, None
        told = reply.headers.get("retry-after", "")
        wait = min(LONGEST_WAIT_S, float(told)) if told.isdigit() else None
        # Refused for what it is: it would be refused again. 404 and 401 may be a fault that people mend.
        return f"HTTP {reply.status}", reply.status in (400, 413, 415, 422), wait


def _to_queue(
    publisher: QueuePublisher, queue: str, body: bytes, message_id: str
) -> tuple[str, bool, float | None]:
    try:
        publisher.publish(queue, body, message_id)
    except BrokerAway as away:
        return str(away), False, None
    return "", False, None
