"""Merkle trees as RFC 6962, section 2.1, builds them: leaves and nodes hashed apart, no leaf counted twice."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """All levels of the tree, from the leaves' hashes up to the root. Raises ValueError without leaves.

    An odd node at a level's end moves up as it is, which gives the same tree as RFC 6962's recursive form.
    """
    if not leaves:
        raise ValueError("a tree needs at least one leaf")
    sha = hashlib.sha256
    built = [[sha(b"\x00" + leaf).digest() for leaf in leaves]]
    while len(built[-1]) > 1:
        below = built[-1]
        above = [sha(b"\x01" + below[i] + below[i + 1]).digest() for i in range(0, len(below) - 1, 2)]
        if len(below) % 2:
            above.append(below[-1])
        built.append(above)
    return built


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root of the tree over these leaves."""
    return levels(leaves)[-1][0]


def path_of(tree: Sequence[Sequence[bytes]], place: int) -> list[tuple[str, bytes]]:
    """What a leaf (``place`` from 0) is hashed with on its way to the root: ``left`` or ``right``, and the hash."""
    path: list[tuple[str, bytes]] = []
    for level in tree[:-1]:
        beside = place ^ 1
        if beside < len(level):
            path.append(("left" if beside < place else "right", level[beside]))
        place //= 2
    return path


def climbed(leaf: bytes, path: Sequence[tuple[str, bytes]]) -> bytes:
    """The root that a leaf and its path lead to."""
    found = hashlib.sha256(b"\x00" + leaf).digest()
    for side, beside in path:
        pair = beside + found if side == "left" else found + beside
        found = hashlib.sha256(b"\x01" + pair).digest()
    return found
