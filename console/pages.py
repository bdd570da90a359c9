"""Renders pages: one template environment, the reader's language, both themes, no outside request."""

from __future__ import annotations

import json
import uuid
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, pass_context, select_autoescape
from jinja2.runtime import Context
from markupsafe import Markup

from console.access import NOTICE, came_from
from console.telling import line_text
from console.texts import in_language
from console.words import flag_text, word, words, yuan
from foundation.actors import Actor
from foundation.staff import ROLES
from schemas.code_tables import code_table
from schemas.findings import FINDING_CODES, Finding

BEIJING = ZoneInfo("Asia/Shanghai")
FOLDER = Path(__file__).resolve().parent
_PAGES = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=select_autoescape(),
    trim_blocks=True,
    lstrip_blocks=True,
)


def beijing(at: datetime | str | None) -> str:
    """A time in Beijing, to the minute; a day or an unreadable text as it is."""
    if at is None or at == "":
        return ""
    try:
        when = datetime.fromisoformat(at) if isinstance(at, str) else at
    except ValueError:
        return str(at)
    if not isinstance(when, datetime) or when.tzinfo is None:
        return str(at)
    return when.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M")


def masked(value: str | None) -> str:
    """An identity number as it may be shown by default: first six and last four."""
    if not value or len(value) < 12:
        return value or ""
    return f"{value[:6]}{'*' * (len(value) - 10)}{value[-4:]}"


@pass_context
def _word(context: Context, code: object, group: str) -> str:
    return word(code, group, context["language"])


@pass_context
def _flag(context: Context, flag: str) -> str:
    return flag_text(flag, context["language"])


@pass_context
def _lamp(context: Context, colour: str | None) -> Markup:
    """A lamp as a coloured word: colour is never the only sign."""
    if not colour:
        return Markup("")
    shown = word(colour, "lamp", context["language"])
    return Markup('<span class="lamp {}">{}</span>').format(colour.lower(), shown)


@pass_context
def _value(context: Context, value: Any, name: str) -> str:
    """A value of the record as people read it: sums in yuan, codes as words, yes and no."""
    language = context["language"]
    if value is None:
        return in_language("（告知为空）", language)
    if isinstance(value, bool):
        return in_language("是" if value else "否", language)
    if name.endswith("_fen") and isinstance(value, int):
        return f"{yuan(value)} {in_language('元', language)}"
    if isinstance(value, dict):
        return " ".join(str(part) for part in value.values())
    if isinstance(value, list):
        return "、".join(str(part) for part in value)
    if name == "place_code":
        return f"{_place(context, str(value))} {value}"
    groups = {"proceeding_kind": "proceeding", "state": "episode"}
    return word(value, groups.get(name, ""), language)


@pass_context
def _finding(context: Context, finding: Finding) -> dict[str, str]:
    """A finding as people read it: what, where (the field's name, the row), what was wanted, what to do."""
    language = context["language"]
    known = FINDING_CODES[finding.code]
    name, _, row = finding.path.rstrip("]").partition("[")
    where = word(name, "path", language)
    return {
        "text": known.en if language == "en" else known.zh,
        "todo": known.todo_en if language == "en" else known.todo_zh,
        "where": f"{where} #{row}" if row else where,
        "expected": word(finding.expected, "expected", language),
    }


@pass_context
def _words_of(context: Context, group: dict[str, tuple[str, str]]) -> list[tuple[str, str]]:
    """A group of words as options of a list: (code, word)."""
    return [(code, pair[1] if context["language"] == "en" else pair[0]) for code, pair in group.items()]


def _day(at: date | datetime | None) -> str:
    """The Beijing day of an instant, or a day."""
    if isinstance(at, datetime):
        return at.astimezone(BEIJING).date().isoformat()
    return "" if at is None else str(at)


def _party_name(key: str, parties: list[dict[str, Any]]) -> str:
    """The person who has a seat of an agreement now; the seat itself where nobody has it."""
    named = [each["name"] for each in parties if each["key"] == key and each["active"]]
    return str(named[0]) if named else key


def _entries(rows: list[dict[str, Any]]) -> list[tuple[Any, list[dict[str, Any]]]]:
    """Postings of a ledger by their entry, in the order in which they stand."""
    found: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["entry"], []).append(row)
    return list(found.items())


@pass_context
def _line(context: Context, line: dict[str, Any]) -> str:
    return line_text(line, context["language"])


@pass_context
def _place(context: Context, code: str) -> str:
    """The name of a division by its code; the code itself where the tables have none."""
    for table in ("division", "division_synthetic"):
        found = code_table(table).get(code)
        if found is not None:
            return found.name_en if context["language"] == "en" else found.name_zh
    return code


def _pretty(value: Any) -> str:
    """JSON for the eye: indented, Chinese as it is."""
    return json.dumps(value, ensure_ascii=False, indent=1, default=str)


_PAGES.filters.update(
    pretty=_pretty,
    line=_line,
    place=_place,
    party_name=_party_name,
    entries=_entries,
    yuan=yuan,
    beijing=beijing,
    masked=masked,
    lamp=_lamp,
    word=_word,
    flag=_flag,
    value=_value,
    day=_day,
    finding=_finding,
    words_of=_words_of,
)


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """One page for the person of this request; what the last form said is shown once."""
    language = "en" if request.cookies.get("language") == "en" else "zh"
    actor: Actor | None = getattr(request.state, "actor", None)
    notice = unquote(request.cookies.get(NOTICE, ""))[:300]
    shown = _PAGES.get_template(template).render(
        t=lambda text: in_language(text, language),
        language=language,
        actor=actor,
        roles=ROLES,
        all_words=words(),
        path=request.url.path,
        here=request.url.path if request.method == "GET" else came_from(request),
        form_token=getattr(request.state, "form_token", ""),
        new_key=lambda: str(uuid.uuid4()),
        notice=notice,
        **values,
    )
    answer = HTMLResponse(shown, status_code=status)
    if notice:
        answer.delete_cookie(NOTICE)
    return answer
