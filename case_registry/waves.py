"""Which of many messages may be taken together: those that touch nothing in common.

A message's footprint is everything that it may read or change: its cases, the keys under which they are looked
for, and whatever hangs together with those. Two messages with a footprint in common are taken in their order,
one wave after the other; so a wave comes to the same as its messages one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

from case_registry.gathering import Gathered, reserve
from case_registry.linking import hanging_together
from foundation.unit_of_work import UnitOfWork

Token = tuple[str, Any]
ALONE = frozenset({"person_check"})
"""Kinds of record that look at people of any dispute: taken in a wave of their own."""
MOST_ROUNDS = 50


@dataclass(frozen=True)
class Footprint:
    """What a message may touch. `alone`: nothing stored is near it."""

    tokens: frozenset[Token]
    alone: bool


def footprints(uow: UnitOfWork, messages: Sequence[Gathered]) -> list[Footprint]:
    """The footprint of each message."""
    keys = [_keys(message) for message in messages]
    by_key = _cases_by_key(uow, {key for own in keys for key in own})
    near = [
        {case.id for case in message.named.values() if case.there}.union(
            *(by_key[k] for k in own if k in by_key)
        )
        for message, own in zip(messages, keys, strict=True)
    ]
    around = _neighbourhood(uow, {case for own in near for case in own})
    return [
        Footprint(
            frozenset(
                [
                    *(("case", (message.spoken.source.partner, row.native_id)) for row in message.rows),
                    *(("key", key) for key in own),
                    *(token for case in cases for token in around.get(case, ())),
                ]
            ),
            not cases,
        )
        for message, own, cases in zip(messages, keys, near, strict=True)
    ]


def founds_whole(message: Gathered, footprint: Footprint) -> bool:
    """Whether a message tells of one new case that nothing stored can be linked with: it founds a dispute."""
    if not footprint.alone or len(message.named) != 1 or any(row.kind in ALONE for row in message.rows):
        return False
    return all(case.features is not None for case in message.cases.values())


def _keys(message: Gathered) -> set[int]:
    return {key for case in message.cases.values() if case.changed for key in case.keys}


def _cases_by_key(uow: UnitOfWork, keys: set[int]) -> dict[int, list[int]]:
    """Stored cases under these keys. Those under keys that a case no longer has are beside it by their judged pairs."""
    found: dict[int, list[int]] = {}
    if keys:
        for row in uow.all(
            "SELECT key, source_case FROM registry.link_key WHERE key = ANY(:keys)", keys=sorted(keys)
        ):
            found.setdefault(row["key"], []).append(row["source_case"])
    return found


def _neighbourhood(uow: UnitOfWork, cases: set[int]) -> dict[int, list[Token]]:
    """For each of these stored cases: all cases and disputes that hang together with it, and the disputes next to them."""
    if not cases:
        return {}
    root: dict[int, int] = {}
    disputes: dict[int, UUID] = {}
    beside: list[tuple[int, int]] = []
    frontier = set(cases)
    pairs: list[tuple[int, int]] = []
    for _ in range(MOST_ROUNDS):
        root.update(dict.fromkeys(frontier, 0))
        rows = uow.all(_AROUND, cases=sorted(frontier))
        frontier = set()
        for row in rows:
            if row["dispute"] is not None:
                disputes[row["b"]] = row["dispute"]
            (pairs if row["joined"] else beside).append((row["a"], row["b"]))
            if row["joined"] and row["b"] not in root:
                frontier.add(row["b"])
        if not frontier:
            break
    return _tokens(cases, root, pairs, beside, disputes)


_AROUND = """
SELECT m.id AS a, m.id AS b, m.dispute, true AS joined FROM registry.source_case m WHERE m.id = ANY(:cases)
UNION SELECT m.id, o.id, o.dispute, true FROM registry.source_case m
    JOIN registry.source_case o ON o.dispute = m.dispute WHERE m.id = ANY(:cases)
UNION SELECT x.a, x.b, o.dispute, x.joined FROM (
    SELECT e.a, e.b, e.verdict = 'LINK' AS joined FROM registry.link_edge e WHERE e.a = ANY(:cases)
    UNION ALL SELECT e.b, e.a, e.verdict = 'LINK' FROM registry.link_edge e WHERE e.b = ANY(:cases)
    UNION ALL SELECT d.a, d.b, d.verdict = 'SAME' FROM registry.link_decision d WHERE d.a = ANY(:cases) AND d.undone_at IS NULL
    UNION ALL SELECT d.b, d.a, d.verdict = 'SAME' FROM registry.link_decision d WHERE d.b = ANY(:cases) AND d.undone_at IS NULL
) x JOIN registry.source_case o ON o.id = x.b
"""


def _tokens(
    cases: Iterable[int], known: Iterable[int], pairs: Sequence[tuple[int, int]], beside: Sequence[tuple[int, int]],
    disputes: Mapping[int, UUID],
) -> dict[int, list[Token]]:  # fmt: skip
    root = hanging_together({*known, *(n for pair in pairs for n in pair)}, pairs)
    own: dict[int, set[Token]] = {}
    for case, top in root.items():
        tokens = own.setdefault(top, set())
        tokens.add(("id", case))
        if case in disputes:
            tokens.add(("dispute", disputes[case]))
    for one, other in beside:
        tokens = own[root[one]]
        tokens.add(("id", other))
        if other in disputes:
            tokens.add(("dispute", disputes[other]))
    return {case: list(own[root[case]]) for case in cases}


def keep_numbers(
    uow: UnitOfWork, messages: Sequence[Gathered], prints: Sequence[Footprint], wave: Sequence[int] = (0,)
) -> None:
    """Keep running numbers for disputes that messages may found, in the order of the messages: where disputes become
    one, the lower number stays, whichever message was taken in an earlier wave. What is not used leaves a gap."""
    wanted = [0] * len(messages)
    for i, message in enumerate(messages):
        if message.numbers:
            continue
        if i not in wave:
            wanted[i] = len(message.cases)
        elif prints and founds_whole(message, prints[i]):
            wanted[i] = 1
        elif len(messages) > 1:
            wanted[i] = sum(case.stored.dispute is None for case in message.cases.values())
    if any(wanted):
        numbers = iter(reserve(uow, dispute=sum(wanted))["dispute"])
        for message, count in zip(messages, wanted, strict=True):
            message.numbers += islice(numbers, count)


def first_wave(messages: Sequence[Gathered], prints: Sequence[Footprint]) -> list[int]:
    """Positions of the messages that can be taken now, in their order: none touches what an earlier one touches."""
    found: list[int] = []
    taken: set[Token] = set()
    for i, (message, own) in enumerate(zip(messages, prints, strict=True)):
        if any(row.kind in ALONE for row in message.rows):
            return found or [i]
        if taken.isdisjoint(own.tokens):
            found.append(i)
        taken |= own.tokens
    return found
