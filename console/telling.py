"""One line of a dispute's timeline in the reader's language."""

from __future__ import annotations

from typing import Any

from console.texts import in_language
from console.words import word, yuan


def line_text(line: dict[str, Any], language: str) -> str:
    """What happened, as a short sentence: ``收到：案件信息 诉前调解 办理中``."""
    detail, name = line["detail"] or {}, str(line["name"] or "")
    tellers = {"told": _told, "clock": _clock, "escrow": _escrow}
    teller = tellers.get(line["what"], _decided)
    parts = teller(name, detail, line, language)
    colon = ": " if language == "en" else "："
    return f"{word(line['what'], 'what', language)}{colon}{' '.join(part for part in parts if part)}"


def _told(name: str, detail: dict[str, Any], line: dict[str, Any], language: str) -> list[str]:
    fields, data = detail.get("fields") or {}, detail.get("data") or {}
    return [
        word(name, "told", language),
        word(fields.get("proceeding_kind") or "", "proceeding", language),
        line["sub_id"],
        word(fields.get("state") or "", "episode", language),
        str(fields.get("holder") or ""),
        word(data.get("result") or data.get("measure") or "", "told_result", language),
        in_language("（待案件到达）", language) if detail.get("parked") else "",
        in_language("（已撤回）", language) if detail.get("retracted") else "",
    ]


def _clock(name: str, detail: dict[str, Any], line: dict[str, Any], language: str) -> list[str]:
    rule = word(line["ref"], "rule", language)
    if name == "LAMP":
        before, after = (word(detail[side], "lamp", language) for side in ("from", "to"))
        return [rule, f"{before} → {after}"]
    return [rule, word(name, "event", language), str(detail.get("last_day", detail.get("day", "")))]


def _escrow(name: str, detail: dict[str, Any], _line: dict[str, Any], language: str) -> list[str]:
    sums = [
        f"{in_language(title, language)} {yuan(int(detail[field]))}"
        for field, title in (("funded_fen", "已到账"), ("in_transit_fen", "在途"), ("released_fen", "已给付"))
        if detail.get(field)
    ]
    return [word(name, "escrow", language), "，".join(sums)]


def _decided(name: str, detail: dict[str, Any], line: dict[str, Any], language: str) -> list[str]:
    shown = name.partition(":")[0]
    if line["what"] == "flag":
        shown = word(shown, "flag_name", language)
    elif line["what"] == "grade":
        before, after = (word(grade, "grade", language) for grade in (detail.get("from"), shown))
        return [f"{before} → {after}", f"{in_language('得分', language)} {detail.get('score')}"]
    else:
        shown = word(shown, "event", language)
    reason = detail.get("reason") or detail.get("why") or detail.get("cause") or ""
    return [shown, word(reason, "reason", language)]
