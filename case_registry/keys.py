"""Inverted keys: where to look for records that may be of the same dispute.

Keys are free of role and order, and each is narrow by itself (a company alone is no key: it may have
thousands of disputes). None is ever dropped for being frequent, since that would depend on what else is
stored. They are kept as 64-bit hashes; a clash only adds a candidate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from case_registry.features import Features
from case_registry.names import sound
from case_registry.parties import Party

MAX_PAIRED = 8


def link_keys(features: Features) -> frozenset[int]:
    """The hashed keys of a source case."""
    return frozenset(map(_hash, key_texts(features)))


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


def key_texts(features: Features) -> Iterator[str]:
    """The keys in words: numbers, ids, masked id + name, phone, plate, body or name + other side, name + sum."""
    for number in {*features.numbers, *(ref[0] for ref in features.refs)}:
        yield f"number:{number}"
    for plate in features.plates:
        yield f"plate:{plate}"
    for party in features.parties:
        yield from _own_keys(party)
    clear = [p for p in features.parties if not p.hidden][:MAX_PAIRED]
    for party in clear:
        for amount in features.sums:
            yield f"name+sum:{_said(party)}:{amount}"
    for i, one in enumerate(clear):
        for other in clear[i + 1 :]:
            if one.side and one.side == other.side:
                continue
            yield "pair:" + "|".join(sorted((_said(one), _said(other))))
            for body, opposite in ((one, other), (other, one)):
                if body.credit:
                    yield f"credit+name:{body.credit}:{_said(opposite)}"


def _said(party: Party) -> str:
    """A name as a key: a person's by sound, an organisation's by its core."""
    return party.names[0] if party.body else sound(party.names[0])


def _own_keys(party: Party) -> Iterator[str]:
    if party.id:
        yield f"id:{party.id}"
    for phone in party.phones:
        yield f"phone:{phone}"
    if party.body or party.hidden:
        return
    for number in {party.id, *party.masked} - {""}:
        if "*" not in number[:6] + number[-4:]:
            yield f"masked:{number[:6]}{number[-4:]}:{_said(party)}"
