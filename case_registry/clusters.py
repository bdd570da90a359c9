"""From judged pairs to disputes: the same pairs give the same clusters, whatever came first. Pure.

Greedy and strictly ordered: strongest links first, then by score, then by the cases' own keys; a link is
taken only when nothing keeps any two members of the two groups apart. Over-merging is a fault of grouping,
so this is where cannot-links bite.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

Node = TypeVar("Node", bound=Hashable)


@dataclass(frozen=True)
class Link(Generic[Node]):
    """A pair that may be one dispute. `strength`: see pair_score, 0 = a person's word."""

    one: Node
    other: Node
    strength: int
    score: float


def cluster(
    nodes: Iterable[Node],
    links: Iterable[Link[Node]],
    apart: Iterable[tuple[Node, Node]],
    key: Mapping[Node, tuple[str, str]],
) -> list[list[Node]]:
    """Group `nodes` into disputes.

    `apart`: pairs that may not end in one group. `key`: each node's source key, which breaks ties and
    orders the result. Returns groups, members and groups sorted by key.
    """
    group = {node: i for i, node in enumerate(sorted(nodes, key=key.__getitem__))}
    members: dict[int, list[Node]] = {i: [node] for node, i in group.items()}
    foes: dict[Node, set[Node]] = {node: set() for node in group}
    for one, other in apart:
        if one in foes and other in foes:
            foes[one].add(other)
            foes[other].add(one)
    for link in sorted(links, key=lambda link: _order(link, key)):
        a, b = group[link.one], group[link.other]
        if a == b or any(foes[x].intersection(members[b]) for x in members[a]):
            continue
        if len(members[a]) < len(members[b]):
            a, b = b, a
        for node in members[b]:
            group[node] = a
        members[a] += members.pop(b)
    return sorted((sorted(m, key=key.__getitem__) for m in members.values()), key=lambda m: key[m[0]])


def _order(
    link: Link[Node], key: Mapping[Node, tuple[str, str]]
) -> tuple[int, float, tuple[str, str], tuple[str, str]]:
    first, second = sorted((key[link.one], key[link.other]))
    return link.strength, -link.score, first, second
