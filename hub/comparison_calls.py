"""What partners may ask of us to compare holdings (exchange rule 10): plain functions, thin fronts over them.

``compare_days``: count and hash of each day. ``compare_ranges``: a range's parts, or the ids of a small one.
``compare_messages``: the messages of ours that the caller lacks, as they were first sent. Each caller sees its own only.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from foundation import outbox
from foundation.directory import Partner
from foundation.unit_of_work import UnitOfWork
from hub import sharing
from hub.holdings import OurHoldings
from schemas.findings import Finding, Refused
from schemas.holdings import MOST_DAYS, MOST_DEPTH, MOST_IDS, MOST_RANGES, WAYS, Answer, Range, Way

Plain = dict[str, Any]
_PREFIX = re.compile(rf"[0-9a-f]{{0,{MOST_DEPTH}}}")


def compare_days(uow: UnitOfWork, caller: Partner, asked: Plain) -> Plain:
    """{way, since, until} → {days: [{day, count, hash}]}. At most MOST_DAYS. Raises Refused."""
    _only(asked, "", "way", "since", "until")
    way, since, until = _way(asked), _day(asked, "since"), _day(asked, "until")
    if not timedelta(0) <= until - since < timedelta(days=MOST_DAYS):
        raise Refused(
            Finding("WRONG_DATE_ORDER", "/until", str(until), f"since, or up to {MOST_DAYS} days after it")
        )
    sums = OurHoldings(uow, caller.id, way).days(str(since), str(until))
    return {"days": [{"day": day, "count": each.count, "hash": each.hash} for day, each in sums.items()]}


def compare_ranges(uow: UnitOfWork, caller: Partner, asked: Plain) -> Plain:
    """{way, ranges: [{day, prefix}]} → {ranges: [{day, prefix, parts | entries}]}, in the order asked. Raises Refused."""
    _only(asked, "", "way", "ranges")
    way, listed = _way(asked), asked.get("ranges")
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST_RANGES:
        raise Refused(Finding("MEMBER_LIMIT", "/ranges", "none or too many", f"1 to {MOST_RANGES} ranges"))
    wanted = [_range(each, f"/ranges/{no}") for no, each in enumerate(listed)]
    answers = OurHoldings(uow, caller.id, way).ranges(wanted)
    return {"ranges": [_shown(*pair) for pair in zip(wanted, answers, strict=True)]}


def compare_messages(uow: UnitOfWork, caller: Partner, asked: Plain) -> Plain:
    """{ids} → {messages: [{id, content_base64}]}: messages that we made for the caller and that it lacks.

    Those made under an agreement that is no longer in force are left out: after its end nothing leaves. Raises Refused.
    """
    _only(asked, "", "ids")
    ids = asked.get("ids")
    if (
        not isinstance(ids, list)
        or not 0 < len(ids) <= MOST_IDS
        or not all(isinstance(each, str) for each in ids)
    ):
        raise Refused(Finding("MEMBER_LIMIT", "/ids", "none or too many", f"1 to {MOST_IDS} message ids"))
    rows = uow.all(
        "SELECT * FROM exchange.outbox WHERE partner = :p AND message_id = ANY(:ids) AND content IS NOT NULL"
        " ORDER BY seq LIMIT :most", p=caller.id, ids=ids, most=MOST_IDS,
    )  # fmt: skip
    told = []
    for row in rows:
        content = outbox.kept_bytes(uow, row)
        if content is not None and sharing.still_shared(uow, row["partner"], row["agreement"]):
            told.append({"id": row["message_id"], "content_base64": base64.b64encode(content).decode()})
    return {"messages": told}


def _only(asked: Plain, path: str, *known: str) -> None:
    """A misspelt name would be a question that was not asked."""
    unknown = sorted(set(asked) - set(known))
    if unknown:
        raise Refused(
            Finding("UNKNOWN_FIELD", f"{path}/{unknown[0][:60]}", "not known here", ", ".join(known))
        )


def _way(asked: Plain) -> Way:
    for each in WAYS:
        if asked.get("way") == each:
            return each
    raise Refused(Finding("CODE_UNKNOWN", "/way", str(asked.get("way", "absent"))[:40], ", ".join(WAYS)))


def _day(asked: Plain, name: str) -> date:
    text = asked.get(name)
    try:
        return date.fromisoformat(text) if isinstance(text, str) and len(text) == 10 else _wrong(name, text)
    except ValueError:
        return _wrong(name, text)


def _wrong(name: str, text: Any) -> date:
    raise Refused(Finding("DATE_UNREADABLE", f"/{name}", str(text)[:40], "a day, YYYY-MM-DD"))


def _range(asked: Any, path: str) -> Range:
    if not isinstance(asked, dict):
        raise Refused(
            Finding("SCHEMA_VIOLATION", path, type(asked).__name__, "an object with day and prefix")
        )
    _only(asked, path, "day", "prefix")
    prefix = asked.get("prefix", "")
    if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
        raise Refused(
            Finding("SCHEMA_VIOLATION", f"{path}/prefix", str(prefix)[:40], f"0 to {MOST_DEPTH} hex digits")
        )
    return Range(str(_day(asked, "day")), prefix)


def _shown(asked: Range, answer: Answer) -> Plain:
    told: Plain = {"day": asked.day, "prefix": asked.prefix}
    if answer.parts is not None:
        parts = sorted(answer.parts.items())
        return told | {
            "parts": [{"prefix": part, "count": each.count, "hash": each.hash} for part, each in parts]
        }
    return told | {
        "entries": [
            {"id": each.id, "digest": each.digest, "withdrawn": each.withdrawn} for each in answer.entries
        ]
    }


# By the last word of their path (exchange_api/open_contract/comparing.py).
CALLS: dict[str, Callable[[UnitOfWork, Partner, Plain], Plain]] = {
    "days": compare_days,
    "ranges": compare_ranges,
    "messages": compare_messages,
}
