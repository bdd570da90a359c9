"""What the registry's own rule does with the agencies' history: what links by itself, what a person is asked."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from uuid import UUID

from case_registry.episodes import read_case
from case_registry.features import Features, features_of
from case_registry.keys import link_keys
from case_registry.pair_score import judge
from case_registry.statements import row_of, told_of
from case_registry.told import Told
from sandbox.history import generate
from sandbox.history.people import DATA

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def registry_rule(disputes: int, seed: int) -> dict[str, float]:
    """Precision of links, recall of links, recall with proposals, proposals a case; over pairs of source cases."""
    told: dict[tuple[str, str], tuple[str, str, list[Told]]] = {}
    sources = tomllib.loads((DATA / "agencies.toml").read_text("utf-8"))
    statement, claim = count(1), count(1)
    for one in generate(disputes, seed):
        key = (sources[one.agency]["partner"], one.record.native_id)
        row = told_of(row_of(one.record), next(statement), claim, NOW, UUID(int=0))
        told.setdefault(key, (one.agency, one.dispute.key, []))[2].append(row)
    features = {
        key: features_of(key[0], agency, key[1], read_case(rows).episodes)
        for key, (agency, _, rows) in told.items()
    }
    truth = {key: dispute for key, (_, dispute, _) in told.items()}
    verdicts = _judged(features, truth)
    things = Counter(truth.values())
    true = sum(n * (n - 1) // 2 for n in things.values())
    right, wrong = verdicts["LINK", True], verdicts["LINK", False]
    asked = verdicts["PROPOSE", True] + verdicts["PROPOSE", False]
    return {
        "link_precision": right / max(1, right + wrong), "link_recall": right / max(1, true),
        "recall_with_proposals": (right + verdicts["PROPOSE", True]) / max(1, true),
        "proposals_a_case": asked / len(truth),
    }  # fmt: skip


def _judged(
    features: Mapping[tuple[str, str], Features], truth: Mapping[tuple[str, str], str]
) -> Counter[tuple[str, bool]]:
    by_key: dict[int, list[tuple[str, str]]] = {}
    for case, found in features.items():
        for key in link_keys(found):
            by_key.setdefault(key, []).append(case)
    pairs = {
        (min(one, other), max(one, other))
        for own in by_key.values()
        for k, one in enumerate(own)
        for other in own[k + 1 :]
    }
    return Counter((judge(features[a], features[b]).verdict, truth[a] == truth[b]) for a, b in pairs)
