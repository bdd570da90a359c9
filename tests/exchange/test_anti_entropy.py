"""The arithmetic of comparing holdings: every difference found and typed, none false, whatever the two sides hold."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.comparing import AnswerBroken, compare
from schemas.holdings import MOST_NAMED, Answer, Held, Holdings, Range, Sum, kind_of, leaf, place, sum_of

BEGIN = date(2026, 4, 1)
DAYS = [str(BEGIN + timedelta(days=n)) for n in range(4)]
SINCE, UNTIL = BEGIN, BEGIN + timedelta(days=3)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def holdings(most: int) -> st.SearchStrategy[dict[str, Held]]:
    """A side: each id once, crowded into few days and few ids so that sides overlap and ranges are cut."""
    one = st.builds(
        Held, st.sampled_from(DAYS), st.integers(0, most).map(lambda n: f"M-{n}"), st.sampled_from(["a", "b"]).map(digest),
        st.booleans(),
    )  # fmt: skip
    return st.lists(one, max_size=most).map(lambda found: {each.id: each for each in found})


@settings(max_examples=200, deadline=None)
@given(holdings(300), holdings(300))
def test_all_differences_are_found_and_typed_and_no_others(
    ours: dict[str, Held], theirs: dict[str, Held]
) -> None:
    told = compare(Holdings(ours.values()), Holdings(theirs.values()), SINCE, UNTIL)
    wanted = {
        name: kind
        for name in ours.keys() | theirs.keys()
        if (kind := kind_of(ours.get(name), theirs.get(name))) is not None
    }
    assert {each.id: each.kind for each in told.differences} == wanted
    assert len(told.differences) == len(wanted)
    assert (told.ours, told.theirs) == (len(ours), len(theirs))


@settings(max_examples=60, deadline=None)
@given(holdings(300), st.randoms(use_true_random=False))
def test_few_differences_cost_few_rows(base: dict[str, Held], chance: object) -> None:
    ours = dict(base)
    names = sorted(base)[:3]
    for name in names:
        del ours[name]
    told = compare(Holdings(ours.values()), Holdings(base.values()), SINCE, UNTIL)
    assert sorted(each.id for each in told.differences) == names
    # One row a day, sixteen parts a level, and the last range's ids, for each difference.
    assert told.rows <= len(DAYS) + len(names) * (16 * 3 + MOST_NAMED)


@given(st.lists(st.text(min_size=1, max_size=20), unique=True, max_size=60))
def test_a_range_is_the_sum_of_its_parts(names: list[str]) -> None:
    side = Holdings(Held(DAYS[0], name, digest(name)) for name in names)
    waiting, found = [Range(DAYS[0])], []
    while waiting:
        asked = waiting.pop()
        (answer,) = side.ranges([asked])
        if answer.parts is None:
            found += [each.id for each in answer.entries]
        else:
            assert all(part.count for part in answer.parts.values())
            waiting += [Range(DAYS[0], part) for part in answer.parts]
    assert sorted(found) == sorted(names)


def test_the_hash_knows_what_is_said_and_whether_it_was_taken_back() -> None:
    first = Held(DAYS[0], "M-1", digest("a"))
    others = [
        Held(DAYS[0], "M-1", digest("b")),
        Held(DAYS[0], "M-1", digest("a"), True),
        Held(DAYS[0], "M-2", digest("a")),
    ]
    assert len({sum_of([leaf(each)]).hash for each in (first, *others)}) == 4
    assert leaf(first)[:32] == place("M-1")


def test_the_neighbouring_day_is_no_difference_also_at_the_ends() -> None:
    ours = [
        Held("2026-03-31", "M-1", digest("a")),
        Held("2026-04-02", "M-2", digest("a")),
        Held("2026-04-04", "M-3", digest("a")),
    ]
    theirs = [
        Held("2026-04-01", "M-1", digest("a")),
        Held("2026-04-03", "M-2", digest("a")),
        Held("2026-04-05", "M-3", digest("a")),
    ]
    assert compare(Holdings(ours), Holdings(theirs), SINCE, UNTIL).differences == []
    far = {"M-9": Held("2025-01-01", "M-9", digest("a"))}
    theirs.append(Held("2026-04-02", "M-9", digest("a")))
    told = compare(
        Holdings(ours), Holdings(theirs), SINCE, UNTIL, here=lambda ids: {n: far[n] for n in ids if n in far}
    )
    assert told.differences == []


class Liar:
    """A side that answers one question wrongly."""

    def __init__(
        self, answer: Answer | None = None, days: dict[str, Sum] | None = None, drop: bool = False
    ) -> None:
        self.answer, self.told, self.drop = answer, days, drop

    def days(self, _since: str, _until: str) -> dict[str, Sum]:
        return self.told or {DAYS[0]: Sum(1, "00")}

    def ranges(self, asked: Sequence[Range]) -> list[Answer]:
        assert self.answer is not None or self.drop
        return [] if self.drop else [self.answer or Answer() for _ in asked]


@pytest.mark.parametrize(
    "liar",
    [
        Liar(days={"2020-01-01": Sum(1, "00")}),
        Liar(drop=True),
        Liar(Answer(parts={"00": Sum(1, "00")})),
        Liar(Answer(entries=(Held(DAYS[1], "M-1", digest("a")),))),
    ],
    ids=["other day", "no answers", "no part of it", "message of another day"],
)
def test_answers_that_contradict_are_refused(liar: Liar) -> None:
    with pytest.raises(AnswerBroken):
        compare(Holdings([]), liar, SINCE, UNTIL)


def test_a_side_that_never_comes_to_names_is_refused() -> None:
    class Endless(Liar):
        def ranges(self, asked: Sequence[Range]) -> list[Answer]:
            return [Answer(parts={f"{each.prefix}0": Sum(99, each.prefix)}) for each in asked]

    with pytest.raises(AnswerBroken):
        compare(Holdings([]), Endless(), SINCE, UNTIL)
