"""Comparison of a year's messages with a partner over the wire: planted differences found, typed, repaired by exact asking."""

from __future__ import annotations

import cProfile
import pstats
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson

from benchmarks.antientropy_site import FIRST, LAST, PARTNER, Site, site
from benchmarks.postgres import migrated_database
from benchmarks.result import Result
from foundation.unit_of_work import unit_of_work
from foundation.wire import Wire
from hub.anti_entropy import compare_with
from hub.applying import apply_due
from hub.comparison_client import ask_of
from schemas.holdings import Held, differences_of

RECORDS, QUICK_RECORDS = 380_000, 10_000
PLANTED, QUICK_PLANTED = 1_000, 80
PAGE = 10_000


def run(*, quick: bool, seed: int) -> Result:
    """Fill the hub and the partner's book, compare and repair, compare again, and compare the plain way beside it."""
    records, planted = (QUICK_RECORDS, QUICK_PLANTED) if quick else (RECORDS, PLANTED)
    folder = Path(tempfile.mkdtemp(prefix="concord-antientropy-"))
    try:
        with (
            migrated_database({"shared_buffers": "512MB"}) as url,
            site(url, folder, records, planted, seed) as made,
        ):
            return _measure(made, records)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measure(made: Site, records: int) -> Result:
    wire = Wire()
    plain = _plain(made, wire)
    before = _counters(made, wire)
    began = time.perf_counter()
    first = compare_with(made.hub, PARTNER, ask_of(made.hub, wire, PARTNER), FIRST, LAST)
    compared = time.perf_counter() - began
    while apply_due(made.hub):
        pass
    seconds = time.perf_counter() - began
    found = _found(made)
    counters = _counters(made, wire)
    profile = cProfile.Profile()
    second = profile.runcall(compare_with, made.hub, PARTNER, ask_of(made.hub, wire, PARTNER), FIRST, LAST)
    again = _counters(made, wire)
    left = _found(made)
    wire.close()
    wrong = [*_faults(made, found, counters["asked"], left), *_plain_faults(made, plain)]
    if len(again["asked"]) != len(counters["asked"]):
        wrong.append("the second comparison asked again for what was repaired")
    right = sum(made.planted.get(name) == kind for name, kind in found.items())
    return Result(
        {
            "records": records, "planted": len(made.planted), "found": len(made.planted.keys() & found.keys()),
            "typed_right": right, "false_found": len(found.keys() - made.planted.keys()), "seconds": seconds,
        },
        "the whole book of the partner asked for in pages of 10,000 ids, both lists sorted and compared; no repair",
        {"seconds": plain["seconds"], "found": len(plain["found"]), "rows asked for": plain["rows"], "calls": plain["calls"]},
        _bound_by(profile),
        {
            "compared and asked for in s": compared, "applied in s": seconds - compared, "calls": first["calls"],
            "hashes and ids asked for": counters["rows"] - before["rows"], "messages asked for": len(counters["asked"]),
            "repaired": len(found) - len(left), "left to people": len(left), "second comparison: calls": second["calls"],
            "compared": first["compared"],
        },
        "; ".join(wrong),
    )  # fmt: skip


def _found(made: Site) -> dict[str, str]:
    """Differences that are open now, by message; what is stored, not what a function says."""
    with unit_of_work(made.hub.engine) as uow:
        rows = uow.all(
            "SELECT message_id, kind FROM exchange.difference WHERE done <> 'GONE' AND partner = :p LIMIT 100000",
            p=PARTNER,
        )
    return {row["message_id"]: row["kind"] for row in rows}


def _faults(made: Site, found: dict[str, str], asked: list[str], left: dict[str, str]) -> list[str]:
    told = []
    if found != made.planted:
        told.append(f"found {Counter(found.values())}, planted {Counter(made.planted.values())}")
    if sorted(asked) != sorted(made.askable):
        told.append(f"{len(asked)} messages asked for, {len(made.askable)} differ so that asking helps")
    stays = {name: kind for name, kind in made.planted.items() if kind in ("MISSING_THERE", "DIFFERENT")}
    stays |= {
        name: made.planted[name]
        for name in made.planted
        if made.planted[name] == "WITHDRAWN" and name not in made.askable
    }
    if left != stays:
        told.append(
            f"after repair {Counter(left.values())} are open, {Counter(stays.values())} are for people"
        )
    return told


def _plain(made: Site, wire: Wire) -> dict[str, Any]:
    """The plainest thing: the whole book over the wire, sorted beside ours."""
    began = time.perf_counter()
    ask, theirs, after, calls = ask_of(made.hub, wire, PARTNER), [], "", 0
    while True:
        page = ask("all", {"way": "to_hub", "after": after, "most": PAGE})["entries"]
        calls += 1
        theirs += [Held("", *entry) for entry in page]
        if len(page) < PAGE:
            break
        after = page[-1][0]
    with unit_of_work(made.hub.engine) as uow:
        rows = uow.all(
            "SELECT id, digest, withdrawn FROM exchange.holding(:p, 'to_hub', :since, :until) ORDER BY id LIMIT 1000000",
            p=PARTNER, since=FIRST, until=LAST,
        )  # fmt: skip
    ours = [Held("", row["id"], row["digest"], row["withdrawn"]) for row in rows]
    same = set(ours) & set(theirs)
    found = differences_of(
        (each for each in ours if each not in same), (each for each in theirs if each not in same)
    )
    return {
        "seconds": time.perf_counter() - began, "found": {each.id: each.kind for each in found},
        "rows": len(theirs), "calls": calls,
    }  # fmt: skip


def _plain_faults(made: Site, plain: dict[str, Any]) -> list[str]:
    return (
        [] if plain["found"] == made.planted else [f"the plain way found {Counter(plain['found'].values())}"]
    )


def _counters(made: Site, wire: Wire) -> dict[str, Any]:
    """What the partner counted that it was asked."""
    reply = wire.request(
        "POST", f"{made.address}/counters", content=b"{}", headers={"content-type": "application/json"}
    )
    return dict(orjson.loads(reply.content))


def _bound_by(profile: cProfile.Profile) -> str:
    """Shares of a comparison: our database, the partner's answers, our own arithmetic."""
    rows: Any = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    whole = max(row[3] for row in rows.values())

    def share(file: str, function: str) -> float:
        return sum(
            row[3] for (path, _, name), row in rows.items() if path.endswith(file) and name == function
        )

    database = sum(share("foundation/unit_of_work.py", each) for each in ("all", "execute", "one", "scalar"))
    partner = share("foundation/wire.py", "request")
    return (
        f"profile of a comparison of {whole:.1f} s: our database {database / whole:.0%}, the partner's answers"
        f" {partner / whole:.0%}, our arithmetic {max(0.0, whole - database - partner) / whole:.0%}"
    )
