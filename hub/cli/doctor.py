"""``./concord doctor``: what is wrong and how to mend it."""

from __future__ import annotations

import shutil
import sys
from typing import Annotated

import typer
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from foundation.cades import EVIDENCE_KEY
from foundation.database import make_engine
from foundation.envelope import STORAGE_KEY
from foundation.keys import KeyMissing
from foundation.settings import settings
from hub import migrate
from hub.cli.output import print_json, table
from hub.context import hub_of_process
from hub.health import health
from hub.sealing import UNSTAMPED_LONGEST_S

ROOM_NEEDED = 2 * 1024**3


def doctor(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Exit 1 when anything needs mending."""
    findings = list(_examine())
    if as_json:
        print_json(findings)
    else:
        table(
            "doctor",
            ["check", "ok", "found", "what to do"],
            [[f["check"], f["ok"], f["found"], f["mend"]] for f in findings],
        )
    raise typer.Exit(0 if all(finding["ok"] for finding in findings) else 1)


def _finding(check: str, ok: bool, found: str, mend: str) -> dict[str, object]:
    return {"check": check, "ok": ok, "found": found, "mend": "" if ok else mend}


def _examine():  # type: ignore[no-untyped-def]
    found = settings()
    yield _finding(
        "python", sys.version_info >= (3, 11), sys.version.split()[0], "install Python 3.11 or later"
    )
    free = shutil.disk_usage(found.var_dir if found.var_dir.exists() else ".").free
    yield _finding("disk", free > ROOM_NEEDED, f"{free // 1024**2} MiB free", "free at least 2 GiB")
    if not found.database_url:
        yield _finding("database", False, "none configured", "start ./run, or set CONCORD_DATABASE_URL")
        return
    try:
        with make_engine(found.database_url).connect() as conn:
            version = conn.execute(text("SHOW server_version")).scalar()
        yield _finding("database", True, f"PostgreSQL {version}", "")
    except OperationalError as error:
        yield _finding("database", False, str(error.orig)[:200], "start ./run, or mend CONCORD_DATABASE_URL")
        return
    hub = hub_of_process()
    release = migrate.current(hub.engine)
    yield _finding("release", release is not None, str(release), "start ./run once: it migrates")
    if release is None:
        return
    yield _finding("broker", bool(found.amqp_url), found.amqp_url.split("@")[-1] or "none",
                   "works without one (LISTEN/NOTIFY), slower to wake; apt-get install rabbitmq-server")  # fmt: skip
    try:
        for name in ("hub", EVIDENCE_KEY):
            hub.keys.certificate(name)
        hub.keys.secret(STORAGE_KEY)
        yield _finding("keys", True, str(found.key_dir.name), "")
    except KeyMissing as missing:
        yield _finding("keys", False, str(missing), "start ./run once: it makes the keys")
    state = health(hub)
    waits = state["journal"]["unstamped_s"]
    told = f"{state['journal']['unstamped']} batches wait, the oldest {waits:.0f} s"
    stamped = bool(found.tsa_url) and waits <= UNSTAMPED_LONGEST_S
    yield _finding("time stamps", stamped, told if found.tsa_url else "no authority is configured",
                   "is the authority of CONCORD_TSA_URL there? Sealing goes on, stamps follow")  # fmt: skip
    for name, mend in (
        ("inbox_waiting", "is the worker running? ./run starts it"),
        ("quarantined", "console → 交换日志: look at the message and repair or refuse it"),
        ("outbox_dead", "console → 交换日志: look at the error, then replay"),
        ("alarms", "console → 我的工作: each alarm says what it wants"),
    ):
        yield _finding(name, state[name] == 0, str(state[name]), mend)
    for partner in state["partners"]:
        yield _finding(f"partner {partner['partner']}", partner["ok"], partner["last_error"] or "ok",
                       "the partner is away: nothing is lost, calls go on by themselves")  # fmt: skip
