"""The worker: takes up messages left behind, sends what is owed, works payments, relays events.

Woken by NOTIFY and, where there is one, by the broker; it also looks by itself twice a second, because time
alone makes work. Any number of workers may run: rows are leased.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time

from foundation import broker, inbox
from foundation.collecting import collect_seldom
from foundation.unit_of_work import unit_of_work
from foundation.wire import Wire
from hub import drop_folder, payments
from hub.applying import Applier
from hub.asking import Asker
from hub.cloud_events import cloud_event
from hub.context import hub_of_process
from hub.delivering import Deliverer
from hub.partner_watch import keep_watching
from hub.pipeline import Hub
from hub.replaying import take_up
from hub.sealing import keep_sealing, keep_stamping
from hub.teller import Teller

log = logging.getLogger("concord.worker")

POLL_S = 0.5
DROPS_EVERY_S = 2.0  # how often folders are looked at
RELAY_BATCH = 200


class Worker:
    """One worker process's loop."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.wire = Wire()
        self.wake = threading.Event()
        self.stop = threading.Event()
        self.deliverer = Deliverer(hub, self.wire)
        self.asker = Asker(hub, self.wire)
        self.pay = threading.Event()
        self.next_drops = 0.0
        self.teller = Teller(hub, self.wire)
        self.publisher = broker.Publisher(hub.settings.amqp_url) if hub.settings.amqp_url else None

    def run(self) -> None:
        """Work until ``stop`` is set."""
        url = self.hub.settings.database_url
        threading.Thread(target=broker.listen, args=(url, self.woken, self.stop), daemon=True).start()
        if self.hub.settings.amqp_url:
            arguments = (self.hub.settings.amqp_url, self.woken, self.stop)
            threading.Thread(target=broker.consume, args=arguments, daemon=True).start()
        for work in (keep_sealing, keep_stamping):
            threading.Thread(target=work, args=(self.hub, self.stop), daemon=True).start()
        threading.Thread(target=Applier(self.hub).run, args=(self.stop,), daemon=True).start()
        # What waits for partners and banks has threads of its own: one that hangs holds up nothing of the turn.
        delivering = threading.Thread(target=self.deliverer.run, args=(self.stop,))
        delivering.start()
        paying = threading.Thread(target=self._keep_paying)
        paying.start()
        threading.Thread(target=keep_watching, args=(self.hub, self.stop), daemon=True).start()
        log.info("worker %s is up", os.getpid())
        while not self.stop.is_set():
            try:
                self.turn()
            except Exception:
                log.exception("a turn of the worker failed; it goes on")
                self.stop.wait(1.0)
            self.wake.wait(POLL_S)
            self.wake.clear()
        self.woken()
        for each in (delivering, paying):
            each.join()
        self.asker.close()
        self.teller.close()
        self.wire.close()

    def woken(self) -> None:
        """There may be work: look at once."""
        for each in (self.wake, self.deliverer.wake, self.pay):
            each.set()

    def _keep_paying(self) -> None:
        while not self.stop.is_set():
            try:
                payments.work(self.hub, self.wire)
            except Exception:
                log.exception("a turn of payments failed; it goes on")
                self.stop.wait(1.0)
            self.pay.wait(POLL_S)
            self.pay.clear()

    def turn(self) -> None:
        """One round of what waits for no partner and no bank."""
        with unit_of_work(self.hub.engine) as uow:
            left = inbox.waiting(uow)
        for inbox_id in left:
            try:
                take_up(self.hub, inbox_id)
            except Exception:
                log.exception("message %s stays for a later try", inbox_id)
        if time.monotonic() >= self.next_drops:
            self.next_drops = time.monotonic() + DROPS_EVERY_S
            drop_folder.take_all(self.hub)
        self.asker.turn()
        self._relay()
        self.teller.turn()

    def _relay(self) -> None:
        """Publish committed events to the broker; rows stay until it has confirmed."""
        if self.publisher is None:
            return
        with unit_of_work(self.hub.engine) as uow:
            rows = uow.all(
                "SELECT id, topic, payload, at FROM exchange.event WHERE NOT published ORDER BY id LIMIT :n"
                " FOR UPDATE SKIP LOCKED",
                n=RELAY_BATCH,
            )
            done = []
            for row in rows:
                if not self.publisher.publish(row["topic"], cloud_event(row, row["payload"]), str(row["id"])):
                    break
                done.append(row["id"])
            if done:
                uow.execute("UPDATE exchange.event SET published = true WHERE id = ANY(:ids)", ids=done)
        self.publisher.service()


def main() -> None:
    """Run a worker until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # A line a call, with the partner's address and what is asked in it: too many, and not for a log.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    worker = Worker(hub_of_process())
    collect_seldom()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: (worker.stop.set(), worker.woken()))
    worker.run()


if __name__ == "__main__":
    main()
