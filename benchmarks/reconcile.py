"""Reconciliation: a night's camt.053 against the payments of a county's day, with differences of every kind planted.

The payments were proved during the day by booked notices; at night the one message must hold every one of them. What
is measured is the product's own way: the file stored in parts, read as a stream with its schema, staged by COPY, taken
in sets in one transaction with every constraint and trigger on, then the day's reconciliation. The judge reads the
breaks and compares each with what was planted where.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from lxml import etree

import escrow
from benchmarks import reconcile_file
from benchmarks.postgres import migrated_database
from benchmarks.reconcile_plan import BREAKS_A_UNIT, DAY, PARENT, SPOILED, Plan, make
from benchmarks.reconcile_take import RAIL
from benchmarks.result import Result
from foundation.clock import move_clock
from foundation.database import make_engine
from foundation.keys import KeyStore
from foundation.settings import ROOT
from foundation.unit_of_work import unit_of_work
from hub.supervisor.children import python

BEFORE = f"{DAY}T18:00:00+08:00"  # breaks found later are those of the run
TWO_DAYS_BEFORE = "2026-05-10T10:00:00+08:00"
NIGHT = f"{DAY}T23:45:00+08:00"
BOUND_BY = (
    "Python making lines of the entries while libxml2 parses and checks the next piece on the other core; then the sightings' "
    "foreign keys"
)


def run(*, quick: bool, seed: int, lines: int | None = None) -> Result:
    """One run over 2,000 (quick) or 200,000 payments; `lines`: another number, with 1 % of differences."""
    payments, per_account, each = (2_000, 50, 5) if quick else (200_000, 100, 105)
    if lines is not None and not quick:
        payments, each = lines, max(1, lines // 1_905)
    plan = make(seed, payments, per_account, each, RAIL)
    with migrated_database() as url, tempfile.TemporaryDirectory(prefix="concord-bench-") as name:
        folder = Path(name)
        written = reconcile_file.write(plan, folder / "night.xml")
        reconcile_file.write_spoiled(folder)
        _keys(folder)
        _make_world(url, plan)
        before = _violations(url)
        bare = _bare(url, folder / "night.xml")
        took = _take(url, folder)
        verdict = _judge(url, plan)
        after = _violations(url)
    expected = len(plan.expected) + SPOILED
    assert expected == each * BREAKS_A_UNIT + SPOILED
    wrong = [
        *(f"before: {each}" for each in before[:3]),
        *(f"after: {each}" for each in after[:3]),
        *verdict.pop("trouble"),
    ]
    if took["result"] != "ACCEPTED" or took["lines"] != written:
        wrong.append(f"the night was not taken whole: {took}")
    figures = {
        "lines": lines,
        "seconds": took["seconds"],
        "peak_mb": took["peak_mb"],
        "planted": expected,
        **verdict,
    }
    return Result(
        figures,
        "the same file by iterparse with a look-up a field, matched by number in a dict of the payments; nothing checked or stored",
        bare,
        BOUND_BY,
        {
            "payments": plan.payments,
            "accounts": len(plan.accounts),
            "python_cpu_s": took["cpu_s"],
            **{f"{k}_s": v for k, v in took["steps"].items()},
        },
        "; ".join(wrong)[:1000],
    )


def _keys(folder: Path) -> None:
    keys = KeyStore(folder / "keys")
    keys.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys.make_secret("storage")


def _make_world(url: str, plan: Plan) -> None:
    sql = (Path(__file__).parent / "reconcile_world.sql").read_text("utf-8")
    for key, value in (("rail", RAIL), ("parent", PARENT), ("day", str(DAY))):
        sql = sql.replace(f":'{key}'", f"'{value}'")
    sql = sql.replace(":'before'", f"timestamptz '{TWO_DAYS_BEFORE}'")
    engine = make_engine(url)
    with engine.begin() as clock:
        move_clock(clock, datetime.fromisoformat(NIGHT))
    engine.dispose()
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as conn:
        conn.execute("SET session_replication_role = replica")
        conn.execute(f"SET bench.before = '{TWO_DAYS_BEFORE}'")
        conn.execute(
            "CREATE TEMPORARY TABLE plan (i bigint, a int, k int, account text, fen bigint, proved boolean, booked_on date,"
            " number text, payee_account text, ref text, stated boolean, outcome text)"
        )
        with conn.cursor().copy("COPY plan FROM STDIN") as out:
            for account in plan.accounts:
                for p in account.payments:
                    out.write_row(
                        (
                            p.i,
                            p.a,
                            p.k,
                            p.account,
                            p.fen,
                            p.proved,
                            p.booked_on,
                            p.number,
                            p.payee_account,
                            p.ref,
                            account.stated,
                            p.outcome,
                        )
                    )
        conn.execute("ANALYZE plan")
        conn.execute(sql)
        conn.execute("SET session_replication_role = origin")
        conn.execute("VACUUM (ANALYZE)")


def _violations(url: str) -> list[str]:
    engine = make_engine(url, timeout_ms=0)
    with unit_of_work(engine) as uow:
        found = [f"{each.invariant} {each.subject} {each.found}" for each in escrow.prove(uow)]
    engine.dispose()
    return found


def _take(url: str, folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [*python("benchmarks.reconcile_take"), url, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-3000:])
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _judge(url: str, plan: Plan) -> dict[str, Any]:
    """Each break against what was planted: the same thing under the same kind, and nothing else."""
    with psycopg.connect(url.replace("+psycopg", "")) as conn:
        rows = conn.execute(
            "SELECT b.kind, CASE WHEN b.subject LIKE 'order/%%' THEN 'order/' || o.number WHEN l.id IS NOT NULL THEN"
            " l.account || '/' || l.bank_ref ELSE b.subject END FROM escrow.recon_break b"
            " LEFT JOIN escrow.statement_line l ON l.id = b.line LEFT JOIN escrow.payment_order o ON o.id = b.order_id"
            " WHERE b.found_at > %s",
            [BEFORE],
        ).fetchall()
    spoiled = {
        ("BALANCE", f"BALANCE_MISMATCH/{RAIL}/{reconcile_file.spoiled_account(n)}/OQX-{n}")
        for n in range(SPOILED)
    }
    expected, found = plan.expected | spoiled, {(row[0], row[1]) for row in rows}
    places = {what for _, what in expected}
    at_place = {what for _, what in found} & places
    false = [each for each in found if each not in expected]
    missed = sorted(expected - found)
    trouble = [f"missed {missed[:3]}"] if missed else []
    trouble += [f"false {sorted(false)[:3]}"] if false else []
    trouble += [f"{len(rows)} breaks for {len(found)} differences"] if len(rows) != len(found) else []
    return {
        "found": sum(what in at_place for _, what in expected), "typed_right": len(expected & found), "false_found": len(false),
        "trouble": trouble,
    }  # fmt: skip


def _bare(url: str, path: Path) -> dict[str, Any]:
    begun = time.perf_counter()
    with psycopg.connect(url.replace("+psycopg", "")) as conn:
        sent = dict(conn.execute("SELECT number, fen FROM escrow.rail_attempt").fetchall())
    different = 0
    space = "{urn:iso:std:iso:20022:tech:xsd:camt.053.001.08}"
    for _, entry in etree.iterparse(path, tag=f"{space}Ntry"):
        number = entry.findtext(f"{space}NtryDtls/{space}TxDtls/{space}Refs/{space}EndToEndId")
        money = str(entry.findtext(f"{space}Amt"))
        fields = [entry.findtext(f"{space}{name}") for name in ("AcctSvcrRef", "CdtDbtInd")]
        different += sent.pop(number or "", 0) != int(money.replace(".", "")) or not all(fields)
        entry.clear()
        parent = entry.getparent()
        while parent is not None and entry.getprevious() is not None and entry.getprevious().tag == entry.tag:
            parent.remove(entry.getprevious())
    return {"seconds": round(time.perf_counter() - begun, 2), "differences": different + len(sent)}
