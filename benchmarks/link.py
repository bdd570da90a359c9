"""Linkage: the five agencies' history joined by configuration, its truth beside; one record against a million.

Three stages, each in a process of its own so that its memory is its own: 400,000 records against time and memory,
the whole history for quality, the index for single records. The configuration and its thresholds are fixed in
link_history_config.toml; the history's seed is new.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.link_history import COLUMNS, write
from benchmarks.link_measures import by_exact_numbers, quality, recall_by_error
from benchmarks.link_people import write as write_people
from benchmarks.link_registry import registry_rule
from benchmarks.result import Result, percentile
from case_registry.linkage.config import load_config
from case_registry.linkage.engine import link
from case_registry.linkage.index import Index

CONFIG = Path(__file__).with_name("link_history_config.toml")
PEOPLE_CONFIG = Path(__file__).with_name("link_people_config.toml")
DISPUTES, TIMED, HELD, PEOPLE_WHOLE = 380_000, 400_000, 1_000_000, 5_000
QUICK_DISPUTES, QUICK_TIMED, QUICK_HELD, QUICK_PEOPLE = 1_200, 2_500, 3_000, 150
RULE, QUICK_RULE = 10_000, 400
LIMITS = {"f1": 0.97, "bcubed_f1": 0.985}
MOST_OVER_MERGED_PCT, PEOPLE_F1 = 0.3, 0.80


def run(*, quick: bool, seed: int) -> Result:
    """`seed`: of the history. `failed` when the figures miss what linkage promises, on a full run."""
    disputes, timed, held, queries = (
        (QUICK_DISPUTES, QUICK_TIMED, QUICK_HELD, 60) if quick else (DISPUTES, TIMED, HELD, 2_000)
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        apart = _here if quick else _apart
        apart(write, disputes, seed, folder / "history.csv")
        apart(write, max(1, disputes // 9), seed + 7_919, folder / "more.csv")
        apart(write_people, QUICK_PEOPLE if quick else PEOPLE_WHOLE, seed, folder / "people.csv")
        clock = apart(timed_run, folder / "history.csv", timed)
        whole = apart(quality_run, folder / "history.csv")
        one = apart(index_run, folder, held, queries)
        people = apart(people_run, folder / "people.csv")
        rule = apart(registry_rule, QUICK_RULE if quick else RULE, seed)
    figures = {
        "records": whole["records"], **{k: round(v, 5) for k, v in whole["quality"].items()},
        "seconds": round(clock["seconds"], 2), "peak_gb": round(clock["peak_gb"], 3), **one["figures"],
    }  # fmt: skip
    return Result(
        figures=figures,
        baseline_what="rows that share a whole id number or a phone are one dispute",
        baseline={k: round(v, 5) for k, v in whole["baseline"].items()},
        bound_by="Python folding each different value once, then numpy comparing candidate pairs, on one core",
        also={
            "seconds_of_records": clock["records"], "cpu_seconds": round(clock["cpu_seconds"], 2),
            "seconds_whole": round(whole["seconds"], 2),
            "peak_gb_whole": round(whole["peak_gb"], 3), "one_against_records": one["records"],
            "one_right_pct": one["right_pct"],
            **{f"between_agencies_{k}": round(v, 5) for k, v in whole["between"].items()},
            **{f"registry_rule_{k}": round(v, 4) for k, v in rule.items()},
            **{f"people_{k}": round(v, 4) for k, v in people.items()},
            **{f"recall_{error}": round(share, 4) for error, share in whole["by_error"].items()},
        },
        failed="" if quick else _missed(figures, people),
    )  # fmt: skip


def _missed(figures: dict[str, Any], people: dict[str, float]) -> str:
    short = [f"{k} {figures[k]} < {least}" for k, least in LIMITS.items() if figures[k] < least]
    if figures["over_merged_pct"] >= MOST_OVER_MERGED_PCT:
        short.append(f"over_merged_pct {figures['over_merged_pct']} >= {MOST_OVER_MERGED_PCT}")
    if people["f1"] < PEOPLE_F1:
        short.append(f"people f1 {people['f1']:.3f} < {PEOPLE_F1}")
    return "; ".join(short)


def _apart(stage: Callable[..., Any], *told: Any) -> Any:
    """Run a stage in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(stage, *told).result()


def _here(stage: Callable[..., Any], *told: Any) -> Any:
    """A quick run's stages are not worth a process each."""
    return stage(*told)


def _frame(path: Path, rows: int | None = None) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema=False, n_rows=rows).fill_null("")


def timed_run(path: Path, rows: int) -> dict[str, Any]:
    """So many records linked: seconds from table to clusters, and the process's peak of memory."""
    frame = _frame(path, rows).select(COLUMNS)
    started, work = time.monotonic(), time.process_time()
    link(frame, load_config(CONFIG))
    seconds, cpu = time.monotonic() - started, time.process_time() - work
    return {"records": frame.height, "seconds": seconds, "cpu_seconds": cpu, "peak_gb": _peak_gb()}


def quality_run(path: Path) -> dict[str, Any]:
    """The whole history linked, and measured against its truth."""
    frame = _frame(path)
    truth, native = frame["dispute"].to_list(), frame["native"].to_list()
    started = time.monotonic()
    found = link(frame.select(COLUMNS), load_config(CONFIG)).cluster.tolist()
    seconds, peak = time.monotonic() - started, _peak_gb()
    plain = by_exact_numbers(frame.select("applicant_ids", "applicant_phones", "respondent_ids", "respondent_phones")
                             .to_dicts())  # fmt: skip
    # One row an agency's case: what is easy because the agency's own number stands on it does not count here.
    last = {own: row for row, own in enumerate(native)}
    rows = sorted(last.values())
    return {
        "records": frame.height, "seconds": seconds, "peak_gb": peak, "quality": quality(found, truth),
        "baseline": quality(plain, truth),
        "between": quality([found[r] for r in rows], [truth[r] for r in rows]),
        "by_error": recall_by_error(found, truth, frame["errors"].to_list()),
    }  # fmt: skip


def index_run(folder: Path, held: int, queries: int) -> dict[str, Any]:
    """Single records of the history held against `held` others, the history's own among them."""
    frame = pl.concat([_frame(folder / "history.csv"), _frame(folder / "more.csv")]).head(held)
    learnt = link(frame.head(max(2_000, held // 20)).select(COLUMNS), load_config(CONFIG)).model
    index = Index(learnt, frame.select(COLUMNS))
    truth = frame["dispute"].to_list()
    asked = frame.sample(queries + 20, seed=11).to_dicts()
    taken, right, wanted = [], 0, 0
    for place, row in enumerate(asked):
        started = time.perf_counter()
        found = index.find(row, least=0.5)
        if place >= 20:  # the first few read pages that no one has read before
            taken.append((time.perf_counter() - started) * 1000)
        own = [f for f in found if frame["record"][f.row] != row["record"]]
        wanted += len(own)
        right += sum(truth[f.row] == row["dispute"] for f in own)
    return {
        "records": frame.height, "right_pct": round(100 * right / max(1, wanted), 2),
        "figures": {"one_p50_ms": round(percentile(taken, 0.5), 2), "one_p99_ms": round(percentile(taken, 0.99), 2)},
    }  # fmt: skip


def people_run(path: Path) -> dict[str, float]:
    """People of another country and century, linked by configuration alone."""
    frame = _frame(path)
    found = link(frame, load_config(PEOPLE_CONFIG)).cluster.tolist()
    return quality(found, frame["person"].to_list())


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
