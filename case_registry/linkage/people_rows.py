"""The people of each row, folded and hashed, in grids of row and place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from case_registry.linkage.folding import digits, identity, is_missing, person_name, sound
from case_registry.linkage.values import Array, Floats, Hashes, Ints, hashes, shares
from case_registry.names import looks_like_body
from schemas.identifiers import check_resident_id, mask_id

MAX_PEOPLE = 4
"""People of one row that are compared; more are left out."""
Told = tuple[int, str, str, str, str, bool]
"""Side, folded name, folded former name, id, phone, whether it is a body."""


@dataclass
class Group:
    """People by row and place. 0 = not told; `name`: code of the folded name, -1 = nobody there."""

    count: Ints
    side: Array
    name: Array
    former: Hashes
    id: Hashes
    ends: Hashes
    phone: Hashes
    body: Array
    text: list[str]
    own: Hashes
    sounds: Hashes
    often: Floats
    rows: list[list[Told]]


class Grid:
    """People gathered row by row."""

    def __init__(self, rows: int) -> None:
        self.rows: list[list[Told]] = [[] for _ in range(rows)]
        self._names: dict[str, tuple[str, str, bool]] = {}
        self._seen: dict[str, str] = {}
        self._phones: dict[str, str] = {}

    def add(self, row: int, side: int, people: Sequence[tuple[str, str, str]]) -> None:
        for name, number, phone in people:
            known = self._names.get(name)
            if known is None:
                folded = ("", "") if is_missing(name) else person_name(name)
                known = self._names[name] = (*folded, looks_like_body(name))
            if known[0] and len(self.rows[row]) < MAX_PEOPLE:
                told = self._seen.get(number)
                if told is None:
                    told = self._seen[number] = identity(number)
                call = self._phones.get(phone)
                if call is None:
                    call = self._phones[phone] = digits(phone)
                self.rows[row].append((side, known[0], known[1], told, call, known[2]))

    def group(self) -> Group:
        wide = max(1, max(map(len, self.rows), default=1))
        shape = (len(self.rows), wide)
        flat = [person for row in self.rows for person in row]
        where = np.repeat(np.arange(len(self.rows)), [len(row) for row in self.rows])
        within = np.concatenate([np.arange(len(row)) for row in self.rows] or [np.zeros(0, int)]).astype(
            np.int64
        )
        text = list(dict.fromkeys(person[1] for person in flat)) or [""]
        place = {name: k for k, name in enumerate(text)}
        code = np.array([place[person[1]] for person in flat], dtype=np.int64)

        def grid(place: int, fold: Callable[[str], str] = str) -> Hashes:
            made = np.zeros(shape, np.uint64)
            told = [str(person[place]) for person in flat]
            folded = {text: fold(text) for text in set(told)}
            texts = [folded[text] for text in told]
            made[where, within] = (
                np.where([bool(t) for t in texts], hashes(texts), np.uint64(0)) if texts else 0
            )
            return made

        name = np.full(shape, -1, np.int64)
        name[where, within] = code
        side, body = np.zeros(shape, np.int8), np.zeros(shape, np.int8)
        side[where, within] = [person[0] for person in flat]
        body[where, within] = [person[5] for person in flat]
        own = hashes(text)
        return Group(
            np.array([len(row) for row in self.rows], dtype=np.int64), side, name,
            grid(2), grid(3, _full), grid(3, _ends), grid(4), body, text, own,
            hashes([sound(t) for t in text]), shares(own, code),
            self.rows,
        )  # fmt: skip


def _full(number: str) -> str:
    """The number where it is whole and nothing speaks against it."""
    if len(number) == 18 and number[0] in "123456" and check_resident_id(number) == "ID_CHECK_DIGIT":
        return ""
    return number if number and "*" not in number else ""


def _ends(number: str) -> str:
    ends = number[:6] + number[-4:]
    return ends if len(number) >= 14 and "*" not in ends else ""


def said(person: Told) -> str:
    """A person for one who reads the reasons: the id with hidden places."""
    _, name, former, number, phone, _ = person
    more = [f"({former})" if former else "", mask_id(number) if number else "", phone]
    return " ".join([name, *filter(None, more)])
