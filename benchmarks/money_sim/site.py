"""One place to simulate in: a database, the hub's keys and settings, the bank and the wallet as objects.

Between runs the database is emptied and its sequences begin anew, so that a run depends on its seed alone.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from cryptography.hazmat.primitives import serialization
from psycopg.rows import dict_row

from benchmarks.money_sim import driver
from benchmarks.money_sim.books import MemoryBooks
from benchmarks.money_sim.clock import SimulatedClock
from benchmarks.money_sim.ids import SeededIds, moment_of
from escrow import RailDesk, all_rails
from foundation.database import make_engine
from foundation.keys import KeyStore
from foundation.settings import Settings
from hub.pipeline import Hub
from sandbox.alipay import settings as wallet_settings
from sandbox.alipay.service import Alipay
from sandbox.bank import settings as bank_settings
from sandbox.bank.service import Bank
from sandbox.desk import Desk
from sandbox.faults import FaultPlan
from sandbox.outbound import HubEndpoints

KEYS_MADE = 3  # of the bank: the first in use, two to rotate to
POOL_FEN = 1_000_000_000

_EMPTY = """
DO $$ DECLARE t text; found boolean; BEGIN
  FOR t IN SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN
    ('exchange', 'escrow', 'registry', 'mediation') LOOP
    EXECUTE 'SELECT EXISTS (SELECT 1 FROM ' || t || ')' INTO found;
    IF found THEN RAISE NOTICE '%', t; END IF;
  END LOOP; END $$
"""


class Site:
    """Made once a process; `begin` starts a run. `url` names a database of `farm.clone`."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        self.engine = make_engine(url, pool_size=4)
        driver.tune(self.engine)
        self.admin = psycopg.connect(url.replace("+psycopg", ""), autocommit=True, row_factory=dict_row)
        driver.keep_prepared(self.admin)
        self.ids = SeededIds()
        self.clock = SimulatedClock(self.admin)
        self.books = MemoryBooks()
        self.keys = KeyStore(folder / "keys")
        (folder / "partners.json").write_text(
            json.dumps({rail.id: f"http://{rail.manifest['sandbox']}" for rail in all_rails().values()})
        )
        settings = Settings(url, "", folder, 0, "sandbox")
        self.wallet, self.bank = self._stand_ins()
        self._exchange_keys()
        self.books.keep()
        self.hub = Hub(self.engine, self.keys, settings)
        self.desk = RailDesk(self.keys)
        self._tables, self._sequences = self._what_runs_fill()
        self._make_emptier()

    def _stand_ins(self) -> tuple[Alipay, Bank]:
        home = self.folder / "sandbox"
        clock: Any = self.clock
        faults, nowhere = FaultPlan(self.books), HubEndpoints(home / "hub_endpoints.json", "http://nowhere")
        desk = Desk(self.books, clock, faults, nowhere, home, 0, {})
        wallet = Alipay(desk, POOL_FEN)
        bank = Bank(self.books, clock, faults, nowhere, home, wallet.pool.top_up)
        bank_settings.change(self.books, {"rate_per_s": 0, "night": "manual", "windows": False})
        wallet_settings.change(self.books, {"rate_per_s": 0, "notify": "auto"})
        return wallet, bank

    def _exchange_keys(self) -> None:
        """Certificates both ways, as set-up does; the bank's later keys are made now and registered when rotated to."""
        home = self.folder / "sandbox"
        own = self.bank.keys
        for _ in range(KEYS_MADE - 1):
            own.rotate()
        self.books.put("bank", "key", "number", 1)
        self.books.put("alipay", "key", "number", 2)
        self.wallet.authority.gateway()
        self.books.put("alipay", "key", "number", 1)
        own.own()
        for rail in all_rails().values():
            self.keys.make_pair(rail.id, f"concord to {rail.id}")
            pem = self.keys.certificate(rail.id).public_bytes(serialization.Encoding.PEM)
            (home / "hub_certs").mkdir(exist_ok=True)
            (home / "hub_certs" / f"{rail.manifest['hub_certificate']}.crt").write_bytes(pem)
        root = (home / "certs" / "alipay_root.crt").read_bytes()
        self.keys.trust("alipay_root", "alipay_root.crt", root)
        self.trust("alipay", 1)
        self.trust("bank_direct", 1)

    def trust(self, rail: str, number: int) -> None:
        """The hub registers the bank's or the gateway's certificate of that number."""
        name = f"alipay_{number}" if rail == "alipay" else f"bank_OQNCB-2026-{number:02d}"
        pem = (self.folder / "sandbox" / "certs" / f"{name}.crt").read_bytes()
        self.keys.trust(rail, f"{name}.crt", pem)

    def _what_runs_fill(self) -> tuple[list[str], list[str]]:
        """Tables that are empty in a new database, and sequences: what a run may change."""
        seen: list[str] = []
        self.admin.add_notice_handler(lambda diag: seen.append(str(diag.message_primary)))
        self.admin.execute(_EMPTY)
        rows = self.admin.execute(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname IN"
            " ('exchange', 'escrow', 'registry', 'mediation')"
        ).fetchall()
        sequences = self.admin.execute(
            "SELECT format('%I.%I', schemaname, sequencename) AS name FROM pg_sequences"
        ).fetchall()
        return [row["name"] for row in rows if row["name"] not in seen], [row["name"] for row in sequences]

    def _make_emptier(self) -> None:
        """One call that empties what runs fill. As the owner of the database: the product's triggers refuse it."""
        deletes = "".join(f"DELETE FROM {table}; " for table in self._tables)
        resets = "".join(f"PERFORM setval('{name}', 1, false); " for name in self._sequences)
        self.admin.execute(
            f"CREATE FUNCTION simulated.empty() RETURNS void LANGUAGE plpgsql AS $$ BEGIN {deletes} {resets} END $$"
        )
        self.admin.execute("SET session_replication_role = replica")

    def begin(self, seed: int) -> None:
        """Everything as on the first day: database, books, keys, clock and ids."""
        self.admin.execute("SELECT simulated.empty()")
        for extra in (self.keys.folder / "trusted").glob("*/*"):
            if extra.stem.endswith(("_2", "-02", "-03")):
                extra.unlink()
        self.books.fresh()
        self.ids.begin(seed)
        self.clock.set(moment_of(seed), timedelta())

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()
        self.admin.close()
