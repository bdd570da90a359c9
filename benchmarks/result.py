"""What every benchmark gives: figures under agreed keys, a baseline of the same run, and what bounds it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any

# The figures each benchmark must give, so that runs of different days and machines can be compared.
KEYS: dict[str, tuple[str, ...]] = {
    "exchange": (
        "rest_msgs_per_s", "soap_msgs_per_s", "submit_p50_ms", "submit_p95_ms", "submit_p99_ms",
        "status_p95_ms", "seconds",
    ),
    "crash": ("messages", "kill_points", "kills", "lost", "twice", "order_breaks", "resent_other_number"),
    "isolation": ("p99_change_pct", "pairs"),
    "evidence": ("messages", "export_s", "verify_s", "changes_tried", "changes_found"),
    "antientropy": ("records", "planted", "found", "typed_right", "false_found", "seconds"),
    "replay": ("messages", "seconds", "peak_mb", "hash_equal"),
    "link": (
        "records", "precision", "recall", "f1", "bcubed_f1", "over_merged_pct", "seconds", "peak_gb",
        "one_p50_ms", "one_p99_ms",
    ),
    "registry": (
        "disputes", "list_p95_ms", "dispute_p99_ms", "ingest_s", "rebuild_s", "board_ms", "change_to_board_ms",
    ),
    "money": ("runs", "double", "lost", "broken_invariants", "bugs_planted", "bugs_found", "runs_per_s"),
    "ledger": (
        "single_per_s", "single_p50_ms", "single_p99_ms", "hot_ratio", "batch100_spread_per_s",
        "batch100_hot_per_s", "batch8000_spread_per_s", "batch8000_hot_per_s", "limit_ratio",
        "verified_after_kill",
    ),
    "payout": ("payouts", "minutes", "wrong", "release_to_proof_p99_s"),
    "reconcile": ("lines", "seconds", "peak_mb", "planted", "found", "typed_right", "false_found"),
    "escalation": (
        "disputes", "fitted_on", "judged_on", "escalated_pct", "high_cases", "precision_pct", "recall_pct",
        "precision_as_many_pct", "recall_as_many_pct", "calibration_gap_pct", "leaks", "seconds",
    ),
}  # fmt: skip


@dataclass
class Result:
    """One run. ``figures`` hold at least the benchmark's keys; ``also`` is shown and not compared."""

    figures: dict[str, Any]
    baseline_what: str
    baseline: dict[str, Any]
    bound_by: str
    also: dict[str, Any] = field(default_factory=dict)
    failed: str = ""  # why the run itself is not valid (something lost, wrong, unverified)

    def line(self, name: str, *, quick: bool, seed: int) -> str:
        """The last line of the output: one JSON object."""
        missing = set(KEYS[name]) - set(self.figures)
        assert not missing, f"{name} lacks {sorted(missing)}"
        return json.dumps(
            {
                "bench": name, "quick": quick, "seed": seed, "cores": os.cpu_count(), "figures": self.figures,
                "baseline": {"what": self.baseline_what, "figures": self.baseline}, "bound_by": self.bound_by,
                **({"also": self.also} if self.also else {}), **({"failed": self.failed} if self.failed else {}),
            },
            ensure_ascii=False,
        )  # fmt: skip


def percentile(values: list[float], share: float) -> float:
    """The value below which ``share`` (0 to 1) of the values lie; 0.0 of an empty list."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
