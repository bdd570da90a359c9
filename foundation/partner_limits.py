"""What one partner may use up: rates, places and bytes, with what holds where its row says nothing (exchange rules 6, 13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.findings import Finding, Refused


@dataclass(frozen=True)
class Limits:
    """Limits of one partner. Calls are theirs to us, deliveries ours to them.

    ``calls_per_s`` mean rate, ``burst`` calls at once above it and ``calls_at_once`` not yet answered: each process that
    serves. ``body_bytes`` of one message. ``send_per_s`` deliveries begun a second, ``send_burst`` at once above that,
    ``retries_per_min`` second and later tries, so that a partner that is down is not hammered: all workers together.
    ``send_at_once`` deliveries under way: each worker. ``send_timeout_s`` that one may take.
    """

    calls_per_s: float = 50.0
    burst: int = 100
    calls_at_once: int = 250
    body_bytes: int = 10 * 1024 * 1024
    send_at_once: int = 2
    send_per_s: float = 50.0
    send_burst: int = 50
    send_timeout_s: float = 50.0
    retries_per_min: int = 60


# Lowest and highest that may be entered.
RANGES: dict[str, tuple[float, float]] = {
    "calls_per_s": (0.1, 100_000),
    "burst": (1, 100_000),
    "calls_at_once": (1, 10_000),
    "body_bytes": (1024, 100 * 1024 * 1024),
    "send_at_once": (1, 16),
    "send_per_s": (0.01, 10_000),
    "send_burst": (1, 10_000),
    "send_timeout_s": (1, 50),  # below the lease of an outbox row
    "retries_per_min": (1, 10_000),
}


def limits_of(told: Mapping[str, Any]) -> Limits:
    """Limits as a partner's row or manifest tells them; what it does not name has its default.

    Raises Refused: a name that is none, or a value out of its range.
    """
    own = vars(Limits())
    values: dict[str, Any] = {}
    for name, value in told.items():
        path = f"limits/{name}"
        if name not in own:
            raise Refused(Finding("UNKNOWN_FIELD", path, name, ", ".join(own)))
        low, high = RANGES[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise Refused(Finding("LIMIT_EXCEEDED", path, str(value)[:40], f"{low:g} to {high:g}"))
        values[name] = type(own[name])(value)
    return Limits(**values)
