"""Keeps the journal sealed: a thread of each worker looks four times a second, whatever else the worker does."""

from __future__ import annotations

import logging
import threading
import time

from foundation import sealing
from foundation.journal import raise_alarm
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub.pipeline import Hub

log = logging.getLogger("concord.sealing")

# A committed line is sealed within this, in seconds.
EVERY_S = 0.25
# How often the backlog is compared with its bounds, in seconds.
WATCH_S = 10.0
# Beyond these, people are told: nothing is refused, but what happened is not yet provable.
UNSEALED_MOST = 50_000
UNSEALED_LONGEST_S = 60
UNSTAMPED_LONGEST_S = 3600


def seal_all(hub: Hub) -> int:
    """Seal what is committed now, batch by batch; returns how many lines. Others' shards are left to them."""
    lines = 0
    while True:
        with unit_of_work(hub.engine) as uow:
            sealed = sealing.seal(uow)
        if sealed is None:
            return lines
        lines += sealed.lines
        if sealed.lines < sealing.MOST_A_BATCH:
            return lines


def watch_backlog(uow: UnitOfWork) -> None:
    """Raise an alarm when lines wait too long, or too many, for their seal, or a batch for its time stamp."""
    found = sealing.backlog(uow)
    if found["unsealed"] > UNSEALED_MOST or found["unsealed_s"] > UNSEALED_LONGEST_S:
        raise_alarm(
            uow, "journal_unsealed", "journal", lines=found["unsealed"], seconds=int(found["unsealed_s"])
        )
    if found["unstamped_s"] > UNSTAMPED_LONGEST_S:
        raise_alarm(
            uow, "batches_unstamped", "journal", batches=found["unstamped"], seconds=int(found["unstamped_s"])
        )


def keep_sealing(hub: Hub, stop: threading.Event) -> None:
    """Seal until ``stop`` is set. A failed round is logged and tried again; the bounds raise alarms meanwhile."""
    watched = 0.0
    while not stop.wait(EVERY_S):
        try:
            seal_all(hub)
            if time.monotonic() - watched > WATCH_S:
                watched = time.monotonic()
                with unit_of_work(hub.engine) as uow:
                    watch_backlog(uow)
        except Exception:
            log.exception("a round of sealing failed; it goes on")
            stop.wait(1.0)
