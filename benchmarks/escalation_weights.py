"""Fit the weights in force and write them down with how they did: `python -m benchmarks.escalation_weights [--write]`.

Weights and hit rate come from the same run: fitted on its earlier months, judged on its later ones. Without --write it says
whether the file is what the run makes.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import case_registry
from benchmarks import escalation_history
from benchmarks.escalation import DISPUTES, SPLIT, BackTest, back_test
from benchmarks.escalation_replay import parts
from case_registry.escalation import model

SEED = 20261124
ON = date(2026, 11, 24)
FILE = Path(case_registry.__file__).with_name("data") / "escalation_fitted.toml"
VERSION = f"{ON}/1"


def written(test: BackTest) -> str:
    """The file's text."""
    weights, (early, late) = test.model, parts(SPLIT)
    rates = Path(escalation_history.__file__).with_suffix(".toml").read_bytes()
    about: dict[str, Any] = {
        "model": weights.digest,
        "history": "generated",
        "generator": "benchmarks/escalation_history.py",
        "rates": hashlib.sha256(rates).hexdigest()[:16],
        "seed": SEED,
        "on": ON,
        "disputes": DISPUTES,
        "fitted_on": len(test.fitted),
        "fitted_from": early[0],
        "fitted_until": early[-1],
        "from": late[0],
        "until": late[-1],
        **test.figures(),
    }
    lines = [
        "# Written by: python -m benchmarks.escalation_weights --write. Weights are natural log-odds, fitted on made-up",
        "# histories: how they do on a city's own record is known only from a back-test on that record.",
        f"version = {_value(weights.version)}",
        f"base = {weights.base:.2f}",
        "",
        "[weight]",
        *(f"{name} = {weight:.2f}" for name, weight in weights.weights.items()),
        "",
        "# How these very weights did on the later months of the same histories: one forecast a dispute.",
        "[back_test]",
        *(f"{name} = {_value(value)}" for name, value in about.items()),
    ]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_value(each)}" for name, each in value.items()) + " }"
    if isinstance(value, list):
        return "[\n" + "".join(f"    {_value(each)},\n" for each in value) + "]"
    return f'"{value}"' if isinstance(value, str) else f"{value}"


def main() -> int:
    """Exit code 1 when the file is not what the run makes."""
    text = written(back_test(DISPUTES, SEED, VERSION))
    if "--write" in sys.argv:
        FILE.write_text(text, encoding="utf-8")
        print(f"{FILE.name}: {model().version}")
        return 0
    same = FILE.read_text(encoding="utf-8") == text
    print(f"{FILE.name}: {'as this run makes it' if same else 'differs from what this run makes'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
