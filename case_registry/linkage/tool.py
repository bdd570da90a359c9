"""Linking files: `./concord link` without the command line."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import tomlkit

from case_registry.linkage.config import BadConfig, Config, load_config
from case_registry.linkage.decisions import draw, learnt, read_decisions
from case_registry.linkage.engine import Linked, link
from case_registry.linkage.reasons import as_text, probability, reasons
from case_registry.linkage.tables import read_tables, write_table

REASONS_AT_ONCE = 200_000


def link_files(
    config_file: Path,
    records: Sequence[Path],
    out: Path,
    pairs: Path | None = None,
    weights: Path | None = None,
    *,
    decisions: Path | None = None,
    wanted: float = 0.995,
    sample: Path | None = None,
) -> dict[str, Any]:
    """Link the rows of files and write each row's cluster.

    `out` gets the records' columns and `cluster`, `cluster_size`, `cluster_score` (how sure the row's best pair
    within the cluster is, empty for a row alone). `pairs`: pairs linked and pairs proposed, with score and reasons.
    `weights`: what was learnt, in the form of the configuration's [weights]. `decisions`: pairs on which people decided,
    from which `learnt` (precision, recall, the threshold for the share `wanted`) is computed. `sample`: gets pairs to
    decide. Returns counts. Raises BadConfig, BadTable, OSError.
    """
    started = time.monotonic()
    config = load_config(config_file)
    frame = read_tables(records)
    ids = _ids(frame, config)
    asked = read_decisions(decisions, ids) if decisions is not None else None
    linked = link(frame, config, keep_all=asked is not None or sample is not None)
    write_table(_clusters(frame, ids, linked), out)
    if pairs is not None:
        write_table(_pairs(ids, linked), pairs)
    if weights is not None:
        weights.write_text(_learnt(linked), "utf-8")
    if sample is not None:
        write_table(draw(frame, ids, linked), sample)
    sizes = np.bincount(linked.cluster, minlength=frame.height)
    return {
        "records": frame.height, "clusters": int((sizes > 0).sum()), "linked_records": int(sizes[sizes > 1].sum()),
        "linked_pairs": int((sizes * (sizes - 1) // 2).sum()), "proposed_pairs": int((~linked.linked).sum()),
        **({} if asked is None else {"learnt": learnt(linked, asked, wanted)}),
        "seconds": round(time.monotonic() - started, 2),
    }  # fmt: skip


def _ids(frame: pl.DataFrame, config: Config) -> list[str]:
    if not config.id:
        return [str(row + 1) for row in range(frame.height)]
    if config.id not in frame.columns:
        raise BadConfig("id", config.id, "a column: " + ", ".join(frame.columns))
    return [str(value or "") for value in frame[config.id].to_list()]


def _clusters(frame: pl.DataFrame, ids: list[str], linked: Linked) -> pl.DataFrame:
    best = np.full(frame.height, np.nan)
    share = probability(linked.bits[linked.linked])
    for rows in (linked.i[linked.linked], linked.j[linked.linked]):
        np.fmax.at(best, rows, share)
    sizes = np.bincount(linked.cluster, minlength=frame.height)
    added = {
        "cluster": pl.Series([ids[row] for row in linked.cluster.tolist()]),
        "cluster_size": pl.Series(sizes[linked.cluster]),
        "cluster_score": pl.Series(np.round(best, 6)).fill_nan(None),
    }
    kept = frame if linked.model.config.id else frame.with_columns(pl.Series("row", ids))
    clash = {name: f"{name}_before" for name in added if name in kept.columns}
    return kept.rename(clash).with_columns(**added)


def _pairs(ids: list[str], linked: Linked) -> pl.DataFrame:
    order = np.lexsort((linked.j, linked.i, -linked.bits))
    i, j = linked.i[order], linked.j[order]
    why: list[str] = []
    for start in range(0, len(i), REASONS_AT_ONCE):
        part = slice(start, start + REASONS_AT_ONCE)
        why += [as_text(r) for r in reasons(linked.model, linked.prepared, linked.prepared, i[part], j[part])]
    return pl.DataFrame(
        {
            "one": [ids[row] for row in i.tolist()], "other": [ids[row] for row in j.tolist()],
            "verdict": np.where(linked.linked[order], "LINK", "PROPOSE").tolist(),
            "score": np.round(linked.bits[order], 2), "probability": np.round(probability(linked.bits[order]), 6),
            "reasons": why,
        },
        schema_overrides={"one": pl.String, "other": pl.String, "verdict": pl.String, "reasons": pl.String},
    )  # fmt: skip


def _learnt(linked: Linked) -> str:
    weights, told = linked.model.weights, tomlkit.document()
    table = tomlkit.table()
    table["prior"] = weights.prior
    own = tomlkit.table()
    for place, f in enumerate(linked.model.fields):
        row = tomlkit.table()
        row.comment(", ".join(f.levels))
        row["m"] = [round(float(x), 8) for x in weights.m[place]]
        row["u"] = [float(f"{x:.6g}") for x in weights.u[place]]
        own[f.label] = row
    table["field"] = own
    told["weights"] = table
    return tomlkit.dumps(told)
