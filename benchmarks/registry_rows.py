"""What agencies tell of many made-up disputes: some 8 claims each, four kinds of agency, some told by two of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta

from case_registry import Source
from schemas.claims import Claim, PartyClaim, Record
from schemas.identifiers import resident_check_digit

SOURCES = {
    "petition": Source("bench_petition", "330399P", "petition"),
    "mediation": Source("bench_office", "330399M", "mediation"),
    "court": Source("bench_court", "330399C", "court"),
    "arbitration": Source("bench_arbitration", "330399A", "arbitration"),
}
KINDS = {"petition": "PETITION", "mediation": "MEDIATION", "court": "TRIAL", "arbitration": "ARBITRATION"}
STATES = {"petition": ("OPEN", "REFERRED", "CLOSED"), "mediation": ("OPEN", "AGREED", "FAILED", "CLOSED"),
          "court": ("OPEN", "CLOSED"), "arbitration": ("OPEN", "CLOSED")}  # fmt: skip
CAUSES = (
    "追索劳动报酬纠纷",
    "房屋租赁合同纠纷",
    "相邻关系纠纷",
    "买卖合同纠纷",
    "机动车交通事故责任纠纷",
    "民间借贷纠纷",
)
FAMILY = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许邓冯韩曹"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰涛明超秀霞平刚桂英华玉兰红建国志文"
TOWNS = tuple(f"330399{n:03d}" for n in range(1, 41))
FIRST = date(2024, 1, 1)
TWO_AGENCIES = 0.1
"""Share of disputes that a second agency tells of too, under the same people's numbers."""

Told = tuple[Source, list[Record]]


def told(disputes: int, seed: int) -> Iterator[Told]:
    """One source and its record at a time, in the order of the disputes."""
    rnd = random.Random(seed)
    for number in range(disputes):
        people = (_person(rnd, number, "applicant"), _person(rnd, number, "respondent"))
        opened = FIRST + timedelta(days=rnd.randrange(800))
        matter = {"cause": rnd.choice(CAUSES), "claimed_fen": rnd.randrange(100, 100_000) * 100,
                  "place_code": rnd.choice(TOWNS)}  # fmt: skip
        agencies = rnd.sample(sorted(KINDS), 2 if rnd.random() < TWO_AGENCIES else 1)
        for agency in agencies:
            yield (
                SOURCES[agency],
                [record(agency, number, opened, rnd.choice(STATES[agency]), matter, people)],
            )


def record(
    agency: str, number: int, opened: date, state: str, matter: dict[str, object], people: tuple[PartyClaim, ...],
    version: int = 1,
) -> Record:  # fmt: skip
    """What one agency tells of one dispute."""
    fields: dict[str, object] = {
        "proceeding_kind": KINDS[agency],
        "state": state,
        "opened_on": opened.isoformat(),
        **matter,
    }
    if state == "CLOSED":
        fields["closed_on"] = (opened + timedelta(days=60)).isoformat()
    return Record(
        "episode", f"{agency[:1].upper()}{number:07d}", (version,), opened.isoformat(),
        sub_id=f"{number}号" if agency == "court" else "",
        claims=tuple(Claim(name, value) for name, value in fields.items()),  # type: ignore[arg-type]
        parties=people,
    )  # fmt: skip


def _person(rnd: random.Random, number: int, role: str) -> PartyClaim:
    side = 0 if role == "applicant" else 1
    first = f"330399{1950 + number % 50}{1 + number % 12:02d}{1 + number // 50 % 28:02d}{(number * 2 + side) % 1000:03d}"
    name = rnd.choice(FAMILY) + rnd.choice(GIVEN) + rnd.choice(GIVEN)
    return PartyClaim(
        role=role, kind="person", name=name, key=f"{role}1", id_number=first + resident_check_digit(first),  # type: ignore[arg-type]
        phone=f"1{side}{number:09d}",
    )  # fmt: skip


def big_dispute() -> Iterator[Told]:
    """One dispute with 6 episodes at four agencies and more than 40 claims, all under the same people's numbers."""
    rnd = random.Random(0)
    people = (_person(rnd, 9_999_990, "applicant"), _person(rnd, 9_999_990, "respondent"))
    matter: dict[str, object] = {"cause": CAUSES[0], "claimed_fen": 1_234_500, "place_code": TOWNS[0]}
    opened = date(2026, 1, 5)
    for agency in KINDS:
        yield SOURCES[agency], [record(agency, 9_999_990, opened, "OPEN", matter, people)]
    for sub, kind in (("民诉前调1号", "PRE_LITIGATION_MEDIATION"), ("执1号", "ENFORCEMENT")):
        yield SOURCES["court"], [
            Record("episode", "C9999990", (2,), "2026-02-01", sub_id=sub,
                   claims=tuple(Claim(n, v) for n, v in {"proceeding_kind": kind, "state": "OPEN", **matter}.items()),  # type: ignore[arg-type]
                   parties=people)
        ]  # fmt: skip
