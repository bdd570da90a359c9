"""Payouts: one batch drafted by file, checked, released, sent in files of many, proved by notices, stated at night.

The product's own functions over its own rail and signed envelopes; the bank is the stand-in with its own book, which is
the judge: each payee of the file is paid once, the right sum, to the right account, and nobody else. Beside it single
payouts, from the release's commit to the proof's.
"""

from __future__ import annotations

import random
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

import escrow
from benchmarks.money_sim.clock import FROZEN
from benchmarks.money_sim.office import BANK
from benchmarks.payout_site import CASHIER, CHECKER, RELEASER, Town
from benchmarks.postgres import migrated_database
from benchmarks.result import Result, percentile
from foundation.unit_of_work import unit_of_work
from hub import payments, statement_files
from hub.batch_orders import read_items

PER_CASE = 100
BOUND_BY = (
    "PostgreSQL's row triggers on orders, entries and postings, one core; then the bank stand-in's own book"
)
Plan = dict[str, tuple[str, int]]  # payee's account → (case/seat, fen)


def run(*, quick: bool, seed: int, payouts: int | None = None) -> Result:
    """One run over 200 (quick) or 170,000 payouts; `payouts`: another number."""
    count, singles = (200, 8) if quick else (payouts or 170_000, 200)
    dice = random.Random(seed)
    per_case = 20 if quick else PER_CASE
    with migrated_database() as url, tempfile.TemporaryDirectory(prefix="concord-bench-") as name:
        _prepare(url)
        town = Town(url, Path(name), seed)
        content, plan = _file(town, dice, count, per_case)
        single_cases = [town.open_case(90_000 + n, [dice.randint(10_000, 40_000)]) for n in range(singles)]
        town.deliver()
        steps, minutes = _batch(town, content)
        alone = _singles(town, single_cases)
        wrong = _judge(town, url, plan, len(single_cases))
        town.close()
    return Result(
        {"payouts": count, "minutes": round(minutes, 3), "wrong": len(wrong),
         "release_to_proof_p99_s": round(percentile(alone, 0.99), 3)},
        "single payouts through the same rail one after the other, an order a call, from release to proof",
        {"payouts": len(alone), "per_s": round(len(alone) / max(0.001, sum(alone)), 1)},
        BOUND_BY,
        {"per_s": round(count / (minutes * 60), 1), "release_to_proof_p50_s": round(percentile(alone, 0.5), 3),
         **{f"{step}_s": round(took, 1) for step, took in steps.items()}},
        "; ".join(wrong[:5]),
    )  # fmt: skip


def _prepare(url: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as conn:
        conn.execute(FROZEN)


def _file(town: Town, dice: random.Random, count: int, per_case: int) -> tuple[bytes, Plan]:
    """Funded cases, and the file that pays all their payees."""
    lines, plan = ["case,instalment,seat,yuan"], {}
    for no, start in enumerate(range(0, count, per_case), 1):
        shares = [
            dice.choice((12_345, 500_001, 3_000_000, 6_000_000)) for _ in range(min(per_case, count - start))
        ]
        case = town.open_case(no, shares)
        for k, fen in enumerate(shares, 1):
            lines.append(f"{case},1,A{k},{fen // 100}.{fen % 100:02d}")
            plan[f"6228{no:06d}{k:05d}"] = (f"{case}/A{k}", fen)
        if no % 50 == 0:
            town.deliver()
    town.deliver()
    return ("\n".join(lines) + "\n").encode(), plan


def _batch(town: Town, content: bytes) -> tuple[dict[str, float], float]:
    """Approval → rail → statement → reconciled; seconds of each step, and minutes of all."""
    site, steps = town.site, {}
    town.by_file(True)
    begun = at = time.perf_counter()

    def step(name: str) -> None:
        nonlocal at
        steps[name] = time.perf_counter() - at
        at = time.perf_counter()

    items = read_items(content)
    drafted = town.act(CASHIER, lambda uow: escrow.draft_batch(uow, site.desk, "2026-04 工资", BANK, items))
    step("draft")
    town.act(CHECKER, lambda uow: escrow.check_batch(uow, drafted.id, drafted.data["digest"]))
    step("check")
    town.act(RELEASER, lambda uow: escrow.release_batch(uow, drafted.id, drafted.data["digest"]))
    step("release")
    for _ in range(len(items)):
        left = payments.send_files(site.hub, town)  # type: ignore[arg-type]
        booked = site.bank.orders.run_due()
        if not (left + booked + town.deliver()):
            break
    step("send_and_prove")
    day = site.clock.beijing().date()
    site.bank.notices.close_day(day)
    town.deliver()
    step("statements")
    site.clock.advance(timedelta(days=1))
    with unit_of_work(site.hub.engine) as uow:
        statement_files.follow(uow, escrow.reconcile_day(uow, day).events)
    step("reconcile_day")
    return steps, (time.perf_counter() - begun) / 60


def _singles(town: Town, cases: list[str]) -> list[float]:
    """Seconds from a release's commit to its proof's."""
    site = town.site
    town.by_file(False)
    took = []
    for case in cases:
        found = next(
            each
            for each in _look(
                town, "SELECT id, agreed_fen FROM escrow.escrow_case WHERE mediation_number = :n", n=case
            )
        )
        order = town.act(CASHIER, lambda uow, f=found: escrow.draft_order(
            uow, site.desk, f["id"], instalment=1, payee="A1", fen=int(f["agreed_fen"]), rail=BANK)).id  # fmt: skip
        town.act(CHECKER, lambda uow, o=order: escrow.check_order(uow, o))
        town.act(RELEASER, lambda uow, o=order: escrow.release_order(uow, o))
        begun = time.perf_counter()
        payments.work(site.hub, town)  # type: ignore[arg-type]
        site.bank.orders.run_due()
        town.deliver()
        took.append(time.perf_counter() - begun)
    return took


def _look(town: Town, sql: str, **values: Any) -> list[Any]:
    with unit_of_work(town.site.hub.engine) as uow:
        return list(uow.all(sql, **values))


def _judge(town: Town, url: str, plan: Plan, singles: int) -> list[str]:
    """What is not as the file says, by the bank's own book; then that the hub says the same and shows who approved."""
    wrong: list[str] = []
    with town.site.books.transaction() as db:
        rows = db.execute(
            "SELECT p.payee_account, p.fen, p.state, (SELECT count(*) FROM bank_entry e WHERE e.kind='payout' AND e.e2e=p.e2e)"
            " FROM bank_payment p"
        ).fetchall()
    paid: dict[str, list[tuple[int, str, int]]] = {}
    for account, fen, state, times in rows:
        paid.setdefault(account, []).append((fen, state, times))
    for account, (what, fen) in plan.items():
        if paid.pop(account, []) != [(fen, "ACSC", 1)]:
            wrong.append(f"{what} was not paid once {fen}")
    if len(paid) != singles or any(len(each) != 1 or each[0][1:] != ("ACSC", 1) for each in paid.values()):
        wrong.append(f"{len(paid)} other payees, {singles} single ones")
    with psycopg.connect(url.replace("+psycopg", "")) as conn:
        open_, unsigned, breaks = conn.execute(
            "SELECT (SELECT count(*) FROM escrow.payment_order WHERE state <> 'PAID'), (SELECT count(*) FROM escrow.payment_order o"
            " LEFT JOIN escrow.batch_order m ON m.order_id = o.id WHERE (SELECT count(DISTINCT a.person) FROM escrow.approval a"
            " LEFT JOIN escrow.batch_approval s ON s.batch = a.batch AND s.role = a.role AND s.person = a.person"
            " LEFT JOIN escrow.order_batch b ON b.id = s.batch AND b.digest = s.digest WHERE a.order_id = o.id AND a.digest = o.digest"
            " AND (m.batch IS NULL OR b.id = m.batch))"
            " < escrow.persons_needed(o.amount_fen, (o.drafted_at AT TIME ZONE 'Asia/Shanghai')::date)),"
            " (SELECT count(*) FROM escrow.recon_break)"
        ).fetchone()  # type: ignore[misc]
    wrong += [f"{open_} orders are not PAID"] * bool(open_) + [
        f"{unsigned} without their persons' digests"
    ] * bool(unsigned)
    wrong += [f"{breaks} breaks"] * bool(breaks)
    with unit_of_work(town.site.hub.engine) as uow:
        wrong += [f"{each.invariant} {each.subject}: {each.found}" for each in escrow.prove(uow)]
    return wrong
