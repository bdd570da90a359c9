"""Keeps the journal sealed and stamped: two threads of each worker, whatever else the worker does.

One seals four times a second; the other asks the time-stamp authority, which may be slow or away.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
import time
from typing import Any

from foundation import sealing, timestamps
from foundation.evidence_container import batch_json, stamped_manifest
from foundation.journal import raise_alarm
from foundation.timestamps import NoStamp
from foundation.unit_of_work import UnitOfWork, unit_of_work
from foundation.wire import Wire
from hub.pipeline import Hub

log = logging.getLogger("concord.sealing")

# A committed line is sealed within this, in seconds.
EVERY_S = 0.25
# Batches stamped in one transaction, one call each.
STAMPED_AT_ONCE = 20
LONGEST_PAUSE_S = 60.0
# How often the backlog is compared with its bounds, in seconds.
WATCH_S = 10.0
# A worker that has just started first works off what was left; the authority may be starting too.
FIRST_WATCH_S = 60.0
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


def check_day(hub: Hub, day: str) -> dict[str, Any]:
    """Check the journal of a Beijing day: its chains, its batches and their stamps. A flaw is an alarm."""
    with unit_of_work(hub.engine) as uow:
        flaw = sealing.verify_day(uow, day)
        stamped, unstamped, broken = sealing.verify_seals(uow, day, hub.keys.trusted(timestamps.AUTHORITY))
        chain = "whole" if flaw is None else f"shard {flaw.shard}, line {flaw.no}: {flaw.what}"
        seals = broken or "whole"
        if flaw or broken:
            raise_alarm(uow, "journal_broken", day, role="auditor", chain=chain, seals=seals)
    told = {"stamped_batches": stamped, "unstamped_batches": unstamped}
    return {"day": day, "whole": not (flaw or broken), "chain": chain, "seals": seals, **told}


def keep_sealing(hub: Hub, stop: threading.Event) -> None:
    """Seal until ``stop`` is set. A failed round is logged and tried again; the bounds raise alarms meanwhile."""
    watched = time.monotonic() + FIRST_WATCH_S
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


def stamp_waiting(hub: Hub, wire: Wire) -> int:
    """Have up to STAMPED_AT_ONCE sealed batches stamped; returns how many were. Raises NoStamp at the first that fails.

    What was stamped before a failure is kept. Rows are locked meanwhile, so several stampers share the work.
    """
    failed: NoStamp | None = None
    stamped = 0
    with unit_of_work(hub.engine) as uow:
        rows = uow.all(
            "SELECT no, lines, root FROM exchange.journal_batch WHERE token IS NULL ORDER BY no LIMIT :n"
            " FOR UPDATE SKIP LOCKED",
            n=STAMPED_AT_ONCE,
        )
        if rows and not hub.settings.tsa_url:
            raise NoStamp("no time-stamp authority is configured: CONCORD_TSA_URL")
        for row in rows:
            manifest = stamped_manifest(batch_json(row["no"], row["lines"], bytes(row["root"])))
            try:
                token, at = timestamps.stamp(
                    wire,
                    hub.settings.tsa_url,
                    hashlib.sha256(manifest).digest(),
                    secrets.randbits(63),
                    hub.keys.trusted(timestamps.AUTHORITY),
                )
            except NoStamp as error:
                failed = error
                break
            uow.execute(
                "UPDATE exchange.journal_batch SET token = :token, stamped_at = :at WHERE no = :no",
                token=token,
                at=at,
                no=row["no"],
            )
            stamped += 1
    if failed is not None:
        raise failed
    return stamped


def keep_stamping(hub: Hub, stop: threading.Event) -> None:
    """Stamp until ``stop`` is set. While the authority is away it is asked at growing pauses; sealing goes on."""
    wire = Wire()
    pause = EVERY_S
    while not stop.wait(pause):
        try:
            pause = 0.0 if stamp_waiting(hub, wire) == STAMPED_AT_ONCE else EVERY_S
        except Exception as error:
            pause = min(LONGEST_PAUSE_S, max(1.0, pause * 2))
            log.warning("no time stamp (%s); next try in %.0f s", error, pause)
    wire.close()
