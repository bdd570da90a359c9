"""The verdict on a run with kills: the senders' and receivers' own logs against what the hub has."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg

from benchmarks.crash_office import PARTNER, STAND_IN, Office

SETTLED_WITHIN_S = 900.0


@dataclass
class Judged:
    """What the comparison found."""

    messages: int = 0
    lost: int = 0
    twice: int = 0
    order_breaks: int = 0
    resent: int = 0
    faults: list[str] = field(default_factory=list)


def rest(conn: psycopg.Connection, judged: Judged) -> None:
    """Wait until nothing is under way any more."""
    waits = (
        "SELECT (SELECT count(*) FROM exchange.inbox WHERE state = 'RECEIVED'),"
        " (SELECT count(*) FROM exchange.outbox WHERE state IN ('WAITING', 'SENDING')),"
        " (SELECT count(*) FROM exchange.subscription_delivery WHERE state IN ('WAITING', 'SENDING')),"
        " (SELECT count(*) FROM exchange.journal WHERE batch IS NULL)"
    )
    limit = time.monotonic() + SETTLED_WITHIN_S
    while time.monotonic() < limit:
        left = conn.execute(waits).fetchone()
        if left is not None and not any(left):
            return
        time.sleep(0.5)
    judged.faults.append(f"inbox, outbox, tellings, unsealed lines still under way: {left}")


def compare(conn: psycopg.Connection, sent: Path, prefix: str, judged: Judged) -> None:
    """The sender's log against the hub: each acknowledged message applied, once, in order, with one receipt."""
    rows = [line.split("\t") for line in sent.read_text(encoding="utf-8").splitlines()]
    if differing := [row[0] for row in rows if row[3]]:
        judged.faults.append(f"{len(differing)} repeats got another receipt: {differing[:3]}")
    states: dict[str, list[str]] = {}
    order: dict[str, list[tuple[Any, int]]] = {}
    for name, case, sequence, state, decided in conn.execute(
        "SELECT message_id, case_key, sequence, state, decided_at FROM exchange.inbox WHERE message_id LIKE %s",
        [f"{prefix}-%"],
    ):
        states.setdefault(name, []).append(state)
        if state == "APPLIED":
            order.setdefault(case, []).append((decided, sequence))
    judged.lost = sum("APPLIED" not in states.get(row[0], []) for row in rows)
    judged.twice = sum(states.get(row[0], []).count("APPLIED") > 1 for row in rows)
    more = conn.execute(
        "SELECT count(*) FROM (SELECT message FROM registry.statement s JOIN exchange.inbox i ON i.id = s.message"
        " WHERE i.message_id LIKE %s GROUP BY message HAVING count(*) > 1) AS t",
        [f"{prefix}-%"],
    ).fetchone()
    judged.twice += more[0] if more else 0
    broken = {
        case: sorted(each)
        for case, each in order.items()
        if [sequence for _, sequence in sorted(each)] != sorted(sequence for _, sequence in each)
    }
    if broken:
        judged.faults.append(f"applied out of order: {list(broken.items())[:3]}")
    judged.order_breaks = len(broken)


def compare_notices(conn: psycopg.Connection, stand_ins: str, office: Office, judged: Judged) -> None:
    """The petition office's own book: each notice arrived, under one number with one content."""
    owed = conn.execute("SELECT count(*) FROM exchange.outbox WHERE partner = %s", [PARTNER]).fetchone()
    numbers: dict[str, set[str]] = {}
    since = 0
    while True:
        answer = httpx.get(
            f"{stand_ins}/control/books/{STAND_IN}", params={"since": since, "limit": 500, "direction": "in", "bodies": "false"},
            timeout=60, trust_env=False,
        )  # fmt: skip
        assert answer.status_code == 200, answer.text[:500]
        told = answer.json()
        for entry in told["entries"]:
            if entry["operation"] == "FeedbackXfj" and entry["verdict"] == "ACCEPTED":
                numbers.setdefault(entry["request_id"].split("|")[0], set()).add(entry["request_id"])
        judged.resent += sum(each["differs"] for each in told["duplicates"]) if since == 0 else 0
        if not told["entries"]:
            break
        since = told["last"]
    told_count = sum(map(len, numbers.values()))
    count = owed[0] if owed else 0
    # More contents than notices: one of them was told again in other words or under another number.
    judged.resent += max(0, told_count - count)
    missing = set(office.letters[: len(office.matters)]) - set(numbers)
    judged.lost += len(missing)
    if missing or count != told_count or count < len(office.matters):
        judged.faults.append(
            f"{len(missing)} letters without a notice; {told_count} notices taken, {count} owed, {len(office.matters)} matters"
        )
