"""The review of links: pair after pair with one key each, and what the answers say of linking's quality."""

from __future__ import annotations

import secrets
from itertools import pairwise
from typing import Annotated, Any
from urllib.parse import quote, urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

import case_registry
from console.access import Work, need
from console.acts import Act, Taken
from console.filled import Filled
from console.links import DECIDE, LOOK
from console.pages import page
from console.texts import in_language, say
from console.words import word, words
from foundation.journal import disclose_many
from foundation.staff import staff_names
from foundation.unit_of_work import UnitOfWork
from schemas.findings import Finding

router = APIRouter()
LISTED = 50
SAID = {
    "SAME": say("已记：同一纠纷"),
    "DIFFERENT": say("已记：不同纠纷"),
    "LATER": say("已记：暂不能判断，排到最后"),
}


class _Filters:
    """What of the list is wanted, as the address says it; what is no county, kind or band there counts as any."""

    def __init__(self, county: str = "", kind: str = "", band: str = "") -> None:
        self.county = county if county.isdecimal() and len(county) == 6 else ""
        self.kind = kind if kind in words()["proceeding"] else ""
        highest = len(case_registry.review_rules()["bands"])
        self.band = int(band) if band.isdecimal() and int(band) <= highest else None

    @property
    def asked(self) -> case_registry.AskedReviews:
        return case_registry.AskedReviews(self.county, self.kind, self.band)

    def query(self, **other: Any) -> str:
        """The filters as an address's query, some of them otherwise."""
        told = {"county": self.county, "kind": self.kind, "band": self.band, **other}
        return urlencode({name: value for name, value in told.items() if value not in ("", None)})


def _reader(uow: UnitOfWork) -> case_registry.Reader:
    return case_registry.reader_for(uow.actor, "link")


@router.get("/links")
def review(
    request: Request, uow: Work, county: str = "", kind: str = "", band: str = "", at: UUID | None = None
) -> HTMLResponse:
    """The list and one pair of it: the one asked for, else the first."""
    need(uow.actor, *LOOK)
    filters, reader = _Filters(county, kind, band), _reader(uow)
    listed = case_registry.reviews(uow, filters.asked, reader=reader, limit=LISTED)
    pair = None
    for chosen in [*([at] if at else []), *[row["id"] for row in listed[:3]]]:
        pair = pair or _pair(uow, chosen, reader)
    counts = case_registry.review_counts(uow, filters.asked, reader=reader)
    return page(
        request, "review.html", listed=listed, pair=pair, filters=filters, counts=counts, may=uow.actor.has(*DECIDE),
        bands=bands(), names=case_registry.COMPARED_IN_REVIEW,
    )  # fmt: skip


def bands() -> list[str]:
    """The bands of score as people read them."""
    limits = case_registry.review_rules()["bands"]
    between = [f"{low}–{high}" for low, high in pairwise(limits)]
    return [f"< {limits[0]}", *between, f"≥ {limits[-1]}"]


def _pair(uow: UnitOfWork, item: UUID, reader: case_registry.Reader) -> dict[str, Any] | None:
    """A pair, held for this person if it is one who decides; the look leaves a line for each record."""
    try:
        found = case_registry.review_pair(uow, item, reader=reader, hold=uow.actor.has(*DECIDE))
    except case_registry.Unknown:
        return None
    disclose_many(
        uow, recipient=uow.actor.id, purpose=reader.purpose, subjects=found["looked_at"], fields=["record"],
        basis="个人信息保护法 第13条第3项",
    )  # fmt: skip
    return found


@router.get("/links/estimates")
def estimates(request: Request, uow: Work, wanted: Annotated[str, Query(max_length=8)] = "") -> HTMLResponse:
    """How good linking is by people's answers, and the floor that they bear out."""
    need(uow.actor, *LOOK)
    findings, share = [], case_registry.review_rules()["wanted"]
    if wanted:
        try:
            share = _share(wanted)
        except ValueError:
            findings = [Finding("SCHEMA_VIOLATION", "wanted", wanted, "0.5–0.9999")]
    return page(
        request, "review_estimates.html", status=422 if findings else 200, findings=findings, share=share,
        told=case_registry.link_estimates(uow, share), floors=case_registry.link_floors(uow), bands=bands(),
        may=uow.actor.has(*DECIDE), draw_pairs=case_registry.review_rules()["draw_pairs"], people=staff_names(uow),
    )  # fmt: skip


def _share(text: str) -> float:
    share = float(text)
    if not 0.5 <= share <= 0.9999:
        raise ValueError(text)
    return share


@router.get("/links/{item}")
def card(
    request: Request, uow: Work, item: UUID, county: str = "", kind: str = "", band: str = ""
) -> HTMLResponse:
    """One pair alone, as the page's script takes it in. 404 where it is no longer open."""
    need(uow.actor, *LOOK)
    pair = _pair(uow, item, _reader(uow))
    return page(
        request, "review_card.html", status=200 if pair else 404, pair=pair, filters=_Filters(county, kind, band),
        may=uow.actor.has(*DECIDE), names=case_registry.COMPARED_IN_REVIEW,
    )  # fmt: skip


@router.post("/links/take-back")
def take_back(request: Request, act: Taken) -> Response:
    """The person's own last answer; everything stands as before it."""
    need(act.uow.actor, *DECIDE)
    filters = _told_filters(act.told)
    reason = act.told.text("reason") or word("TAKE_BACK", "review_reason", "zh")
    act.told.check()
    item, events = case_registry.take_back_review(act.uow, reason)
    act.follow(events)
    return _end(request, act, filters, say("已撤销上一个决定，恢复原状"), item)


@router.post("/links/draw")
def draw(act: Taken) -> Response:
    """Draw pairs for the audit; which they are, only the data says."""
    need(act.uow.actor, *DECIDE)
    pairs = act.told.whole("pairs", 1, case_registry.review_rules()["draw_most"], 1)
    act.told.check()
    case_registry.draw_link_audit(act.uow, pairs, secrets.randbits(62))
    return act.done("/links/estimates", say("已随机抽取，混入待判清单"))


@router.post("/links/floor")
def adopt(act: Taken) -> Response:
    """Put the floor that was shown into force, with the reason."""
    need(act.uow.actor, *DECIDE)
    reason = act.told.reason()
    numbers = _numbers(act.told, "wanted", "score")
    act.told.check()
    case_registry.adopt_link_floor(act.uow, numbers["wanted"], reason, numbers["score"])
    return act.done("/links/estimates", say("新下限已生效，适用于此后的建议"))


def _numbers(told: Filled, *names: str) -> dict[str, float]:
    found = {}
    for name in names:
        text = told.text(name, most=20, required=True)
        try:
            found[name] = float(text)
        except ValueError:
            told.findings.append(Finding("SCHEMA_VIOLATION", name, text, "0.995"))
    return found


@router.post("/links/floor/take-back")
def floor_back(act: Taken) -> Response:
    """Put the floor before this one back into force."""
    need(act.uow.actor, *DECIDE)
    reason = act.told.reason()
    version = act.told.whole("version", 1, 1_000_000, 1)
    act.told.check()
    _, events = case_registry.take_back_link_floor(act.uow, version, reason)
    act.follow(events)
    return act.done("/links/estimates", say("已恢复前一个下限，其间未提出的已补提"))


@router.post("/links/{item}")
def answer(request: Request, item: UUID, act: Taken) -> Response:
    """One key's answer: same, different, or cannot tell; without a typed reason the key's own."""
    need(act.uow.actor, *DECIDE)
    filters = _told_filters(act.told)
    said = act.told.choice("said", case_registry.REVIEW_ANSWERS)
    reason = act.told.text("reason") or word(said, "review_reason", "zh")
    version = act.told.text("version", most=40, required=True)
    act.told.check()
    act.follow(case_registry.answer_review(act.uow, item, said, reason, version, reader=_reader(act.uow)))
    return _end(request, act, filters, SAID[said], None)


def _told_filters(told: Filled) -> _Filters:
    return _Filters(*(told.text(name, most=20) for name in ("county", "kind", "band")))


def _end(request: Request, act: Act, filters: _Filters, notice: str, at: UUID | None) -> Response:
    """Back to the list; the page's script gets the same as JSON and stays where it is."""
    query = filters.query(at=at)
    answer = act.done(f"/links?{query}" if query else "/links", notice)
    if "application/json" in request.headers.get("accept", ""):
        language = "en" if request.cookies.get("language") == "en" else "zh"
        return JSONResponse({"notice": in_language(notice, language), "at": at and quote(str(at))})
    return answer
