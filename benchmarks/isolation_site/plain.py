"""The plainest deliverer: eight threads, one line for all partners, no limits; what the hub's is compared with."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from foundation.unit_of_work import unit_of_work
from foundation.wire import Wire
from hub.context import hub_of_process
from hub.sending import send_one

THREADS = 8


def main() -> None:
    """Deliver until the process is ended."""
    hub = hub_of_process()
    wire = Wire()
    free = threading.Semaphore(THREADS)
    pool = ThreadPoolExecutor(THREADS)
    while True:
        free.acquire()
        with unit_of_work(hub.engine) as uow:
            row = uow.one(
                "UPDATE exchange.outbox SET state = 'SENDING', attempts = attempts + 1,"
                " lease_until = clock_timestamp() + interval '1 minute' WHERE id = (SELECT id FROM exchange.outbox"
                " WHERE state = 'WAITING' AND due <= :now ORDER BY due, seq LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING *",
                now=uow.now,
            )
        if row is None:
            free.release()
            threading.Event().wait(0.01)
            continue
        pool.submit(send_one, hub, wire, row).add_done_callback(lambda _: free.release())


if __name__ == "__main__":
    main()
