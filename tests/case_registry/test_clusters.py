"""Grouping: any order of the same pairs gives the same groups, and nothing kept apart ends together."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from case_registry.clusters import Link, cluster

NODES = list(range(8))
KEYS = {n: (f"p{n % 3}", f"{n:02d}") for n in NODES}
pair = st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)).filter(lambda p: p[0] != p[1])
links = st.lists(st.tuples(pair, st.integers(0, 3), st.floats(0, 50)), max_size=14)


@given(links, st.lists(pair, max_size=6), st.randoms(use_true_random=False))
def test_order_does_not_matter_and_cannot_links_hold(
    raw: list[tuple[tuple[int, int], int, float]], apart: list[tuple[int, int]], rnd: random.Random
) -> None:
    made = [Link(a, b, strength, score) for (a, b), strength, score in raw]
    first = cluster(NODES, made, apart, KEYS)
    for _ in range(3):
        rnd.shuffle(made)
        shuffled = rnd.sample(NODES, len(NODES))
        assert (
            cluster(shuffled, [Link(x.other, x.one, x.strength, x.score) for x in made], apart[::-1], KEYS)
            == first
        )
    where = {n: i for i, group in enumerate(first) for n in group}
    assert sorted(where) == NODES
    assert all(where[a] != where[b] for a, b in apart)


def test_the_stronger_link_wins_against_a_cannot_link() -> None:
    made = [Link(0, 1, 3, 90.0), Link(1, 2, 1, 10.0)]
    assert cluster([0, 1, 2], made, [(0, 2)], KEYS) == [[0], [1, 2]]
    assert cluster([0, 1, 2], made, [], KEYS) == [[0, 1, 2]]
