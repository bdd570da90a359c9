"""How good linking is, as far as people's answers say: with intervals, and nothing where there are too few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping

from case_registry.link_floor import answers, in_force, learnt, rules
from case_registry.link_learning import Estimate, Part, band_of, share_of, true_pairs
from foundation.unit_of_work import UnitOfWork


def link_estimates(uow: UnitOfWork, wanted: float | None = None) -> dict[str, Any]:
    """What is known of linking's quality.

    `links`: of what links by itself how much is right, from the audit alone. `kinds`: each kind of pair with population,
    audited, open, "cannot tell". `bands`: answers to proposals by score. `recall`: how much of what is one dispute is
    linked by itself, and linked or shown. `learnt`: the cuts that the answers bear out at `wanted`. A figure with fewer
    answers than `least` is None. `taken_apart`: links that people undid of their own accord, in no figure, since nobody
    drew them. Raises NotAllowed for a share outside 0 to 1.
    """
    least = rules()["least_answers"]
    last = uow.one(
        "SELECT at, population, floor_version FROM registry.link_draw ORDER BY at DESC, id DESC LIMIT 1"
    )
    kinds = _kinds(uow, last["population"] if last else {}, last["floor_version"] if last else 0)
    bands = _bands(uow, last["population"].get("SHOWN", []) if last else [])
    version, floor = in_force(uow)
    return {
        "least": least, "drawn_at": last["at"] if last else None, "kinds": kinds, "bands": bands,
        "links": _figure(kinds["LINK"], least),
        "recall": _recall(kinds, bands, least) if last else None,
        "taken_apart": _taken_apart(uow),
        "learnt": learnt(uow, rules()["wanted"] if wanted is None else wanted),
        "in_force": {"version": version, "floor": floor},
    }  # fmt: skip


_AUDITED = """
SELECT u.stratum, count(*) FILTER (WHERE u.answer = 'SAME') AS same, count(u.answer) AS asked,
    count(*) FILTER (WHERE u.answer IS NULL) AS open,
    count(*) FILTER (WHERE u.answer IS NULL AND EXISTS (SELECT 1 FROM registry.link_put_off o
        WHERE o.item = u.id AND o.taken_back_at IS NULL)) AS unclear
FROM registry.link_audit u JOIN registry.link_draw w ON w.id = u.draw
WHERE w.at > CAST(:now AS timestamptz) - make_interval(days => :days)
  AND (u.stratum <> 'BELOW' OR w.floor_version = :version)
GROUP BY 1
"""


def _kinds(uow: UnitOfWork, population: Mapping[str, Any], version: int) -> dict[str, dict[str, Any]]:
    """What was drawn of each kind. Of what lies below a floor only draws under that floor count."""
    found = {r["stratum"]: r for r in uow.all(_AUDITED, now=uow.now, days=rules()["days"], version=version)}
    kinds = {}
    for kind in ("LINK", "BELOW", "NONE"):
        row = {"same": 0, "asked": 0, "open": 0, "unclear": 0, **found.get(kind, {})}
        part = Part(float(population.get(kind, 0)), row["same"], row["asked"])
        low, high = part.interval
        kinds[kind] = {
            "population": round(part.population), "audited": part.asked, "same": part.same, "open": row["open"],
            "unclear": row["unclear"], "share": part.share, "low": low, "high": high,
        }  # fmt: skip
    return kinds


def _bands(uow: UnitOfWork, shown: Sequence[int]) -> list[dict[str, Any]]:
    """Answers to what the rule proposed, by score, each band with how many pairs were in it at the last draw."""
    limits = rules()["bands"]
    told: list[list[bool]] = [[] for _ in range(len(limits) + 1)]
    for score, is_one in answers(uow):
        told[band_of(score, limits)].append(is_one)
    found = []
    for place, own in enumerate(told):
        part = Part(float(shown[place]) if place < len(shown) else 0.0, sum(own), len(own))
        low, high = part.interval
        found.append(
            {"from": limits[place - 1] if place else None, "to": limits[place] if place < len(limits) else None,
             "population": round(part.population), "answers": part.asked, "same": part.same, "share": part.share, "low": low, "high": high}
        )  # fmt: skip
    return found


def _figure(kind: Mapping[str, Any], least: int) -> dict[str, Any]:
    """A share with its interval, and the share if all that nobody could tell were wrong."""
    enough = kind["audited"] >= least
    told = kind["audited"] + kind["unclear"]
    return {
        "enough": enough, "audited": kind["audited"],
        "value": kind["share"] if enough else None, "low": kind["low"], "high": kind["high"],
        "if_unclear_are_wrong": kind["same"] / told if enough else None,
    }  # fmt: skip


def _part(row: Mapping[str, Any], asked: str = "audited") -> Part:
    return Part(float(row["population"]), row["same"], row[asked])


def _recall(
    kinds: Mapping[str, Mapping[str, Any]], bands: Sequence[Mapping[str, Any]], least: int
) -> dict[str, Any]:
    """Of all judged pairs that are one dispute: those linked by the rule, and those linked or shown to people.

    A pair that shares no key with the other side at all is judged by nobody and in no figure.
    """
    linked = true_pairs([_part(kinds["LINK"])])
    shown = true_pairs([_part(band, "answers") for band in bands])
    under = true_pairs([_part(kinds["BELOW"]), _part(kinds["NONE"])])
    enough = all(
        kinds[kind]["audited"] >= least for kind in ("LINK", "BELOW", "NONE") if kinds[kind]["population"]
    )
    by_itself = share_of(linked, _sum(shown, under))
    with_people = share_of(_sum(linked, shown), under)
    return {
        "enough": enough,
        "by_itself": _told(by_itself, enough),
        "linked_or_shown": _told(with_people, enough),
    }


def _sum(one: Estimate, other: Estimate) -> Estimate:
    value = None if one.value is None or other.value is None else one.value + other.value
    return Estimate(value, one.low + other.low, one.high + other.high)


def _told(estimate: Estimate, enough: bool) -> dict[str, Any]:
    return {"value": estimate.value if enough else None, "low": estimate.low, "high": estimate.high}


def _taken_apart(uow: UnitOfWork) -> int:
    row: RowMapping | None = uow.one(
        "SELECT count(*) AS n FROM registry.link_decision WHERE asked = '' AND verdict = 'DIFFERENT' AND held = 'LINK'"
        " AND undone_at IS NULL AND at > CAST(:now AS timestamptz) - make_interval(days => :days)",
        now=uow.now,
        days=rules()["days"],
    )
    return int(row["n"]) if row else 0
