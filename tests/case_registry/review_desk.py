"""A desk of the review of links: officers, pairs to decide, links and strangers, and a photograph of all that is held."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from case_registry import (
    Reader,
    answer_review,
    reader_for,
    review_pair,
    state_hash,
)
from foundation.actors import Actor
from foundation.unit_of_work import UnitOfWork
from tests.case_registry.make import COURT, MEDIATION, PETITION, episode, person, resident, take

ANNA = Actor("anna", "安娜", frozenset({"reviewer"}), "瓯栖县")
BERT = Actor("bert", "伯特", frozenset({"reviewer"}), "瓯栖县")
SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗"
# Two letters that no surname has: each pair's people are others.
GIVEN = "鑫淼焱垚"


def reader(uow: UnitOfWork) -> Reader:
    return reader_for(uow.actor, "link")


def pair(uow: UnitOfWork, n: int, fen: int | None = None, **more: Any) -> None:
    """A petition and a court's row that share names, cause, sum and day only."""
    name = SURNAMES[n % 20] + GIVEN[n % 4] + GIVEN[n // 20 % 4]
    parties = [person(name), person(name[::-1] + "民", "respondent")]
    told = {"cause": "民间借贷纠纷", "claimed_fen": fen or 1_000_000 + n, "parties": parties, **more}
    take(uow, PETITION, episode(f"X{n}", "PETITION", "REGISTERED", opened_on="2026-03-01", **told))
    take(uow, COURT, episode(f"C{n}", "PRE_LITIGATION_MEDIATION", opened_on="2026-03-04", **told))


def say(uow: UnitOfWork, item: UUID, said: str, reason: str = "逐项核对") -> list[dict[str, Any]]:
    shown = review_pair(uow, item, reader=reader(uow))
    return answer_review(uow, item, said, reason, shown["version"], reader=reader(uow))


def snapshot(uow: UnitOfWork) -> list[Any]:
    rows = uow.all(
        "SELECT number, merged_into, stage, holder, flags, title, search FROM registry.dispute"
        " WHERE merged_into IS NULL ORDER BY number"
    )
    open_ = uow.all("SELECT a, b, score, opened_at FROM registry.proposal WHERE state = 'OPEN' ORDER BY a, b")
    return [state_hash(uow), [tuple(r.values()) for r in rows], [tuple(r.values()) for r in open_]]


def linked(uow: UnitOfWork, n: int) -> None:
    """The same person by id at two agencies: links by itself."""
    parties = [
        person("欧阳" + SURNAMES[n], id_number=resident(n + 1)),
        person("司徒" + SURNAMES[n], "respondent"),
    ]
    told = {"cause": "劳动争议", "claimed_fen": 5_000_000 + n, "parties": parties}
    take(uow, COURT, episode(f"L{n}", "TRIAL", opened_on="2026-02-01", **told))
    take(uow, MEDIATION, episode(f"M{n}", "MEDIATION", opened_on="2026-02-03", **told))


def apart(uow: UnitOfWork, n: int) -> None:
    """The same two people with another matter years later: nothing is held of it."""
    parties = [
        person("诸葛" + SURNAMES[n], phone=f"1005770{n:04d}"),
        person("慕容" + SURNAMES[n], "respondent"),
    ]
    take(
        uow,
        COURT,
        episode(f"A{n}", "TRIAL", opened_on="2021-02-01", cause="劳动争议", claimed_fen=77, parties=parties),
    )
    take(uow, PETITION, episode(f"B{n}", "PETITION", "REGISTERED", opened_on="2026-02-03", cause="相邻关系纠纷",
                                claimed_fen=9_999, parties=parties))  # fmt: skip


def scores(uow: UnitOfWork) -> tuple[float, float]:
    row = uow.one("SELECT min(score) AS low, max(score) AS high FROM registry.link_edge")
    assert row is not None
    return row["low"], row["high"]
